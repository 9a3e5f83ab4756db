"""/metrics counts every request once, over all gunicorn workers, and tells what the container uses."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.cgroup import Usage, read_usage
from api.machine import Machine, read_machine
from api.server import Server, open_files, overflows, slots
from tests.api.conftest import client_call, make_app
from tests.api.instance import Call, exchange, post_item, running

pytestmark = pytest.mark.slow

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(call: Call) -> Samples:
    """Every sample of /metrics, by name and labels."""
    answer = call("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.body.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples with these labels, whatever else they carry."""
    wanted = set(labels.items())
    return sum(v for (key, given), v in samples.items() if key == name and wanted <= given)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("worker_class", ["gevent", "gthread"])
def test_requests_are_summed_over_all_gunicorn_workers(tmp_path: Path, worker_class: str) -> None:
    """Exactly, by method, route and status; a worker that was killed still counts."""
    with running(tmp_path, GUNICORN_WORKER_CLASS=worker_class, GUNICORN_WORKERS="3") as instance:
        before = scrape(instance.call)
        for n in range(30):
            assert post_item(instance.call, f"item {n}").status == 204
            instance.call("GET", f"/tests/{n + 1}")
            instance.call("GET", f"/nothing/{n}")
        os.kill(instance.worker_pids()[0], signal.SIGKILL)
        time.sleep(0.5)
        after = scrape(instance.call)

        def grown(name: str, **labels: str) -> float:
            return value(after, name, **labels) - value(before, name, **labels)

        assert grown("api_requests_total", method="POST", route="/tests", status="204") == 30
        assert grown("api_requests_total", method="GET", route="/tests/{id}", status="200") == 30
        assert grown("api_requests_total", route="(unmatched)", status="404") == 30
        assert grown("api_items_written_total") == 30
        assert grown("api_request_duration_seconds_count", method="POST", route="/tests", status="204") == 30
        assert grown("api_request_duration_seconds_bucket", route="/tests", le="+Inf") == 30
        assert 0 < grown("api_request_duration_seconds_sum", method="POST", route="/tests") < 30
        assert value(after, "api_requests_in_flight") == 0
        assert not {name for name, labels in after if "pid" in dict(labels)}


