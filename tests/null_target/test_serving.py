"""The null target as a process, in front of a target that says what it is asked."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil
import pytest

from loadlab.null_target.__main__ import listen
from loadlab.null_target.answers import MOST_KINDS
from loadlab.rig.settings import ROOT
from tests.rig.rigs import free_ports, until

LARGE = b"a large answer, " * 100_000
Run = Callable[..., "Null"]


class Handler(BaseHTTPRequestHandler):
    """Answers, and notes what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, bytes]]
    port: int

    def answer(self) -> None:
        """Answer by the path."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, body))
        path = self.path.partition("?")[0]
        status = {"/none": 204, "/moved": 302, "/away": 302, "/broken": 503}.get(path, 200)
        content = b"" if status == 204 else LARGE if path == "/large" else f"{self.command} {self.path}".encode()
        self.send_response(status)
        self.send_header("X-Told", self.headers.get("X-Tell", "-"))
        if path in ("/moved", "/away"):
            host = f"127.0.0.1:{self.port}" if path == "/moved" else "example.org"
            self.send_header("Location", f"http://{host}/tests?page=2")
        if path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
        elif status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815 - as the class wants them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Null:
    """A null target that runs."""

    def __init__(self, target: str, workers: int) -> None:
        self.port = free_ports()
        command = [sys.executable, "-S", "-m", "loadlab.null_target", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--target", target, "--workers", str(workers)], cwd=ROOT, stdin=subprocess.DEVNULL
        )
        until(self.is_up, 20, "the null target to answer")

    def is_up(self) -> bool:
        """Tell whether it listens."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, method: str, path: str, body: bytes | None = None, **fields: str) -> tuple[HTTPResponse, bytes]:
        """Ask on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def counts(self) -> dict[str, float]:
        """Return what its page says, by metric and labels."""
        text = self.ask("GET", "/metrics")[1].decode()
        return {name: float(value) for name, value in re.findall(r"^([^#\n]+) (\S+)$", text, re.MULTILINE)}


@pytest.fixture
def asked() -> list[tuple[str, str, bytes]]:
    """What the target was asked."""
    return []


@pytest.fixture
def target(asked: list[tuple[str, str, bytes]]) -> Iterator[str]:
    """A target."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.RequestHandlerClass = type("Own", (Handler,), {"asked": asked, "port": server.server_port})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def run(target: str) -> Iterator[Run]:
    """Return a function that runs null targets."""
    with ExitStack() as ends:

        def start(at: str = target, workers: int = 1) -> Null:
            null = Null(at, workers)
            ends.callback(null.process.wait, 20)
            ends.callback(null.process.kill)
            return null

        yield start


def test_the_target_is_asked_once_for_each_kind(run: Run, asked: list[Any]) -> None:
    """Its answer is given again, status, fields and content; other numbers in a path make no other kind."""
    null = run()
    for number in (17, 18, 17):
        response, content = null.ask("GET", f"/tests/{number}?page={number}", X_Tell="me")
        assert (response.status, content, response.headers["X-Told"]) == (200, b"GET /tests/17?page=17", "me")
    for _ in range(2):
        assert null.ask("POST", "/tests/17", b"{}")[1] == b"POST /tests/17"
    assert asked == [("GET", "/tests/17?page=17", b""), ("POST", "/tests/17", b"{}")]
    counts = null.counts()
    assert counts['null_requests_total{method="GET",route="(replayed)"}'] == 3
    assert counts['null_requests_total{method="POST",route="(replayed)"}'] == 2
    assert counts["container_cpu_limit_cores"] == 1
    assert counts["process_cpu_seconds_total"] > 0


@pytest.mark.parametrize(
    ("asking", "status", "length", "content"),
    [
        ("GET /none", 204, None, b""),
        ("HEAD /tests", 200, "11", b""),
        ("GET /chunked", 200, "12", b"GET /chunked"),
        ("GET /broken", 503, "11", b"GET /broken"),
        ("GET /large", 200, str(len(LARGE)), LARGE),
    ],
)
def test_an_answer_is_framed_anew(run: Run, asking: str, status: int, length: str | None, content: bytes) -> None:
    """Whatever its length was told by, an answer is whole, the first time and from memory, and the next one follows."""
    null = run()
    connection = HTTPConnection("127.0.0.1", null.port, timeout=20)
    for _ in range(3):
        method, path = asking.split()
        connection.request(method, path)
        response = connection.getresponse()
        assert (response.status, response.read(), response.headers["Content-Length"]) == (status, content, length)
        assert "Transfer-Encoding" not in response.headers
    connection.close()


