"""No hidden second attempts: what the server counts is what the record has, save for the one that is told of."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.people import SEEN_AGAIN_S
from tests.generator.http.scripted import Reply, Server, Then, in_turn, ok

SILENT = [Reply(b"", Then.CLOSE), Reply(b"", Then.RESET)]
AGAIN = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]
ONCE = ["POST", "PATCH", "PURGE"]
silent = pytest.mark.parametrize("end", SILENT, ids=["closed", "reset"])
secured = pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])


@secured
@silent
@pytest.mark.parametrize("method", AGAIN)
def test_what_may_be_sent_again_is_sent_once_more(
    serve: Serve, be: Be, tls: Tls, *, method: str, end: Reply, secure: bool
) -> None:
    """On a connection that was used before, which its server may just have given up; the answer tells of it."""
    last = ok().partition(b"hello")[0] if method == "HEAD" else ok()
    server = serve(in_turn(ok(), end, last), tls=tls.context if secure else None)
    someone = be(server.url)
    first = someone.client.get("/")
    response = someone.client.request(method, "/x", data=None if method == "HEAD" else "body")
    assert (response.status_code, response.reconnects, response.connects) == (200, 1, 1)
    assert (first.reconnects, first.connects) == (0, 1)
    assert [told["exception"] for told in someone.told] == [None, None]
    assert ([asked.method for asked in server.asked], server.connections) == (["GET", method, method], 2)
    assert server.asked[1] == server.asked[2]


@secured
@silent
@pytest.mark.parametrize("method", ONCE)
def test_what_may_not_is_a_failure(serve: Serve, be: Be, tls: Tls, *, method: str, end: Reply, secure: bool) -> None:
    """It may have been done."""
    server = serve(in_turn(ok(), end, ok(b"next")), tls=tls.context if secure else None)
    someone = be(server.url)
    someone.client.get("/")
    response = someone.client.request(method, "/x", data="body")
    assert type(someone.last["exception"]) is HTTPConnectionClosed
    assert (response.status_code, response.content, len(server.asked)) == (0, None, 2)
    assert someone.client.request(method, "/next").content == b"next"
    assert len(someone.told) == 3


@silent
@pytest.mark.parametrize("method", AGAIN + ONCE)
def test_a_new_connection_is_no_excuse(serve: Serve, be: Be, method: str, end: Reply) -> None:
    """One hit, one failure."""
    server = serve(end)
    someone = be(server.url)
    response = someone.client.request(method, "/")
    assert type(someone.the_one()["exception"]) is HTTPConnectionClosed
    assert (response.status_code, response.reconnects, response.connects, len(server.asked)) == (0, 0, 1, 1)


@silent
def test_once_more_is_once(serve: Serve, be: Be, end: Reply) -> None:
    """A server that closes the second connection too is not asked a third time, and nothing is left of either."""
    server = serve(in_turn(ok(), end))
    someone = be(server.url, concurrency=1)
    someone.client.get("/")
    for hits in (3, 4, 5):
        response = someone.client.get("/")
        assert type(someone.last["exception"]) is HTTPConnectionClosed
        assert (response.status_code, len(server.asked)) == (0, hits)
    server._answering = in_turn(ok(b"next"))
    with gevent.Timeout(1):
        assert someone.client.get("/").content == b"next"
    gevent.sleep(0.01)
    assert server.open == 1


@pytest.mark.parametrize(
    "second",
    [
        Reply(b"HTTP/1.1 2", Then.CLOSE),
        Reply(b"garbage", Then.KEEP),
        Reply(ok()[:-1], Then.CLOSE),
        Reply(ok()[:-1], Then.RESET),
        Reply(ok(), wait_s=0.5),
    ],
    ids=["closed in the head", "garbage", "closed in the content", "reset in the content", "too late"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_has_begun_is_not_asked_for_again(serve: Serve, be: Be, method: str, second: Reply) -> None:
    """Nor one that is too late, whatever the method."""
    server = serve(in_turn(ok(), second, ok()))
    someone = be(server.url, network_timeout=0.15)
    someone.client.get("/")
    response = someone.client.request(method, "/")
    assert isinstance(someone.last["exception"], Exception)
    assert (response.status_code, response.reconnects, len(server.asked)) == (0, 0, 2)


@secured
@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_was_closed_while_idle_is_not_used(
    serve: Serve, be: Be, tls: Tls, *, method: str, then: Then, secure: bool
) -> None:
    """It is looked at first: one hit, on a new one; the answer tells of it."""
    server = serve(in_turn(Reply(ok(), then), ok(b"next")), tls=tls.context if secure else None)
    someone = be(server.url)
    someone.client.get("/")
    gevent.sleep(SEEN_AGAIN_S + 0.01)
    response = someone.client.request(method, "/")
    assert (response.content, response.reconnects, response.connects) == (b"next", 1, 1)
    assert (len(server.asked), server.connections) == (2, 2)
    assert [told["exception"] for told in someone.told] == [None, None]


class Leaving(Server):
    """Says farewell on its first connection, some time after the answer."""

    def converse(self, connection: Any) -> None:
        """Answer what is asked."""
        if self.connections == 1:
            farewell = ok(b"bye", b"Connection: close", status=b"408 Timeout")
            gevent.spawn_later(0.02, connection.sendall, farewell)
        super().converse(connection)


def test_what_came_while_idle_is_no_answer(be: Be) -> None:
    """A server's farewell, as of 408, is not taken for the answer to the next request."""
    server = Leaving(in_turn(ok(), ok(b"next")))
    someone = be(server.url)
    someone.client.get("/")
    gevent.sleep(0.04)
    assert someone.client.post("/", data="x").content == b"next"
    assert (server.connections, len(server.asked)) == (2, 2)
    server.stop()


