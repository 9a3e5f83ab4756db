"""Cookies: what is set is sent back, where and as long as it is to be."""

from __future__ import annotations

import http.cookiejar
import time
from typing import Any

import pytest

from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.scripted import Answering, Asked, ok


def setting(*cookies: str) -> bytes:
    """Return an answer that sets cookies."""
    return ok(b"set", *(f"Set-Cookie: {cookie}".encode("latin-1") for cookie in cookies))


def sets(*cookies: str) -> Answering:
    """Answer /set with cookies, and anything else without."""
    return lambda asked: setting(*cookies) if asked.target == "/set" else ok()


FUTURE, PAST = "Wed, 01 Jan 2070 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:01 GMT"
BACK = {
    "one": (["a=1"], "/", "a=1"),
    "several": (["a=1", "b=2"], "/", "a=1; b=2"),
    "an empty value": (["a="], "/", "a="),
    "quotes": (['a="1 2"'], "/", 'a="1 2"'),
    "an equals sign in the value": (["a=b=c=="], "/", "a=b=c=="),
    "a later one in place of an earlier": (["a=1", "a=2"], "/", "a=2"),
    "attributes": (["a=1; HttpOnly; SameSite=Lax; Priority=High"], "/", "a=1"),
    "a path": (["a=1; Path=/shop"], "/shop/cart", "a=1"),
    "another path": (["a=1; Path=/shop"], "/", None),
    "a path that only begins so": (["a=1; Path=/shop"], "/shopping", None),
    "the longest path first": (["a=1; Path=/", "b=2; Path=/shop"], "/shop", "b=2; a=1"),
    "an age": (["a=1; Max-Age=60"], "/", "a=1"),
    "an age of 0": (["a=1; Max-Age=0"], "/", None),
    "a date to come": ([f"a=1; Expires={FUTURE}"], "/", "a=1"),
    "a date gone by": ([f"a=1; Expires={PAST}"], "/", None),
    "an age before a date": ([f"a=1; Expires={PAST}; Max-Age=60"], "/", "a=1"),
    "its own host": (["a=1; Domain=127.0.0.1"], "/", "a=1"),
    "another host": (["a=1; Domain=shop.test"], "/", None),
    "for TLS only": (["a=1; Secure"], "/", None),
}


@pytest.mark.parametrize(("cookies", "target", "back"), BACK.values(), ids=BACK.keys())
def test_what_is_set_is_sent_back(serve: Serve, be: Be, cookies: list[str], target: str, back: str | None) -> None:
    """With every kind of request, where it is meant for."""
    server = serve(sets(*cookies))
    client = be(server.url).client
    client.get("/set")
    client.get(target)
    client.get(target)
    client.post(target, json={"x": 1})
    client.put(target, data="x", headers={"X-A": "b"})
    client.post(target, data=iter([b"x"]))
    assert [asked.header("Cookie") for asked in server.asked] == [None, *[back] * 5]
    assert [asked.body for asked in server.asked] == [b"", b"", b"", b'{"x": 1}', b"x", b"x"]


@pytest.mark.parametrize(
    "line", ["", "=", "; Path=/", "a=1; Expires=never; Max-Age=x", "\xff\xfe=\xff", "a=1; Path=x\xe9", "a" * 20_000]
)
def test_an_odd_cookie_does_no_harm(serve: Serve, be: Be, line: str) -> None:
    """The request is as good as any, and so is the next."""
    server = serve(sets(line))
    someone = be(server.url)
    assert [someone.client.get("/set").content, someone.client.get("/").content] == [b"set", b"hello"]
    assert [told["exception"] for told in someone.told] == [None, None]


def test_a_cookie_may_be_deleted(serve: Serve, be: Be) -> None:
    """By a later answer that sets it in the past, on its own path only."""
    deleted = f"a=; Path=/; Expires={PAST}"
    table = {
        "/1": setting("a=1; Path=/", "b=2; Path=/"),
        "/2": setting(f"a=; Path=/x; Expires={PAST}"),
        "/3": setting(deleted),
    }
    server = serve(lambda asked: table.get(asked.target, ok()))
    client = be(server.url).client
    for target in ("/1", "/2", "/3", "/4"):
        client.get(target)
    assert [asked.header("Cookie") for asked in server.asked] == [None, "a=1; b=2", "a=1; b=2", "b=2"]


