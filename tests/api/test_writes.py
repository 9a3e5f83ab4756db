"""Acknowledged means committed: from many gunicorn workers, many instances, and through kill -9."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.api.instance import JSON_TYPE, Instance, all_names, exchange, post_item, running, total

pytestmark = pytest.mark.slow

BODY = b'{"name": "%s", "description": "d"}'


@pytest.mark.timeout(60)
@pytest.mark.parametrize("worker_class", ["gevent", "gthread"])
def test_a_thousand_concurrent_posts_over_three_instances_are_all_counted(tmp_path: Path, worker_class: str) -> None:
    """One SQLite file, six gunicorn workers: X-Total-Count is exactly 1,001 from each instance."""
    with ExitStack() as stack:
        instances = [
            stack.enter_context(running(tmp_path, GUNICORN_WORKER_CLASS=worker_class, API_BUSY_TIMEOUT_MS="20000"))
            for _ in range(3)
        ]

        def post_twenty(client: int) -> list[int]:
            connection = instances[client % 3].connect()
            bodies = (BODY % f"{client}-{n}".encode() for n in range(20))
            statuses = [exchange(connection, "POST", "/tests", body, JSON_TYPE).status for body in bodies]
            connection.close()
            return statuses

        with ThreadPoolExecutor(50) as pool:
            statuses = [status for done in pool.map(post_twenty, range(50)) for status in done]
        assert statuses == [204] * 1000
        assert [total(instance.call) for instance in instances] == [1001] * 3
        names = all_names(instances[0].call)
        assert len(set(names)) == len(names) == 1001


@pytest.mark.timeout(60)
@pytest.mark.parametrize("worker_class", ["gevent", "gthread"])
def test_what_was_acknowledged_survives_kill_9_of_gunicorn_workers(tmp_path: Path, worker_class: str) -> None:
    """Two workers are killed amid POSTs; each 204 that arrived has its item, and the total is still exact."""
    with running(tmp_path, GUNICORN_WORKER_CLASS=worker_class) as instance:
        stop = threading.Event()
        with ThreadPoolExecutor(8) as pool:
            clients = [pool.submit(_post_until, instance, client, stop.is_set) for client in range(8)]
            for _ in range(2):
                time.sleep(0.5)
                os.kill(instance.worker_pids()[0], signal.SIGKILL)
            time.sleep(1)
            stop.set()
            acknowledged = {name for client in clients for name in client.result()}
        kept = all_names(instance.call)
        assert len(acknowledged) > 100
        assert acknowledged <= set(kept)
        assert len(kept) == len(set(kept)) == total(instance.call)


def _post_until(instance: Instance, client: int, stopped: Callable[[], bool]) -> list[str]:
    """Post items with new names; return those that were acknowledged."""
    acknowledged = []
    connection = instance.connect()
    for n in range(100_000):
        if stopped():
            break
        name = f"{client}-{n}"
        try:
            if exchange(connection, "POST", "/tests", BODY % name.encode(), JSON_TYPE).status == 204:
                acknowledged.append(name)
        except (OSError, http.client.HTTPException):
            connection.close()
    connection.close()
    return acknowledged


@pytest.mark.timeout(60)
def test_the_memory_store_loses_writes_with_several_gunicorn_workers(tmp_path: Path) -> None:
    """On purpose: each has a list of its own, so that a reader soon misses what a writer was acknowledged."""
    with running(tmp_path, API_STORE="memory", GUNICORN_WORKERS="2") as instance:
        for written in range(1, 500):
            assert post_item(instance.call, "item").status == 204
            if total(instance.call) < 1 + written:
                return
        pytest.fail("499 writes were all seen by every reader")


@pytest.mark.timeout(60)
def test_a_write_lock_held_too_long_gets_503_and_then_recovers(tmp_path: Path) -> None:
    """Reads go on meanwhile, other requests are not held up, and one line is logged."""
    import sqlite3

    with running(tmp_path, API_BUSY_TIMEOUT_MS="300", GUNICORN_WORKERS="1") as instance:
        assert instance.call("GET", "/readyz").status == 200
        blocker = sqlite3.connect(tmp_path / "tests.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(11) as pool:
            waiting = [pool.submit(post_item, instance.call, "late") for _ in range(10)]
            time.sleep(0.1)
            began = time.monotonic()
            assert instance.call("GET", "/tests").status == 200
            assert time.monotonic() - began < 0.25
            answers = [each.result() for each in waiting]
        assert {answer.status for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        assert instance.call("GET", "/tests").status == 200
        blocker.execute("ROLLBACK")
        assert post_item(instance.call, "on time").status == 204
        assert all_names(instance.call) == ["unit testing", "on time"]
        assert len([event for event in instance.log_events() if event["level"] == "error"]) <= 2


@pytest.mark.timeout(60)
def test_the_store_may_be_absent_at_start(tmp_path: Path) -> None:
    """The API is alive but not ready; once the folder is there it serves, without a restart."""
    folder = tmp_path / "later"
    with running(tmp_path, DATABASE_URL=f"sqlite:///{folder}/tests.db") as instance:
        for _ in range(20):
            answer = instance.call("GET", "/tests")
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.headers["content-type"] == "application/problem+json"
        assert instance.call("GET", "/readyz").status == 503
        assert instance.call("GET", "/livez").status == 200
        away = [event for event in instance.log_events() if event.get("event", "").startswith("store away")]
        assert 1 <= len(away) <= 2, "one line for each gunicorn worker"
        assert "Traceback" not in instance.log()
        folder.mkdir()
        assert instance.call("GET", "/readyz").status == 200
        assert instance.call("GET", "/tests").status == 200
