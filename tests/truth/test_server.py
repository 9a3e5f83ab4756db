"""The truth server itself: were it wrong, every figure that is held against it would prove nothing."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.truth import books, delays
from tests.truth.process import TruthServer

CLIENTS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[TruthServer]:
    """One server for all tests of this module, each of which resets it."""
    with TruthServer() as server:
        yield server


def ask(server: TruthServer, count: int, method: str = "GET", path: str = "/tests") -> list[tuple[int, float, bytes]]:
    """Ask so often over one connection, and return status, seconds and body of each answer."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        body = answer.read()
        answers.append((answer.status, time.perf_counter() - began, body))
    connection.close()
    return answers


def ask_at_once(server: TruthServer, each: int) -> list[tuple[int, float, bytes]]:
    """Ask from several connections at a time."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [answer for some in pool.map(lambda _: ask(server, each), range(CLIENTS)) for answer in some]


def test_it_counts_every_request_of_many_connections(server: TruthServer) -> None:
    """2,000 requests over 8 connections, two paths and methods, are counted by each; nothing is in flight then."""
    server.control(reset=True, delay={"kind": "instant"})
    ask_at_once(server, 250)
    ask(server, 7, "POST", "/tests?limit=1")
    seen = server()
    assert (seen["received"], seen["answered"], seen["abandoned"], seen["in_flight"]) == (2007, 2007, 0, 0)
    assert seen["endpoints"]["GET /tests"] == {"received": 2000, "answered": 2000, "statuses": {"200": 2000}}
    assert seen["endpoints"]["POST /tests"] == {"received": 7, "answered": 7, "statuses": {"204": 7}}
    assert sum(seen["arrivals"].values()) == sum(seen["answers"].values()) == seen["ok"]["count"] == 2007
    assert seen["connections_made"] >= CLIENTS
    assert 'api_requests_total{method="GET",route="/tests",status="200"} 2000' in server.metrics()


def test_its_answers_are_those_of_the_labs_api(server: TruthServer) -> None:
    """The lab's own scenario finds nothing wrong with them."""
    server.control(reset=True, delay={"kind": "instant"})
    (status, _, body), *_ = ask(server, 1)
    assert (status, json.loads(body)[0]["name"]) == (200, "unit testing")
    (status, _, body), *_ = ask(server, 1, "POST")
    assert (status, body) == (204, b"")


def test_it_keeps_its_delay_to_a_millisecond_and_says_what_it_took(server: TruthServer) -> None:
    """No answer after 20 ms is early; undisturbed ones, a tenth at least, are less than 1 ms late, as a client sees."""
    server.control(reset=True, delay={"kind": "fixed", "ms": 20})
    seen_ms = sorted(1000 * took for _, took, _ in ask(server, 60))
    logged_ms = sorted(value / 1000 for value in server.values_us())
    assert logged_ms[0] >= 20
    assert logged_ms[6] < 21
    assert 0 <= seen_ms[6] - logged_ms[6] < 1
    assert all(seen >= logged for seen, logged in zip(seen_ms, logged_ms, strict=True))


@pytest.mark.parametrize(
    "delay",
    [
        {"kind": "lognormal", "p50_ms": 5, "p95_ms": 20},
        {"kind": "two-peaks", "low_ms": 4, "high_ms": 30, "high_percent": 20},
        {"kind": "list", "ms": [2.0, 3.0, 4.0, 5.0, 20.0]},
    ],
)
def test_its_delays_are_those_that_were_asked_for(server: TruthServer, delay: dict[str, Any]) -> None:
    """400 answers of 8 clients have the percentiles of the distribution, up to 3 ms of waking up excepted."""
    server.control(reset=True, delay=delay)
    ask_at_once(server, 50)
    quantile = delays.make(delay)
    wanted = sorted(round(1000 * quantile(delays.spread(number))) for number in range(400))
    seen = sorted(server.values_us())
    assert len(seen) == 400
    for rank in (10, 50, 90, 95):
        late_us = books.nearest_rank(seen, rank) - books.nearest_rank(wanted, rank)
        assert -1 <= late_us < 3000


