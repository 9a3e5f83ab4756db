"""The machine below this container: its cores, what all of its programs together use of them, and since when it runs.

Source: the kernel's Documentation/filesystems/proc.rst, /proc/stat. Figures are absent where there is no such file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: The fields of the line "cpu", in ticks. Guests' time is part of user and nice, and comes after these.
_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclass(frozen=True)
class Machine:
    """``cpu_s`` is CPU time since the boot by mode, all cores added up; ``booted`` is in Unix seconds."""

    cores: int | None = None
    cpu_s: dict[str, float] = field(default_factory=dict)
    booted: int | None = None


def read_machine(stat: Path = Path("/proc/stat")) -> Machine:
    """The machine as the kernel tells of it; empty where it does not."""
    try:
        lines = [line.split() for line in stat.read_text().splitlines()]
    except OSError:
        return Machine()
    cores = sum(1 for line in lines if line and line[0].startswith("cpu") and line[0] != "cpu")
    ticks = dict(zip(_MODES, _numbers(lines, "cpu"), strict=False))
    booted = next(_numbers(lines, "btime"), None)
    return Machine(cores or None, {mode: count / _ticks_per_s() for mode, count in ticks.items()}, booted)


def _numbers(lines: list[list[str]], name: str) -> Iterator[int]:
    return (int(text) for line in lines if line and line[0] == name for text in line[1:])


def _ticks_per_s() -> int:
    return os.sysconf("SC_CLK_TCK")
