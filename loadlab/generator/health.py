"""How a worker itself is: is its event loop late, has it CPU left, is it held back by its quota?

A generator that is starved makes its target look slow. Locust's own warning looks at the process every ten seconds and
never comes under a quota of less than a core.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import gevent
import psutil

from loadlab.analysis.histogram import Histogram

PROBE_EVERY_S = 0.02
LAG_STEP_US = 100  # finer would only fill the timeline: what matters is 10 ms
CGROUP = Path("/sys/fs/cgroup")
FILES = Path("/proc/self/fd")


@dataclass(frozen=True)
class Sample:
    """A worker between two samples. Units as in recording.WorkerSecond."""

    lag: str
    lag_max_us: int
    cpu_s: float
    cpu_limit: float
    periods: int
    throttled: int
    rss_bytes: int
    files: int


class Health:
    """Measures this process. `probe` has to run in a greenlet of its own."""

    def __init__(self, cgroup: Path = CGROUP) -> None:
        self._quota = Quota(cgroup)
        self._process = psutil.Process()
        self._lag = Histogram()
        self._cpu_s = time.process_time()
        self._periods = self._quota.periods()

    def probe(self) -> None:
        """Sleep again and again, and note by how much each sleep was too long."""
        while True:
            before = time.perf_counter()
            gevent.sleep(PROBE_EVERY_S)
            late_s = time.perf_counter() - before - PROBE_EVERY_S
            self._lag.add(max(0, int(late_s * 1e6 / LAG_STEP_US)) * LAG_STEP_US)

    def sample(self) -> Sample:
        """Return how it was since the last sample."""
        lag, self._lag = self._lag, Histogram()
        cpu_s, cpu_before = time.process_time(), self._cpu_s
        periods, periods_before = self._quota.periods(), self._periods
        self._cpu_s, self._periods = cpu_s, periods
        return Sample(
            lag=lag.to_text(),
            lag_max_us=lag.max_us or 0,
            cpu_s=round(cpu_s - cpu_before, 4),
            cpu_limit=self._quota.cores(),
            periods=max(0, periods[0] - periods_before[0]),
            throttled=max(0, periods[1] - periods_before[1]),
            rss_bytes=self._process.memory_info().rss,
            files=open_files(),
        )


class Quota:
    """The CPU quota of this container, by cgroup v2 or v1; without one, a process with one thread has one core."""

    def __init__(self, root: Path) -> None:
        second = root / "cpu.max"
        self._limit = second if second.exists() else root / "cpu" / "cpu.cfs_quota_us"
        self._period = None if second.exists() else root / "cpu" / "cpu.cfs_period_us"
        self._stat = root / "cpu.stat" if second.exists() else root / "cpu" / "cpu.stat"

    def cores(self) -> float:
        """Return how many cores this process can use, at most 1."""
        words = _read(self._limit).split() + (_read(self._period).split() if self._period else [])
        try:
            quota, period = float(words[0]), float(words[1])  # "max" where there is none, in v1 -1
        except (IndexError, ValueError):
            return 1.0
        return min(1.0, quota / period) if quota > 0 and period > 0 else 1.0

    def periods(self) -> tuple[int, int]:
        """Return how many periods of the quota have passed, and in how many of them it was used up."""
        stat = dict(line.split() for line in _read(self._stat).splitlines() if len(line.split()) == 2)
        return int(stat.get("nr_periods", 0)), int(stat.get("nr_throttled", 0))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def open_files(folder: Path = FILES) -> int:
    """Return how many files, connections included, this process has open; 0 where that cannot be seen."""
    try:
        # Linux from 6.2 on tells the number as the folder's size; to list thousands takes milliseconds.
        return folder.stat().st_size or sum(1 for _ in folder.iterdir())
    except OSError:
        return 0


def whoami() -> dict[str, str | int]:
    """Return where this worker runs, since when that machine does, and how many files it may have open."""
    files_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    where: dict[str, str | int] = {"host": os.uname().nodename, "pid": os.getpid()}
    return where | {"booted": int(psutil.boot_time()), "files_limit": files_limit}