def test_a_new_start_begins_at_zero(tmp_path: Path) -> None:
    """The folder given by PROMETHEUS_MULTIPROC_DIR is emptied, of metrics files only."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "keep.txt").write_text("not ours")
    for _ in range(2):
        with running(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(folder)) as instance:
            assert value(scrape(instance.call), "api_requests_total", route="/tests") == 0
            instance.call("GET", "/tests")
            assert value(scrape(instance.call), "api_requests_total", route="/tests") == 1
    assert (folder / "keep.txt").exists()


def test_a_default_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    """Nothing is left in the temporary directory."""
    with running(tmp_path):
        assert list(tmp_path.glob("loadlab-api-metrics-*"))
    assert not list(tmp_path.glob("loadlab-api-metrics-*"))


def test_refusals_over_the_concurrency_limit_are_answered_and_counted(tmp_path: Path) -> None:
    """503 with Retry-After; probes and metrics are answered all the same."""
    app = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/tests.db", API_MAX_IN_FLIGHT="1")
    call = client_call(app)
    inner: list[tuple[int, str | None]] = []

    @app.before_request
    def nested() -> None:
        # A request begun while this one is in flight.
        if not inner:
            inner.append((0, None))
            for path in ("/tests", "/livez", "/readyz", "/metrics"):
                answer = call("GET", path)
                inner.append((answer.status, answer.headers.get("retry-after")))

    refused = value(scrape(call), "api_requests_refused_total")
    inner.clear()
    assert call("GET", "/tests").status == 200
    assert inner[1:] == [(503, "1"), (200, None), (200, None), (200, None)]
    assert value(scrape(call), "api_requests_refused_total") == refused + 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("worker_class", "slots"), [("gevent", 3 * 100), ("gthread", 3 * 4)])
def test_how_full_gunicorn_is(tmp_path: Path, worker_class: str, slots: int) -> None:
    """What it serves at a time, who may wait, what its workers use and may have open, on which machine."""
    knobs = {"GUNICORN_WORKERS": "3", "GUNICORN_THREADS": "4", "API_MAX_IN_FLIGHT": "100", "GUNICORN_BACKLOG": "33"}
    with running(tmp_path, GUNICORN_WORKER_CLASS=worker_class, **knobs) as instance:
        before = scrape(instance.call)
        kept = [instance.connect() for _ in range(20)]
        for connection in kept:
            exchange(connection, "GET", "/tests")
        for _ in range(60):
            instance.call("GET", "/tests")
        after = scrape(instance.call)
        pids = {str(pid) for pid in instance.worker_pids()}
        for connection in kept:
            connection.close()
    assert value(after, "api_request_slots") == slots
    assert (value(after, "api_listen_backlog"), value(after, "api_listen_backlog_limit")) == (0, 33)
    assert {dict(labels)["worker"] for name, labels in after if name == "api_worker_cpu_seconds_total"} == pids
    assert value(after, "api_worker_cpu_seconds_total") > value(before, "api_worker_cpu_seconds_total") > 0
    assert value(after, "process_cpu_seconds_total") >= value(after, "api_worker_cpu_seconds_total")
    assert 20e6 < value(after, "process_resident_memory_bytes") < 1e9
    used_by_others_too = {"container_cpu_seconds_total", "container_memory_bytes"}
    assert used_by_others_too.isdisjoint(name for name, _ in after)  # this test's own, for one
    assert value(after, "process_max_fds") == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert value(after, "process_open_fds") >= value(before, "process_open_fds") + 20 / 3
    assert value(after, "machine_cpu_cores") == os.cpu_count()
    assert value(after, "node_boot_time_seconds") == pytest.approx(psutil.boot_time(), abs=2)
    assert value(after, "node_cpu_seconds_total", mode="idle") >= value(before, "node_cpu_seconds_total", mode="idle")
    assert value(after, "node_netstat_TcpExt_ListenOverflows") >= 0


def test_connections_that_wait_are_counted(tmp_path: Path) -> None:
    """A listener that accepts nobody has them all waiting; beyond its backlog the kernel drops and counts them."""
    with socket.create_server(("127.0.0.1", 0), backlog=3) as listener:
        server = Server(1, lambda: [listener])
        assert server.backlog() == (0, 3)
        before = overflows()
        waiting = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        assert server.backlog() == (3, 3)
        late = [socket.socket() for _ in range(3)]
        for one in late:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        time.sleep(0.1)
        after = overflows()
        assert before is not None
        assert after is not None
        assert after > before
        for one in (*waiting, *late):
            one.close()
    path = str(tmp_path / "listener")
    with socket.socket(socket.AF_UNIX) as local:
        local.bind(path)
        local.listen()
        assert Server(1, lambda: [local]).backlog() is None
        assert Server(1, list).backlog() is None


STAT = "cpu  100 50 25 400 20 1 2 3 9 9\ncpu0 1 2\ncpu1 3 4\nintr 5 6\nbtime 1700000000\n"


def test_the_machine_is_read_from_the_kernels_words(tmp_path: Path) -> None:
    """Cores, CPU time by mode and the time of the boot; nothing where there is no such file."""
    stat = tmp_path / "stat"
    stat.write_text(STAT)
    ticks = os.sysconf("SC_CLK_TCK")
    machine = read_machine(stat)
    modes = {"user": 100, "nice": 50, "system": 25, "idle": 400, "iowait": 20, "irq": 1, "softirq": 2, "steal": 3}
    assert (machine.cores, machine.booted) == (2, 1_700_000_000)
    assert machine.cpu_s == {mode: count / ticks for mode, count in modes.items()}
    assert read_machine(tmp_path / "none") == Machine()


def test_what_the_kernel_does_not_say_is_left_out(tmp_path: Path) -> None:
    """An old kernel counts no overflows; a process that is gone has no open files."""
    assert overflows(tmp_path / "none") is None
    (tmp_path / "netstat").write_text("TcpExt: SyncookiesSent\nTcpExt: 4\nIpExt: InNoRoutes\nIpExt: 1\n")
    assert overflows(tmp_path / "netstat") is None
    assert open_files([1], tmp_path) is None
    (tmp_path / "1" / "fd").mkdir(parents=True)
    for name in ("0", "1", "2"):
        (tmp_path / "1" / "fd" / name).touch()
    assert open_files([1, 2], tmp_path) is not None


@pytest.mark.parametrize(
    ("workers", "threads", "most", "expected"), [(3, None, 512, 1536), (3, 4, 512, 12), (2, 600, 512, 1024)]
)
def test_how_many_requests_are_served_at_a_time(workers: int, threads: int | None, most: int, expected: int) -> None:
    """A thread serves one; gevent's greenlets as many as the concurrency limit lets in."""
    assert slots(workers, threads, most) == expected


