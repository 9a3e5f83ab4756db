"""Redirects: where they lead, what is sent there, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from geventhttpclient.useragent import ConnectionError as FailedRequest
from geventhttpclient.useragent import RetriesExceeded, UnsupportedRedirectSchemeError

from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.scripted import Asked, Reply, Then, answer, in_turn, ok


def moved(to: str | bytes, status: int = 302, *lines: bytes, content: bytes = b"moved") -> bytes:
    """Return a redirect."""
    location = b"Location: " + (to.encode() if isinstance(to, str) else to)
    return ok(content, location, *lines, status=b"%d Moved" % status)


def pages(table: dict[str, bytes]) -> Callable[[Asked], bytes]:
    """Answer by what is asked for; anything else is there."""
    return lambda asked: table.get(asked.target, ok())


AFTERWARDS = [
    (status, method, "HEAD" if method == "HEAD" else "GET" if status < 304 else method)
    for status in (301, 302, 303, 307, 308)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
]


@pytest.mark.parametrize(("status", "method", "afterwards"), AFTERWARDS)
def test_the_method_and_the_body(serve: Serve, be: Be, status: int, method: str, afterwards: str) -> None:
    """301, 302 and 303 ask for GET and drop the body with what describes it; 307 and 308 send the same again."""
    first = moved("/b", status)
    server = serve(
        in_turn(first.partition(b"moved")[0] if method == "HEAD" else first, ok(b"") if method == "HEAD" else ok())
    )
    someone = be(server.url)
    headers = {"Content-Type": "text/x", "Content-Language": "de", "X-A": "b"}
    response = someone.client.request(method, "/a", data="body", headers=headers)
    assert (response.status_code, server.connections) == (200, 1)
    (before, after) = server.asked
    assert (before.method, before.target, before.body) == (method, "/a", b"body")
    assert (after.method, after.target) == (afterwards, "/b")
    is_same = status > 303
    assert after.body == (b"body" if is_same else b"")
    assert after.header("Content-Type") == ("text/x" if is_same else None)
    assert after.header("Content-Length") == ("4" if is_same else None)
    assert (after.header("X-A"), after.header("Host")) == ("b", f"127.0.0.1:{server.port}")
    told = someone.the_one()
    assert (told["request_type"], told["name"], told["url"]) == (method, "/a", f"{server.url}/a")
    assert (response.url, told["exception"]) == (f"{server.url}/b", None)


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("data", [None, b"x" * 100_000, {"a": "b c"}])
def test_a_body_is_sent_again_as_it_was(serve: Serve, be: Be, status: int, data: Any) -> None:
    """No body, a long one, a form."""
    server = serve(pages({"/a": moved("/b", status)}))
    be(server.url).client.post("/a", data=data)
    before, after = server.asked
    assert (after.body, after.header("Content-Length")) == (before.body, before.header("Content-Length"))
    assert after.header("Content-Type") == before.header("Content-Type")


def test_a_body_of_unknown_length_is_sent_again(serve: Serve, be: Be) -> None:
    """In its chunks, though what it came from is used up."""
    server = serve(pages({"/a": moved("/b", 307)}))
    be(server.url).client.post("/a", data=(part for part in (b"one", b"two")))
    assert [asked.chunks for asked in server.asked] == [(b"one", b"two")] * 2


PLACES = {
    "a path": ("/b", "/b"),
    "a path with a query": ("/b?x=1&y=2", "/b?x=1&y=2"),
    "a path beside": ("b", "/dir/b"),
    "a path above": ("../b", "/b"),
    "far above": ("../../../b", "/b"),
    "dots": ("/a/./b/../c", "/a/c"),
    "here": (".", "/dir/"),
    "a query": ("?x=1", "/dir/page?x=1"),
    "a fragment": ("/b#part", "/b"),
    "a fragment after a query": ("/b?x=1#part", "/b?x=1"),
    "a space": ("/a b", "/a%20b"),
    "what is encoded": ("/a%20b%2Fc", "/a%20b%2Fc"),
    "a URL": ("URL/b", "/b"),
    "a URL without a path": ("URL", "/"),
    "a URL with a query only": ("URL?x=1", "/?x=1"),
    "a URL in capitals": ("HTTP://127.0.0.1:PORT/b", "/b"),
    "a URL without a scheme": ("//127.0.0.1:PORT/b", "/b"),
    "another name": ("http://localhost:PORT/b", "/b"),
    "spaces around it": ("  /b\t ", "/b"),
}


@pytest.mark.parametrize(("location", "target"), PLACES.values(), ids=PLACES.keys())
def test_where_it_leads(serve: Serve, be: Be, location: str, target: str) -> None:
    """Resolved against what was asked for; what follows a # stays here."""
    server = serve(in_turn(b"", ok()))
    place = location.replace("PORT", str(server.port)).replace("URL", server.url)
    server._answering = in_turn(moved(place), ok())
    someone = be(server.url)
    assert someone.client.get("/dir/page?old=1").content == b"hello"
    assert [asked.target for asked in server.asked] == ["/dir/page?old=1", target]
    assert someone.the_one()["exception"] is None