def test_several_connections_that_were_closed_while_idle(serve: Serve, be: Be) -> None:
    """Each is told of; the request is sent once."""
    server = serve(Reply(ok(), wait_s=0.02))
    someone = be(server.url)
    gevent.joinall([gevent.spawn(someone.client.get, "/") for _ in range(3)])
    assert server.connections == 3
    server.stop()
    again = serve(ok())
    gevent.sleep(SEEN_AGAIN_S)
    someone.client.get("/")
    assert again.connections == 0
    assert (someone.last["response"].reconnects, type(someone.last["exception"])) == (3, ConnectionRefusedError)


class Refusing(Server):
    """Refuses what comes first on its first connection, and leaves the rest unread: that makes of its end a reset."""

    def converse(self, connection: Any) -> None:
        """Answer what is asked."""
        if self.connections > 1:
            super().converse(connection)
            return
        connection.recv(1000)
        connection.sendall(ok(b"", status=b"413 Too Large"))
        gevent.sleep(0.02)


def test_a_connection_that_could_not_take_the_request_is_not_used_again(be: Be) -> None:
    """Though there was an answer, and one that says that it is kept."""
    server = Refusing(in_turn(ok(b"next")))
    someone = be(server.url)
    assert someone.client.post("/", data=b"x" * 20_000_000).status_code == 413
    assert someone.client.post("/", data=b"x").content == b"next"
    server.stop()


# --- The long way, of streams and of the user's own pool ---


@silent
@pytest.mark.parametrize("is_used", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("way", ["stream", "pool", "stream and pool"])
def test_the_long_way_has_none_either(
    serve: Serve, be: Be, *, way: str, method: str, is_used: bool, end: Reply
) -> None:
    """geventhttpclient alone would try a dozen times, unseen."""
    server = serve(in_turn(ok(), end, ok(b"next")) if is_used else in_turn(end, ok(b"next")))
    someone = be(server.url, client_pool=HTTPClientPool(concurrency=5) if "pool" in way else None)
    options = {"stream": True} if "stream" in way else {}
    if is_used:
        response = someone.client.get("/", **options)
        assert b"".join(response.iter_content(decode_content=False) if options else [response.content]) == b"hello"
    before = len(server.asked)
    someone.client.request(method, "/", **options)
    assert isinstance(someone.last["exception"], HTTPParseError)
    assert len(server.asked) - before == 1


def test_retries_that_were_asked_for_are_made(serve: Serve, be: Be) -> None:
    """As FastHttpUser makes them: of what may be sent again, and told as one."""
    server = serve(in_turn(Reply(ok(), wait_s=0.3), ok()))
    someone = be(server.url, max_retries=1, network_timeout=0.15)
    assert someone.client.get("/").content == b"hello"
    assert (len(server.asked), someone.the_one()["exception"]) == (2, None)
