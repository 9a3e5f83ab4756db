"""How long an answer may be, and how long it may take."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket
from geventhttpclient.response import HTTPParseError
from geventhttpclient.useragent import RetriesExceeded
from locust.contrib.fasthttp import FastHttpUser

from loadlab.generator.http import connection
from loadlab.generator.http.addresses import Addresses
from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.scripted import Reader, Reply, Server, Then, answer, chunked, in_turn, ok

FAR_S = 8.0
AT_ONCE_S = 2.0
LOOKED_AT_S = 0.3  # how late a timeout may come: they are looked at now and then, and the machine may be busy


class Endless(Server):
    """Goes on sending, until it is hung up on; `sent` tells how much it could."""

    def __init__(self, begin: bytes, more: bytes) -> None:
        self.sent = 0
        self._begin, self._more = begin, more
        super().__init__(lambda _: b"")

    def converse(self, connection: Any) -> None:
        """Answer one request."""
        if (asked := Reader(connection).request()) is None:
            return
        self.asked.append(asked)
        connection.sendall(self._begin)
        for part in repeat(self._more * max(1, 1000 // len(self._more))):
            connection.sendall(part)
            self.sent += len(part)
            gevent.sleep(0)


ENDLESS = {
    "a status line": (b"HTTP/1.1 200 ", b"a"),
    "a name": (b"HTTP/1.1 200 OK\r\nX-", b"a"),
    "a value": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "empty lines": (b"", b"\r\n"),
    "early answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers": (chunked(b"5\r\nhello\r\n0\r\n"), b"X-A: b\r\n"),
    "a trailer": (chunked(b"5\r\nhello\r\n0\r\nX-A: "), b"a"),
    "an extension": (chunked(b"5;a="), b"a"),
    "zeros before a size": (chunked(b""), b"0"),
    "content": (answer(b"HTTP/1.1 200 OK"), b"a"),
    "content of a length": (answer(b"HTTP/1.1 200 OK", b"Content-Length: 18446744073709551615"), b"a"),
    "chunks": (chunked(b""), b"5\r\nhello\r\n"),
    "a chunk": (chunked(b"fffffffffffffff\r\n"), b"a"),
    "after an answer to HEAD": (answer(b"HTTP/1.1 200 OK"), b"a"),
}


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS.keys())
def test_what_never_ends_is_ended(be: Be, begin: bytes, more: bytes, request: pytest.FixtureRequest) -> None:
    """Soon after its limit, and its connection is closed: an answer to HEAD just ends."""
    is_head = "HEAD" in request.node.name
    server = Endless(begin, more)
    someone = be(server.url, network_timeout=FAR_S, most_header_bytes=20_000, most_body_bytes=100_000)
    begun = time.monotonic()
    someone.client.request("HEAD" if is_head else "GET", "/")
    exception = someone.the_one()["exception"]
    assert time.monotonic() - begun < AT_ONCE_S
    assert exception is None if is_head else type(exception) is HTTPParseError
    someone.leave()
    assert (server.is_left(), len(server.asked)) == (True, 1)
    server.stop()


@pytest.mark.parametrize("step", [0, 500], ids=["at once", "in pieces"])
@pytest.mark.parametrize(("size", "is_refused"), [(900, False), (1100, True), (9000, True)])
def test_a_head_may_be_so_long(serve: Serve, be: Be, size: int, is_refused: bool, step: int) -> None:
    """No longer, even where all of it comes at once."""
    head = answer(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"X-A: ")
    filled = head[:-4] + b"a" * (size - len(head)) + b"\r\n\r\n"
    assert len(filled) == size
    server = serve(Reply(filled + b"hello", step=step))
    someone = be(server.url, most_header_bytes=1000)
    someone.client.get("/")
    assert isinstance(someone.the_one()["exception"], HTTPParseError) is is_refused


@pytest.mark.parametrize("step", [0, 500], ids=["at once", "in pieces"])
@pytest.mark.parametrize("way", ["length", "chunks", "close"])
@pytest.mark.parametrize(("size", "is_refused"), [(1000, False), (1001, True), (100_000, True)])
def test_content_may_be_so_long(serve: Serve, be: Be, *, size: int, is_refused: bool, way: str, step: int) -> None:
    """No longer, however its length is told."""
    content = b"a" * size
    data = {
        "length": ok(content),
        "chunks": chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (size, content)),
        "close": answer(b"HTTP/1.1 200 OK", content=content),
    }[way]
    server = serve(Reply(data, Then.CLOSE if way == "close" else Then.KEEP, step))
    someone = be(server.url, most_body_bytes=1000)
    someone.client.get("/")
    told = someone.the_one()
    assert isinstance(told["exception"], HTTPParseError) is is_refused
    assert told["response_length"] == (0 if is_refused else size)


# --- Time ---


def is_a_timeout(exception: BaseException) -> bool:
    """Tell whether it is one as FastHttpUser tells of it."""
    return isinstance(exception, RetriesExceeded) and "timed out" in str(exception)


STALLS = {
    "before the answer": b"",
    "in the head": b"HTTP/1.1 200 OK\r\n",
    "after an early answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "in the content": ok()[:-1],
    "before the close": answer(b"HTTP/1.1 200 OK", content=b"hello"),
    "in a chunk": chunked(b"5\r\nhel"),
    "before the last chunk": chunked(b"5\r\nhello\r\n"),
}


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("data", STALLS.values(), ids=STALLS.keys())
def test_each_wait_has_an_end(serve: Serve, be: Be, tls: Tls, data: bytes, secure: bool) -> None:
    """After network_timeout, wherever an answer stalls; the connection is given up."""
    server = serve(in_turn(data, ok(b"next")), tls=tls.context if secure else None)
    someone = be(server.url, network_timeout=0.05)
    someone.client.get("/")
    told = someone.the_one()
    assert is_a_timeout(told["exception"])
    assert 50 <= told["response_time"] < 50 + 1000 * LOOKED_AT_S
    assert someone.client.get("/next").content == b"next"
    assert (len(server.asked), server.connections) == (2, 2)


def test_a_slow_answer_is_waited_for(serve: Serve, be: Be) -> None:
    """network_timeout is for each wait: an answer that keeps coming may take longer than that."""
    server = serve(Reply(ok(), step=10, pause_s=0.08))
    someone = be(server.url, network_timeout=0.25)
    assert someone.client.get("/").content == b"hello"
    told = someone.the_one()
    assert told["exception"] is None
    assert told["response_time"] > 400


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(
    "reply",
    [Reply(ok(b"a" * 100), step=10, pause_s=0.04), Reply(ok()[:-1]), Reply(b"")],
    ids=["it keeps coming", "it stalls", "it does not begin"],
)
def test_an_answer_has_an_end_over_all(serve: Serve, be: Be, tls: Tls, reply: Reply, secure: bool) -> None:
    """After answer_timeout, whether or not it keeps coming, however long each wait may be."""
    server = serve(reply, tls=tls.context if secure else None)
    someone = be(server.url, network_timeout=FAR_S, answer_timeout=0.1)
    someone.client.get("/")
    told = someone.the_one()
    assert is_a_timeout(told["exception"])
    assert 100 <= told["response_time"] < 100 + 1000 * LOOKED_AT_S


def test_what_is_left_of_the_time_is_waited_for(serve: Serve, be: Be) -> None:
    """A wait that begins late ends with the whole, not after a network_timeout of its own."""
    server = serve(Reply(ok()[:-1], wait_s=0.3))
    someone = be(server.url, network_timeout=0.4, answer_timeout=0.45)
    someone.client.get("/")
    told = someone.the_one()
    assert is_a_timeout(told["exception"])
    assert 450 <= told["response_time"] < 680


class Deaf(Server):
    """Reads nothing."""

    def converse(self, connection: Any) -> None:  # noqa: ARG002 - it is let be
        """Wait."""
        gevent.sleep(FAR_S)


def test_sending_has_an_end_too(be: Be) -> None:
    """A server that reads no more is given up after network_timeout."""
    server = Deaf(lambda _: b"")
    someone = be(server.url, network_timeout=0.15)
    someone.client.post("/", data=b"x" * 20_000_000)
    assert is_a_timeout(someone.the_one()["exception"])
    server.stop()


def test_a_long_request_is_sent_to_its_end(serve: Serve, be: Be) -> None:
    """In as many pieces as the connection takes."""
    server = serve(ok())
    someone = be(server.url)
    body = bytes(range(256)) * 40_000
    assert someone.client.post("/", data=body).content == b"hello"
    assert server.asked[0].body == body


class Rejecting(Server):
    """Answers when it has seen the head, and closes with the rest unread."""

    def converse(self, connection: Any) -> None:
        """Answer one request."""
        connection.recv(1000)
        connection.sendall(answer(b"HTTP/1.1 413 Too Large", b"Content-Length: 0"))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def test_an_answer_that_comes_before_all_was_sent_is_one(be: Be) -> None:
    """As of a server that finds a body too long."""
    server = Rejecting(lambda _: b"")
    someone = be(server.url, network_timeout=2.0)
    assert someone.client.post("/", data=b"x" * 5_000_000).status_code == 413
    server.stop()


# --- Connecting ---


def test_a_server_that_is_not_there(be: Be) -> None:
    """The failure says so; the next request tries again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        someone = be(url)
        response = someone.client.get("/")
        someone.client.get("/")
    assert [type(told["exception"]) for told in someone.told] == [ConnectionRefusedError] * 2
    assert (response.status_code, response.content, response.connects) == (0, None, 0)


