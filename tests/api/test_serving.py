"""How the service behaves as processes on a network: stopping, overload, slow and malformed clients."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.api.instance import ROOT, Instance, exchange, post_item, receive_all, running, total

CLASSES = pytest.mark.parametrize("worker_class", ["gevent", "gthread"])
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
SLOW_POST = b"POST /tests HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 34\r\n\r\n"
BODY = b'{"name":"slow","description":"d"}\n'


def wait_for(happened: Callable[[], bool], every_s: float = 0.05) -> None:
    """Poll until something has happened, 10 s at most."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(every_s)


def refuses(instance: Instance) -> bool:
    """Tell whether connections are refused."""
    try:
        instance.call("GET", "/livez")
    except ConnectionRefusedError:
        return True
    except ConnectionError:
        pass
    return False


@CLASSES
def test_a_stop_drains_first_and_finishes_what_is_in_flight(tmp_path: Path, worker_class: str) -> None:
    """/readyz is 503 at once, others are served on; a POST begun before gets its full answer; the exit code is 0."""
    with running(tmp_path, GUNICORN_WORKER_CLASS=worker_class, API_DRAIN_S="2") as instance:
        assert instance.call("GET", "/readyz").status == 200
        slow = instance.raw(SLOW_POST + BODY[:10])
        time.sleep(0.2)
        instance.terminate()
        wait_for(lambda: instance.call("GET", "/readyz").status == 503)
        assert instance.call("GET", "/tests").headers["connection"] == "close"
        wait_for(lambda: refuses(instance))
        slow.sendall(BODY[10:])
        assert receive_all(slow).startswith(b"HTTP/1.1 204 ")
        assert instance.process.wait(timeout=5) == 0
    with running(tmp_path) as instance:
        assert total(instance.call) == 2


@CLASSES
def test_idle_connections_do_not_hold_up_a_stop(tmp_path: Path, worker_class: str) -> None:
    """They are closed within seconds, not after the keep-alive or the graceful timeout."""
    with running(tmp_path, GUNICORN_WORKER_CLASS=worker_class, GUNICORN_GRACEFUL_TIMEOUT_S="30") as instance:
        connections = [instance.connect() for _ in range(20)]
        for connection in connections:
            assert exchange(connection, "GET", "/livez").headers["connection"] == "keep-alive"
        instance.terminate()
        assert instance.process.wait(timeout=20) == 0
        for connection in connections:
            connection.close()


@CLASSES
def test_a_worker_in_boot_does_not_hold_up_a_stop(tmp_path: Path, worker_class: str) -> None:
    """One that has just been forked has no handlers of its own yet: it must not miss the order to end."""
    with running(tmp_path, GUNICORN_WORKER_CLASS=worker_class, GUNICORN_GRACEFUL_TIMEOUT_S="30") as instance:
        before = instance.worker_pids()
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: bool({*instance.worker_pids()} - {*before}), every_s=0.001)
        instance.terminate()
        assert instance.process.wait(timeout=20) == 0


@CLASSES
def test_no_answer_is_cut_short_by_a_stop_under_load(tmp_path: Path, worker_class: str) -> None:
    """Each request that was sent gets a whole answer, or its connection was closed before it was read."""
    with running(tmp_path, GUNICORN_WORKER_CLASS=worker_class, API_DRAIN_S="1") as instance:

        def get_until_refused(_: int) -> list[int]:
            statuses = []
            while True:
                try:
                    statuses.append(instance.call("GET", "/tests").status)
                except ConnectionError:
                    return statuses

        with ThreadPoolExecutor(6) as pool:
            clients = [pool.submit(get_until_refused, n) for n in range(6)]
            time.sleep(0.5)
            instance.terminate()
            statuses = [status for client in clients for status in client.result()]
        assert instance.process.wait(timeout=10) == 0
        assert len(statuses) > 100
        assert set(statuses) == {200}


