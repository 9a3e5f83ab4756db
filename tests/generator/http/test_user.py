"""What a locustfile does with the user and its answers, as Locust documents it for FastHttpUser."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from geventhttpclient.client import HTTPClientPool
from locust.contrib.fasthttp import FastHttpUser, LocustBadStatusCode, ResponseContextManager
from locust.exception import CatchResponseError, LocustError, RescheduleTask, ResponseError

from loadlab.generator.http import LeanHttpUser
from tests.generator.http.conftest import Be, Serve
from tests.generator.http.scripted import Reply, Then, answer, chunked, in_turn, ok

NOT_FOUND = ok(b"no", status=b"404 Not Found")
both = pytest.mark.parametrize("kind", [LeanHttpUser, FastHttpUser])


def test_what_is_told_of_a_request(serve: Serve, be: Be) -> None:
    """The arguments of Locust's event."""
    server = serve(Reply(ok(), wait_s=0.02))
    someone = be(server.url)
    response = someone.client.get("/a?x=1")
    told = someone.the_one()
    assert set(told) == {
        *("request_type", "name", "context", "response", "exception"),
        *("start_time", "url", "response_length", "response_time"),
    }
    assert (told["request_type"], told["name"], told["url"]) == ("GET", "/a?x=1", f"{server.url}/a?x=1")
    assert (told["response"], told["exception"], told["response_length"]) == (response, None, 5)
    assert (told["context"], 20 <= told["response_time"] < 500) == ({}, True)


def test_what_is_told_of_an_answer(serve: Serve, be: Be) -> None:
    """Its attributes are those of FastHttpUser's."""
    headers = (b"Content-Type: application/json; charset=utf-8", b"X-Two: a", b"x-two: b", b"X-Name: \xe9")
    server = serve(ok('{"a": "ä"}'.encode(), *headers, status=b"201 Made it"))
    response = be(server.url).client.post("/a", json={})
    assert (response.status_code, response.ok, response.reason, response.url) == (
        201,
        True,
        "Made it",
        f"{server.url}/a",
    )
    assert (response.content, response.text, response.json()) == (b'{"a": "\xc3\xa4"}', '{"a": "ä"}', {"a": "ä"})
    assert response.headers["content-TYPE"] == "application/json; charset=utf-8"
    assert response.headers["X-Two"] == ["a", "b"]
    assert (response.headers["X-Name"], response.headers.get("X-No"), "x-mark" in response.headers) == (
        "\xe9",
        None,
        True,
    )
    assert (response.header("x-two"), response.header("x-no"), response.header("x-name")) == ("a, b", None, "\xe9")
    assert (len(response), bool(response), response.isclosed(), response.history) == (11, True, True, [])
    assert response.elapsed.total_seconds() > 0
    assert (response.request.method, response.request.url, response.request.body) == ("POST", f"{server.url}/a", b"{}")
    assert (response.request.headers["Content-Type"], isinstance(response, ResponseContextManager)) == (
        "application/json",
        True,
    )


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        (b"text/plain; charset=iso-8859-1", b"\xe4", "ä"),
        (b"text/plain; charset=utf-8", b"\xc3\xa4\xff", "ä\ufffd"),
        (b"application/json", "ä".encode(), "ä"),
        (b"text/html", b"\xe4", "ä"),
    ],
)
def test_text_is_what_the_server_says_it_is(serve: Serve, be: Be, kind: bytes, content: bytes, text: str) -> None:
    """By its type, or what goes for it."""
    server = serve(ok(content, b"Content-Type: " + kind))
    assert be(server.url).client.get("/").text == text


def test_text_is_what_the_user_says_it_is(serve: Serve, be: Be) -> None:
    """When it sets `encoding` first."""
    response = be(serve(ok(b"\xe4", b"Content-Type: text/plain; charset=utf-8")).url).client.get("/")
    response.encoding = "latin-1"
    assert response.text == "ä"


