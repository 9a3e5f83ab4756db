"""LeanHttpUser and FastHttpUser beside each other: what they send, answer and tell is the same, save for what is meant
to differ, which is stated here too."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import brotli
import gevent.ssl
import pytest
from geventhttpclient.response import HTTPParseError
from locust.contrib.fasthttp import FastHttpUser

from loadlab.generator.http import LeanHttpUser
from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.people import Someone
from tests.generator.http.scripted import Answering, Asked, Reply, Then, answer, chunked, ok

OWN = {"user-agent", "accept-encoding"}
TEXT = b"what is to be said " * 50
LAST = b"0\r\n\r\n"
FIVE = b"5\r\nhello\r\n"
HELLO = ok()


@dataclass(frozen=True)
class Case:
    """What is asked, and what is answered."""

    name: str
    ask: Callable[[Any], Any]
    answering: Answering | Reply | bytes = HELLO
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Seen:
    """All that can be compared of a case."""

    told: list[Any]
    answers: list[Any]
    asked: list[Any]


def see(someone: Someone, url: str, case: Case, asked: list[Asked]) -> Seen:
    """Ask, and return what came of it, without what differs from server to server."""
    answers = case.ask(someone.client)
    told = [
        (
            *(one["request_type"], one["name"].replace(url, "URL"), one["url"].replace(url, "URL")),
            *(one["response_length"], one["context"], type(one["exception"])),
            str(one["exception"]).replace(url, "URL") if "code=" in str(one["exception"]) else "",
        )
        for one in someone.told
    ]
    return Seen(
        told,
        [_answer(one, url) for one in (answers if isinstance(answers, list) else [answers])],
        [(one.method, one.target, one.body, _headers(one)) for one in asked],
    )


def _answer(response: Any, url: str) -> Any:
    headers = None if response.headers is None else sorted(response.headers.items())
    try:
        document = response.json()
    except (ValueError, TypeError) as error:
        document = type(error)
    attributes = (response.status_code, response.ok, response.content, response.text, response.encoding)
    request = response.request  # its body is what was given for the one, the bytes that were sent for the other
    about = (request.method, request.url.replace(url, "URL"), request.url_split.quoted_uri)
    # FastHttpUser does not tell what led to an error.
    history = (
        [(one.status_code, one.headers["location"]) for one in response.history]
        if not getattr(response, "error", None)
        else []
    )
    return (*attributes, response.url.replace(url, "URL"), headers, document, about, history)


def _headers(asked: Asked) -> Any:
    return sorted((name, value) for name, value in asked.headers if name not in OWN | {"host"})


def fields() -> Iterator[bytes]:
    """Yield the parts of a body."""
    yield from (b"one", b"two")


def renamed(client: Any) -> Any:
    """Ask in a group."""
    with client.rename_request("group"):
        return [client.get("/a"), client.post("/b", json=1), client.get("/c", name="own")]


def moved(to: str, status: int = 302, *lines: bytes) -> bytes:
    """Return a redirect."""
    return ok(b"moved", b"Location: " + to.encode(), *lines, status=b"%d Moved" % status)


FALSY: tuple[Any, ...] = ({}, [], 0, False, "")


def asking(method: str, times: int = 1, **options: Any) -> Callable[[Any], Any]:
    """Ask for the same, some times."""
    return lambda client: [client.request(method, "/a?x=1", **options) for _ in range(times)]


def leading(to: str, status: int) -> Answering:
    """Lead from one page to another, with a cookie."""
    return lambda asked: ok() if asked.target == to else moved(to, status, b"Set-Cookie: a=1; Path=/")


METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
LATIN = ok(b"\xe4", b"Content-Type: text/plain; charset=latin-1")
JSON = ok('{"a": ["ä", 1.5, null]}'.encode(), b"Content-Type: application/json")
CASES = [
    *(Case(name, asking(name.upper()), lambda a: ok(b"" if a.method == "HEAD" else b"hello")) for name in METHODS),
    *(Case(f"{name} with json", asking(name.upper(), json={"x": [1]})) for name in ("post", "put", "patch")),
    *(Case(f"{name} thrice", asking(name.upper(), times=3, data="x")) for name in ("post", "put", "patch", "delete")),
    Case("a method in small letters", lambda c: c.request("post", "/a", data="x")),
    Case("another method", lambda c: c.request("PURGE", "/a")),
    Case("a name", lambda c: c.get("/a", name="mine")),
    Case("names of a group", renamed),
    Case("a context", lambda c: c.get("/a", context={"x": 1})),
    Case("a query that must be encoded", lambda c: c.get("/ä b?x=ü y#part")),
    Case("what is encoded", lambda c: c.get("/a%20b%2Fc%7e?x=%26")),
    Case("a percent sign", lambda c: c.get("/100%?x=50%")),
    Case("params", lambda c: c.get("/a?x=1", params={"y": [1, 2], "z": "ü &"})),
    Case("empty params", lambda c: c.get("/a?x=1", params={})),
    Case("params and json", lambda c: c.post("/a", params={"y": 1}, json={})),
    Case("headers", lambda c: c.get("/a", headers={"X-A": "b", "x-n": 1, "X-L": ["1", "2"]})),
    Case("a host", lambda c: c.get("/a", headers={"Host": "shop.test"})),
    Case("a cookie", lambda c: c.get("/a", headers={"Cookie": "a=b"})),
    Case("auth", lambda c: c.get("/a", auth=("me", "s\xe9cret"))),
    Case("text", lambda c: c.post("/a", "ü")),
    Case("bytes", lambda c: c.post("/a", b"\0\xff")),
    Case("a form", lambda c: c.post("/a", {"a": "b c", "ü": 1})),
    Case("text of a type", lambda c: c.post("/a", "ü", headers={"content-type": "a/b"})),
    Case("a form of a type", lambda c: c.post("/a", {"a": "b"}, headers={"Content-Type": "a/b"})),
    Case("json of a type", lambda c: c.post("/a", json=1, headers={"content-type": "a/b", "accept": "c/d"})),
    Case("json that is falsy", lambda c: [c.post("/a", json=value) for value in FALSY]),
    Case("data and json", lambda c: c.post("/a", data="x", json=1)),
    Case("no text and json", lambda c: c.post("/a", data="", json=1)),
    Case("a generator", lambda c: c.post("/a", data=fields())),
    Case("bytes in chunks", lambda c: c.post("/a", data=b"x", headers={"Transfer-Encoding": "chunked"})),
    Case("files", lambda c: c.post("/a", data={"f": "g"}, files={"one": ("a.txt", b"x", "text/x", {}, "boundary")})),
    Case(
        "default headers",
        lambda c: [c.get("/a"), c.post("/a", json=1), c.post("/a", data="x", headers={"x-a": "c"})],
        settings=(("default_headers", {"X-A": "b", "Accept": "d/e"}),),
    ),
    Case(
        "a context of the user's",
        lambda c: [c.get("/a"), c.post("/a", json=1, context={"u": 2})],
        settings=(("context", lambda _: {"u": 1, "v": 1}),),
    ),
    *(
        Case(f"status {status}", lambda c: c.get("/a"), ok(b"why", status=b"%d Why" % status))
        for status in (
            200,
            201,
            202,
            203,
            205,
            206,
            207,
            208,
            209,
            226,
            300,
            305,
            306,
            400,
            401,
            404,
            418,
            429,
            500,
            503,
            599,
            999,
        )
    ),
    Case("status 204", lambda c: c.get("/a"), answer(b"HTTP/1.1 204 No Content")),
    Case("status 304", lambda c: c.get("/a"), answer(b"HTTP/1.1 304 Not Modified", b"Content-Length: 9")),
    Case("chunks", lambda c: c.get("/a"), chunked(FIVE + LAST)),
    Case("until the close", lambda c: c.get("/a"), Reply(answer(b"HTTP/1.1 200 OK", content=b"hello"), Then.CLOSE)),
    Case("HTTP/1.0", lambda c: c.get("/a"), Reply(answer(b"HTTP/1.0 200 OK", content=b"hello"), Then.CLOSE)),
    Case("an early answer", lambda c: c.get("/a"), b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + ok()),
    Case("no content", lambda c: c.get("/a"), ok(b"")),
    Case("gzip", lambda c: c.get("/a"), ok(gzip.compress(TEXT), b"Content-Encoding: gzip")),
    Case("deflate", lambda c: c.get("/a"), ok(zlib.compress(TEXT), b"Content-Encoding: deflate")),
    Case("br", lambda c: c.get("/a"), ok(brotli.compress(TEXT), b"Content-Encoding: br")),
    Case("latin-1", lambda c: c.get("/a"), LATIN),
    Case("json", lambda c: c.get("/a"), JSON),
    Case("no json", lambda c: c.get("/a"), ok(b"{", b"Content-Type: application/json")),
    Case("headers that come twice", lambda c: c.get("/a"), ok(b"x", b"X-A: 1", b"x-a: 2", b"X-E:", b"X-L: \xe9")),
    Case(
        "cookies",
        lambda c: [c.get("/set"), c.get("/a"), c.post("/b", json=1), c.post("/c", data="x")],
        lambda a: ok(b"x", b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2") if a.target == "/set" else ok(),
    ),
    Case(
        "a cookie of one's own beside",
        lambda c: [c.get("/set"), c.get("/a", headers={"Cookie": "m=1"})],
        lambda _: ok(b"x", b"Set-Cookie: a=1; Path=/"),
    ),
    *(
        Case(
            f"{method} and {status}",
            asking(method, data="x", headers={"X-A": "b"}),
            leading("/b?y=2", status),
        )
        for status in (301, 302, 303, 307, 308)
        for method in ("GET", "POST", "PUT", "DELETE")
    ),
    Case(
        "redirects one after the other",
        lambda c: c.get("/a"),
        lambda a: {"/a": moved("/b", 301), "/b": moved("c/d", 308)}.get(a.target, ok()),
    ),
    Case("a redirect to nowhere", lambda c: c.get("/a"), moved("ftp://127.0.0.1/")),
    Case(
        "a redirect to an error",
        lambda c: c.get("/a"),
        lambda a: moved("/b") if a.target == "/a" else ok(b"no", status=b"404 Not Found"),
    ),
    Case("a redirect to two places", lambda c: c.get("/a"), moved("/b", 302, b"Location: /c")),
    Case("a redirect to no place", lambda c: c.get("/a"), moved("")),
    Case(
        "a redirect within, with params", lambda c: c.get("/a", params={"x": 1}), moved("#b"), (("max_redirects", 1),)
    ),
    Case("redirects without an end", lambda c: c.get("/a"), moved("/a")),
    Case("redirects, but not so many", lambda c: c.get("/a"), moved("/a"), (("max_redirects", 2),)),
    Case("redirects, but none", lambda c: c.get("/a"), moved("/b"), (("max_redirects", 0),)),
    Case("redirects, but not now", lambda c: c.get("/a", allow_redirects=False), moved("/b")),
    Case("redirects, but one now", lambda c: c.get("/a", max_redirects=1), moved("/a")),
    Case(
        "auth and a redirect",
        lambda c: c.get("/a", auth=("me", "secret")),
        lambda a: moved("/b") if a.target == "/a" else ok(),
    ),
    Case(
        "a host and a redirect",
        lambda c: c.get("/a", headers={"Host": "shop.test"}),
        lambda a: moved("/b") if a.target == "/a" else ok(),
    ),
    Case(
        "many headers and a redirect",
        lambda c: c.get("/a", headers={"X-L": ["1", "2"], "Cookie": "m=1"}),
        lambda a: moved("/b") if a.target == "/a" else ok(),
    ),
    Case("no answer to POST", lambda c: c.post("/a", data="x"), Reply(b"", Then.CLOSE)),
    Case("a reset for POST", lambda c: c.post("/a", data="x"), Reply(b"", Then.RESET)),
    Case("cut off in the head", lambda c: c.get("/a"), Reply(b"HTTP/1.1 200 OK\r\nX", Then.CLOSE)),
    Case("reset in the head", lambda c: c.get("/a"), Reply(b"HTTP/1.1 200 OK\r\nX", Then.RESET)),
    Case("cut off after an early answer", lambda c: c.get("/a"), Reply(b"HTTP/1.1 100 Continue\r\n\r\n", Then.CLOSE)),
    Case("garbage", lambda c: c.get("/a"), Reply(b"garbage", Then.CLOSE)),
    Case(
        "two lengths",
        lambda c: c.get("/a"),
        answer(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Content-Length: 4", content=b"hello"),
    ),
    Case("too late", lambda c: c.get("/a"), Reply(ok(), wait_s=0.3), (("network_timeout", 0.1),)),
    Case("POST, too late", lambda c: c.post("/a", data="x"), Reply(ok(), wait_s=0.3), (("network_timeout", 0.1),)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_do_the_same(serve: Serve, be: Be, case: Case) -> None:
    """The same requests, answers and events."""
    seen = []
    for kind in (LeanHttpUser, FastHttpUser):
        server = serve(case.answering)
        seen.append(see(be(server.url, kind, **dict(case.settings)), server.url, case, server.asked))
    lean, fast = seen
    assert lean.asked == fast.asked
    assert lean.told == fast.told
    assert lean.answers == fast.answers
    assert len(lean.told) == len(lean.answers)


def test_both_fail_to_connect_alike(be: Be) -> None:
    """With the same error."""
    seen = []
    for kind in (LeanHttpUser, FastHttpUser):
        someone = be("http://127.0.0.1:1", kind)
        response = someone.client.get("/a")
        told = someone.the_one()
        seen.append(
            (
                type(told["exception"]),
                str(told["exception"]),
                told["response_length"],
                response.status_code,
                response.content,
            )
        )
    assert seen[0] == seen[1]


def test_both_take_a_whole_url(serve: Serve, be: Be) -> None:
    """Whatever the host is; a host with a path and credentials too."""
    for kind in (LeanHttpUser, FastHttpUser):
        server = serve(ok())
        someone = be(server.url.replace("//", "//m%40e:secret@") + "/api", kind)
        someone.client.get("/a")
        someone.client.get(f"{server.url}/b?x=1")
        assert [asked.target for asked in server.asked] == ["/api/a", "/b?x=1"]
        assert [told["url"] for told in someone.told] == [f"{server.url}/api/a", f"{server.url}/b?x=1"]
        assert [told["name"] for told in someone.told] == ["/a", f"{server.url}/b?x=1"]
        assert {asked.header("Authorization") for asked in server.asked} == {"Basic bUBlOnNlY3JldA=="}


def test_both_use_a_context_alike(serve: Serve, be: Be, tls: Tls) -> None:
    """A user's own is finished in the same way: the authorities that are trusted, and whether names are compared."""
    server = serve(ok(), tls=tls.context)

    def make(_: Any) -> Any:
        context = gevent.ssl.create_default_context(cafile=str(tls.certificate))
        assert context.check_hostname
        return context

    for host, insecure, is_good in (("127.0.0.1", True, True), ("127.0.0.1", False, False), ("localhost", False, True)):
        for kind in (LeanHttpUser, FastHttpUser):
            someone = be(server.at(host), kind, ssl_context_factory=make, insecure=insecure)
            someone.client.get("/")
            assert (someone.the_one()["exception"] is None) is is_good


