"""What is no answer, and what two readers could take for two different ones: refused, at once and told as a failure."""

from __future__ import annotations

import time

import pytest
from geventhttpclient.response import HTTPParseError

from tests.generator.http.conftest import Be, Serve
from tests.generator.http.scripted import Reply, answer, chunked, in_turn, ok

STATUS = b"HTTP/1.1 200 OK"
LAST = b"0\r\n\r\n"
FIVE = b"5\r\nhello\r\n"
AT_ONCE_S = 1.0
FAR_S = 8.0  # a test that waited for a timeout is told from one that did not


def started(start: bytes) -> bytes:
    """Return an answer whose first line is what is wrong with it."""
    return start + b"\r\nContent-Length: 5\r\n\r\nhello"


def headed(*lines: bytes, body: bytes = b"hello") -> bytes:
    """Return an answer whose headers are what is wrong with it."""
    return b"".join(line + b"\r\n" for line in (STATUS, *lines)) + b"\r\n" + body


NO_ANSWERS = {
    "text": b"hello, this is no answer\r\n\r\n",
    "HTTP/0.9": b"<html><body>hello</body></html>",
    "a mail server": b"220 mail.test ESMTP\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x16",
    "zeros": bytes(100),
    "HTTP/2's settings": b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\xff\xff",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: me\r\n\r\n",
    "headers alone": b"Content-Length: 5\r\n\r\nhello",
    "a mark of byte order": b"\xef\xbb\xbf" + ok(),
    "a space before it": b" " + ok(),
}
STATUS_LINES = {
    "version 0.9": started(b"HTTP/0.9 200 OK"),
    "version 1.2": started(b"HTTP/1.2 200 OK"),
    "version 2.0": started(b"HTTP/2.0 200 OK"),
    "version 2": started(b"HTTP/2 200"),
    "version 3": started(b"HTTP/3 200"),
    "version 11": started(b"HTTP/11 200 OK"),
    "version 1.1.1": started(b"HTTP/1.1.1 200 OK"),
    "no version": started(b"HTTP 200 OK"),
    "lower case": started(b"http/1.1 200 OK"),
    "RTSP": started(b"RTSP/1.0 200 OK"),
    "ICE": started(b"ICE/1.0 200 OK"),
    "ICY": started(b"ICY 200 OK"),
    "a space in the version": started(b"HTTP /1.1 200 OK"),
    "two spaces": started(b"HTTP/1.1  200 OK"),
    "a tab": started(b"HTTP/1.1\t200 OK"),
    "no status": started(b"HTTP/1.1 OK"),
    "status 0": started(b"HTTP/1.1 0 OK"),
    "status 000": started(b"HTTP/1.1 000 OK"),
    "status 099": started(b"HTTP/1.1 099 OK"),
    "status 20": started(b"HTTP/1.1 20 OK"),
    "status 2000": started(b"HTTP/1.1 2000 OK"),
    "status -200": started(b"HTTP/1.1 -200 OK"),
    "status 20x": started(b"HTTP/1.1 20x OK"),
    "101 unasked": headed(body=b"").replace(b"200 OK", b"101 Switching Protocols"),
    "101 with all that belongs to it": headed(b"Connection: Upgrade", b"Upgrade: websocket", body=b"\x81\x05").replace(
        b"200 OK", b"101 Switching Protocols"
    ),
    "101 before an answer": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + ok(),
    "100 with content": b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + ok(),
}
LENGTHS = {
    "a length and chunks": headed(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=FIVE + LAST),
    "chunks and a length": headed(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=FIVE + LAST),
    "a length of 0 and chunks": headed(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=FIVE + LAST),
    "a length and an unknown coding": headed(b"Content-Length: 5", b"Transfer-Encoding: xchunked"),
    "two lengths": headed(b"Content-Length: 5", b"Content-Length: 4"),
    "two equal lengths": headed(b"Content-Length: 5", b"Content-Length: 5"),
    "a list of lengths": headed(b"Content-Length: 5, 4"),
    "a list of equal lengths": headed(b"Content-Length: 5, 5"),
    "a length with a plus": headed(b"Content-Length: +5"),
    "a length below 0": headed(b"Content-Length: -5"),
    "a length with a space": headed(b"Content-Length: 5 0"),
    "a length in hexadecimal": headed(b"Content-Length: 0x5"),
    "a fraction": headed(b"Content-Length: 5.0"),
    "an empty length": headed(b"Content-Length:"),
    "no number": headed(b"Content-Length: five"),
    "a digit that is not ASCII": headed(b"Content-Length: \xb2"),
    "a length of 2^64": headed(b"Content-Length: 18446744073709551616"),
    "a length of 2^64 + 5": headed(b"Content-Length: 18446744073709551621"),
}
CODINGS = {
    "gzip": headed(b"Transfer-Encoding: gzip"),
    "gzip after chunked": headed(b"Transfer-Encoding: chunked, gzip", body=FIVE + LAST),
    "gzip before chunked": headed(b"Transfer-Encoding: gzip, chunked", body=FIVE + LAST),
    "identity": headed(b"Transfer-Encoding: identity"),
    "identity in a header of its own": headed(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=FIVE + LAST
    ),
    "chunked twice": headed(b"Transfer-Encoding: chunked, chunked", body=FIVE + LAST),
    "chunked twice, in two headers": headed(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=FIVE + LAST
    ),
    "something like chunked": headed(b"Transfer-Encoding: xchunked", body=FIVE + LAST),
    "chunked with a parameter": headed(b"Transfer-Encoding: chunked;q=1", body=FIVE + LAST),
    "chunked and a tab": headed(b"Transfer-Encoding: chunked\t", body=FIVE + LAST),
    "chunked in quotes": headed(b'Transfer-Encoding: "chunked"', body=FIVE + LAST),
    "a vertical tab": headed(b"Transfer-Encoding: \x0bchunked", body=FIVE + LAST),
    "nothing": headed(b"Transfer-Encoding:", body=FIVE + LAST),
    "a space before the colon": headed(b"Transfer-Encoding : chunked", body=FIVE + LAST),
}
LINES = {
    "bare LF after the status": started(STATUS).replace(b"\r\n", b"\n", 1),
    "bare LF after a header": headed(b"Content-Length: 5\nX-A: b"),
    "bare LF everywhere": started(STATUS).replace(b"\r\n", b"\n"),
    "bare LF at the end": STATUS + b"\r\nContent-Length: 5\r\n\nhello",
    "bare CR at the end": STATUS + b"\r\nContent-Length: 5\r\n\rhello",
    "bare CR in a value": headed(b"X-A: b\rc", b"Content-Length: 5"),
    "a folded line": headed(b"X-A: b", b" c", b"Content-Length: 5"),
    "a line folded by a tab": headed(b"X-A: b", b"\tc", b"Content-Length: 5"),
    "a folded coding": headed(b"Transfer-Encoding:", b" chunked", body=FIVE + LAST),
    "a folded length": headed(b"Content-Length:", b" 5"),
    "a fold at the very start": headed(b" Content-Length: 5"),
    "a space before the colon": headed(b"Content-Length : 5"),
    "no colon": headed(b"Content-Length 5"),
    "no name": headed(b": 5", b"Content-Length: 5"),
    "NUL in a name": headed(b"X\0A: b", b"Content-Length: 5"),
    "NUL in a value": headed(b"X-A: b\0c", b"Content-Length: 5"),
    "a control character": headed(b"X-A: b\x01c", b"Content-Length: 5"),
    "DEL": headed(b"X-A: b\x7fc", b"Content-Length: 5"),
    "a name that is not ASCII": headed(b"X-\xe9: b", b"Content-Length: 5"),
    "a bracket in a name": headed(b"X(A): b", b"Content-Length: 5"),
}
CHUNKS = {
    "no number": chunked(b"five\r\nhello\r\n" + LAST),
    "an empty size": chunked(b"\r\nhello\r\n" + LAST),
    "a size below 0": chunked(b"-5\r\nhello\r\n" + LAST),
    "a size with a plus": chunked(b"+5\r\nhello\r\n" + LAST),
    "a size with 0x": chunked(b"0x5\r\nhello\r\n" + LAST),
    "a space before the size": chunked(b" 5\r\nhello\r\n" + LAST),
    "a space after the size": chunked(b"5 \r\nhello\r\n" + LAST),
    "NUL after the size": chunked(b"5\0\r\nhello\r\n" + LAST),
    "a size of 2^64": chunked(b"10000000000000000\r\nhello\r\n" + LAST),
    "a size of 2^64 + 5": chunked(b"10000000000000005\r\nhello\r\n" + LAST),
    "a chunk longer than it says": chunked(b"4\r\nhello\r\n" + LAST),
    "a chunk without an end": chunked(b"5\r\nhello" + LAST),
    "bare LF after the size": chunked(b"5\nhello\r\n" + LAST),
    "bare LF after the chunk": chunked(b"5\r\nhello\n" + LAST),
    "bare LF at the end": chunked(FIVE + b"0\r\n\n"),
    "bare LF in an extension": chunked(b"5;a\nb\r\nhello\r\n" + LAST),
    "NUL in an extension": chunked(b"5;a=\0\r\nhello\r\n" + LAST),
    "a trailer without a colon": chunked(FIVE + b"0\r\nX-Sum 5\r\n\r\n"),
    "a length among the trailers": chunked(FIVE + b"0\r\nContent-Length: 5\r\n\r\n"),
    "a folded trailer": chunked(FIVE + b"0\r\nX-Sum: 5\r\n 6\r\n\r\n"),
}
TABLES = {"no": NO_ANSWERS, "start": STATUS_LINES, "length": LENGTHS, "coding": CODINGS, "line": LINES, "chunk": CHUNKS}
REFUSED = [pytest.param(data, id=f"{table}: {name}") for table, rows in TABLES.items() for name, data in rows.items()]