V2 = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 1\nsystem_usec 1\nnr_periods 50\n"
    "nr_throttled 7\nthrottled_usec 300000\n",
    "cpu.max": "150000 100000\n",
    "memory.current": "1150976\n",
    "memory.stat": "anon 7\ninactive_file 102400\nactive_file 9\n",
    "memory.max": "2097152\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\n",
}
V1 = {
    "cpu/cpu.stat": "nr_periods 50\nnr_throttled 7\nthrottled_time 300000000\n",
    "cpu/cpu.cfs_quota_us": "150000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpuacct/cpuacct.usage": "2500000000\n",
    "memory/memory.usage_in_bytes": "1150976\n",
    "memory/memory.stat": "inactive_file 5\ntotal_inactive_file 102400\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    "memory/memory.limit_in_bytes": "2097152\n",
}
ALL = Usage(2.5, 1.5, 50, 7, 0.3, 1048576, 2097152, 3)
NO_LIMIT = Usage(2.5, None, 50, 7, 0.3, 1048576, None, 3)
CGROUPS = [
    ("v2", V2, "0::/\n", ALL),
    ("v2 without limits", V2 | {"cpu.max": "max 100000\n", "memory.max": "max\n"}, "0::/\n", NO_LIMIT),
    ("v2 from outside", {f"a/b/{k}": v for k, v in V2.items()} | {"cpu.stat": ""}, "0::/a/b\n", ALL),
    ("v1", V1, "3:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n0::/\n", ALL),
    (
        "v1 without limits",
        V1 | {"cpu/cpu.cfs_quota_us": "-1\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"},
        "",
        NO_LIMIT,
    ),
    (
        "v1 joined",
        {k.replace("cpuacct/", "cpu,cpuacct/").replace("cpu/", "cpu,cpuacct/"): v for k, v in V1.items()},
        "",
        ALL,
    ),
    ("nothing", {}, "", Usage()),
]


@pytest.mark.parametrize(
    ("files", "membership", "expected"), [each[1:] for each in CGROUPS], ids=[c[0] for c in CGROUPS]
)
def test_cgroup_figures(tmp_path: Path, files: dict[str, str], membership: str, expected: Usage) -> None:
    """From v2 and v1, inside and outside of a container, with and without limits; absent without either."""
    root = tmp_path / "cgroup"
    root.mkdir()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "self").write_text(membership)
    usage = read_usage(root, tmp_path / "self")
    assert usage.cpu_s == pytest.approx(expected.cpu_s)
    assert usage.throttled_s == pytest.approx(expected.throttled_s)
    exact = ("cpu_limit_cores", "periods", "throttled_periods", "memory_bytes", "memory_limit_bytes", "oom_kills")
    assert [getattr(usage, name) for name in exact] == [getattr(expected, name) for name in exact]