NOWHERE = {
    "ftp": "ftp://127.0.0.1/a",
    "file": "file:///etc/passwd",
    "data": "data:text/plain,hello",
    "javascript": "javascript:alert(1)",
    "mailto": "mailto:me@127.0.0.1",
    "another scheme": "httpx://127.0.0.1/",
}


@pytest.mark.parametrize("location", NOWHERE.values(), ids=NOWHERE.keys())
def test_only_http_leads_on(serve: Serve, be: Be, location: str) -> None:
    """Anything else is refused."""
    server = serve(moved(location))
    someone = be(server.url)
    response = someone.client.get("/")
    assert type(someone.the_one()["exception"]) is UnsupportedRedirectSchemeError
    assert (response.status_code, len(server.asked)) == (0, 1)


BROKEN = {
    "no host": "http:///a",
    "nothing but a scheme": "http://",
    "a port that is too high": "http://127.0.0.1:99999/",
    "a port that is none": "http://127.0.0.1:port/",
    "half an address": "http://[::1/",
    "no address": "http://[what]/",
    "a space in the name": "http://a b/",
    "two slashes": "http://127.0.0.1:PORT//a",
    "two slashes, beside": "/.//a",
    "a label that is too long": f"http://{'a' * 64}.test/",
    "an empty label": "http://a..test/",
}


@pytest.mark.parametrize("location", BROKEN.values(), ids=BROKEN.keys())
def test_a_place_that_is_none_is_a_failure(serve: Serve, be: Be, location: str) -> None:
    """Of the request, and not of the user's own code, which knows nothing of it."""
    server = serve(b"")
    server._answering = in_turn(moved(location.replace("PORT", str(server.port))))
    someone = be(server.url)
    response = someone.client.get("/")
    assert isinstance(someone.the_one()["exception"], (HTTPParseError, FailedRequest, OSError))
    assert (response.status_code, len(server.asked)) == (0, 1)


@pytest.mark.parametrize(
    "data",
    [
        moved(""),
        answer(b"HTTP/1.1 302 Found", b"Content-Length: 5", content=b"moved"),
        moved("/b", 302, b"Location: /c"),
        moved("/b", 300),
        moved("/b", 304).partition(b"moved")[0],
        moved("/b", 201),
        moved("/b", 200),
    ],
    ids=["an empty place", "no place", "two places", "300", "304", "201", "200"],
)
def test_what_is_no_redirect_is_not_followed(serve: Serve, be: Be, data: bytes) -> None:
    """It is the answer."""
    server = serve(data)
    response = be(server.url).client.get("/")
    assert response.status_code == int(data.split()[1])
    assert len(server.asked) == 1


