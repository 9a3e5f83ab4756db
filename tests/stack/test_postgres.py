"""The API over a real PostgreSQL server: the same contract, races, restarts and outages."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.api.conftest import client_call, make_app
from tests.api.contract import Contract
from tests.api.instance import JSON_TYPE, Call, Instance, all_names, exchange, free_port, post_item, running, total

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]
CLASSES = pytest.mark.parametrize("worker_class", ["gevent", "gthread"])
PASSWORD = "hunter2"
INSTALL = "apt-get install -y --no-install-recommends postgresql"
#: An outage must be told within this: the connection's timeout, the wait for one, and some for a busy machine.
AWAY_MAX_S = 8


def binaries() -> Path:
    """The folder of initdb and postgres; skips, or fails where LAB_REQUIRE names postgres, when there is none."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        message = f"no PostgreSQL server here; install one: {INSTALL}"
        if "postgres" in os.environ.get("LAB_REQUIRE", ""):
            pytest.fail(message)
        pytest.skip(message)
    return found[-1]


class Server:
    """A PostgreSQL server of our own in a folder of its own, run by a user without privileges."""

    def __init__(self, folder: Path) -> None:
        self._bin = binaries()
        self._folder = folder
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self.port = free_port()
        self._databases = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        password = folder / "password"
        password.write_text(PASSWORD)
        initdb: list[str | Path] = [self._bin / "initdb", "-D", folder / "data", "-U", "lab", "-A", "scram-sha-256"]
        self._run([*initdb, "--pwfile", password, "--no-sync", "-E", "UTF8", "--locale", "C"])

    def _run(self, command: list[str | Path]) -> None:
        subprocess.run(command, check=True, user=self._user, cwd=self._folder, stdout=subprocess.DEVNULL, timeout=60)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        settings = ["-c", "max_connections=100", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", "-p", str(self.port), *settings],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop it at once: connections are cut, nothing committed is lost."""
        if self._process and self._process.poll() is None:
            self.resume()
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=20)
            finally:
                if self._process.poll() is None:
                    os.killpg(self._process.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """It holds its connections and answers nothing."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in [self._process.pid, *map(int, children)]:
            os.kill(pid, number)

    def url(self, database: str, scheme: str = "postgresql") -> str:
        """The URL of a database."""
        return f"{scheme}://lab:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database that holds nothing."""
        name = f"lab{next(self._databases)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name, "postgres" if name.endswith("1") else "postgresql")


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs, and is gone afterwards with its files."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for the tests that leave it running."""
    with serving() as started:
        yield started


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server a test may stop."""
    with serving() as started:
        yield started


class TestInProcess(Contract):
    """Flask's test client, PostgreSQL."""

    @pytest.fixture
    def call(self, fresh: Call) -> Call:
        """Each test has a new database."""
        return fresh

    @pytest.fixture
    def fresh(self, server: Server) -> Iterator[Call]:
        """An application over a database that holds nothing."""
        app = make_app(DATABASE_URL=server.new_database())
        yield client_call(app)
        app.extensions["store"].close()


@CLASSES
def test_three_instances_create_the_tables_once_and_lose_no_write(
    server: Server, tmp_path: Path, worker_class: str
) -> None:
    """Their first requests race for it; then 1,000 concurrent POSTs make exactly 1,001 items, seen from each."""
    url = server.new_database()
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                running(tmp_path, DATABASE_URL=url, GUNICORN_WORKER_CLASS=worker_class, API_INSTANCE=f"i{n}")
            )
            for n in range(3)
        ]

        def post_twenty(client: int) -> list[int]:
            connection = started[client % 3].connect(30)
            body = b'{"name": "%d", "description": "d"}' % client
            statuses = [exchange(connection, "POST", "/tests", body, JSON_TYPE).status for _ in range(20)]
            connection.close()
            return statuses

        with ThreadPoolExecutor(50) as pool:
            statuses = [status for done in pool.map(post_twenty, range(50)) for status in done]
        assert statuses == [204] * 1000
        assert [total(instance.call) for instance in started] == [1001] * 3
        assert len(all_names(started[0].call)) == 1001
        assert {instance.call("GET", "/livez").headers["x-instance"] for instance in started} == {"i0", "i1", "i2"}
        assert all("Traceback" not in instance.log() for instance in started)