def test_content_can_be_read_in_parts(serve: Serve, be: Be) -> None:
    """As from FastHttpUser's, though all of it is here."""
    client = be(serve(ok("one\ntwö\nthree".encode())).url).client
    response = client.get("/")
    assert (response.readline(), response.read(4), response.read(), response.read(5)) == (
        b"one\n",
        "twö".encode(),
        b"\nthree",
        b"",
    )
    assert list(client.get("/").iter_content(4)) == ["one\n", "twö", "\nthr", "ee"]
    assert b"".join(client.get("/").iter_content(3, decode_content=False)) == "one\ntwö\nthree".encode()
    assert list(client.get("/")) == [b"one\n", "twö\n".encode(), b"three"]
    assert client.get("/").stream.read() == "one\ntwö\nthree".encode()
    response.release()


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 600, 999, 209, 305, 306])
def test_a_status_may_be_a_failure(serve: Serve, be: Be, status: int) -> None:
    """The answer is there all the same."""
    server = serve(ok(b"why", status=b"%d Why" % status))
    someone = be(server.url)
    response = someone.client.get("/")
    told = someone.the_one()
    assert type(told["exception"]) is LocustBadStatusCode
    assert f"code={status}" in str(told["exception"])
    assert (response.status_code, response.ok, response.content, told["response_length"]) == (
        status,
        status < 400,
        b"why",
        3,
    )
    with pytest.raises(LocustBadStatusCode):
        response.raise_for_status()


@pytest.mark.parametrize("status", [200, 201, 202, 203, 205, 206, 207, 208, 226])
def test_a_status_may_be_none(serve: Serve, be: Be, status: int) -> None:
    """Of those that are good the answer raises nothing."""
    someone = be(serve(ok(b"x", status=b"%d Good" % status)).url)
    someone.client.get("/").raise_for_status()
    assert someone.the_one()["exception"] is None


# --- With a block ---


@both
def test_an_answer_may_be_called_a_success(serve: Serve, be: Be, kind: Any) -> None:
    """Whatever its status."""
    someone = be(serve(NOT_FOUND).url, kind)
    with someone.client.get("/", catch_response=True) as response:
        assert (response.status_code, someone.told) == (404, [])
        response.success()
    assert (someone.the_one()["exception"], someone.last["response_length"]) == (None, 2)


@both
@pytest.mark.parametrize("reason", ["no good", ValueError("no good")])
def test_an_answer_may_be_called_a_failure(serve: Serve, be: Be, kind: Any, reason: Any) -> None:
    """For a reason in words, or an exception."""
    someone = be(serve(ok()).url, kind)
    with someone.client.get("/", catch_response=True) as response:
        response.failure(reason)
    exception = someone.the_one()["exception"]
    assert (str(exception), type(exception)) == (
        "no good",
        CatchResponseError if isinstance(reason, str) else ValueError,
    )


@both
@pytest.mark.parametrize(("data", "is_failure"), [(ok(), False), (NOT_FOUND, True), (b"garbage", True)])
def test_a_block_may_leave_it_as_it_is(serve: Serve, be: Be, kind: Any, data: bytes, is_failure: bool) -> None:
    """The status and the answer decide then; told once."""
    someone = be(serve(Reply(data, Then.CLOSE)).url, kind)
    with someone.client.post("/", catch_response=True) as response:
        assert response is not None
    assert (someone.the_one()["exception"] is not None) is is_failure


@both
def test_no_answer_may_be_called_a_success_too(serve: Serve, be: Be, kind: Any) -> None:
    """As of a server that is meant to hang up."""
    someone = be(serve(Reply(b"", Then.CLOSE)).url, kind)
    with someone.client.post("/", catch_response=True) as response:
        assert (response.status_code, response.content) == (0, None)
        response.success()
    assert someone.the_one()["exception"] is None


@both
@pytest.mark.parametrize(
    ("raised", "is_told", "is_raised"),
    [
        (ResponseError("no good"), True, False),
        (CatchResponseError("no good"), False, True),
        (RescheduleTask(), False, True),
        (KeyError("x"), False, True),
    ],
)
def test_what_is_raised_in_a_block(
    serve: Serve, be: Be, *, kind: Any, raised: Exception, is_told: bool, is_raised: bool
) -> None:
    """Locust's own errors are the request's failure; others go on, and nothing is told."""
    someone = be(serve(ok()).url, kind)
    seen = None
    try:
        with someone.client.get("/", catch_response=True):
            raise raised
    except Exception as exception:
        seen = exception
    assert (seen is raised) is is_raised
    assert [told["exception"] for told in someone.told] == ([raised] if is_told else [])


@both
def test_what_was_said_before_something_was_raised(serve: Serve, be: Be, kind: Any) -> None:
    """Is told; and what was raised goes on."""
    someone = be(serve(ok()).url, kind)

    def say_and_raise() -> None:
        with someone.client.get("/", catch_response=True) as response:
            response.failure("no good")
            raise KeyError

    with pytest.raises(KeyError):
        say_and_raise()
    assert str(someone.the_one()["exception"]) == "no good"