def test_half_sent_headers_do_not_keep_others_waiting(tmp_path: Path) -> None:
    """The gevent worker serves on beside 200 clients that stopped in the middle of their headers."""
    with running(tmp_path) as instance:
        stuck = [instance.raw(b"GET /tests HTTP/1.1\r\nHost: h\r\nX-Slow: ") for _ in range(200)]
        for _ in range(10):
            began = time.monotonic()
            assert instance.call("GET", "/tests").status == 200
            assert time.monotonic() - began < 5
        for connection in stuck:
            connection.close()


def test_half_sent_bodies_take_no_slot(tmp_path: Path) -> None:
    """API_MAX_IN_FLIGHT counts requests that have arrived: slow senders cannot fill it."""
    with running(tmp_path, API_MAX_IN_FLIGHT="2", GUNICORN_WORKERS="1") as instance:
        stuck = [instance.raw(SLOW_POST + BODY[:5]) for _ in range(20)]
        assert post_item(instance.call, "quick").status == 204
        stuck[0].sendall(BODY[5:])
        assert stuck[0].recv(100).startswith(b"HTTP/1.1 204 ")
        for connection in stuck:
            connection.close()


@CLASSES
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /tests HTTP/9.9\r\n\r\n", 400),
        (b"GET /tests HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"x" * 5_000), 414),
        (b"GET /tests HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (b"x" * 9_000), 431),
        (b"POST /tests HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /tests HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: rot13\r\n\r\n", 501),
    ],
)
def test_a_malformed_request_gets_a_problem(
    shared: dict[str, int], worker_class: str, sent: bytes, status: int
) -> None:
    """What gunicorn's parser refuses looks like every other error, request id included."""
    with socket.create_connection(("127.0.0.1", shared[worker_class]), timeout=5) as connection:
        connection.sendall(sent)
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in head
    assert b"X-Request-ID: " in head
    assert b'"status": %d' % status in body


@CLASSES
@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        ([b'{"name":"n",', b'"description":"d"}'], 204),
        ([b"x" * 40_000, b"x" * 40_000], 413),
        ([b"{"], 400),
    ],
)
def test_a_chunked_body_is_read_and_bounded(
    shared: dict[str, int], worker_class: str, chunks: list[bytes], status: int
) -> None:
    """Without a Content-Length the 64 KiB hold all the same."""
    head = b"POST /tests HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shared[worker_class]), timeout=5) as connection:
        connection.sendall(head + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 %d " % status)


@CLASSES
@pytest.mark.parametrize("body", [b"5\r\nab", b"zz\r\nab\r\n0\r\n\r\n", b"2\r\nabXX"])
def test_a_broken_chunked_body_is_400_not_500(shared: dict[str, int], worker_class: str, body: bytes) -> None:
    """The client broke it; nothing of ours failed."""
    head = b"POST /tests HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", shared[worker_class]), timeout=5) as connection:
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_large_declared_body_is_refused_before_it_is_sent(shared: dict[str, int]) -> None:
    """413 on the headers alone."""
    with socket.create_connection(("127.0.0.1", shared["gevent"]), timeout=5) as connection:
        connection.sendall(SLOW_POST.replace(b"34", b"65537"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_the_health_check_says_whether_it_is_ready(tmp_path: Path) -> None:
    """Exit code 0 over TCP and over a Unix socket, and 1 where nobody listens."""

    def check(bind: str) -> int:
        command = [sys.executable, "-I", "-S", str(ROOT / "api/healthcheck.py")]
        return subprocess.run(command, env={"GUNICORN_BIND": bind}, timeout=10, check=False).returncode

    file = tmp_path / "api.sock"
    with running(tmp_path, GUNICORN_BIND=f"127.0.0.1:PORT,unix:{file}") as instance:
        assert check(f"0.0.0.0:{instance.port}, 127.0.0.1:1") == 0
        assert check(f"unix:{file}") == 0
        assert check("127.0.0.1:1") == 1
        assert check(f"unix:{tmp_path}/none") == 1


def test_every_process_ends_with_its_master(tmp_path: Path) -> None:
    """kill -9 of the master leaves no gunicorn worker behind."""
    with running(tmp_path) as instance:
        pids = instance.worker_pids()
        os.kill(instance.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