# --- What is meant to differ ---


def test_only_one_of_them_tries_again_unseen(serve: Serve, be: Be) -> None:
    """A server that closes without an answer gets one request for one event from LeanHttpUser."""
    hits = []
    for kind in (LeanHttpUser, FastHttpUser):
        server = serve(Reply(b"", Then.CLOSE))
        someone = be(server.url, kind)
        someone.client.get("/")
        assert someone.the_one()["exception"] is not None
        hits.append(len(server.asked))
    assert hits == [1, 12]


def test_connecting_is_told_apart_by_one_of_them(serve: Serve, be: Be, tls: Tls) -> None:
    """In the response, and is no part of LeanHttpUser's response time."""
    times = []
    for kind in (LeanHttpUser, FastHttpUser):
        server = serve(ok(), tls=tls.context)
        serving = server._serve

        def slow(connection: Any, address: Any, serving: Any = serving) -> None:
            gevent.sleep(0.15)
            serving(connection, address)

        server._server.set_handle(slow)
        someone = be(server.url, kind)
        someone.client.get("/")
        times.append(someone.the_one()["response_time"])
        if kind is LeanHttpUser:
            assert someone.last["response"].connect_s >= 0.15
    assert times[0] < 120
    assert times[1] >= 150


def test_an_unknown_encoding_is_an_error_of_the_users_code_for_one_of_them(serve: Serve, be: Be) -> None:
    """And a failed request for LeanHttpUser."""
    server = serve(ok(b"x", b"Content-Encoding: compress"))
    lean, fast = be(server.url), be(server.url, FastHttpUser)
    lean.client.get("/")
    assert isinstance(lean.the_one()["exception"], HTTPParseError)
    with pytest.raises(ValueError, match="compress"):
        fast.client.get("/")
    assert fast.told == []


