"""What each instance of the target did within a stretch, worked out of the counters that it told now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadlab.analysis.recording import TargetSecond
from loadlab.analysis.stages import Seconds

NEAREST_S = 5  # an overloaded target answers late: how far outside of the stretch its counters may have been read

Look = tuple[int, TargetSecond]
Counter = Callable[[TargetSecond], float | None]


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of the target. None: it does not tell.

    `cpu_cores` are cores' worth of CPU time, `processes` the same of each of its processes; `throttled` is a share of
    its CPU periods; `busy` is how many requests it served at a time, on average. Counts are of the whole stretch.
    `memory` is the working set in bytes by the second of the look, `machine_busy` a share of its machine's CPU time.
    """

    name: str
    served: int | None
    cpu_cores: float | None
    cpu_limit: float | None
    processes: tuple[float, ...]
    throttled: float | None
    busy: float | None
    slots: int | None
    refused: float | None
    store_failures: float | None
    overflows: float | None
    oom_kills: float | None
    backlog: float | None
    backlog_limit: int | None
    queue: float | None
    memory: tuple[tuple[int, float], ...]
    memory_limit: float | None
    files: float | None
    files_limit: int | None
    machine_cores: int | None
    machine_busy: float | None
    is_here: bool | None


def instances(target: Mapping[str, Sequence[Look]], seconds: Seconds) -> tuple[Instance, ...]:
    """Return what each instance told within some seconds; those that told nothing then are left out."""
    found = ((address, _within(looks, seconds)) for address, looks in sorted(target.items()))
    return tuple(_instance(address, stretches) for address, stretches in found if stretches)


def _within(looks: Sequence[Look], seconds: Seconds) -> list[list[Look]]:
    """Return the looks of each stretch: a look is at the beginning of its second, so that the one after counts too."""
    stretches = []
    for stretch in seconds:
        inside = [look for look in looks if stretch.start <= look[0] <= stretch.stop]
        if len(inside) < 2:
            inside = [look for look in looks if stretch.start - NEAREST_S <= look[0] <= stretch.stop + NEAREST_S]
        stretches.append(inside)
    return [inside for inside in stretches if inside]


def _instance(address: str, stretches: list[list[Look]]) -> Instance:
    told = [one for stretch in stretches for _, one in stretch]
    periods = _rise(stretches, lambda one: one.periods)
    throttled = _rise(stretches, lambda one: one.throttled)
    return Instance(
        name=next((one.name for one in told if one.name), address),
        served=_whole(_rise(stretches, lambda one: sum(one.requests.values()) if one.requests else None)),
        cpu_cores=_rate(stretches, lambda one: one.cpu_s),
        cpu_limit=_last([one.cpu_limit for one in told]),
        processes=_processes(stretches),
        throttled=throttled / periods if periods and throttled is not None else None,
        busy=_rate(stretches, lambda one: one.busy_s),
        slots=_whole(_last([one.slots for one in told])),
        refused=_rise(stretches, lambda one: one.refused),
        store_failures=_rise(stretches, lambda one: one.store_failures),
        overflows=_rise(stretches, lambda one: one.overflows),
        oom_kills=_rise(stretches, lambda one: one.oom_kills),
        backlog=max((one.backlog for one in told if one.backlog is not None), default=None),
        backlog_limit=_whole(_last([one.backlog_limit for one in told])),
        queue=_mean([one.queue for one in told]),
        memory=tuple((t, one.memory_bytes) for s in stretches for t, one in s if one.memory_bytes is not None),
        memory_limit=_last([one.memory_limit_bytes for one in told]),
        files=max((one.files for one in told if one.files is not None), default=None),
        files_limit=_whole(_last([one.files_limit for one in told])),
        machine_cores=_whole(_last([one.machine_cores for one in told])),
        machine_busy=_machine_busy(stretches, _last([one.machine_cores for one in told])),
        is_here=next((one.is_here for one in told if one.is_here is not None), None),
    )


def _processes(stretches: list[list[Look]]) -> tuple[float, ...]:
    """Return the cores' worth of CPU time of each process, the busiest first; one that came or went has its part."""
    numbers = {number for stretch in stretches for _, one in stretch for number in one.workers_cpu_s or {}}
    rates = [_rate(stretches, lambda one, n=number: (one.workers_cpu_s or {}).get(n)) for number in numbers]  # type: ignore[misc]
    return tuple(sorted((rate for rate in rates if rate is not None), reverse=True))


def _machine_busy(stretches: list[list[Look]], cores: float | None) -> float | None:
    idle = _rate(stretches, lambda one: one.machine_idle_s)
    return None if idle is None or not cores else max(0.0, 1 - idle / cores)


def _rise(stretches: list[list[Look]], counter: Counter) -> float | None:
    """Return by how much a counter rose; where it fell, it had begun anew at 0. None of fewer than two looks."""
    steps = [step for stretch in stretches for step in _steps(stretch, counter)]
    return sum(rise for _, rise in steps) if steps else None


def _rate(stretches: list[list[Look]], counter: Counter) -> float | None:
    """Return by how much a counter rose each second."""
    steps = [step for stretch in stretches for step in _steps(stretch, counter)]
    span = sum(seconds for seconds, _ in steps)
    return sum(rise for _, rise in steps) / span if span else None


def _steps(looks: Sequence[Look], counter: Counter) -> list[tuple[int, float]]:
    """Return the seconds from each look to the next, and by how much a counter rose."""
    told = [(t, value) for t, one in looks if (value := counter(one)) is not None]
    return [(t - s, after - before if after >= before else after) for (s, before), (t, after) in pairwise(told)]


def _mean(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) / len(told) if told else None


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
