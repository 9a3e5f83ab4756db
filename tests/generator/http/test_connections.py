"""Connections: how many there are, for how long, and to which addresses."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from loadlab.generator.http import connection
from loadlab.generator.http.addresses import FRESH_S, Addresses
from tests.generator.fakes import Clock
from tests.generator.http.conftest import Be, Serve, Tls
from tests.generator.http.people import SEEN_AGAIN_S
from tests.generator.http.scripted import Asked, Reply, Server, Then, in_turn, ok

MOST_BELOW_SELECT = 1024


def address(server: Server) -> tuple[Any, ...]:
    """Return where a server is, as a resolver says it."""
    return socket.AF_INET, socket.SOCK_STREAM, socket.SOL_TCP, "", ("127.0.0.1", server.port)


@pytest.mark.parametrize(("most", "requests", "connections"), [(1, 5, 5), (3, 9, 3), (3, 10, 4), (None, 10, 1)])
def test_a_connection_carries_so_many_requests(
    serve: Serve, be: Be, most: int | None, requests: int, connections: int
) -> None:
    """No more than most_requests_per_connection; the making of each is told of."""
    server = serve(ok())
    someone = be(server.url, most_requests_per_connection=most)
    told = [someone.client.get("/") for _ in range(requests)]
    assert (server.connections, len(server.asked)) == (connections, requests)
    assert sum(response.connects for response in told) == connections
    assert all((response.connect_s > 0) == (response.connects == 1) for response in told)
    assert {response.reconnects for response in told} == {0}
    gevent.sleep(0.01)
    assert server.open == (0 if requests == connections * (most or 0) else 1)


def test_several_requests_at_a_time(serve: Serve, be: Be) -> None:
    """Have a connection each, as many as the user's concurrency; the others wait for one to be free."""
    go = Event()

    def answering(asked: Asked) -> bytes:
        go.wait()
        return ok(asked.target.encode())

    server = serve(answering)
    someone = be(server.url, concurrency=3)
    asking = [gevent.spawn(someone.client.get, f"/{number}") for number in range(10)]
    gevent.sleep(0.02)
    assert (server.connections, len(server.asked)) == (3, 3)
    go.set()
    gevent.joinall(asking, timeout=2)
    assert [one.value.content for one in asking] == [b"/%d" % number for number in range(10)]
    assert (server.connections, server.most_open, len(server.asked)) == (3, 3, 10)
    assert len(someone.told) == 10


def test_several_users_share_nothing(serve: Serve, be: Be) -> None:
    """Fifty at a time, each with its own connection and its own answers."""
    server = serve(lambda asked: Reply(ok(asked.target.encode()), wait_s=0.001, step=20))
    people = [be(server.url) for _ in range(50)]

    def ask(number: int) -> bool:
        return all(people[number].client.get(f"/{number}/{n}").content == b"/%d/%d" % (number, n) for n in range(5))

    asking = [gevent.spawn(ask, number) for number in range(50)]
    gevent.joinall(asking, timeout=10)
    assert [one.value for one in asking] == [True] * 50
    assert (server.connections, len(server.asked)) == (50, 250)


@pytest.mark.parametrize("end", [Reply(b"", Then.CLOSE), Reply(b"garbage"), Reply(b"HTTP/1.1 2")])
def test_a_failure_frees_its_place(serve: Serve, be: Be, end: Reply) -> None:
    """However a request ends, one that waits for its connection's place gets it."""
    server = serve(lambda asked: end if asked.target == "/bad" else ok())
    someone = be(server.url, concurrency=2, network_timeout=0.05)
    asking = [gevent.spawn(someone.client.post, "/bad" if number % 2 else "/", data="x") for number in range(12)]
    gevent.joinall(asking, timeout=5)
    assert all(one.successful() for one in asking)
    assert len(someone.told) == len(server.asked) == 12
    assert server.most_open <= 2
    with gevent.Timeout(1):
        assert someone.client.get("/").content == b"hello"


def test_a_server_that_is_not_there_frees_its_place_too(serve: Serve, be: Be) -> None:
    """What could not be opened is not counted as open."""
    server = serve(ok())
    someone = be(server.url, concurrency=1)
    server.stop()
    for _ in range(3):
        with gevent.Timeout(1):
            assert someone.client.get("/").status_code == 0
    assert len(someone.told) == 3


def test_a_request_that_was_killed_frees_its_place(serve: Serve, be: Be) -> None:
    """While it waits for its answer, or for a place."""
    server = serve(lambda asked: Reply(ok(), wait_s=5.0 if asked.target == "/slow" else 0.0))
    someone = be(server.url, concurrency=1)
    slow, waiting = gevent.spawn(someone.client.get, "/slow"), gevent.spawn(someone.client.get, "/slow")
    gevent.sleep(0.02)
    for one in (slow, waiting):
        one.kill()
    with gevent.Timeout(1):
        assert someone.client.get("/").content == b"hello"