def test_a_place_that_is_none_is_an_error_of_the_users_code_for_one_of_them(serve: Serve, be: Be) -> None:
    """And a failed request for LeanHttpUser."""
    server = serve(moved("http://127.0.0.1:port/"))
    lean, fast = be(server.url), be(server.url, FastHttpUser)
    lean.client.get("/")
    assert isinstance(lean.the_one()["exception"], HTTPParseError)
    with pytest.raises(ValueError, match="could not be cast"):
        fast.client.get("/")
    assert fast.told == []


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (ok(gzip.compress(b"one") + gzip.compress(b"two"), b"Content-Encoding: gzip"), b"one"),
        (ok(gzip.compress(gzip.compress(b"one")), b"Content-Encoding: gzip, gzip"), None),
        (answer(b"HTTP/2.0 200 OK", b"Content-Length: 5", content=b"hello"), b"hello"),
        (answer(b"HTTP/1.1 200 OK", b"Transfer-Encoding: gzip, chunked", content=FIVE + LAST), b"hello"),
    ],
    ids=["gzip of two members", "two encodings", "another version", "another transfer encoding"],
)
def test_what_one_of_them_reads_otherwise(serve: Serve, be: Be, data: bytes, content: bytes | None) -> None:
    """FastHttpUser takes a part for the whole, what is encoded for content, or what is not HTTP/1 for an answer."""
    server = serve(data)
    lean, fast = be(server.url), be(server.url, FastHttpUser)
    read = lean.client.get("/")
    if content is None:
        with pytest.raises(ValueError, match="gzip, gzip"):
            fast.client.get("/")
    else:
        assert fast.client.get("/").content == content
    assert read.content != content or read.error is not None


def test_a_file_in_memory_has_a_length_for_one_of_them(serve: Serve, be: Be) -> None:
    """FastHttpUser sends it in chunks; the body is the same."""
    framed = []
    for kind in (LeanHttpUser, FastHttpUser):
        server = serve(ok())
        be(server.url, kind).client.post("/", data=io.BytesIO(b"xyz"))
        (asked,) = server.asked
        assert asked.body == b"xyz"
        framed.append((asked.header("Content-Length"), asked.header("Transfer-Encoding")))
    assert framed == [("3", None), (None, "chunked")]


def test_a_block_without_catch_response_is_an_error_for_one_of_them(serve: Serve, be: Be) -> None:
    """As it is for HttpUser: what is said in it would not count."""
    server = serve(ok())
    with be(server.url, FastHttpUser).client.get("/"):
        pass
    response = be(server.url).client.get("/")
    with pytest.raises(Exception, match="must also pass"), response:
        pass