@pytest.mark.parametrize("most", [1, 3])
def test_a_loop_has_an_end(serve: Serve, be: Be, most: int) -> None:
    """After as many redirects as the user follows at most, be it said in its class or in the request."""
    server = serve(moved("/again"))
    for someone, options in ((be(server.url, max_redirects=most), {}), (be(server.url), {"max_redirects": most})):
        server.asked.clear()
        response = someone.client.get("/", **options)
        exception = someone.the_one()["exception"]
        assert type(exception) is RetriesExceeded
        assert "Redirection limit" in str(exception)
        assert (response.status_code, len(server.asked)) == (0, most + 1)


def test_the_last_redirect_that_is_allowed_is_followed(serve: Serve, be: Be) -> None:
    """The limit is for redirects, not for requests."""
    server = serve(in_turn(moved("/b"), moved("/c"), ok()))
    someone = be(server.url, max_redirects=2)
    assert someone.client.get("/").content == b"hello"


def test_the_default_limit_is_that_of_fast_http_user(serve: Serve, be: Be) -> None:
    """Thirty."""
    server = serve(moved("/again"))
    be(server.url).client.get("/")
    assert len(server.asked) == 31


@pytest.mark.parametrize(
    ("settings", "options"), [({}, {"allow_redirects": False}), ({"max_redirects": 0}, {}), ({}, {"max_redirects": 0})]
)
def test_redirects_need_not_be_followed(serve: Serve, be: Be, settings: Any, options: Any) -> None:
    """The redirect is the answer then, and no failure; the next request follows again."""
    server = serve(pages({"/a": moved("/b")}))
    someone = be(server.url, **settings)
    response = someone.client.get("/a", **options)
    assert (response.status_code, response.content, response.headers["Location"]) == (302, b"moved", "/b")
    assert (someone.the_one()["exception"], response.url) == (None, f"{server.url}/a")
    assert len(server.asked) == 1


def test_what_led_there_is_told(serve: Serve, be: Be) -> None:
    """As `history`, the first one first; one event, its time that of all of it."""
    slow = Reply(moved("/b"), wait_s=0.05)
    server = serve(in_turn(slow, moved("/c", 307), Reply(ok(), wait_s=0.05)))
    someone = be(server.url)
    response = someone.client.get("/a", name="all")
    assert [(one.status_code, one.url) for one in response.history] == [
        (302, f"{server.url}/a"),
        (307, f"{server.url}/b"),
    ]
    told = someone.the_one()
    assert (told["name"], told["response_length"], told["response"] is response) == ("all", 5, True)
    assert 100 <= told["response_time"] < 400
    assert (response.connects, server.connections) == (1, 1)


def test_the_failure_is_that_of_the_last_one(serve: Serve, be: Be) -> None:
    """A status, or no answer; one event."""
    table: dict[str, Reply | bytes] = {"/b": ok(b"no", status=b"404 Not Found"), "/c": Reply(b"", Then.CLOSE)}
    other = serve(lambda asked: table[asked.target])
    server = serve(lambda asked: moved(other.url + asked.target))
    someone = be(server.url)
    response = someone.client.get("/b")
    assert (response.status_code, response.content) == (404, b"no")
    assert "404" in str(someone.the_one()["exception"])
    response = someone.client.get("/c")
    assert (response.status_code, response.content, len(someone.told)) == (0, None, 2)
    assert type(someone.last["exception"]) is HTTPConnectionClosed
    assert (response.connects, response.reconnects) == (1, 1)


def test_a_post_that_was_led_on_is_not_sent_twice(serve: Serve, be: Be) -> None:
    """By a 307, on a connection that is closed then: a failure, with one hit each."""
    server = serve(in_turn(moved("/b", 307), Reply(b"", Then.CLOSE), ok(b"next")))
    someone = be(server.url)
    response = someone.client.post("/a", data="x")
    assert (response.status_code, [asked.target for asked in server.asked]) == (0, ["/a", "/b"])


# --- What is not told to others ---


