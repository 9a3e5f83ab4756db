"""What a worker says of itself: its lag, its CPU, its quota."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import psutil
import pytest

from loadlab.analysis.histogram import Histogram, bucket_of
from loadlab.generator import health
from loadlab.generator.health import PROBE_EVERY_S, Health, Quota, open_files, whoami


def group(root: Path, **files: str) -> Path:
    """Write the files of a cgroup; `__` stands for the folder's slash, `_dot_` for a dot."""
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu_dot_max": "20000 100000\n"}, 0.2),
        ({"cpu_dot_max": "200000 100000\n"}, 1.0),
        ({"cpu_dot_max": "max 100000\n"}, 1.0),
        ({"cpu_dot_max": "\n"}, 1.0),
        ({"cpu__cpu_dot_cfs_quota_us": "25000\n", "cpu__cpu_dot_cfs_period_us": "50000\n"}, 0.5),
        ({"cpu__cpu_dot_cfs_quota_us": "400000\n", "cpu__cpu_dot_cfs_period_us": "50000\n"}, 1.0),
        ({"cpu__cpu_dot_cfs_quota_us": "-1\n", "cpu__cpu_dot_cfs_period_us": "100000\n"}, 1.0),
        ({"cpu__cpu_dot_cfs_quota_us": "25000\n", "cpu__cpu_dot_cfs_period_us": "0\n"}, 1.0),
        ({"cpu__cpu_dot_cfs_quota_us": "25000\n"}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_cores_that_may_be_used(files: dict[str, str], cores: float, tmp_path: Path) -> None:
    """By cgroup v2 or v1: never more than one, and one where no quota is set or can be read."""
    assert Quota(group(tmp_path, **files)).cores() == cores


STAT = "usage_usec 7\nnr_periods 120\nnr_throttled 9\nthrottled_usec 5\n"


@pytest.mark.parametrize(
    ("files", "periods"),
    [
        ({"cpu_dot_max": "20000 100000", "cpu_dot_stat": STAT}, (120, 9)),
        ({"cpu_dot_max": "max 100000", "cpu_dot_stat": "usage_usec 7\n"}, (0, 0)),
        ({"cpu__cpu_dot_stat": "nr_periods 4\nnr_throttled 3\nthrottled_time 5\n"}, (4, 3)),
        ({"cpu_dot_max": "20000 100000", "cpu_dot_stat": STAT, "cpu__cpu_dot_stat": "nr_periods 1"}, (120, 9)),
        ({}, (0, 0)),
    ],
)
def test_the_periods_that_were_held_back(files: dict[str, str], periods: tuple[int, int], tmp_path: Path) -> None:
    """From cpu.stat of either version; nothing where there is none."""
    assert Quota(group(tmp_path, **files)).periods() == periods


def test_a_sample_is_of_the_time_since_the_last(tmp_path: Path) -> None:
    """Counters of the quota are told as what they grew by; those that began anew are not told as negative."""
    group(tmp_path, cpu_dot_max="50000 100000", cpu_dot_stat=STAT)
    made = Health(tmp_path)
    group(tmp_path, cpu_dot_stat="nr_periods 130\nnr_throttled 14\n")
    first = made.sample()
    assert (first.cpu_limit, first.periods, first.throttled) == (0.5, 10, 5)
    second = made.sample()
    assert (second.periods, second.throttled) == (0, 0)
    group(tmp_path, cpu_dot_stat="nr_periods 3\nnr_throttled 1\n")
    third = made.sample()
    assert (third.periods, third.throttled) == (0, 0)


def test_cpu_time_is_that_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work shows, for as long as it took the processor; what was told is not told again. Memory is there."""
    used = iter([3.0, 3.25, 4.5])
    monkeypatch.setattr(health, "time", SimpleNamespace(process_time=lambda: next(used)))
    made = Health(tmp_path)
    assert [made.sample().cpu_s, made.sample().cpu_s] == [0.25, 1.25]
    monkeypatch.undo()
    assert 10_000_000 < made.sample().rss_bytes < 10**11


Probe = Callable[[], Health]


@pytest.fixture
def probed(tmp_path: Path) -> Iterator[Probe]:
    """Return a function that gives a health whose probe runs."""
    running: list[Any] = []

    def run() -> Health:
        made = Health(tmp_path)
        running.append(gevent.spawn(made.probe))
        gevent.sleep(0)
        return made

    yield run
    gevent.killall(running)


def test_a_blocked_loop_is_late(probed: Probe) -> None:
    """Code that does not let go of the loop for 80 ms makes the probe at least 60 ms late."""
    made = probed()
    time.sleep(0.08)
    gevent.sleep(0)
    gevent.sleep(0.001)
    sample = made.sample()
    assert 59_000 <= sample.lag_max_us < 10_000_000
    lag = Histogram()
    lag.add_text(sample.lag)
    assert max(lag.counts) == bucket_of(sample.lag_max_us)


def test_a_lag_is_told_once(probed: Probe) -> None:
    """The next sample knows nothing of it; a sample without a probe is empty."""
    made = probed()
    time.sleep(0.05)
    gevent.sleep(0.001)
    assert made.sample().lag
    after = made.sample()
    assert (after.lag, after.lag_max_us) == ("", 0)


def test_the_probe_goes_on(probed: Probe) -> None:
    """It looks every 20 ms, so that a second has about fifty values."""
    made = probed()
    began = time.perf_counter()
    gevent.sleep(10 * PROBE_EVERY_S)
    lag = Histogram()
    lag.add_text(made.sample().lag)
    assert 2 <= lag.count <= (time.perf_counter() - began) / PROBE_EVERY_S + 1


def test_who_this_is() -> None:
    """The process, the host it runs on, since when that runs, and how many files it may have open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    where = {"host": os.uname().nodename, "pid": os.getpid()}
    assert whoami() == where | {"booted": int(psutil.boot_time()), "files_limit": limit}


def test_open_files_are_counted(tmp_path: Path) -> None:
    """Connections among them: each that is made shows, each that is closed does not; none where none can be seen."""
    before = open_files()
    with socket.socket(), socket.socket():
        assert open_files() == before + 2
    assert open_files() == before > 0
    assert Health(tmp_path).sample().files >= before
    assert open_files(tmp_path / "nowhere") == 0
