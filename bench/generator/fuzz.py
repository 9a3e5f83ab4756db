"""Answers that are broken in all ways, sent to LeanHttpUser for some time: none may hang or crash it, or fill memory.

    .lab/venv/bin/python bench/generator/fuzz.py --seconds 60 --seed 1

Scripted servers on 127.0.0.1 send valid answers, valid ones that were mutated, and random bytes, in pieces and with
endings at random, all from one seeded generator. Each request must end as a request of Locust's does, in one event,
with an answer or a failure; a valid answer must be read as it is. Prints counts, and exits with 1 when

- a request takes longer than network_timeout + 2 s,
- one raises, or is told of not once,
- a valid answer is read as another one, or is a failure,
- the memory grows by more than 20 MB after a fifth of the time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import struct
import sys
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevent import monkey

monkey.patch_all()  # as Locust does

import brotli  # noqa: E402
import gevent  # noqa: E402
import psutil  # noqa: E402
import zstandard  # noqa: E402
from gevent import socket  # noqa: E402
from gevent.server import StreamServer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from locust.env import Environment  # noqa: E402

from loadlab.generator.http import LeanHttpUser, addresses  # noqa: E402

USERS = 16
NETWORK_TIMEOUT_S = 0.25
ANSWER_TIMEOUT_S = 3.0
HANG_S = NETWORK_TIMEOUT_S + 2.0
MOST_GROWTH_MB = 20.0
REQUESTS_OF_A_USER = 300
MOST_BODY = 200_000
MOST_HEAD = 20_000
RESET = struct.pack("ii", 1, 0)
METHODS = ("GET", "GET", "POST", "HEAD", "PUT", "DELETE")
CONTENT = b"".join(b"%d: what is to be said\n" % number for number in range(60))
PACKS = {
    b"gzip": lambda content: gzip.compress(content, mtime=0),
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.compress,
}
TOKENS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"\0",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"\r\n ",
        b"\x7f",
        b"\xff",
        b"0",
        b"-1",
        b"+5",
    ),
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 ",
        b"HTTP/2.0 ",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 X\r\n",
        b"204",
        b"304",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"chunked",
    ),
    *(
        b"Transfer-Encoding: gzip\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: br\r\n",
        b"Content-Encoding: zstd\r\n",
    ),
    *(
        b"Connection: close\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        b"Location: /\r\n",
        b"Location: http://[::1\r\n",
    ),
    *(
        b"Location: ftp://a/\r\n",
        b"Set-Cookie: a=b; Path=/; Max-Age=5\r\n",
        b"Set-Cookie: \xff=;;\r\n",
        b"ffffffffffffffff\r\n",
    ),
    *(b"0\r\n\r\n", b"5\r\nhello\r\n", b"A: b\r\n" * 50, b"a" * 3000, b"1" * 200, b"\x1f\x8b\x08"),
]


@dataclass(frozen=True)
class Case:
    """What is sent in answer to one request: pieces with pauses before them, and how it ends then.

    `meant` is the content where the answer is valid and whole.
    """

    pieces: list[tuple[float, bytes]]
    end: str
    meant: tuple[int, bytes] | None


class Dealer:
    """Makes cases, always the same ones from the same seed."""

    def __init__(self, seed: int) -> None:
        self.dealt = random.Random(seed)

    def case(self, method: str) -> Case:
        """Make one."""
        dealt = self.dealt
        kind = dealt.random()
        if kind < 0.25:
            data, end, meant = self.valid(method)
            return Case(self.split(data), end, meant)
        if kind < 0.85:
            data = self.mutated(self.valid(method)[0])
        elif kind < 0.95:
            data = dealt.randbytes(dealt.choice((0, 1, 5, 50, 500, 5000)))
        else:
            data = b"".join(dealt.choices(TOKENS, k=dealt.randint(1, 30)))
        return Case(self.split(data), dealt.choice(("keep", "close", "close", "reset", "shut", "close")), None)

    def valid(self, method: str) -> tuple[bytes, str, tuple[int, bytes] | None]:
        """Make a valid answer; None is meant where it is a redirect, whose end is not known."""
        dealt = self.dealt
        content = CONTENT[: dealt.randint(0, len(CONTENT))]
        status = dealt.choice((200, 200, 200, 200, 201, 204, 304, 404, 503, 302, 307))
        lines = [b"X-%d: %d" % (number, number) for number in range(dealt.randint(0, 3))]
        lines += [b"Content-Type: text/plain"] * dealt.randint(0, 1) + [b"Set-Cookie: a=1; Path=/"] * dealt.randint(
            0, 1
        )
        body = content
        for _ in range(dealt.choice((0, 0, 1, 1, 2))):
            name = dealt.choice(list(PACKS))
            body = PACKS[name](body)
            lines.append(b"Content-Encoding: " + name)
        early = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * dealt.choice((0, 0, 0, 1, 2))
        meant = None
        if status in (302, 307):
            lines.append(
                b"Location: "
                + dealt.choice((b"/x", b"y", b"//127.0.0.1:1/", b"?a=b", b"#a", b"ftp://a/", b"http://a b/"))
            )
        else:
            meant = status, b"" if status in (204, 304) or method == "HEAD" else content
        if status in (204, 304):
            body = b""
        end = dealt.choice(("keep", "keep", "keep", "close"))
        way = dealt.choice(("length", "chunks", "close"))
        if way == "length" or status in (204, 304):
            lines += [] if status == 204 else [b"Content-Length: %d" % len(body)]
        elif way == "chunks":
            lines.append(b"Transfer-Encoding: chunked")
            body = self.chunked(body)
        else:
            end = "close"
        if dealt.random() < 0.1:
            lines.append(b"Connection: close")
        dealt.shuffle(lines) if b"Content-Encoding" not in b"".join(lines) else None
        if method == "HEAD":
            body = b""
        head = b"\r\n".join((b"HTTP/1.1 %d %b" % (status, dealt.choice((b"OK", b"", b"What is it"))), *lines, b"", b""))
        return early + head + body, end, meant

    def chunked(self, body: bytes) -> bytes:
        """Cut a body into chunks."""
        dealt, chunks = self.dealt, []
        while body:
            size = dealt.randint(1, len(body))
            chunks.append(b"%x%b\r\n%b\r\n" % (size, dealt.choice((b"", b";a=b")), body[:size]))
            body = body[size:]
        return b"".join(chunks) + b"0\r\n" + dealt.choice((b"", b"X-Sum: 1\r\n")) + b"\r\n"

    def mutated(self, data: bytes) -> bytes:
        """Break an answer in some places."""
        dealt = self.dealt
        for _ in range(dealt.choice((1, 1, 1, 2, 3, 8))):
            # Half of the time near the start: there is the head.
            most = min(len(data), 200) if dealt.random() < 0.5 else len(data)
            at = dealt.randint(0, most)
            to = min(len(data), at + dealt.choice((1, 1, 2, 8, 64)))
            way = dealt.randrange(8)
            if way == 0:
                data = data[:at] + bytes((dealt.randrange(256),)) + data[at + 1 :]
            elif way == 1:
                data = data[:at] + data[to:]
            elif way == 2:
                data = data[:at] + dealt.choice(TOKENS) + data[at:]
            elif way == 3:
                data = data[:at] + dealt.choice(TOKENS) + data[to:]
            elif way == 4:
                data = data[:to] + data[at:]
            elif way == 5:
                data = data[:at]
            elif way == 6:
                data = data[:at] + self.valid("GET")[0][dealt.randint(0, 50) :]
            else:
                data = data[:at] + data[at:to][::-1] + data[to:]
        return data

    def split(self, data: bytes) -> list[tuple[float, bytes]]:
        """Cut what is sent into pieces, now and then with a pause that is too long."""
        dealt = self.dealt
        if dealt.random() < 0.3 or not data:
            return [(0.0, data)]
        cuts = sorted(dealt.randint(0, len(data)) for _ in range(dealt.choice((1, 2, 5, 20))))
        pause = dealt.choice((0.0, 0.0, 0.001))
        if dealt.random() < 0.1 and len(data) < 400:
            cuts, pause = list(range(1, len(data))), 0.0
        return [(pause, data[at:to]) for at, to in zip((0, *cuts), (*cuts, len(data)), strict=True)]


class Peer:
    """A server and its user, who have one case after the other."""

    def __init__(self, number: int, seed: int, counts: Counter[str]) -> None:
        self._dealer = Dealer(seed * 1000 + number)
        self._counts = counts
        self._case = Case([], "close", None)
        self._told: list[dict[str, Any]] = []
        self._hits = 0
        self._was_disturbed = False
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        PORTS.add(self._server.server_port)
        self.failures: list[str] = []

    def run(self, until: float) -> None:
        """Ask until it is time to end."""
        while time.monotonic() < until and not self.failures:
            user = self._user()
            for _ in range(REQUESTS_OF_A_USER):
                if time.monotonic() >= until or self.failures:
                    break
                self._ask(user)
            user.client.close()

    def _user(self) -> Any:
        environment = Environment()
        environment.events.request.add_listener(lambda **told: self._told.append(told))  # type: ignore[no-untyped-call]
        settings = {
            "host": f"http://127.0.0.1:{self._server.server_port}",
            **{"network_timeout": NETWORK_TIMEOUT_S, "connection_timeout": NETWORK_TIMEOUT_S, "max_redirects": 3},
            **{"answer_timeout": ANSWER_TIMEOUT_S, "most_header_bytes": MOST_HEAD, "most_body_bytes": MOST_BODY},
        }
        return type("Someone", (LeanHttpUser,), settings)(environment)

    def _ask(self, user: Any) -> None:
        dealt = self._dealer.dealt
        method = dealt.choice(METHODS)
        self._was_disturbed = self._case.meant is None or self._case.end != "keep"
        self._case = case = self._dealer.case(method)
        options: dict[str, Any] = {"data": "x"} if method in ("POST", "PUT") else {}
        self._told.clear()
        self._hits = 0
        began = time.monotonic()
        try:
            with gevent.Timeout(4 * HANG_S):
                response = user.client.request(method, "/", **options)
        except BaseException as error:
            self._fail(method, case, f"raised {error!r}")
            return
        took = time.monotonic() - began
        if took > HANG_S * max(1, self._hits):  # a redirect leads here again
            self._fail(method, case, f"took {took:.2f} s for {self._hits} answers")
        if len(self._told) != 1:
            self._fail(method, case, f"told of {len(self._told)} times")
            return
        exception = self._told[0]["exception"]
        self._counts["requests"] += 1
        self._counts[f"ended as {type(exception).__name__ if exception else 'an answer'}"] += 1
        if case.meant:
            self._counts["valid answers"] += 1
            self._check(method, case, response)
        if not response.status_code and dealt.random() < 0.5:
            return
        with suppress(LookupError, AttributeError):  # of an encoding that nobody knows; of two types, as FastHttpUser
            str(response.text)
        str(response.headers), response.elapsed, response.reason, response.request, len(response)

    def _check(self, method: str, case: Case, response: Any) -> None:
        if (response.status_code, response.content) == case.meant:
            return
        # A close that nobody announced, seen too late, or bytes that came when the answer before had ended.
        if self._was_disturbed and not (response.status_code and response.connects):
            self._counts["spoiled by the answer before"] += 1
            return
        self._fail(method, case, f"read as {response.status_code} {response.content!r}, {response.error!r}")

    def _fail(self, method: str, case: Case, what: str) -> None:
        sent = b"".join(data for _, data in case.pieces)
        self.failures.append(f"{method}: {what}\n  sent {sent[:2000]!r}, then {case.end}")

    def _serve(self, connection: Any, _address: Any) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    if not (came := connection.recv(65536)):
                        return
                    rest += came
                head, _, rest = rest.partition(b"\r\n\r\n")
                if b"\r\nContent-Length: 1" in head:
                    while not rest:
                        if not (came := connection.recv(1)):
                            return
                        rest += came
                    rest = rest[1:]
                if not self._answer(connection):
                    return

    def _answer(self, connection: Any) -> bool:
        case = self._case
        self._hits += 1
        for pause, data in case.pieces:
            if pause:
                gevent.sleep(pause)
            connection.sendall(data)
        if case.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if case.end == "shut":
            connection.shutdown(socket.SHUT_WR)
            gevent.sleep(0.01)
        return case.end == "keep"


PORTS: set[int] = set()


def lookup(host: str, port: int) -> list[Any]:
    """Find nothing but the servers here: a broken redirect may lead anywhere."""
    if host != "127.0.0.1" or port not in PORTS:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port} is none of ours")
    return addresses.lookup(host, port)


def main() -> int:
    """Run as the command line has it and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    addresses.addresses._lookup = lookup
    counts: Counter[str] = Counter()
    peers = [Peer(number, options.seed, counts) for number in range(USERS)]
    begun = time.monotonic()
    running = [gevent.spawn(peer.run, begun + options.seconds) for peer in peers]
    me = psutil.Process()
    gevent.sleep(options.seconds / 5)
    before = me.memory_info().rss
    gevent.joinall(running, timeout=options.seconds + 10 * HANG_S)
    grown = (me.memory_info().rss - before) / 1e6
    failures = [failure for peer in peers for failure in peer.failures]
    failures += [f"user {number} did not end" for number, one in enumerate(running) if not one.ready()]
    failures += [f"user {number}: {one.exception!r}" for number, one in enumerate(running) if one.exception]
    if grown > MOST_GROWTH_MB:
        failures.append(f"the memory grew by {grown:.1f} MB")
    print(json.dumps({"seed": options.seed, "grown_mb": round(grown, 1), **dict(counts.most_common())}, indent=1))
    for failure in failures[:20]:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