@pytest.mark.parametrize("way", ["argument", "host", "header"])
@pytest.mark.parametrize("status", [302, 307])
def test_credentials_stay_with_their_server(serve: Serve, be: Be, way: str, status: int) -> None:
    """They go on to another path of it, not to another port or name."""
    other = serve(ok())
    server = serve(in_turn(moved("/b", status), moved(other.url, status)))
    host = server.url.replace("//", "//me:secret@") if way == "host" else server.url
    options: dict[str, dict[str, Any]] = {
        "argument": {"auth": ("me", "secret")},
        "header": {"headers": {"authorization": "Basic bWU6c2VjcmV0"}},
    }
    response = be(host).client.get("/a", **options.get(way, {}))
    assert response.content == b"hello"
    assert [asked.header("Authorization") for asked in server.asked] == ["Basic bWU6c2VjcmV0"] * 2
    assert [asked.header("Authorization") for asked in other.asked] == [None]


def test_credentials_do_not_come_back(serve: Serve, be: Be) -> None:
    """Once dropped they stay so, even when the way leads back."""
    home = serve(ok())
    other = serve(ok())
    home._answering = pages({"/a": moved(f"{other.url}/b")})
    other._answering = pages({"/b": moved(f"{home.url}/c")})
    be(home.url).client.get("/a", auth=("me", "secret"))
    assert [asked.header("Authorization") is None for asked in (*home.asked, *other.asked)] == [False, True, True]


def test_the_users_own_host_goes_where_it_was_meant_for(serve: Serve, be: Be) -> None:
    """To the same server again; to another one goes that one's own."""
    other = serve(ok())
    server = serve(in_turn(moved("/b"), moved(other.url)))
    be(server.url).client.get("/a", headers={"Host": "shop.test"})
    assert [asked.header("Host") for asked in server.asked] == ["shop.test", "shop.test"]
    assert [asked.header("Host") for asked in other.asked] == [f"127.0.0.1:{other.port}"]


def test_a_header_of_several_values_is_sent_on_whole(serve: Serve, be: Be) -> None:
    """Each in a line of its own, in their order."""
    server = serve(pages({"/a": moved("/b")}))
    be(server.url).client.get("/a", headers={"X-A": ["1", "2", "3"]})
    assert [[value for name, value in asked.headers if name == "x-a"] for asked in server.asked] == [
        ["1", "2", "3"]
    ] * 2


def test_cookies_are_set_on_the_way(serve: Serve, be: Be) -> None:
    """What a redirect sets is sent to where it leads, if it is for there; the user's own header is not."""
    server = serve(in_turn(moved("/b", 302, b"Set-Cookie: a=1", b"Set-Cookie: c=3; Path=/elsewhere"), ok()))
    client = be(server.url).client
    client.get("/a", headers={"Cookie": "mine=1"})
    assert [asked.header("Cookie") for asked in server.asked] == ["mine=1", "a=1"]


def test_cookies_stay_with_their_name(serve: Serve, be: Be) -> None:
    """Another host gets those that are its own."""
    server = serve(ok())
    server._answering = in_turn(
        moved(server.at("localhost"), 302, b"Set-Cookie: a=1; Path=/"), ok(b"x", b"Set-Cookie: b=2"), ok()
    )
    client = be(server.url).client
    client.get("/")
    client.get("/")
    client.get(server.at("localhost"))
    assert [asked.header("Cookie") for asked in server.asked] == [None, None, "a=1", "b=2"]


def test_tls_may_be_led_to(serve: Serve, be: Be, tls: Tls) -> None:
    """From plain HTTP, and back."""
    secure = serve(ok(), tls=tls.context)
    plain = serve(moved(f"{secure.url}/b"))
    assert be(plain.url).client.get("/a").content == b"hello"
    assert [asked.target for asked in secure.asked] == ["/b"]


def test_the_query_is_kept_where_only_a_part_is_named(serve: Serve, be: Be) -> None:
    """That of `params` too."""
    server = serve(pages({"/a?x=1": moved("#part")}))
    someone = be(server.url, max_redirects=1)
    someone.client.get("/a", params={"x": "1"})
    assert [asked.target for asked in server.asked] == ["/a?x=1", "/a?x=1"]
