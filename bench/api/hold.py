"""Holds many kept-alive connections open and asks on each of them every now and then.

python bench/api/hold.py PORT [--host ADDRESS] [--connections 10000] [--seconds 30]
"""

from __future__ import annotations

import argparse
import resource
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

REQUEST = b"GET /tests/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
#: Each connection asks once in this many seconds, so 10,000 of them ask for 1,000 requests/s.
EVERY_S = 10.0


@dataclass
class Result:
    """answers: 200s; errors: anything else, lost connections included; longest_ms: from asking to the answer."""

    answers: int = 0
    errors: int = 0
    longest_ms: float = 0.0
    statuses: dict[bytes, int] = field(default_factory=dict)


def hold(
    port: int, connections: int, seconds: float, when_open: Callable[[], object], host: str = "127.0.0.1"
) -> Result:
    """Open them as fast as the server takes them, call ``when_open`` when each has had an answer, hold them."""
    _allow(connections)
    result = Result()
    selector = selectors.DefaultSelector()
    asked: dict[socket.socket, float] = {}
    for _ in range(connections):
        opened = socket.create_connection((host, port), timeout=30)
        selector.register(opened, selectors.EVENT_READ)
        _ask(opened, asked)
        _collect(selector, asked, result, 0)
    _drain(selector, asked, result)
    when_open()
    sockets = [key.fileobj for key in selector.get_map().values() if isinstance(key.fileobj, socket.socket)]
    result.errors += connections - len(sockets)
    began = time.monotonic()
    for n in range(int(seconds / EVERY_S * len(sockets))):
        due = began + n * EVERY_S / len(sockets)
        while (wait_s := due - time.monotonic()) > 0:
            _collect(selector, asked, result, wait_s)
        if sockets[n % len(sockets)] not in asked:
            _ask(sockets[n % len(sockets)], asked)
        _collect(selector, asked, result, 0)
    _drain(selector, asked, result)
    for each in sockets:
        each.close()
    return result


def _ask(connection: socket.socket, asked: dict[socket.socket, float]) -> None:
    asked[connection] = time.monotonic()
    connection.sendall(REQUEST)


def _drain(selector: selectors.BaseSelector, asked: dict[socket.socket, float], result: Result) -> None:
    deadline = time.monotonic() + 60
    while asked and time.monotonic() < deadline:
        _collect(selector, asked, result, 0.1)
    result.errors += len(asked)


def _collect(
    selector: selectors.BaseSelector, asked: dict[socket.socket, float], result: Result, wait_s: float
) -> None:
    for key, _ in selector.select(wait_s):
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        try:
            received = connection.recv(65536)
        except OSError:
            received = b""
        status = received[9:12]
        if not received:
            selector.unregister(connection)
            result.errors += 1
        elif not received.startswith(b"HTTP/1.1 "):
            continue  # the body, which gunicorn sends apart from the headers
        elif status != b"200":
            result.errors += 1
        else:
            result.answers += 1
        result.statuses[status] = result.statuses.get(status, 0) + 1
        if connection in asked:
            result.longest_ms = max(result.longest_ms, (time.monotonic() - asked.pop(connection)) * 1000)


def _allow(connections: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 100
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def main() -> None:
    """Print the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("port", type=int)
    options.add_argument("--host", default="127.0.0.1", help="a container's address, past Docker's proxy")
    options.add_argument("--connections", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=30)
    given = options.parse_args()
    print(hold(given.port, given.connections, given.seconds, lambda: print("all open", flush=True), given.host))


if __name__ == "__main__":
    main()