def test_a_block_must_be_asked_for(serve: Serve, be: Be) -> None:
    """Without catch_response the request has been told of already."""
    someone = be(serve(ok()).url)
    response = someone.client.get("/")
    with pytest.raises(LocustError, match="catch_response"), response:
        pass
    for call in (response.success, lambda: response.failure("x")):
        with pytest.raises(LocustError):
            call()
    assert someone.the_one()["exception"] is None


# --- rest ---


@both
def test_rest_reads_json(serve: Serve, be: Be, kind: Any) -> None:
    """As `js`, and asks for it."""
    server = serve(ok(b'{"a": [1]}', b"Content-Type: application/json"))
    someone = be(server.url, kind)
    with someone.user.rest("POST", "/a", json={"x": 1}, headers={"X-A": "b"}) as response:
        assert response.js == {"a": [1]}
    (asked,) = server.asked
    assert (asked.method, asked.body, asked.header("X-A")) == ("POST", b'{"x": 1}', "b")
    assert (asked.header("Content-Type"), asked.header("Accept")) == ("application/json", "application/json")
    assert someone.the_one()["exception"] is None


@both
@pytest.mark.parametrize(
    ("data", "words"),
    [(ok(b"no json"), "Could not parse"), (NOT_FOUND, "Could not parse"), (ok(b"{}", status=b"500 Oh"), "code=500")],
)
def test_rest_tells_what_is_wrong(serve: Serve, be: Be, kind: Any, data: bytes, words: str) -> None:
    """With what should have been JSON, or with the status."""
    someone = be(serve(data).url, kind)
    with someone.user.rest("GET", "/a") as response:
        assert response.status_code == int(data.split()[1])
    assert words in str(someone.the_one()["exception"])


@both
def test_rest_of_no_answer(serve: Serve, be: Be, kind: Any) -> None:
    """Is a failure with its reason, and no JSON."""
    someone = be(serve(Reply(b"", Then.CLOSE)).url, kind)
    with someone.user.rest("POST", "/a") as response:
        assert response.js is None
    assert "closed" in str(someone.the_one()["exception"])


@both
def test_rest_tells_of_what_was_not_as_asserted(serve: Serve, be: Be, kind: Any) -> None:
    """In the words of the assertion, or of any other error."""
    someone = be(serve(ok(b'{"a": 1}')).url, kind)
    with someone.user.rest("GET", "/a") as response:
        assert response.js["a"] == 2, "a is not two"
    with someone.user.rest("GET", "/a") as response:
        response.js["b"]
    first, second = [str(told["exception"]) for told in someone.told]
    assert first.startswith("a is not two")
    assert second.startswith("KeyError: 'b'")


@both
def test_rest_past_caches(serve: Serve, be: Be, kind: Any) -> None:
    """rest_ adds the time to the URL, and not to the name."""
    server = serve(ok(b"{}"))
    someone = be(server.url, kind)
    with someone.user.rest_("GET", "/a?x=1"):
        pass
    assert server.asked[0].target.startswith("/a?x=1&_=1")
    assert someone.the_one()["name"] == "/a?x=1&_=..."


# --- Names and contexts ---


@both
def test_names(serve: Serve, be: Be, kind: Any) -> None:
    """Its own, before that of the group, before the URL."""
    someone = be(serve(ok()).url, kind)
    client = someone.client
    client.get("/0")
    client.get("/1", name="one")
    client.request_name = "group"
    client.get("/2")
    client.get("/3", name="three")
    client.request_name = None
    with client.rename_request("block"):
        client.get("/4")
        client.post("/5", json=1)
        client.post("/6", data="x", name="six")
    client.get("/7")
    assert [told["name"] for told in someone.told] == ["/0", "one", "group", "three", "block", "block", "six", "/7"]


@both
@pytest.mark.parametrize("options", [{}, {"json": 1}, {"data": "x"}])
def test_contexts(serve: Serve, be: Be, kind: Any, options: Any) -> None:
    """The user's own and the request's, which comes first."""
    server = serve(ok())
    someone = be(server.url, kind, context=lambda _: {"user": 1, "a": "user"})
    someone.client.post("/", context={"a": "request"}, **options)
    someone.client.post("/", **options)
    plain = be(server.url, kind)
    plain.client.post("/", context={"a": "request"}, **options)
    plain.client.post("/", **options)
    assert [told["context"] for told in someone.told] == [{"user": 1, "a": "request"}, {"user": 1, "a": "user"}]
    assert [told["context"] for told in plain.told] == [{"a": "request"}, {}]