def test_a_name_that_nobody_has(be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is the resolver's own."""
    asked: list[tuple[str, int]] = []

    def lookup(host: str, port: int) -> list[Any]:
        asked.append((host, port))
        raise gevent_socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(connection, "addresses", Addresses(lookup))
    someone = be("http://nowhere.test:81")
    response = someone.client.get("/")
    assert str(someone.the_one()["exception"]) == "[Errno -2] Name or service not known"
    assert (response.status_code, asked) == (0, [("nowhere.test", 81)])


@pytest.fixture
def full() -> Iterator[str]:
    """The URL of a server whose queue of connections is full: a further one is neither taken nor refused."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_connecting_has_an_end(full: str, be: Be) -> None:
    """After connection_timeout."""
    someone = be(full, connection_timeout=0.15)
    begun = time.monotonic()
    someone.client.get("/")
    assert is_a_timeout(someone.the_one()["exception"])
    assert 0.15 <= time.monotonic() - begun < 0.15 + LOOKED_AT_S


@pytest.mark.usefixtures("tls")
def test_a_handshake_has_an_end(be: Be) -> None:
    """After connection_timeout, where a server takes a connection and then says nothing."""
    server = Deaf(lambda _: b"")
    someone = be(server.url.replace("http:", "https:"), connection_timeout=0.15)
    begun = time.monotonic()
    someone.client.get("/")
    assert is_a_timeout(someone.the_one()["exception"])
    assert 0.15 <= time.monotonic() - begun < 0.15 + LOOKED_AT_S
    server.stop()


# --- The user's own limits ---


@pytest.mark.parametrize("end", ["kill", "timeout"])
def test_a_request_that_is_left_leaves_nothing(serve: Serve, be: Be, end: str) -> None:
    """A user that is killed while it waits, or that waits no longer, closes the connection; no answer is mixed up."""
    server = serve(in_turn(Reply(ok(b"late"), wait_s=0.1), ok(b"next")))
    someone = be(server.url)
    if end == "kill":
        waiting = gevent.spawn(someone.client.get, "/")
        gevent.sleep(0.02)
        waiting.kill()
        assert not someone.told
    else:
        with gevent.Timeout(0.02, False):
            someone.client.get("/")
        assert isinstance(someone.the_one()["exception"], (RetriesExceeded, gevent.Timeout))
    assert server.is_left()
    assert someone.client.get("/next").content == b"next"


def test_a_timeout_of_the_users_own_is_told_as_fast_http_user_tells_it(serve: Serve, be: Be) -> None:
    """gevent's Timeout is a failed request, by the same name."""
    server = serve(Reply(ok(b"late"), wait_s=0.3))
    seen = []
    for kind in (None, FastHttpUser):
        someone = be(server.url) if kind is None else be(server.url, kind)
        with gevent.Timeout(0.02, False):
            someone.client.get("/")
        seen.append([type(told["exception"]) for told in someone.told])
    assert seen[0] == seen[1]