@pytest.mark.parametrize("step", [0, 1], ids=["at once", "bytewise"])
@pytest.mark.parametrize("data", REFUSED)
def test_what_is_no_answer_is_refused(serve: Serve, be: Be, data: bytes, step: int) -> None:
    """As soon as it is seen, in one event, with one request sent, and on a connection that is closed then."""
    server = serve(in_turn(Reply(data, step=step), ok(b"next")))
    someone = be(server.url, network_timeout=FAR_S)
    begun = time.monotonic()
    response = someone.client.get("/")
    assert time.monotonic() - begun < AT_ONCE_S
    told = someone.the_one()
    assert type(told["exception"]) is HTTPParseError
    assert (response.status_code, response.content, told["response_length"]) == (0, None, 0)
    assert (server.is_left(), len(server.asked)) == (True, 1)
    assert someone.client.post("/next").content == b"next"


@pytest.mark.parametrize("name", ["Transfer-Encoding", "Content-Length", "Set-Cookie", "Location"])
def test_a_name_inside_of_another_is_not_that_one(serve: Serve, be: Be, name: str) -> None:
    """Names are compared whole."""
    other = f"X-{name}: gzip".encode()
    server = serve(
        answer(b"HTTP/1.1 302 Found", other, b"X-A: " + name.encode() + b": 3", b"Content-Length: 5", content=b"hello")
    )
    someone = be(server.url)
    response = someone.client.get("/")
    assert (response.status_code, response.content, someone.the_one()["exception"]) == (302, b"hello", None)


def test_the_reason_is_told_wherever_the_request_is_made(serve: Serve, be: Be) -> None:
    """Also while the user handles an error of its own."""
    someone = be(serve(headed(b"Transfer-Encoding: gzip")).url)
    try:
        raise KeyError("another error")
    except KeyError:
        someone.client.get("/")
    assert str(someone.the_one()["exception"]) == "no valid HTTP answer: a transfer encoding other than chunked"