# --- Descriptors ---


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    """Descriptors that are taken, up to those that select() cannot watch."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_BELOW_SELECT + 200
    assert hard == resource.RLIM_INFINITY or hard >= wanted
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while taken[-1] < MOST_BELOW_SELECT:
            taken.append(os.dup(taken[0]))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_high_descriptor_is_as_good_as_any(serve: Serve, be: Be, tls: Tls, secure: bool) -> None:
    """The connection is kept and looked at: FastHttpUser's are not, as select() knows only those below 1,024."""
    server = serve(ok(), tls=tls.context if secure else None)
    someone = be(server.url)
    for _ in range(4):
        assert someone.client.post("/", data="x").content == b"hello"
        gevent.sleep(SEEN_AGAIN_S)
    (pool,) = someone.client._pools.values()
    assert pool._idle[0]._pipe._socket.fileno() >= MOST_BELOW_SELECT
    assert (server.connections, len(server.asked)) == (1, 4)


# --- Addresses ---


def test_the_addresses_of_a_name_are_used_in_turn(serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the connections of all users: replicas share them, and the name is asked for once."""
    replicas = [serve(ok()) for _ in range(3)]
    asked: list[tuple[str, int]] = []

    def lookup(host: str, port: int) -> list[Any]:
        asked.append((host, port))
        return [address(one) for one in replicas]

    monkeypatch.setattr(connection, "addresses", Addresses(lookup))
    people = [be("http://api.test") for _ in range(6)]
    for someone in people:
        someone.client.get("/")
        someone.client.get("/")
    assert [(one.connections, len(one.asked)) for one in replicas] == [(2, 4)] * 3
    assert asked == [("api.test", 80)]
    assert {one.header("Host") for replica in replicas for one in replica.asked} == {"api.test"}


def test_one_user_reaches_all_replicas(serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its connections carry few requests."""
    replicas = [serve(ok()) for _ in range(2)]
    monkeypatch.setattr(connection, "addresses", Addresses(lambda *_: [address(one) for one in replicas]))
    client = be("http://api.test", most_requests_per_connection=2).client
    for _ in range(8):
        client.get("/")
    assert [len(one.asked) for one in replicas] == [4, 4]


def test_a_name_is_asked_for_anew(serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds, by the next connection; those that are open stay."""
    old, new = serve(ok(b"old")), serve(ok(b"new"))
    now, there, lookups = Clock(100.0), [old], []

    def lookup(host: str, _port: int) -> list[Any]:
        lookups.append(host)
        return [address(one) for one in there]

    monkeypatch.setattr(connection, "addresses", Addresses(lookup, now))
    first = be("http://api.test")
    assert first.client.get("/").content == b"old"
    there[:] = [new]
    assert be("http://api.test").client.get("/").content == b"old"
    now.now += FRESH_S
    assert be("http://api.test").client.get("/").content == b"new"
    assert first.client.get("/").content == b"old"
    assert lookups == ["api.test"] * 2


def test_an_address_that_does_not_answer_is_passed_over(serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection tries all of them, and fails with the first error when none is left."""
    gone, there = serve(ok()), serve(ok())
    monkeypatch.setattr(connection, "addresses", Addresses(lambda *_: [address(one) for one in (gone, there)]))
    gone.stop()
    someone = be("http://api.test", most_requests_per_connection=1)
    assert [someone.client.get("/").content for _ in range(4)] == [b"hello"] * 4
    there.stop()
    someone.client.get("/")
    assert type(someone.last["exception"]) is ConnectionRefusedError
    assert there.connections == 4


def test_a_name_that_could_not_be_found_is_asked_for_again(
    serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next request: what a resolver could not do once is not kept."""
    server = serve(ok())
    found: list[Any] = []

    def lookup(*_: Any) -> list[Any]:
        if not found:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return found

    monkeypatch.setattr(connection, "addresses", Addresses(lookup))
    someone = be("http://api.test")
    someone.client.get("/")
    found.append(address(server))
    someone.client.get("/")
    assert [type(told["exception"]) for told in someone.told] == [socket.gaierror, type(None)]


def test_many_who_start_at_once_ask_once(serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow resolver is not asked by each of them."""
    server = serve(ok())
    lookups = []

    def lookup(host: str, _port: int) -> list[Any]:
        lookups.append(host)
        gevent.sleep(0.02)
        return [address(server)]

    monkeypatch.setattr(connection, "addresses", Addresses(lookup))
    people = [be("http://api.test") for _ in range(20)]
    gevent.joinall([gevent.spawn(one.client.get, "/") for one in people], timeout=2)
    assert (len(lookups), len(server.asked), server.connections) == (1, 20, 20)


def test_connections_to_several_servers_are_kept_beside_each_other(serve: Serve, be: Be) -> None:
    """One for each."""
    servers = [serve(in_turn(ok(b"%d" % number))) for number in range(3)]
    client = be(servers[0].url).client
    for _ in range(3):
        assert [client.get(f"{one.url}/").content for one in servers] == [b"0", b"1", b"2"]
    assert [one.connections for one in servers] == [1, 1, 1]