@CLASSES
def test_a_restarted_server_costs_no_permanent_failure(own_server: Server, tmp_path: Path, worker_class: str) -> None:
    """503 with Retry-After while it is away, by itself well again after; one line each way, the password in none."""
    url = own_server.new_database()
    with running(tmp_path, DATABASE_URL=url, GUNICORN_WORKER_CLASS=worker_class) as instance:
        for n in range(20):
            assert post_item(instance.call, f"before {n}").status == 204
        own_server.stop()
        for _ in range(15):
            began = time.monotonic()
            answer = instance.call("GET", "/tests")
            assert time.monotonic() - began < AWAY_MAX_S
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.headers["content-type"] == "application/problem+json"
        assert instance.call("GET", "/readyz").status == 503
        assert instance.call("GET", "/livez").status == 200
        own_server.start()
        _wait_for_200(instance)
        assert post_item(instance.call, "after").status == 204
        assert all_names(instance.call) == ["unit testing", *(f"before {n}" for n in range(20)), "after"]
        events = [event["event"] for event in instance.log_events()]
        assert 1 <= len([event for event in events if event.startswith("store away")]) <= 2
        assert PASSWORD not in instance.log() + answer.body.decode()
        assert "Traceback" not in instance.log()


def _wait_for_200(instance: Instance) -> None:
    """Each gunicorn worker has to find out for itself."""
    deadline = time.monotonic() + 20
    successes = 0
    while successes < 20:
        assert time.monotonic() < deadline, instance.log()
        successes = successes + 1 if instance.call("GET", "/readyz").status == 200 else 0


def test_the_server_may_come_after_the_api(own_server: Server, tmp_path: Path) -> None:
    """The API starts without it, is alive, not ready, and recovers."""
    url = own_server.new_database()
    own_server.stop()
    with running(tmp_path, DATABASE_URL=url) as instance:
        assert instance.call("GET", "/readyz").status == 503
        own_server.start()
        _wait_for_200(instance)
        assert total(instance.call) == 1


@CLASSES
def test_a_frozen_server_gets_503_within_seconds(own_server: Server, tmp_path: Path, worker_class: str) -> None:
    """It keeps its connections and says nothing: requests must not hang with it, nor any others."""
    url = own_server.new_database()
    with running(tmp_path, DATABASE_URL=url, GUNICORN_WORKER_CLASS=worker_class) as instance:
        assert post_item(instance.call, "before").status == 204
        own_server.freeze()
        with ThreadPoolExecutor(8) as pool:
            timed = list(pool.map(lambda _: _timed(lambda: instance.call("GET", "/tests").status), range(8)))
            assert {status for status, _ in timed} == {503}
            assert max(elapsed_s for _, elapsed_s in timed) < 2 * AWAY_MAX_S
        assert instance.call("GET", "/livez").status == 200
        own_server.resume()
        _wait_for_200(instance)
        assert total(instance.call) == 2


def test_a_host_that_never_answers_gets_503_within_seconds(tmp_path: Path) -> None:
    """A port that takes connections and stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://lab:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/lab"
        with running(tmp_path, DATABASE_URL=url) as instance:
            status, elapsed_s = _timed(lambda: instance.call("GET", "/tests").status)
            assert status == 503
            assert elapsed_s < AWAY_MAX_S
            assert PASSWORD not in instance.log()


@CLASSES
def test_the_pool_bounds_the_connections(server: Server, tmp_path: Path, worker_class: str) -> None:
    """API_POOL_SIZE a gunicorn worker, however many requests there are."""
    url = server.new_database()
    with running(tmp_path, DATABASE_URL=url, API_POOL_SIZE="2", GUNICORN_WORKER_CLASS=worker_class) as instance:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda n: post_item(instance.call, str(n)).status, range(200)))
        assert set(answers) == {204}
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'loadlab-api' AND datname = %s",
                [url.rsplit("/", 1)[1]],
            ).fetchone()
        assert row is not None
        assert 1 <= row[0] <= 4


def _timed(action: Callable[[], int]) -> tuple[int, float]:
    began = time.monotonic()
    return action(), time.monotonic() - began
