"""/metrics counts every request once, over all gunicorn workers, and tells what the container uses."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.cgroup import Usage, read_usage
from tests.api.conftest import client_call, make_app
from tests.api.instance import Call, post_item, running

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


V2 = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 1\nsystem_usec 1\nnr_periods 50\n"
    "nr_throttled 7\nthrottled_usec 300000\n",
    "cpu.max": "150000 100000\n",
    "memory.current": "1048576\n",
    "memory.max": "2097152\n",
}
V1 = {
    "cpu/cpu.stat": "nr_periods 50\nnr_throttled 7\nthrottled_time 300000000\n",
    "cpu/cpu.cfs_quota_us": "150000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpuacct/cpuacct.usage": "2500000000\n",
    "memory/memory.usage_in_bytes": "1048576\n",
    "memory/memory.limit_in_bytes": "2097152\n",
}
ALL = Usage(2.5, 1.5, 50, 7, 0.3, 1048576, 2097152)
NO_LIMIT = Usage(2.5, None, 50, 7, 0.3, 1048576, None)
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
    exact = ("cpu_limit_cores", "periods", "throttled_periods", "memory_bytes", "memory_limit_bytes")
    assert [getattr(usage, name) for name in exact] == [getattr(expected, name) for name in exact]