@pytest.mark.parametrize("p95_ms", [446.0, 454.0])
@pytest.mark.parametrize("first", [0, 777])
def test_any_stretch_of_answers_has_the_percentile(p95_ms: float, first: int) -> None:
    """The p95 of 2,000 delays in a row is what was asked for to within 1 ms, wherever the stretch begins."""
    quantile = delays.lognormal(200, p95_ms)
    dealt = sorted(round(1000 * quantile(delays.spread(number))) for number in range(first, first + 2000))
    assert abs(books.nearest_rank(dealt, 95) / 1000 - p95_ms) < 1


def test_a_percentile_is_the_nearest_rank() -> None:
    """The least value that so many percent do not exceed: of 1 to 20, p95 is 19 and p99 is 20."""
    values = range(1, 21)
    assert [books.nearest_rank(values, rank) for rank in (50, 95, 95.1, 99, 99.9)] == [10, 19, 20, 20, 20]


def test_it_says_that_it_was_late_itself(server: TruthServer) -> None:
    """A server that does not run for 0.3 s says so: what was asked meanwhile was read late, in no time of its own."""
    server.control(reset=True, delay={"kind": "instant"})
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    server.process.send_signal(signal.SIGCONT)
    time.sleep(0.05)
    assert server()["lag"]["max_ms"] > 250


def test_a_share_of_answers_fails(server: TruthServer) -> None:
    """10% of 200 are 503, and their times are kept apart."""
    server.control(reset=True, delay={"kind": "instant"}, fail_percent=10)
    statuses = [status for status, _, _ in ask(server, 200)]
    server.control(fail_percent=0)
    seen = server()
    assert 18 <= statuses.count(503) <= 22
    assert seen["failed"] == statuses.count(503)
    assert seen["ok"]["count"] == statuses.count(200)


def test_a_freeze_holds_every_answer_back(server: TruthServer) -> None:
    """What would be answered within the half second is answered at its end, and its log says how long that took."""
    server.control(reset=True, delay={"kind": "fixed", "ms": 10})
    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask, server, 30) for _ in range(CLIENTS)]
        time.sleep(0.1)
        server.control(freeze_s=0.5)
        longest = [max(took for _, took, _ in one.result()) for one in asking]
    seen = server()
    assert all(0.45 < took < 0.7 for took in longest), longest
    assert 450 < seen["ok"]["max_ms"] < 700
    ((start, end),) = seen["freezes"]
    assert end - start == pytest.approx(0.5)


def test_a_client_that_hangs_up_is_not_counted_as_answered(server: TruthServer) -> None:
    """A request whose client is gone before the answer is received and abandoned."""
    server.control(reset=True, delay={"kind": "fixed", "ms": 100})
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.02)
        assert server()["in_flight"] == 1
    time.sleep(0.2)
    seen = server()
    assert (seen["received"], seen["answered"], seen["abandoned"], seen["in_flight"]) == (1, 0, 1, 0)


def test_requests_in_pieces_and_in_a_row_are_understood(server: TruthServer) -> None:
    """A request that comes byte by byte, and three at once on one connection, are each served."""
    server.control(reset=True, delay={"kind": "fixed", "ms": 1})
    one = b"POST /tests HTTP/1.1\r\nHost: x\r\nCONTENT-length: 2\r\n\r\n{}"
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in one:
            client.sendall(bytes([byte]))
        client.sendall(one * 3)
        answers = b""
        while answers.count(b"HTTP/1.1 204") < 4:
            answers += client.recv(4096)
    assert server()["answered"] == 4


def test_nonsense_is_refused(server: TruthServer) -> None:
    """An unknown knob or distribution is a 400 and changes nothing."""
    server.control(reset=True, delay={"kind": "instant"})
    bad: list[dict[str, Any]] = [{"dealy": {}}, {"delay": {"kind": "none"}}, {"delay": {"kind": "fixed", "s": 1}}]
    for asked in bad:
        with pytest.raises(urllib.error.HTTPError, match="400"):
            server.control(**asked)
    assert [status for status, _, _ in ask(server, 1)] == [200]


def test_it_is_fast_enough_to_be_no_bottleneck(server: TruthServer) -> None:
    """It uses less than half a core for 1,500 requests/s: less than 333 µs of CPU each."""
    import psutil

    server.control(reset=True, delay={"kind": "instant"})
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    before = process.cpu_times()
    ask_at_once(server, 250)
    after = process.cpu_times()
    used_s = after.user + after.system - before.user - before.system
    assert used_s / 2000 < 333e-6
