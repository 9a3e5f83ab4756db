"""Where an answer ends: all the ways in which HTTP/1 tells it, however the bytes come, and what is done afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import gevent
import pytest

from tests.generator.http.conftest import Be, Serve
from tests.generator.http.people import SEEN_AGAIN_S
from tests.generator.http.scripted import Reply, Then, answer, chunked, in_turn, ok

EARLY = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Mark: early\r\n\r\n"
LAST = b"0\r\n\r\n"
FIVE = b"5\r\nhello\r\n"


@dataclass(frozen=True)
class Case:
    """An answer and what must be made of it; `is_kept`: the connection carries the next request."""

    name: str
    data: bytes
    content: bytes = b"hello"
    status: int = 200
    method: str = "GET"
    then: Then = Then.KEEP
    is_kept: bool = True


def started(start: bytes, *lines: bytes) -> bytes:
    """Return an answer of five bytes with a first line of its own."""
    return answer(start, *lines, b"Content-Length: 5", content=b"hello")


LENGTHS = [
    Case("content-length", ok()),
    Case("no content", ok(b""), b""),
    Case("a length with zeros before it", answer(b"HTTP/1.1 200 OK", b"Content-Length: 0005", content=b"hello")),
    Case("a length in white space", answer(b"HTTP/1.1 200 OK", b"Content-Length: \t 5 \t", content=b"hello")),
    Case("a length without a space", answer(b"HTTP/1.1 200 OK", b"Content-Length:5", content=b"hello")),
    Case("a name in mixed case", answer(b"HTTP/1.1 200 OK", b"cOnTeNt-LeNgTh: 5", content=b"hello")),
    Case("content that looks like an answer", ok(ok(b"inner")), ok(b"inner")),
    Case("content with the end of a head in it", ok(b"\r\n\r\n\0\xff"), b"\r\n\r\n\0\xff"),
    Case("an empty reason", started(b"HTTP/1.1 200 ")),
    Case("no reason", started(b"HTTP/1.1 200")),
    Case("a reason that is not ASCII", started(b"HTTP/1.1 200 tr\xe8s bien")),
    Case("a header without a value", ok(b"hello", b"X-Empty:", b"X-Blank: ")),
    Case("a header that is not ASCII", ok(b"hello", b"X-Name: \xe9\xff")),
    Case("a hundred headers", ok(b"hello", *(b"X-%d: %d" % (n, n) for n in range(100)))),
    Case("an empty line before the answer", b"\r\n" + ok()),
    Case("empty lines before the answer", b"\r\n\r\n\r\n" + ok()),
    Case("empty lines after the answer", ok() + b"\r\n\r\n"),
]
CHUNKS = [
    Case("one chunk", chunked(FIVE + LAST)),
    Case("several chunks", chunked(b"2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n" + LAST)),
    Case("no chunk", chunked(LAST), b""),
    Case(
        "a size in hexadecimal",
        chunked(b"1a\r\n" + b"a" * 26 + b"\r\nB\r\n" + b"b" * 11 + b"\r\n" + LAST),
        b"a" * 26 + b"b" * 11,
    ),
    Case("a size with zeros before it", chunked(b"00000000000000000005\r\nhello\r\n000\r\n\r\n")),
    Case("extensions", chunked(b'5;a=b;c="d;e";f\r\nhello\r\n0;last\r\n\r\n')),
    Case("trailers", chunked(FIVE + b"0\r\nX-Sum: 5\r\nX-Mark: there\r\n\r\n")),
    Case("chunked in capitals", answer(b"HTTP/1.1 200 OK", b"TRANSFER-ENCODING: CHUNKED", content=FIVE + LAST)),
    Case("chunks that look like an end", chunked(b"7\r\n0\r\n\r\n\r\n\r\n" + LAST), b"0\r\n\r\n\r\n"),
]
CLOSED = [
    Case("until the close", answer(b"HTTP/1.1 200 OK", content=b"hello"), then=Then.CLOSE, is_kept=False),
    Case("nothing until the close", answer(b"HTTP/1.1 200 OK"), b"", then=Then.CLOSE, is_kept=False),
    Case("1.0 until the close", answer(b"HTTP/1.0 200 OK", content=b"hello"), then=Then.CLOSE, is_kept=False),
    Case("Connection: close", ok(b"hello", b"Connection: close"), is_kept=False),
    Case("Connection: close, closed", ok(b"hello", b"Connection: close"), then=Then.CLOSE, is_kept=False),
    Case("Connection: close in chunks", chunked(FIVE + LAST, b"Connection: close"), is_kept=False),
    Case("close among others", ok(b"hello", b"Connection: x-a, Close"), is_kept=False),
    Case("close in a second header", ok(b"hello", b"Connection: x-a", b"Connection: close"), is_kept=False),
    Case("1.0", started(b"HTTP/1.0 200 OK"), is_kept=False),
    Case("1.0 with keep-alive", started(b"HTTP/1.0 200 OK", b"Connection: keep-alive")),
    Case("1.1 with keep-alive", ok(b"hello", b"Connection: keep-alive", b"Keep-Alive: timeout=5")),
    Case("closed after all, unsaid", ok(), then=Then.CLOSE, is_kept=False),
    Case("reset after all", ok(), then=Then.RESET, is_kept=False),
]
HEADS = [
    Case("HEAD with a length", answer(b"HTTP/1.1 200 OK", b"Content-Length: 5"), b"", method="HEAD"),
    Case("HEAD without a length", answer(b"HTTP/1.1 200 OK"), b"", method="HEAD"),
    Case("HEAD with chunks announced", chunked(b""), b"", method="HEAD"),
    Case("HEAD with a body after all", ok(), b"", method="HEAD", is_kept=False),
    Case("HEAD with chunks after all", chunked(FIVE + LAST), b"", method="HEAD", is_kept=False),
    Case(
        "HEAD with a body and no length",
        answer(b"HTTP/1.1 200 OK", content=b"hello"),
        b"",
        method="HEAD",
        is_kept=False,
    ),
    Case("HEAD of an encoding", answer(b"HTTP/1.1 200 OK", b"Content-Encoding: gzip"), b"", method="HEAD"),
    Case("HEAD and close", answer(b"HTTP/1.1 200 OK", b"Connection: close"), b"", method="HEAD", is_kept=False),
    Case("HEAD of 1.0", answer(b"HTTP/1.0 200 OK", b"Content-Length: 5"), b"", method="HEAD", is_kept=False),
    Case("HEAD after 100", EARLY + answer(b"HTTP/1.1 200 OK", b"Content-Length: 5"), b"", method="HEAD"),
    Case("HEAD of 204", answer(b"HTTP/1.1 204 No Content"), b"", 204, method="HEAD"),
]
EARLY_ONES = [
    Case("100", EARLY + ok()),
    Case("103 with headers", HINTS + ok()),
    Case("several", EARLY + HINTS + b"HTTP/1.1 102 Processing\r\n\r\n" + HINTS + ok()),
    Case("100 without a reason", b"HTTP/1.1 100\r\n\r\n" + ok()),
    Case("199, of which nothing is known", b"HTTP/1.1 199 What\r\n\r\n" + ok()),
    Case("100 before chunks", EARLY + chunked(FIVE + LAST)),
    Case("100 before a close", EARLY + answer(b"HTTP/1.1 200 OK", content=b"hello"), then=Then.CLOSE, is_kept=False),
    Case("100 before 204", EARLY + answer(b"HTTP/1.1 204 No Content"), b"", 204),
    Case("an empty line after 100", EARLY + b"\r\n" + ok()),
]
BODILESS = [
    Case("204", answer(b"HTTP/1.1 204 No Content"), b"", 204),
    Case("204 with a length of 0", ok(b"", status=b"204 No Content"), b"", 204),
    Case("204 with a length", answer(b"HTTP/1.1 204 No Content", b"Content-Length: 5"), b"", 204),
    Case("204 with chunks announced", answer(b"HTTP/1.1 204 No Content", b"Transfer-Encoding: chunked"), b"", 204),
    Case("204 with a body after all", ok(status=b"204 No Content"), b"", 204, is_kept=False),
    Case("204 and close", answer(b"HTTP/1.1 204 No Content", b"Connection: close"), b"", 204, is_kept=False),
    Case("304", answer(b"HTTP/1.1 304 Not Modified"), b"", 304),
    Case("304 with a length", answer(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5"), b"", 304),
    Case("304 with a body after all", ok(status=b"304 Not Modified"), b"", 304, is_kept=False),
    Case("205", ok(b"", status=b"205 Reset Content"), b"", 205),
]
FOLLOWED = [
    Case("garbage after it", ok() + b"garbage", is_kept=False),
    Case("one byte after it", ok() + b"H", is_kept=False),
    Case("another answer after it", ok() + ok(b"other"), is_kept=False),
    Case("another answer after chunks", chunked(FIVE + LAST) + ok(b"other"), is_kept=False),
    Case("an early answer after it", ok() + EARLY, is_kept=False),
    Case("another answer after 204", answer(b"HTTP/1.1 204 No Content") + ok(b"other"), b"", 204, is_kept=False),
    Case("garbage after close", ok(b"hello", b"Connection: close") + b"garbage", is_kept=False),
    Case("an answer after that to HEAD", answer(b"HTTP/1.1 200 OK") + ok(b"other"), b"", method="HEAD", is_kept=False),
]
CASES = LENGTHS + CHUNKS + CLOSED + HEADS + EARLY_ONES + BODILESS + FOLLOWED


@pytest.mark.parametrize("step", [0, 1, 7], ids=["at once", "bytewise", "in sevens"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_answer_is_read_as_it_was_meant(serve: Serve, be: Be, case: Case, step: int) -> None:
    """Its status, headers and content, whatever pieces it comes in; then the connection is used again, or is not."""
    server = serve(in_turn(Reply(case.data, case.then, step), ok(b"next")))
    someone = be(server.url)
    response = someone.client.request(case.method, "/")
    assert (response.status_code, response.content) == (case.status, case.content)
    assert "here" in response.headers.getlist("X-Mark")[:1]
    told = someone.the_one()
    assert (told["exception"], told["response_length"], response.error) == (None, len(case.content), None)
    if not case.is_kept and (step or case.then is not Then.KEEP):
        gevent.sleep(SEEN_AGAIN_S)  # what comes after the answer is noticed when it is there
    assert someone.client.post("/next").content == b"next"
    assert server.connections == (1 if case.is_kept else 2)
    assert [asked.target for asked in server.asked] == ["/", "/next"]


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1_000_000])
def test_long_content_is_read_to_its_end(serve: Serve, be: Be, size: int) -> None:
    """By length, in chunks and until the close, around the size of what is read at a time."""
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:1000], content[1000:]) if part)
    closed = Reply(answer(b"HTTP/1.1 200 OK", content=content), Then.CLOSE)
    server = serve(in_turn(ok(content), chunked(parts + LAST), closed))
    someone = be(server.url)
    assert [someone.client.get("/").content == content for _ in range(3)] == [True] * 3
    assert [told["response_length"] for told in someone.told] == [size] * 3
    assert server.connections == 1


def test_a_connection_carries_one_request_after_the_other(serve: Serve, be: Be) -> None:
    """Of every method, with and without bodies, whatever the statuses."""
    answers = [ok(), ok(status=b"404 Not Found"), ok(status=b"500 Oh"), chunked(FIVE + LAST), ok(status=b"201 Created")]
    server = serve(in_turn(*answers, ok()))
    someone = be(server.url)
    for number in range(20):
        method = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")[number % 6]
        assert someone.client.request(method, f"/{number}", data=b"x" * number).content == b"hello"
    assert [asked.target for asked in server.asked] == [f"/{number}" for number in range(20)]
    assert [len(asked.body) for asked in server.asked] == list(range(20))
    assert server.connections == 1


def test_the_head_is_that_of_the_answer_and_not_of_what_came_before(serve: Serve, be: Be) -> None:
    """Cookies and encodings of an early answer, of trailers and of the last exchange do not count."""
    early = b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\nContent-Encoding: gzip\r\n\r\n"
    trailers = chunked(FIVE + b"0\r\nSet-Cookie: late=1\r\nContent-Encoding: gzip\r\n\r\n")
    server = serve(in_turn(early + ok(), trailers, ok(b"hello", b"X-Once: 1"), ok()))
    someone = be(server.url)
    answers = [someone.client.get("/") for _ in range(4)]
    assert [(one.content, one.error) for one in answers] == [(b"hello", None)] * 4
    assert [one.headers.get("X-Once") for one in answers] == [None, None, "1", None]
    assert not list(someone.client.cookiejar)
