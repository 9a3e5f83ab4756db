"""Where the CPU time of a request of LeanHttpUser goes: its parts in Python, one by one, without a network.

    taskset --cpu-list 0 .lab/venv/bin/python bench/generator/parts.py

The pipe is one that has the answer at once; what throughput.py measures besides is the kernel's, the event loop's and
the switching between users. Prints us of CPU time, the least of several tries.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gevent import monkey

monkey.patch_all()
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench/generator")]
os.environ |= {"CLIENT": "lean", "ASKED": "get", "WAIT_S": "0"}

from locust.env import Environment  # noqa: E402
from locust.exception import StopUser  # noqa: E402
from locust.user.task import LOCUST_STATE_RUNNING, DefaultTaskSet  # noqa: E402
from locustfile import BusyUser  # noqa: E402

from loadlab.generator.http import LeanHttpSession, pool  # noqa: E402
from loadlab.generator.http.connection import Connection, Limits  # noqa: E402
from loadlab.generator.http.tasks import Tasks  # noqa: E402
from loadlab.generator.recorder import Recorder  # noqa: E402

TIMES = 100_000
TRIES = 5
BODY = b'[{"name": "unit testing", "description": "testing individual units of source"}]'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Wed, 25 Nov 2026 23:31:16 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%b" % (len(BODY), BODY)
)


class Ready:
    """A pipe on whose other end the answer is always ready."""

    def send(self, data: bytes) -> None:
        """Take it."""

    def receive(self, now: float) -> bytes:  # noqa: ARG002 - as Pipe has it
        """Return the answer."""
        return ANSWER

    def is_quiet(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Do nothing."""


def cost_us(times: Callable[[int], None]) -> float:
    """Return the CPU time of one time of many, in us."""
    least = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        times(TIMES)
        least = min(least, time.process_time() - began)
    return 1e6 * least / TIMES


def main() -> int:
    """Measure and print the parts."""
    vars(pool)["connect"] = lambda *_: Connection(Ready(), Limits())
    environment = Environment(user_classes=[BusyUser])
    recorder = Recorder()
    recorder.begin(time.perf_counter(), (450_000,))
    user = type("User", (BusyUser,), {"host": "http://127.0.0.1:9"})(environment)
    user._state = LOCUST_STATE_RUNNING
    session: LeanHttpSession = user.client

    def ask(times: int) -> None:
        for _ in range(times):
            session.get("/tests")

    ask(1)
    written = session._known["GET", "/tests"]
    connection = next(iter(session._pools.values()))._idle[-1]
    response = session.get("/tests")

    def exchange(times: int) -> None:
        for _ in range(times):
            connection.exchange(written.whole, False)

    def record(times: int) -> None:
        for _ in range(times):
            recorder.on_request("GET", "/tests", 0.8, len(BODY), None, response)

    def turns(kind: type[DefaultTaskSet]) -> Callable[[int], None]:
        def turn(times: int) -> None:
            left = iter(range(times - 1))

            def nothing(_user: BusyUser) -> None:
                if next(left, None) is None:
                    raise StopUser

            type(user).tasks = [nothing]
            try:
                kind(user).run()  # type: ignore[no-untyped-call]
            except StopUser:
                return

        return turn

    without = cost_us(ask)
    listener = recorder.on_request
    environment.events.request.add_listener(listener)  # type: ignore[no-untyped-call]
    LeanHttpSession.listeners = [listener]
    parts = {
        "a request, from get() to its record": cost_us(ask),
        "  of that: the recorder": cost_us(record),
        "  of that: exchange, llhttp's parsing included": cost_us(exchange),
        "a request that nobody records": without,
        "a task's turn: chosen, called, waited for no time": cost_us(turns(Tasks)),
        "the same by Locust's own DefaultTaskSet": cost_us(turns(DefaultTaskSet)),
    }
    for part, us in parts.items():
        print(f"{part:52} {us:6.2f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
