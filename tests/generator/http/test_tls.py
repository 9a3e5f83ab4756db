"""TLS, IPv6 and proxies: other ways to the same answers."""

from __future__ import annotations

import gc
import ssl
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent import ssl as gevent_ssl
from geventhttpclient.response import HTTPParseError

from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.people import SEEN_AGAIN_S, Someone
from tests.generator.http.scripted import Asked, Reply, Server, Then, answer, chunked, in_turn, ok, send


def test_a_certificate_of_its_own_is_good_enough(serve: Serve, be: Be, tls: Tls) -> None:
    """As for FastHttpUser, unless the user asks for more; the name goes along, the connection is kept."""
    server = serve(ok(), tls=tls.context)
    someone = be(server.at("localhost"))
    for _ in range(3):
        assert someone.client.post("/", data="x").content == b"hello"
    assert (server.connections, tls.names) == (1, ["localhost"])
    assert server.asked[0].header("Host") == f"localhost:{server.port}"


def test_an_address_is_no_name(serve: Serve, be: Be, tls: Tls) -> None:
    """None goes along with the handshake (RFC 6066)."""
    server = serve(ok(), tls=tls.context)
    assert be(server.url).client.get("/").content == b"hello"
    assert tls.names == [None]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_verification_refuses_it(serve: Serve, be: Be, tls: Tls, host: str) -> None:
    """Nothing is sent."""
    server = serve(ok(), tls=tls.context)
    someone = be(server.at(host), insecure=False)
    response = someone.client.get("/")
    assert type(someone.the_one()["exception"]) is ssl.SSLCertVerificationError
    assert (response.status_code, server.asked) == (0, [])
    assert server.is_left()


@pytest.mark.parametrize(("host", "is_good"), [("localhost", True), ("127.0.0.1", False)])
def test_verification_is_of_the_name(serve: Serve, be: Be, tls: Tls, host: str, is_good: bool) -> None:
    """A certificate that is trusted is good for its own name only."""
    server = serve(ok(), tls=tls.context)
    trusting = gevent_ssl.create_default_context(cafile=str(tls.certificate))
    someone = be(server.at(host), insecure=False, ssl_context_factory=lambda _: trusting)
    someone.client.get("/")
    assert (someone.the_one()["exception"] is None) is is_good


def test_each_user_may_have_a_context_of_its_own(serve: Serve, be: Be, tls: Tls) -> None:
    """It is made once a user."""
    server = serve(ok(b"hello", b"Connection: close"), tls=tls.context)
    made = []

    def make(_: Any) -> Any:
        made.append(gevent_ssl._create_unverified_context())
        return made[-1]

    for _ in range(2):
        client = be(server.url, ssl_context_factory=make).client
        assert [client.get("/").content for _ in range(3)] == [b"hello"] * 3
    assert (len(made), server.connections) == (2, 6)


@pytest.mark.parametrize("then", [Then.CLOSE, Then.SHUT], ids=["torn", "ended in order"])
@pytest.mark.parametrize(
    ("data", "content"),
    [
        (ok(), b"hello"),
        (chunked(b"5\r\nhello\r\n0\r\n\r\n"), b"hello"),
        (answer(b"HTTP/1.1 200 OK", content=b"hello"), b"hello"),
        (ok(b"a" * 300_000), b"a" * 300_000),
    ],
    ids=["length", "chunks", "close", "long"],
)
def test_the_end_of_tls(serve: Serve, be: Be, tls: Tls, *, data: bytes, content: bytes, then: Then) -> None:
    """After the answer: it stands, and the next request has a new connection."""
    server = serve(Reply(data, then), tls=tls.context)
    someone = be(server.url)
    for _ in range(3):
        assert someone.client.post("/", data="x").content == content
        gevent.sleep(SEEN_AGAIN_S)
    assert (server.connections, len(server.asked)) == (3, 3)


@pytest.mark.usefixtures("tls")
def test_tls_that_is_none(be: Be) -> None:
    """A plain server is a failure."""
    plain = Greeting(lambda _: b"")
    someone = be(plain.url.replace("http:", "https:"))
    someone.client.get("/")
    assert isinstance(someone.the_one()["exception"], ssl.SSLError)
    plain.stop()


class Greeting(Server):
    """Speaks first, and no TLS."""

    def converse(self, connection: Any) -> None:
        """Say so."""
        send(connection, Reply(b"220 mail.test ESMTP\r\n" * 10))
        connection.recv(1000)


def test_sessions_of_tls_are_no_bytes_of_an_answer(serve: Serve, be: Be, tls: Tls) -> None:
    """What TLS itself has to say while a connection is idle does not end it."""
    server = serve(ok(), tls=tls.context)
    client = be(server.url).client
    for _ in range(3):
        client.post("/", data="x")
        gevent.sleep(SEEN_AGAIN_S)
    assert server.connections == 1


# --- IPv6 ---


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_an_address_in_brackets(serve: Serve, be: Be, tls: Tls, secure: bool) -> None:
    """Host has the brackets too; redirects and absolute URLs lead there as well."""
    server = serve(ok(), "::1", tls.context if secure else None)
    client = be(server.url).client
    assert client.get("/a").content == b"hello"
    assert client.get(f"{server.url}/b").content == b"hello"
    assert [asked.header("Host") for asked in server.asked] == [f"[::1]:{server.port}"] * 2
    assert [asked.target for asked in server.asked] == ["/a", "/b"]
    assert server.connections == 1