# --- The long way ---


@both
def test_lines_of_a_stream(serve: Serve, be: Be, kind: Any) -> None:
    """Each as it comes, the last one without an end too; told before they have come."""
    body = b"4\r\none\n\r\n8\r\ntwo\nthre\r\n1\r\ne\r\n0\r\n\r\n"
    server = serve(Reply(chunked(body), step=40, pause_s=0.01))
    someone = be(server.url, kind)
    lines = someone.client.iter_lines("/", name="lines", headers={"X-A": "b"})
    assert (next(lines), someone.last["name"]) == ("one", "lines")
    assert list(lines) == ["two", "three"]
    assert (someone.the_one()["exception"], server.asked[0].header("X-A")) == (None, "b")


@both
def test_lines_of_a_failure(serve: Serve, be: Be, kind: Any) -> None:
    """Are none: it is raised."""
    someone = be(serve(NOT_FOUND).url, kind)
    with pytest.raises(LocustBadStatusCode):
        list(someone.client.iter_lines("/", method="POST"))
    assert type(someone.the_one()["exception"]) is LocustBadStatusCode


@both
def test_a_stream_is_told_of_when_it_begins(serve: Serve, be: Be, kind: Any) -> None:
    """Its length is the one that is announced, its time that until the head; it shares cookies with all else."""
    head, content = answer(b"HTTP/1.1 200 OK", b"Set-Cookie: a=1", b"Content-Length: 5"), b"hello"
    server = serve(Reply(head + content, step=len(head), pause_s=0.1))
    someone = be(server.url, kind)
    with someone.client.get("/a", stream=True, catch_response=True, context={"c": 1}, params={"p": 1}) as response:
        response.success()
    told = someone.the_one()
    assert (told["response_length"], told["response_time"] < 100, told["context"]) == (5, True, {"c": 1})
    assert b"".join(response.iter_content(decode_content=False)) == b"hello"
    someone.client.get("/b")
    assert [asked.header("Cookie") for asked in server.asked] == [None, "a=1"]
    assert server.asked[0].target == "/a?p=1"


@both
def test_a_pool_of_the_users_own(serve: Serve, be: Be, kind: Any) -> None:
    """Several users share its connections."""
    server = serve(Reply(ok(), wait_s=0.01))
    pool = HTTPClientPool(concurrency=2)
    people = [be(server.url, kind, client_pool=pool) for _ in range(5)]
    gevent.joinall([gevent.spawn(one.client.get, "/") for one in people for _ in range(2)], timeout=3)
    assert [len(one.told) for one in people] == [2] * 5
    assert {told["exception"] for one in people for told in one.told} == {None}
    assert (len(server.asked), server.most_open) == (10, 2)


def test_what_the_long_way_answers_is_fast_http_users_own(serve: Serve, be: Be) -> None:
    """It has no phases to be recorded."""
    someone = be(serve(ok()).url)
    assert not hasattr(someone.client.get("/", stream=True), "tells_phases")
    assert someone.client.get("/").tells_phases


# --- The times of an answer ---


def test_the_phases_of_an_answer(serve: Serve, be: Be) -> None:
    """In their order; connecting is no part of the request's time, waiting and receiving are."""
    server = serve(Reply(ok(), step=40, wait_s=0.05, pause_s=0.05))
    someone = be(server.url)
    first, second = someone.client.get("/"), someone.client.get("/")
    for response, told in zip((first, second), someone.told, strict=True):
        assert response.began + response.connect_s <= response.sent <= response.first_byte <= response.ended
        assert response.first_byte - response.sent >= 0.05
        assert response.ended - response.first_byte >= 0.05
        assert told["response_time"] == pytest.approx(1000 * (response.ended - response.began - response.connect_s))
        assert told["response_time"] >= 100
    assert (first.connects, second.connects, second.connect_s) == (1, 0, 0.0)


def test_the_time_of_a_failure(serve: Serve, be: Be) -> None:
    """Is that until it was known."""
    server = serve(in_turn(Reply(b"", Then.CLOSE, wait_s=0.05)))
    someone = be(server.url)
    response = someone.client.get("/")
    assert 50 <= someone.the_one()["response_time"] < 500
    assert (response.connects, response.connect_s > 0, response.url) == (1, True, f"{server.url}/")
