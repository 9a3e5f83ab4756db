"""What is sent: everything that the arguments say, and nothing that they could be made to say."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from locust.exception import StopTest

from tests.generator.http.conftest import Be, Serve
from tests.generator.http.scripted import ok

JSON = "application/json"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Sent:
    """What a user asks for, and what a server must get; headers that must be absent are None."""

    name: str
    ask: Callable[[Any], Any]
    line: str
    body: bytes = b""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


class Stream:
    """What can be read from, and has no file behind it."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int) -> bytes:
        """Return the next part."""
        return self._content.read(size)


def parts() -> Iterator[bytes | str]:
    """Yield the parts of a body; an empty one would end it."""
    yield from (b"one", "", b"", "zwei", b"3")


NO_BODY: dict[str, str | None] = {"Content-Length": None, "Transfer-Encoding": None, "Content-Type": None}
OPEN = {"Authorization": "Basic bWU6c2VjcmV0"}
CASES = [
    Sent("get", lambda c: c.get("/a"), "GET /a", headers=NO_BODY),
    Sent("head", lambda c: c.head("/a"), "HEAD /a", headers=NO_BODY),
    Sent("options", lambda c: c.options("/a"), "OPTIONS /a", headers=NO_BODY),
    Sent("delete", lambda c: c.delete("/a"), "DELETE /a", headers=NO_BODY),
    Sent("post", lambda c: c.post("/a"), "POST /a", headers={"Content-Length": "0"}),
    Sent("put", lambda c: c.put("/a"), "PUT /a", headers={"Content-Length": "0"}),
    Sent("patch", lambda c: c.patch("/a"), "PATCH /a", headers={"Content-Length": "0"}),
    Sent("another method", lambda c: c.request("PURGE", "/a"), "PURGE /a", headers=NO_BODY),
    Sent("a method in small letters", lambda c: c.request("post", "/a"), "POST /a", headers={"Content-Length": "0"}),
    Sent("delete with a body", lambda c: c.delete("/a", data="x"), "DELETE /a", b"x", {"Content-Length": "1"}),
    Sent("get with a body", lambda c: c.get("/a", data=b"x"), "GET /a", b"x", {"Content-Length": "1"}),
    Sent("get with json", lambda c: c.get("/a", json=[1]), "GET /a", b"[1]", {"Content-Type": JSON}),
    Sent(
        "json",
        lambda c: c.post("/a", json={"ä": [1, None]}),
        "POST /a",
        b'{"\\u00e4": [1, null]}',
        {"Content-Type": JSON, "Accept": JSON, "Content-Length": "21"},
    ),
    Sent("json that is falsy", lambda c: c.put("/a", json={}), "PUT /a", b"{}", {"Content-Type": JSON}),
    Sent(
        "json with headers",
        lambda c: c.post("/a", json=1, headers={"X-A": "b"}),
        "POST /a",
        b"1",
        {"Content-Type": JSON, "Accept": JSON, "X-A": "b"},
    ),
    Sent(
        "json of another type",
        lambda c: c.post("/a", json=1, headers={"content-type": "a/b", "accept": "c/d"}),
        "POST /a",
        b"1",
        {"Content-Type": "a/b", "Accept": "c/d"},
    ),
    Sent("data before json", lambda c: c.post("/a", data="x", json=1), "POST /a", b"x", {"Content-Type": TEXT}),
    Sent("text", lambda c: c.post("/a", "ü"), "POST /a", "ü".encode(), {"Content-Type": TEXT, "Content-Length": "2"}),
    Sent(
        "bytes", lambda c: c.post("/a", b"\0\xff"), "POST /a", b"\0\xff", {"Content-Type": BYTES, "Content-Length": "2"}
    ),
    Sent("a bytearray", lambda c: c.post("/a", bytearray(b"xy")), "POST /a", b"xy", {"Content-Type": BYTES}),
    Sent(
        "a form",
        lambda c: c.post("/a", {"a": "b c", "ü": "&="}),
        "POST /a",
        b"a=b+c&%C3%BC=%26%3D",
        {"Content-Type": FORM},
    ),
    Sent(
        "text of a type",
        lambda c: c.post("/a", "x", headers={"Content-Type": "a/b"}),
        "POST /a",
        b"x",
        {"Content-Type": "a/b"},
    ),
    Sent(
        "a form of a type",
        lambda c: c.post("/a", {"a": "b"}, headers={"content-type": "a/b"}),
        "POST /a",
        b"a=b",
        {"Content-Type": "a/b"},
    ),
    Sent(
        "bytes of the default type",
        lambda c: c.post("/a", b"x"),
        "POST /a",
        b"x",
        {"Content-Type": "a/b"},
        {"default_headers": {"content-type": "a/b"}},
    ),
    Sent("no text", lambda c: c.post("/a", data=""), "POST /a", b"", {"Content-Length": "0", "Content-Type": None}),
    Sent(
        "a file in memory", lambda c: c.post("/a", data=io.BytesIO(b"xyz")), "POST /a", b"xyz", {"Content-Type": BYTES}
    ),
    Sent("text in memory", lambda c: c.post("/a", data=io.StringIO("xyz")), "POST /a", b"xyz"),
    Sent(
        "a stream",
        lambda c: c.post("/a", data=Stream(b"z" * 100_000)),
        "POST /a",
        b"z" * 100_000,
        {"Transfer-Encoding": "chunked", "Content-Length": None},
    ),
    Sent(
        "a generator",
        lambda c: c.post("/a", data=parts()),
        "POST /a",
        b"onezwei3",
        {"Transfer-Encoding": "chunked", "Content-Length": None, "Content-Type": BYTES},
    ),
    Sent(
        "chunks that were asked for",
        lambda c: c.post("/a", data=b"xyz", headers={"Transfer-Encoding": "chunked"}),
        "POST /a",
        b"xyz",
        {"Transfer-Encoding": "chunked", "Content-Length": None},
    ),
    Sent(
        "a length of the user's own",
        lambda c: c.post("/a", data=b"xyz", headers={"content-length": "1"}),
        "POST /a",
        b"xyz",
        {"Content-Length": "3"},
    ),
    Sent(
        "a length by default",
        lambda c: c.post("/a", json=1),
        "POST /a",
        b"1",
        {"Content-Length": "1"},
        {"default_headers": {"Content-Length": "9"}},
    ),
    Sent(
        "chunks by default",
        lambda c: c.post("/a", json=1),
        "POST /a",
        b"1",
        {"Content-Length": "1", "Transfer-Encoding": None},
        {"default_headers": {"Transfer-Encoding": "chunked"}},
    ),
    Sent(
        "params", lambda c: c.get("/a", params={"b": "c d", "ü": [1, 2], "n": None}), "GET /a?b=c+d&%C3%BC=1&%C3%BC=2"
    ),
    Sent("params after a query", lambda c: c.get("/a?x=1", params=[("b", 2)]), "GET /a?x=1&b=2"),
    Sent("params as text", lambda c: c.get("/a", params="b=c d"), "GET /a?b=c%20d"),
    Sent("params with post", lambda c: c.post("/a", json=1, params={"b": 2}), "POST /a?b=2", b"1"),
    Sent("headers", lambda c: c.get("/a", headers={"x-a": "b", "X-N": 3}), "GET /a", headers={"X-A": "b", "X-N": "3"}),
    Sent(
        "a header in place of the default",
        lambda c: c.get("/a", headers={"user-agent": "me"}),
        "GET /a",
        headers={"User-Agent": "me"},
    ),
    Sent(
        "a header that is not ASCII",
        lambda c: c.get("/a", headers={"X-A": "b\xe9"}),
        "GET /a",
        headers={"X-A": "b\xe9"},
    ),
    Sent(
        "a host of one's own",
        lambda c: c.get("/a", headers={"host": "shop.test"}),
        "GET /a",
        headers={"Host": "shop.test"},
    ),
    Sent(
        "default headers",
        lambda c: c.get("/a"),
        "GET /a",
        headers={"X-A": "b", "User-Agent": "me"},
        settings={"default_headers": {"X-A": "b", "user-agent": "me"}},
    ),
    Sent(
        "default headers with json",
        lambda c: c.post("/a", json=1),
        "POST /a",
        b"1",
        {"X-A": "b", "Accept": JSON},
        {"default_headers": {"X-A": "b", "accept": "c/d"}},
    ),
    Sent(
        "a header before the default",
        lambda c: c.get("/a", headers={"x-a": "c"}),
        "GET /a",
        headers={"X-A": "c"},
        settings={"default_headers": {"X-A": "b"}},
    ),
    Sent("auth", lambda c: c.get("/a", auth=("me", "secret")), "GET /a", headers=OPEN),
    Sent("auth in bytes", lambda c: c.get("/a", auth=(b"me", b"secret")), "GET /a", headers=OPEN),
    Sent(
        "auth before a header",
        lambda c: c.get("/a", auth=("me", "secret"), headers={"authorization": "x"}),
        "GET /a",
        headers=OPEN,
    ),
    Sent(
        "auth that is not ASCII",
        lambda c: c.get("/a", auth=("m\xe9", "")),
        "GET /a",
        headers={"Authorization": "Basic bek6"},
    ),
    Sent("a query alone", lambda c: c.get("?x=1"), "GET /?x=1"),
    Sent("nothing", lambda c: c.get(""), "GET /"),
    Sent("path parameters", lambda c: c.get("/a;b=c;d?e"), "GET /a;b=c;d?e"),
    Sent("a fragment", lambda c: c.get("/a?x=1#part"), "GET /a?x=1"),
    Sent("what must be encoded", lambda c: c.get('/ä b"<>^`{|}\\'), "GET /%C3%A4%20b%22%3C%3E%5E%60%7B%7C%7D%5C"),
    Sent(
        "what may stay",
        lambda c: c.get("/a!$&'()*+,;=:@-._~/?!$&'()*+,;=:@/?[]"),
        "GET /a!$&'()*+,;=:@-._~/?!$&'()*+,;=:@/?[]",
    ),
    Sent("what is encoded already", lambda c: c.get("/a%20b%2Fc%c3?d=%26"), "GET /a%20b%2Fc%c3?d=%26"),
    Sent("a percent sign", lambda c: c.get("/100%"), "GET /100%"),
    Sent("a question mark more", lambda c: c.get("/a?b?c"), "GET /a?b?c"),
    Sent("two slashes inside", lambda c: c.get("/a//b"), "GET /a//b"),
    Sent("a long target", lambda c: c.get("/" + "a" * 50_000), "GET /" + "a" * 50_000),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_asked_for_is_what_is_sent(serve: Serve, be: Be, case: Sent) -> None:
    """Method, target, headers and body; the second time, when it is known, the same as the first."""
    server = serve(lambda asked: ok(b"" if asked.method == "HEAD" else b"hello"))
    client = be(server.url, **case.settings).client
    for _ in range(2):
        assert case.ask(client).status_code == 200
    for asked in server.asked:
        assert (f"{asked.method} {asked.target}", asked.body) == (case.line, case.body)
        for name, value in case.headers.items():
            assert (name, asked.header(name)) == (name, value)
        assert asked.header("Host") == case.headers.get("Host", f"127.0.0.1:{server.port}")
        assert len({name for name, _ in asked.headers}) == len(asked.headers)
    assert server.connections == 1


def test_a_file_is_sent(serve: Serve, be: Be, tmp_path: Path) -> None:
    """From where it stands, with its length; one of text too."""
    path = tmp_path / "content"
    path.write_bytes(b"0123456789" * 30_000)
    server = serve(ok())
    client = be(server.url).client
    with path.open("rb") as file:
        client.post("/", data=file)
        file.seek(299_995)
        client.post("/", data=file)
    with path.open() as text:
        client.post("/", data=text)
    assert [len(asked.body) for asked in server.asked] == [300_000, 5, 300_000]
    assert [asked.header("Content-Length") for asked in server.asked] == ["300000", "5", "300000"]


def test_files_are_sent_as_parts(serve: Serve, be: Be) -> None:
    """With fields beside them, and a type that names what is between them, whatever else was said."""
    server = serve(ok())
    files = {"one": ("a.txt", b"first", "text/x"), "two": io.BytesIO(b"second")}
    be(server.url).client.post("/", data={"field": "value"}, files=files, headers={"Content-Type": "a/b"})
    (asked,) = server.asked
    kind, _, boundary = str(asked.header("Content-Type")).partition("; boundary=")
    assert kind == "multipart/form-data"
    assert asked.body.split(b"--" + boundary.encode()) == [
        b"",
        b'\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n',
        b'\r\nContent-Disposition: form-data; name="one"; filename="a.txt"\r\nContent-Type: text/x\r\n\r\nfirst\r\n',
        b'\r\nContent-Disposition: form-data; name="two"; filename="two"\r\n\r\nsecond\r\n',
        b"--\r\n",
    ]


@pytest.mark.parametrize("data", [[("a", "b")], [1], 3, object()])
def test_what_is_no_body_is_refused(serve: Serve, be: Be, data: Any) -> None:
    """With an error in the user's own code, and nothing is sent."""
    server = serve(ok())
    someone = be(server.url)
    with pytest.raises(TypeError):
        someone.client.post("/", data=data)
    assert (server.connections, someone.told) == (0, [])


def test_a_host_may_have_a_path(serve: Serve, be: Be) -> None:
    """It comes before what is asked for; a whole URL is asked for as it is."""
    server, other = serve(ok()), serve(ok())
    someone = be(f"{server.url}/api/v1")
    for target in ("/a", "/a?x=1", "", f"{other.url}/b", f"HTTP://127.0.0.1:{other.port}/c"):
        someone.client.get(target)
    assert [asked.target for asked in server.asked] == ["/api/v1/a", "/api/v1/a?x=1", "/api/v1"]
    assert [asked.target for asked in other.asked] == ["/b", "/c"]
    assert [told["url"] for told in someone.told] == [
        f"{server.url}/api/v1/a",
        f"{server.url}/api/v1/a?x=1",
        f"{server.url}/api/v1",
        f"{other.url}/b",
        f"HTTP://127.0.0.1:{other.port}/c",
    ]


def test_the_port_that_goes_without_saying_is_not_said(be: Be, serve: Serve) -> None:
    """In Host; seen through a proxy, which may be asked for any."""
    proxy = serve(ok())
    client = be("http://shop.test:80", proxy_host="127.0.0.1", proxy_port=proxy.port).client
    for url in ("/", "http://shop.test/", "http://shop.test:443/", "http://Shop.Test/"):
        client.get(url)
    hosts = [asked.header("Host") for asked in proxy.asked]
    assert hosts == ["shop.test", "shop.test", "shop.test:443", "shop.test"]


def test_credentials_in_the_host(serve: Serve, be: Be) -> None:
    """They are sent as a header with all requests, and appear in no URL; one's own for a request come first."""
    server = serve(ok())
    someone = be(server.url.replace("//", "//m%40e:se%2Fc:ret@"))
    client = someone.client
    client.get("/a")
    client.post("/b", json=1)
    client.post("/c", data="x")
    client.get("/d", auth=("me", "secret"))
    own = "Basic bUBlOnNlL2M6cmV0"
    assert [asked.header("Authorization") for asked in server.asked] == [own] * 3 + [OPEN["Authorization"]]
    assert [told["url"] for told in someone.told] == [f"{server.url}/{page}" for page in "abcd"]
    assert [told["name"] for told in someone.told] == ["/a", "/b", "/c", "/d"]


def test_users_who_differ_are_not_mixed_up(serve: Serve, be: Be) -> None:
    """What is written once for all is written anew for those with other headers or credentials."""
    server = serve(ok())
    kinds: list[tuple[str, dict[str, Any]]] = [
        (server.url, {}),
        (server.url, {"default_headers": {"X-A": "1"}}),
        (server.url, {"default_headers": {"X-A": "2"}}),
        (server.url.replace("//", "//me:secret@"), {}),
        (server.url, {}),
    ]
    for _ in range(2):
        for host, settings in kinds:
            be(host, **settings).client.get("/same")
    seen = [(asked.header("X-A"), asked.header("Authorization")) for asked in server.asked]
    assert seen == [(None, None), ("1", None), ("2", None), (None, OPEN["Authorization"]), (None, None)] * 2


def test_a_user_may_change_where_it_asks(serve: Serve, be: Be) -> None:
    """`base_url` and `auth_header` may be set at any time, and count from then on: also for what is known already."""
    first, second = serve(ok()), serve(ok())
    client = be(first.url).client
    client.get("/")
    client.post("/", json=1)
    client.base_url = second.url
    client.get("/")
    client.post("/", json=1)
    client.auth_header = OPEN["Authorization"]
    client.get("/")
    client.post("/", json=1)
    client.auth_header = None
    client.get("/")
    assert (len(first.asked), len(second.asked)) == (2, 5)
    own = OPEN["Authorization"]
    assert [asked.header("Authorization") for asked in second.asked] == [None, None, own, own, None]


def test_there_is_no_end_of_urls(serve: Serve, be: Be) -> None:
    """More than are known at a time are sent as well as any."""
    server = serve(ok())
    client = be(server.url).client
    for number in range(4200):
        client._learn("GET", f"/{number}")
    for number in (0, 4095, 4096, 4199, 5000):
        client.get(f"/{number}")
        client.post(f"/{number}", json=number)
    assert [asked.target for asked in server.asked] == [
        f"/{number}" for number in (0, 4095, 4096, 4199, 5000) for _ in "gp"
    ]
    assert [json.loads(asked.body) for asked in server.asked[1::2]] == [0, 4095, 4096, 4199, 5000]
    assert len(client._known) == 4096


def test_a_user_without_a_host_is_stopped(be: Be) -> None:
    """As by Locust."""
    with pytest.raises(StopTest, match="base host"):
        be(None)  # type: ignore[arg-type]


# --- What could be made to write a request of its own ---

INJECTED: dict[str, tuple[Callable[[Any, str], Any], str]] = {
    "line break in the method": (lambda c, _: c.request("GET / HTTP/1.1\r\nX-A: b\r\n\r\nGET", "/"), "method"),
    "LF in the method": (lambda c, _: c.request("GET\n", "/"), "method"),
    "space in the method": (lambda c, _: c.request("GET /x", "/"), "method"),
    "no method": (lambda c, _: c.request("", "/"), "method"),
    "method that is not ASCII": (lambda c, _: c.request("G\xcbT", "/"), "method"),
    "line break in a name": (lambda c, _: c.get("/", headers={"X-A: b\r\nX-B": "c"}), "header field name"),
    "LF in a name": (lambda c, _: c.get("/", headers={"X-A\n": "c"}), "header field name"),
    "colon in a name": (lambda c, _: c.get("/", headers={"X-A:": "c"}), "header field name"),
    "space in a name": (lambda c, _: c.get("/", headers={"X A": "c"}), "header field name"),
    "NUL in a name": (lambda c, _: c.get("/", headers={"X\0A": "c"}), "header field name"),
    "no name": (lambda c, _: c.get("/", headers={"": "c"}), "header field name"),
    "name in bytes": (lambda c, _: c.get("/", headers={b"X-A": "c"}), "header field name"),
    "name that is not ASCII": (lambda c, _: c.get("/", headers={"X-\xc4": "c"}), "header field name"),
    "line break in a value": (lambda c, _: c.get("/", headers={"X-A": "b\r\nX-B: c"}), "X-A"),
    "line break in one of several": (lambda c, _: c.get("/", headers={"X-A": ["b", "b\r\nX-B: c"]}), "X-A"),
    "line break in what is no text": (lambda c, _: c.get("/", headers={"X-A": _Text()}), "X-A"),
    "LF in a value": (lambda c, _: c.get("/", headers={"X-A": "b\n"}), "X-A"),
    "CR in a value": (lambda c, _: c.get("/", headers={"X-A": "b\rc"}), "X-A"),
    "NUL in a value": (lambda c, _: c.get("/", headers={"X-A": "b\0"}), "X-A"),
    "DEL in a value": (lambda c, _: c.get("/", headers={"X-A": "b\x7f"}), "X-A"),
    "a value that no header can have": (lambda c, _: c.get("/", headers={"X-A": "\u65e5\u672c"}), "X-A"),
    "a character that ends in LF": (lambda c, _: c.get("/", headers={"X-A": "\u010a"}), "X-A"),
    "line break in the type of a body": (
        lambda c, _: c.post("/", data="x", headers={"Content-Type": "a/b\r\nX-B: c"}),
        "Content-Type",
    ),
    "line break in Host": (lambda c, _: c.get("/", headers={"Host": "a\r\nX-B: c"}), "Host"),
    "line break in a cookie": (lambda c, _: c.get("/", headers={"Cookie": "a=b\r\nX-B: c"}), "Cookie"),
    "line break in what is authorized": (
        lambda c, _: c.get("/", headers={"Authorization": "Basic a\r\nX-B: c"}),
        "Authorization",
    ),
    "control character in a host": (lambda c, _: c.get("http://a\x01b/"), "Host|URL"),
    "space in a host": (lambda c, _: c.get("http://a b/"), "invalid URL"),
    "space in a host with a Host": (lambda c, _: c.get("http://a b/", headers={"Host": "x"}), "invalid URL"),
    "no host": (lambda c, _: c.get("http:///a"), "invalid URL"),
    "port that is none": (lambda c, _: c.get("http://127.0.0.1:8o/"), "[Pp]ort"),
    "line break after a port": (lambda c, url: c.get(f"{url}\r\nX-A: b/"), "[Pp]ort"),
    "two slashes": (lambda c, url: c.get(f"{url}//other.test/"), "target"),
}


class _Text:
    def __str__(self) -> str:
        return "b\r\nX-B: c"


@pytest.mark.parametrize(("ask", "words"), INJECTED.values(), ids=INJECTED.keys())
def test_what_would_write_another_request_is_refused(
    serve: Serve, be: Be, ask: Callable[[Any, str], Any], words: str
) -> None:
    """With a ValueError in the user's own code; nothing is sent or told, and the next request is as good as any."""
    server = serve(ok())
    someone = be(server.url)
    with pytest.raises(ValueError, match=words):
        ask(someone.client, server.url)
    assert (server.connections, someone.told) == (0, [])
    assert someone.client.get("/").content == b"hello"


@pytest.mark.parametrize("name", ["X-A: b\r\nX-B", "X A"])
def test_default_headers_are_looked_at_too(serve: Serve, be: Be, name: str) -> None:
    """Though they are written only once."""
    server = serve(ok())
    client = be(server.url, default_headers={name: "c"}).client
    for options in ({}, {"data": "x"}, {"json": 1}):
        with pytest.raises(ValueError, match="header field name"):
            client.post("/", **options)
    assert server.connections == 0


SAFE = {
    "line break in a path": ("/a\r\nX-A: b\r\n\r\nGET /c", "/aX-A:%20bGET%20/c"),
    "LF in a path": ("/a\nb", "/ab"),
    "tab in a path": ("/a\tb", "/ab"),
    "line break in a query": ("/a?b=c\r\nX-A: b", "/a?b=cX-A:%20b"),
    "line break that is encoded": ("/a%0D%0AX-A:%20b", "/a%0D%0AX-A:%20b"),
    "space in a path": ("/a HTTP/1.1", "/a%20HTTP/1.1"),
    "NUL in a path": ("/a\0b", "/a%00b"),
    "DEL in a path": ("/a\x7fb", "/a%7Fb"),
    "a character that ends in LF": ("/a\u010ab", "/a%C4%8Ab"),
    "a space of another kind": ("/a\u2028b\xa0", "/a%E2%80%A8b%C2%A0"),
}


@pytest.mark.parametrize(("target", "sent"), SAFE.values(), ids=SAFE.keys())
def test_what_is_encoded_writes_nothing(serve: Serve, be: Be, target: str, sent: str) -> None:
    """Line breaks and tabs are taken out of a URL, as Python's urllib does; all else that no target has is encoded."""
    server = serve(ok())
    someone = be(server.url)
    assert someone.client.get(target).content == b"hello"
    assert [asked.target for asked in server.asked] == [sent]
    assert server.asked[0].header("X-A") is None


def test_params_and_credentials_are_encoded(serve: Serve, be: Be) -> None:
    """They can have any character."""
    server = serve(ok())
    client = be(server.url).client
    client.get("/", params={"a\r\n": "b\r\nX-A: c"})
    client.get("/", params="a\r\nX-A: c")
    client.get("/", auth=("me\r\nX-A: b", "secret"))
    assert [asked.target for asked in server.asked] == ["/?a%0D%0A=b%0D%0AX-A%3A+c", "/?a%0D%0AX-A:%20c", "/"]
    assert [asked.header("X-A") for asked in server.asked] == [None] * 3
