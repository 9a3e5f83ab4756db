"""What the container may use and has used, from cgroup v2 or v1. Every figure may be absent.

Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{cpuacct,memory}.rst,
Documentation/scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: cgroup v1 says "no limit" with a number close to 2^63.
_V1_NO_LIMIT = 2**60


@dataclass(frozen=True)
class Usage:
    """Seconds, cores and bytes; None where the kernel does not say or there is no limit.

    ``memory_bytes`` is the working set: without the cached pages of files that it takes back when memory is short.
    ``oom_kills`` counts processes that were killed for want of memory.
    """

    cpu_s: float | None = None
    cpu_limit_cores: float | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    throttled_s: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    oom_kills: int | None = None


def read_usage(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> Usage:
    """The usage of the cgroup this process is in, seen from inside or outside of a container."""
    groups = dict(_memberships(membership))
    unified = _folder(root, groups.get("", "/"))
    if (unified / "cpu.stat").exists():
        return _read_v2(unified)
    return _read_v1(lambda name: _folder(_controller(root, name), groups.get(name, "/")))


def _memberships(path: Path) -> Iterator[tuple[str, str]]:
    """``(controller, path)`` for each line such as ``4:cpu,cpuacct:/docker/ab12``; v2's controller is ''."""
    for line in _text(path).splitlines():
        _, controllers, group = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, group


def _controller(root: Path, name: str) -> Path:
    joined = root / "cpu,cpuacct"
    return joined if name in {"cpu", "cpuacct"} and joined.exists() else root / name


def _folder(mount: Path, group: str) -> Path:
    """Inside a container the mount itself is the container's group, and the path written in /proc is not there."""
    nested = mount / group.lstrip("/")
    return nested if nested.is_dir() else mount


def _read_v2(folder: Path) -> Usage:
    stat = _pairs(folder / "cpu.stat")
    return Usage(
        cpu_s=_scaled(stat.get("usage_usec"), 1e-6),
        cpu_limit_cores=_quota_cores(*_text(folder / "cpu.max").split()),
        periods=stat.get("nr_periods"),
        throttled_periods=stat.get("nr_throttled"),
        throttled_s=_scaled(stat.get("throttled_usec"), 1e-6),
        memory_bytes=_working_set(_number(folder / "memory.current"), folder, "inactive_file"),
        memory_limit_bytes=_number(folder / "memory.max"),
        oom_kills=_pairs(folder / "memory.events").get("oom_kill"),
    )


def _read_v1(folder: Callable[[str], Path]) -> Usage:
    stat = _pairs(folder("cpu") / "cpu.stat")
    limit = _number(folder("memory") / "memory.limit_in_bytes")
    quota = _text(folder("cpu") / "cpu.cfs_quota_us").split() + _text(folder("cpu") / "cpu.cfs_period_us").split()
    return Usage(
        cpu_s=_scaled(_number(folder("cpuacct") / "cpuacct.usage"), 1e-9),
        cpu_limit_cores=_quota_cores(*quota),
        periods=stat.get("nr_periods"),
        throttled_periods=stat.get("nr_throttled"),
        throttled_s=_scaled(stat.get("throttled_time"), 1e-9),
        memory_bytes=_working_set(
            _number(folder("memory") / "memory.usage_in_bytes"), folder("memory"), "total_inactive_file"
        ),
        memory_limit_bytes=None if limit is None or limit >= _V1_NO_LIMIT else limit,
        oom_kills=_pairs(folder("memory") / "memory.oom_control").get("oom_kill"),
    )


def _working_set(used: int | None, folder: Path, cached: str) -> int | None:
    return None if used is None else max(0, used - _pairs(folder / "memory.stat").get(cached, 0))


def _quota_cores(*quota_and_period_us: str) -> float | None:
    """CPU limit in cores = quota (µs) / period (µs); ``max`` or -1 is no limit."""
    if len(quota_and_period_us) != 2 or quota_and_period_us[0] in {"max", "-1"}:
        return None
    quota_us, period_us = quota_and_period_us
    return int(quota_us) / int(period_us)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _pairs(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _scaled(value: int | None, unit: float) -> float | None:
    return None if value is None else value * unit
