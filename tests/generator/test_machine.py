"""What became of the CPU time of the machine."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import psutil
import pytest

from loadlab.analysis.recording import MachineSecond
from loadlab.generator import machine
from loadlab.generator.machine import Machine

Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")


def told(monkeypatch: pytest.MonkeyPatch, *times: Times, niceness: int = 0) -> list[MachineSecond | None]:
    """Return what is said of the time between each of some looks and the next."""
    looks = iter(times)
    process: Any = type("Process", (), {"nice": lambda _self: niceness})
    monkeypatch.setattr(machine, "psutil", type("psutil", (), {"cpu_times": lambda: next(looks), "Process": process}))
    made = Machine()
    return [made.sample() for _ in times[1:]]


def test_cpu_time_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was used is busy, what the host took is stolen, waiting for a disk is idle; guests are users."""
    before = Times(10, 0, 5, 50, 1, 0, 0, 2, 9, 9)
    after = Times(10.5, 0, 5.25, 50.5, 1.25, 0.125, 0.125, 2.25, 99, 99)
    assert told(monkeypatch, before, after) == [MachineSecond(0.5, 0.125)]


def test_what_gives_way_is_not_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of a lower priority than this one take only what is left; where this is one of them, they do not."""
    before, after = Times(1, 1, 1, 1, 0, 0, 0, 0, 0, 0), Times(1.5, 1.25, 1, 1.25, 0, 0, 0, 0, 0, 0)
    assert told(monkeypatch, before, after) == [MachineSecond(0.5)]
    assert told(monkeypatch, before, after, niceness=10) == [MachineSecond(0.75)]


def test_where_no_time_has_passed_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor of a counter that went back, as that of waiting for a disk may."""
    same = Times(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    assert told(monkeypatch, same, same, same._replace(iowait=0.5)) == [None, None]


def test_this_machine_tells() -> None:
    """Shares of what there is."""
    made = Machine()
    sum(range(3_000_000))
    sample = made.sample()
    assert sample is not None
    assert 0 <= sample.busy <= 1
    assert 0 <= sample.stolen <= 1
    assert psutil.cpu_times().idle > 0