def test_credentials_before_brackets(serve: Serve, be: Be) -> None:
    """They are taken out of the URL."""
    server = serve(ok(), "::1")
    someone = be(server.url.replace("//", "//me:se%3Acret@"))
    assert someone.client.get("/").content == b"hello"
    assert server.asked[0].header("Authorization") == "Basic bWU6c2U6Y3JldA=="
    assert someone.the_one()["url"] == f"{server.url}/"


# --- Proxies ---


class Tunnel(Server):
    """A proxy that connects through, or answers what it is told."""

    def __init__(self, said: bytes = b"HTTP/1.1 200 Connection established\r\nVia: me\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._said = said
        super().__init__(lambda _: b"")

    def converse(self, connection: Any) -> None:
        """Serve one CONNECT."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (part := connection.recv(1)):
                return
            head += part
        self.heads.append(head)
        connection.sendall(self._said)
        if b" 200 " not in self._said:
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as onward:
            back = gevent.spawn(self._pass_on, onward, connection)
            self._pass_on(connection, onward)
            back.kill()

    @staticmethod
    def _pass_on(one: Any, other: Any) -> None:
        while data := one.recv(65536):
            other.sendall(data)


def test_a_proxy_is_asked_for_the_whole_url(serve: Serve, be: Be) -> None:
    """One connection for each server behind it; Host is that server's."""
    proxy = serve(ok())
    someone = be("http://shop.test", proxy_host="127.0.0.1", proxy_port=proxy.port)
    client = someone.client
    for target in ("/a?x=1", "/b", "http://shop.test:8080/c", "http://[::2]/d", ""):
        assert client.get(target).content == b"hello"
    client.post("/e", json={"x": 1})
    assert [(asked.target, asked.header("Host")) for asked in proxy.asked] == [
        ("http://shop.test/a?x=1", "shop.test"),
        ("http://shop.test/b", "shop.test"),
        ("http://shop.test:8080/c", "shop.test:8080"),
        ("http://[::2]/d", "[::2]"),
        ("http://shop.test/", "shop.test"),
        ("http://shop.test/e", "shop.test"),
    ]
    assert (proxy.connections, proxy.asked[-1].body) == (3, b'{"x": 1}')
    assert someone.told[0]["url"] == "http://shop.test/a?x=1"


def test_users_with_and_without_a_proxy_are_not_mixed_up(serve: Serve, be: Be) -> None:
    """Though they ask for the same."""
    server, proxy = serve(ok(b"server")), serve(ok(b"proxy"))
    straight, round_about = be(server.url), be(server.url, proxy_host="127.0.0.1", proxy_port=proxy.port)
    for _ in range(2):
        assert straight.client.get("/").content == b"server"
        assert round_about.client.get("/").content == b"proxy"
    assert {asked.target for asked in proxy.asked} == {f"{server.url}/"}
    assert {asked.target for asked in server.asked} == {"/"}


def test_redirects_go_through_the_proxy(serve: Serve, be: Be) -> None:
    """As whole URLs."""
    moved = ok(b"", b"Location: /b", status=b"302 Found")
    proxy = serve(in_turn(moved, ok()))
    be("http://shop.test", proxy_host="127.0.0.1", proxy_port=proxy.port).client.get("/a")
    assert [asked.target for asked in proxy.asked] == ["http://shop.test/a", "http://shop.test/b"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tls_goes_through_a_tunnel(serve: Serve, be: Be, tls: Tls, host: str) -> None:
    """Asked for by CONNECT, once a connection; the server is asked as if there were none."""
    server, proxy = serve(ok(), host, tls.context), Tunnel()
    client = be(server.url, proxy_host="127.0.0.1", proxy_port=proxy.port).client
    for _ in range(3):
        assert client.get("/a").content == b"hello"
    name = server.url.removeprefix("https://").encode()
    assert proxy.heads == [b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (name, name)]
    assert [asked.target for asked in server.asked] == ["/a"] * 3
    proxy.stop()


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 407 Who are you\r\n\r\n", b"HTTP/1.1 502 No\r\n\r\n", b"what?\r\n\r\n", b"", b"HTTP/1.1 20"]
)
def test_a_tunnel_that_is_refused_is_a_failure(serve: Serve, be: Be, tls: Tls, said: bytes) -> None:
    """Nothing is sent to the server."""
    server, proxy = serve(ok(), tls=tls.context), Tunnel(said)
    someone = be(server.url, proxy_host="127.0.0.1", proxy_port=proxy.port)
    response = someone.client.get("/")
    assert type(someone.the_one()["exception"]) is HTTPParseError
    assert (response.status_code, server.asked, len(proxy.heads)) == (0, [], 1)
    proxy.stop()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_nothing_is_left_of_a_user_that_is_gone(serve: Serve, tls: Tls, secure: bool) -> None:
    """Its connections end with it, as Locust forgets a user that has stopped."""
    server = serve(ok(), tls=tls.context if secure else None)
    someone = Someone(server.url)
    someone.client.get("/")
    assert server.open == 1
    del someone
    gc.collect()
    assert server.is_left()


def test_a_session_may_be_closed(serve: Serve, be: Be) -> None:
    """And be used again."""
    server = serve(ok())
    client = be(server.url).client
    client.get("/")
    client.close()
    assert server.is_left()
    assert (client.get("/").content, server.connections) == (b"hello", 2)


def test_asked_is_what_was_asked(serve: Serve, be: Be) -> None:
    """A server's own view of a request that is all defaults."""
    seen: list[Asked] = []

    def answering(asked: Asked) -> bytes:
        seen.append(asked)
        return ok()

    server = serve(answering)
    be(server.url).client.get("/")
    assert seen[0].headers == [
        ("host", f"127.0.0.1:{server.port}"),
        ("user-agent", "loadlab"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
    ]
