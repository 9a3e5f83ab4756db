"""Answers that end too soon: each is a failed request, told once, and sent once."""

from __future__ import annotations

import pytest
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.scripted import Reply, Then, answer, chunked, in_turn, ok

BEGUN = {
    "an empty line": b"\r\n",
    "one byte": b"H",
    "the status line": b"HTTP/1.1 200 O",
    "a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "the headers": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    "an early answer": b"HTTP/1.1 100 Continue\r\n",
    "after an early answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "the answer after an early one": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    "before the content": ok()[:-5],
    "the content": ok()[:-1],
    "before the first chunk": chunked(b""),
    "the size of a chunk": chunked(b"5"),
    "a chunk": chunked(b"5\r\nhell"),
    "the end of a chunk": chunked(b"5\r\nhello\r"),
    "between chunks": chunked(b"5\r\nhello\r\n"),
    "the last chunk": chunked(b"5\r\nhello\r\n0\r\n"),
    "the trailers": chunked(b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n"),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("then", "kind"),
    [(Then.CLOSE, HTTPParseError), (Then.RESET, ConnectionResetError)],
    ids=["closed", "reset"],
)
@pytest.mark.parametrize("data", BEGUN.values(), ids=BEGUN.keys())
def test_an_answer_that_is_cut_off_is_a_failure(
    serve: Serve, be: Be, *, data: bytes, then: Then, kind: type[Exception], method: str
) -> None:
    """Nothing of it is taken for an answer, and nothing is sent a second time."""
    server = serve(in_turn(Reply(data, then), ok(b"next")))
    someone = be(server.url)
    response = someone.client.request(method, "/")
    told = someone.the_one()
    assert type(told["exception"]) is kind
    assert (response.status_code, response.content, response.text, response.headers) == (0, None, None, None)
    assert (told["response_length"], told["response"] is response, response.error) == (0, True, told["exception"])
    assert len(server.asked) == 1
    assert someone.client.post("/next").content == b"next"
    assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET], ids=["closed", "reset"])
def test_no_answer_at_all_is_a_failure(serve: Serve, be: Be, then: Then, method: str) -> None:
    """On a connection that is new there is nothing that would excuse a second attempt."""
    server = serve(in_turn(Reply(b"", then), ok(b"next")))
    someone = be(server.url)
    response = someone.client.request(method, "/")
    assert type(someone.the_one()["exception"]) is HTTPConnectionClosed
    assert (response.status_code, response.content, response.reconnects, len(server.asked)) == (0, None, 0, 1)
    assert someone.client.get("/next").content == b"next"


def test_content_without_a_length_may_not_end_in_a_reset(serve: Serve, be: Be) -> None:
    """A close says that all of it came; a reset does not."""
    server = serve(Reply(answer(b"HTTP/1.1 200 OK", content=b"hello"), Then.RESET))
    someone = be(server.url)
    someone.client.get("/")
    assert type(someone.the_one()["exception"]) is ConnectionResetError


@pytest.mark.parametrize("then", [Then.CLOSE, Then.SHUT], ids=["torn", "ended in order"])
@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\n", ok()[:-1], chunked(b"5\r\nhello\r\n")])
def test_tls_makes_no_difference(serve: Serve, be: Be, tls: Tls, data: bytes, then: Then) -> None:
    """An end in the middle is one, whether or not TLS was ended in order."""
    server = serve(Reply(data, then), tls=tls.context)
    someone = be(server.url)
    someone.client.get("/")
    assert type(someone.the_one()["exception"]) is (HTTPParseError if data else HTTPConnectionClosed)
    assert len(server.asked) == 1
