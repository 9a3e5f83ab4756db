"""An HTTP/1.1 server with known delays that counts every request and times every answer: python -m tests.truth.server.

It prints its port as a line of JSON and serves until SIGTERM. GET answers as the lab's API does for its list, POST as
it does for an addition, whatever the path. Its own paths, which are not counted:

GET /truth           what it counted and timed, see books.Books.document
GET /truth/values    {"ok_us": [...], "failed_us": [...]}: every single time
GET /metrics         the counters as Prometheus reads them
POST /control        {"delay": {"kind": ...}, "fail_percent": 5, "freeze_s": 1, "slots": 8, "random": true,
                     "reset": true}: any of these. See delays; a freeze begins at once: nothing is answered for so long,
                     then everything that is due. With `slots` so many requests are served at a time, the others wait in
                     one line (0: no limit); with `random` delays are drawn at random, not dealt evenly
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import select
import selectors
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.truth import delays
from tests.truth.books import Books

LIST = b'[{"name": "unit testing", "description": "testing individual units of source code"}]'
BACKLOG = 4096
PROBE_S = 0.005


def response(status: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """Return a whole response that keeps the connection."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head if body or not status.startswith("204") else "HTTP/1.1 204 No Content\r\n\r\n").encode() + body


ANSWERS = {
    "GET": (200, response("200 OK", LIST)),
    "POST": (204, response("204 No Content")),
    "fail": (503, response("503 Service Unavailable", b"{}")),
}
WRONG = response("400 Bad Request", b'{"message": "not understood"}')


class Service:
    """What is answered, and when."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.books = Books()
        self.delay = delays.instant()
        self.fail_share = 0.0
        self.frozen_until = 0.0  # on the loop's clock
        self.dealt = 0
        self.chance: random.Random | None = None
        self.slots = 0
        self.busy = 0
        self.line: deque[Callable[[float], None]] = deque()  # told when their slot became free
        self.probe(loop.time())

    def probe(self, due: float) -> None:
        """Note by how much this is late, and do so again: a request is read late by as much, which no time tells."""
        now = self.loop.time()
        self.books.lag_us.append(max(0, int((now - due) * 1e6)))
        self.loop.call_at(now + PROBE_S, self.probe, now + PROBE_S)

    def control(self, asked: dict[str, Any]) -> None:
        """Do what is asked; KeyError, TypeError and ValueError where that is nothing we know."""
        unknown = asked.keys() - {"delay", "fail_percent", "freeze_s", "slots", "random", "reset"}
        if unknown:
            raise KeyError(*unknown)
        if asked.get("reset"):
            self.books = Books()
            self.dealt = 0
        if "delay" in asked:
            self.delay = delays.make(asked["delay"])
        if "random" in asked:
            self.chance = random.Random(1) if asked["random"] else None
        if "slots" in asked:
            self.slots = int(asked["slots"])
        if "fail_percent" in asked:
            self.fail_share = float(asked["fail_percent"]) / 100
        if "freeze_s" in asked:
            seconds = float(asked["freeze_s"])
            self.frozen_until = self.loop.time() + seconds
            now = time.time()
            self.books.freezes.append((now, now + seconds))

    def serve(self, connection: Connection, method: str, path: str) -> None:
        """Take a whole request and see that it is answered in its time."""
        began_ns = time.monotonic_ns()
        books = self.books
        endpoint = books.receive(f"{method} {path.partition('?')[0]}")
        place = self.chance.random() if self.chance else delays.spread(self.dealt)
        fails = delays.spread(self.dealt, delays.SILVER) < self.fail_share
        self.dealt += 1
        status, answer = ANSWERS["fail" if fails else method]
        delay_s = self.delay(place) / 1000

        def give() -> None:
            if self.loop.time() < self.frozen_until:
                self.loop.call_at(self.frozen_until, give)
            elif connection.lost:
                endpoint.abandoned += 1
            else:
                took_us = (time.monotonic_ns() - began_ns) // 1000  # before it is sent: no client can see less
                connection.transport.write(answer)
                books.answer(endpoint, status, took_us)
                connection.next()

        if self.slots:
            self._queue(delay_s, give)
        elif delay_s > 0:
            self.loop.call_later(delay_s, give)
        else:
            give()

    def _queue(self, delay_s: float, give: Callable[[], None]) -> None:
        """Have a request served by the next slot that is free: first come, first served."""

        def finish(due: float) -> None:
            self.busy -= 1
            if self.line:
                self.line.popleft()(due)
            give()

        def begin(now: float) -> None:
            # From when the slot was free, not from when this loop got round to it: else the slots would be slower.
            self.busy += 1
            due = now + delay_s
            self.loop.call_at(due, finish, due)

        if self.busy < self.slots:
            begin(self.loop.time())
        else:
            self.line.append(begin)

    def own(self, method: str, path: str, body: bytes) -> bytes | None:
        """Return the answer to a request to one of our own paths, None where it is not one."""
        if (method, path) == ("GET", "/truth"):
            return response("200 OK", json.dumps(self.books.document()).encode())
        if (method, path) == ("GET", "/truth/values"):
            values = {"ok_us": self.books.ok_us.tolist(), "failed_us": self.books.failed_us.tolist()}
            return response("200 OK", json.dumps(values).encode())
        if (method, path) == ("GET", "/metrics"):
            return response("200 OK", self.books.metrics().encode(), "text/plain; version=0.0.4")
        if (method, path) == ("POST", "/control"):
            try:
                self.control(json.loads(body))
            except (KeyError, TypeError, ValueError) as error:
                return response("400 Bad Request", json.dumps({"message": repr(error)}).encode())
            return response("200 OK", b"{}")
        return None


class Connection(asyncio.Protocol):
    """One client's connection: one request at a time, the next one read when the last is answered."""

    transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self.service = service
        self.buffer = b""
        self.busy = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.service.books.connections_made += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """Note that nothing can be answered any more."""
        self.lost = True

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self.buffer += data
        if not self.busy:
            self._take()

    def next(self) -> None:
        """Go on with what came while the last request was being served."""
        self.busy = False
        if self.buffer:
            self._take()

    def _take(self) -> None:
        """Serve the request at the buffer's beginning when it is whole."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].decode("latin-1")
        length = _length(head)
        if len(self.buffer) < end + 4 + length:
            return
        body = self.buffer[end + 4 : end + 4 + length]
        self.buffer = self.buffer[end + 4 + length :]
        method, _, rest = head.partition(" ")
        path = rest.partition(" ")[0]
        self.busy = True
        own = self.service.own(method, path, body)
        if own is not None or method not in ANSWERS:
            self.transport.write(own or WRONG)
            self.next()
        else:
            self.service.serve(self, method, path)


def _length(head: str) -> int:
    at = head.lower().find("\r\ncontent-length:")
    return int(head[at + 17 :].partition("\r\n")[0]) if at >= 0 else 0


class PreciseSelector(selectors.EpollSelector):
    """epoll that wakes within some ten µs of its time: its own timeout is rounded up to the next ms."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events, at most so many seconds."""
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


async def serve(host: str, port: int, control: dict[str, Any]) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    service = Service(loop)
    service.control(control)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Connection(service), host, port, backlog=BACKLOG)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()
    server.close()


def main() -> int:
    """Serve as the command line has it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--control", default="{}", help="what POST /control would be given")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(PreciseSelector())) as runner:
        runner.run(serve(options.host, options.port, json.loads(options.control)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
