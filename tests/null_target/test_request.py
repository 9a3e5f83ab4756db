"""How the null target reads requests."""

from __future__ import annotations

import pytest

from loadlab.null_target.request import MOST_BODY, MOST_HEAD, BadRequestError, Request, parse, waits_to_continue

GET = b"GET /tests HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /tests HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "method", "path", "body"),
    [
        (GET, "GET", "/tests", b""),
        (POST, "POST", "/tests", b"{}"),
        (CHUNKED, "PUT", "/a", b"abcde"),
        (b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "PUT", "/a", b""),
        (b"HEAD / HTTP/1.0\r\n\r\n", "HEAD", "/", b""),
    ],
)
def test_a_request_is_read_once_it_is_all_here(data: bytes, method: str, path: str, body: bytes) -> None:
    """However it is cut, nothing is read before its last byte; what comes behind it is the next one's."""
    for cut in range(len(data)):
        assert parse(data[:cut]) is None
    for more in (b"", GET):
        request = parse(data + more)
        assert request is not None
        assert (request.data, request.method, request.path, request.body) == (data, method, path, body)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"GET /tests\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: two\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY + 1),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (MOST_BODY + 1),
        b"x" * (MOST_HEAD + 1),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    """Neither waited for without end, nor taken for something else."""
    with pytest.raises(BadRequestError):
        parse(data)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/tests", "/tests"),
        ("/tests/17", "/tests/#"),
        ("/tests/17/items/18", "/tests/#/items/#"),
        ("/users/0e37df36-f698-11e6-8dd4-cb9ced3df976", "/users/#"),
        ("/find?q=a%20b&page=2", "/find?q=#&page=#"),
        ("/addresses", "/addresses"),
    ],
)
def test_requests_of_a_kind(path: str, kind: str) -> None:
    """Numbers, ids and a query's values make no other kind; words and the query's names do."""
    assert Request(b"", "GET", path, {}, b"", False).kind == ("GET", kind)


@pytest.mark.parametrize(
    ("line", "connection", "is_last"),
    [
        (b"GET / HTTP/1.1", b"keep-alive", False),
        (b"GET / HTTP/1.1", b"Close", True),
        (b"GET / HTTP/1.0", b"", True),
        (b"GET / HTTP/1.0", b"Keep-Alive", False),
    ],
)
def test_the_last_request_of_a_connection(line: bytes, connection: bytes, is_last: bool) -> None:
    """A client says that it is done; one of HTTP/1.0 says when it is not."""
    request = parse(line + b"\r\nConnection: " + connection + b"\r\n\r\n")
    assert request is not None
    assert request.is_last == is_last


def test_a_client_that_waits_to_continue() -> None:
    """Only one that says so, and only once its head is here."""
    head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    assert waits_to_continue(head)
    assert not waits_to_continue(head[:-1])
    assert not waits_to_continue(POST[:-1])