def test_cookies_expire(serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in its time, be it known already what goes with a request or not."""
    clock, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: clock() + ahead[0])
    server = serve(sets("a=1; Max-Age=50", "b=2; Max-Age=500", "c=3; Max-Age=5000; Path=/shop", "d=4"))
    client = be(server.url).client
    client.get("/set")
    seen = []
    for seconds in (0.0, 100.0, 1000.0, 10_000.0):
        ahead[0] = seconds
        server.asked.clear()
        for target in ("/", "/shop/cart", "/", "/shop/cart"):
            client.get(target)
        first, shop, *again = [asked.header("Cookie") for asked in server.asked]
        assert again == [first, shop]
        seen.append((first, shop))
    assert seen == [
        ("a=1; b=2; d=4", "c=3; a=1; b=2; d=4"),
        ("b=2; d=4", "c=3; b=2; d=4"),
        ("d=4", "c=3; d=4"),
        ("d=4", "d=4"),
    ]


def test_cookies_of_tls_go_back_by_tls(serve: Serve, be: Be, tls: Tls) -> None:
    """Those that are for it alone too."""
    server = serve(sets("a=1; Secure"), tls=tls.context)
    client = be(server.url).client
    client.get("/set")
    client.get("/")
    assert server.asked[1].header("Cookie") == "a=1"


def test_a_failed_answer_sets_cookies_too(serve: Serve, be: Be) -> None:
    """One of a status that is a failure is an answer."""
    server = serve(lambda _: ok(b"", b"Set-Cookie: a=1", status=b"500 Oh"))
    client = be(server.url).client
    client.get("/")
    client.get("/")
    assert [asked.header("Cookie") for asked in server.asked] == [None, "a=1"]


def test_each_user_has_cookies_of_its_own(serve: Serve, be: Be) -> None:
    """Though what they ask is written once for them all."""
    number = iter(range(10))

    def answering(asked: Asked) -> bytes:
        return setting(f"me={next(number)}") if asked.target == "/set" else ok()

    server = serve(answering)
    people = [be(server.url).client for _ in range(3)]
    for target in ("/set", "/", "/"):
        for client in people:
            client.get(target)
    assert [asked.header("Cookie") for asked in server.asked] == [None] * 3 + ["me=0", "me=1", "me=2"] * 2


@pytest.mark.parametrize("way", ["request", "default"])
def test_the_users_own_header_is_the_one_that_is_sent(serve: Serve, be: Be, way: str) -> None:
    """Alone, as FastHttpUser sends it: two Cookie headers are not allowed."""
    server = serve(sets("a=1"))
    own = {"Cookie": "mine=1"}
    client = (be(server.url, default_headers=own) if way == "default" else be(server.url)).client
    given = {"headers": own} if way == "request" else {}
    client.get("/set", **given)
    client.get("/", **given)
    client.post("/", json={}, **given)
    client.post("/", data="x", **given)
    assert [asked.header("Cookie") for asked in server.asked] == ["mine=1"] * 4


def test_the_jar_is_the_users_to_fill_and_to_empty(serve: Serve, be: Be) -> None:
    """As `client.cookiejar`."""
    server = serve(sets("a=1"))
    client = be(server.url).client
    client.get("/set")
    client.cookiejar.clear()
    client.get("/")
    client.cookiejar.set_cookie(cookie("b", "2"))
    client.get("/")
    assert [asked.header("Cookie") for asked in server.asked] == [None, None, "b=2"]


def cookie(name: str, value: str) -> http.cookiejar.Cookie:
    """Return a cookie for 127.0.0.1."""
    where: dict[str, Any] = {"domain": "127.0.0.1", "domain_specified": False, "domain_initial_dot": False}
    place: dict[str, Any] = {"port": None, "port_specified": False, "path": "/", "path_specified": True}
    rest: dict[str, Any] = {
        "secure": False,
        "expires": None,
        "discard": True,
        "comment": None,
        "comment_url": None,
        "rest": {},
    }
    return http.cookiejar.Cookie(version=0, name=name, value=value, **where, **place, **rest)


@pytest.mark.parametrize("value", ["1\r\nX-A: b", "1\n", "a\0", "\u2028"])
@pytest.mark.parametrize("way", ["plain", "json", "data"])
def test_a_cookie_cannot_write_a_request(serve: Serve, be: Be, value: str, way: str) -> None:
    """It is refused, and nothing is sent."""
    server = serve(ok())
    someone = be(server.url)
    someone.client.cookiejar.set_cookie(cookie("a", value))
    options: dict[str, dict[str, Any]] = {"plain": {}, "json": {"json": {}}, "data": {"data": "x"}}
    with pytest.raises(ValueError, match="Cookie"):
        someone.client.post("/", **options[way])
    assert (server.connections, someone.told) == (0, [])