def test_nobody_is_sent_away(run: Run) -> None:
    """A redirect within the target stays within the null target; one to elsewhere has lost its place."""
    null = run()
    assert null.ask("GET", "/moved")[0].headers["Location"] == "/tests?page=2"
    response, _ = null.ask("GET", "/away")
    assert (response.status, "Location" in response.headers) == (302, False)


def test_without_a_target_answers_are_made_up(run: Run) -> None:
    """An empty list to those who read, no content to others; and it is told that they are."""
    null = run(f"http://127.0.0.1:{free_ports()}")
    response, content = null.ask("GET", "/tests")
    assert (response.status, content, response.headers["Content-Type"]) == (200, b"[]", "application/json")
    response, content = null.ask("HEAD", "/tests")
    assert (response.status, content, response.headers["Content-Length"]) == (200, b"", "2")
    response, content = null.ask("DELETE", "/tests")
    assert (response.status, content) == (204, b"")
    assert null.counts()['null_requests_total{method="DELETE",route="(made up)"}'] == 1


def test_names_without_end_do_not_reach_the_target(run: Run, asked: list[Any]) -> None:
    """A client that makes up names asks the target for so many and no more; the others get the newest answer."""
    null = run()
    names = ["/" + "a" * length for length in range(1, MOST_KINDS + 11)]
    answers = [null.ask("GET", name)[1] for name in names]
    assert len(asked) == MOST_KINDS
    assert answers[MOST_KINDS - 1 :] == [f"GET {names[MOST_KINDS - 1]}".encode()] * 11


def exchange(null: Null, *steps: tuple[bytes, bytes]) -> None:
    """Send some bytes, wait for the answer's end that belongs to them, and so on; nothing else may come."""
    with socket.create_connection(("127.0.0.1", null.port), 20) as sock:
        for data, end in steps:
            sock.sendall(data)
            got = b""
            while end and not got.endswith(end):
                more = sock.recv(1 << 16)
                assert more, got
                got += more
            assert got.count(b"HTTP/1.1 ") == bool(end)


GET = b"GET /tests HTTP/1.1\r\nHost: a\r\n\r\n"
WAITING = b"POST /tests HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_requests_come_in_any_pieces(run: Run) -> None:
    """Cut anywhere, or with a body that waits to be asked for: each is answered once, and when it is all here."""
    null = run()
    exchange(null, (GET, b"GET /tests"), (GET[:9], b""), (GET[9:20], b""), (GET[20:], b"GET /tests"))
    exchange(null, (WAITING, CONTINUE), (b"{", b""), (b"}", b"POST /tests"), (WAITING + b"{}", b"POST /tests"))
    exchange(null, (b"nonsense\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))


def test_requests_come_before_their_answers(run: Run) -> None:
    """Several at once are answered one after the other, also where the last of them is still on its way."""
    null = run()
    with socket.create_connection(("127.0.0.1", null.port), 20) as sock:
        sock.sendall(GET * 3 + GET[:5])
        sock.sendall(GET[5:])
        got = b""
        while got.count(b"GET /tests") < 4:
            got += sock.recv(1 << 16) or pytest.fail("the connection was closed")
    assert got.count(b"HTTP/1.1 200 OK") == 4


def test_a_connection_that_is_to_be_closed_is(run: Run) -> None:
    """After the answer, the first time and any other."""
    null = run()
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", null.port), 20) as sock:
            sock.sendall(b"GET /tests HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            got = b""
            while data := sock.recv(1 << 16):
                got += data
        assert got.endswith(b"GET /tests")


@pytest.mark.skipif((psutil.cpu_count() or 1) < 2, reason="wants two cores")
def test_several_processes_serve_one_port_and_end_together(run: Run) -> None:
    """More workers have more processes; all are counted on one page, and end with the first one, however it ends."""
    null = run(workers=4)
    children = until(lambda: psutil.Process(null.process.pid).children(), 10, "a second process")
    assert len(children) == 1
    for _ in range(40):
        null.ask("GET", "/tests")
    counts = null.counts()
    assert counts['null_requests_total{method="GET",route="(replayed)"}'] == 40
    assert counts["container_cpu_limit_cores"] == 2
    null.process.send_signal(signal.SIGKILL)
    null.process.wait(10)
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)
    assert not null.is_up()


def test_a_port_of_somebody_else_is_not_shared() -> None:
    """It may listen beside others of its own, not beside strangers."""
    with socket.create_server(("127.0.0.1", 0)) as stranger, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", stranger.getsockname()[1])
