"""Recordings in which one thing or another gives out: what a run would have recorded, made up to the last counter.

`recorded(Staging(...))` is a run of one stage against a target that tells everything of itself, at a third of what it
could take; each field spoils one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadlab.analysis import slo
from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import (
    Cell,
    Event,
    EventKind,
    MachineSecond,
    Phases,
    Recording,
    Run,
    Second,
    Status,
    TargetSecond,
    WorkerSecond,
)
from tests.recordings import STARTED, times

RAMP_S = 2
BOOTED = 1_700_000_000
MIB = 2.0**20
Spread = Callable[[int], float]  # the n-th answer of a second: a factor of its time


def alike(_number: int) -> float:
    """Return that all take the same."""
    return 1.0


@dataclass
class Machine:
    """One instance of the target, and how it differs: `share` of the requests, `extra_ms` longer in the application."""

    share: float = 1.0
    extra_ms: float = 0.0
    cpu_cores: float = 0.6
    cpu_limit: float | None = 2.0
    processes: tuple[float, ...] = (0.3, 0.3)
    throttled: float = 0.0  # of its periods
    slots: int | None = 1024
    refused: int = 0  # a second
    store_failures: int = 0
    overflows: int = 0
    oom_kills: int = 0
    backlog: int = 0
    queue: float | None = None
    memory: Callable[[int], float] = lambda _t: 120 * MIB
    memory_limit: float | None = 2048 * MIB
    files: int = 60
    is_here: bool | None = True
    machine_busy: float | None = None  # of one elsewhere
    changes: Mapping[str, Any] = field(default_factory=dict)  # of each look


@dataclass
class Staging:
    """A run. Times are in ms: the way there and back, waiting to be taken up, the application alone, its store."""

    seconds: int = 40
    users: int = 40
    rps: int = 200
    way_ms: float = 0.4
    queue_ms: float = 1.0
    app_ms: float = 2.0
    store_ms: float = 1.0
    transfer_ms: float = 0.1
    fastest: float | None = None  # ms; None: without the queue
    spread: Spread = alike
    tells_phases: bool = True
    tells_timing: bool = True
    tells_store: bool = True
    connects: int = 2  # a second
    connect_ms: float = 0.5
    connect_max_ms: float = 2.0
    errors: dict[str, int] = field(default_factory=dict)  # a second
    target: list[Machine] = field(default_factory=lambda: [Machine()])
    machine: MachineSecond | None = field(default_factory=lambda: MachineSecond(0.5, 0.0))
    cores: int = 2
    workers: int = 2
    worker_cpu: float = 0.3
    worker_limit: float = 1.0
    worker_throttled: int = 0  # of 10 periods a second
    lag_ms: float = 0.5
    worker_files: int = 80
    workers_booted: int | None = BOOTED
    slos: tuple[str, ...] = slo.DEFAULTS


def recorded(staging: Staging | None = None) -> Recording:
    """Return what a run recorded; the same staging gives the same recording."""
    of = staging or Staging()
    events = [
        Event(0.0, EventKind.RUN_STARTED, "run started by http"),
        *(_joined(of, number) for number in range(1, of.workers + 1)),
        Event(RAMP_S, EventKind.STAGE_STARTED, f"stage 1: {of.users} users", None, {"users": of.users}),
        Event(RAMP_S + of.seconds, EventKind.STAGE_ENDED, "stage 1 ends", None, {"users": of.users}),
        Event(RAMP_S + of.seconds, EventKind.STOP_ORDERED, "stop ordered by plan", None, {"by": "plan"}),
    ]
    seconds = [_second(of, t) for t in range(RAMP_S + of.seconds + 1)]
    return Recording(_run(of), seconds, events)


def _run(of: Staging) -> Run:
    return Run(
        id="20251009-085320-staged",
        status=Status.FINISHED,
        plan={"users": of.users, "shape": "steady"},
        thresholds_us=slo.thresholds_us(slo.parse(text) for text in of.slos),
        created=STARTED,
        started=STARTED,
        ended=STARTED + RAMP_S + of.seconds,
        duration_s=float(RAMP_S + of.seconds + 1),
        slo=of.slos,
        expected_workers=of.workers,
        machine={"cores": of.cores, "booted": BOOTED},
    )


def _joined(of: Staging, worker: int) -> Event:
    data: dict[str, Any] = {"id": f"w{worker}", "host": "lab", "pid": worker, "files_limit": 1000}
    if of.workers_booted is not None:
        data["booted"] = of.workers_booted
    return Event(0.0, EventKind.WORKER_JOINED, f"worker {worker} takes part", worker, data)


def _second(of: Staging, t: int) -> Second:
    cell = _cell(of, is_first=t == 0)
    assert cell.phases is not None
    busy_s = sum(part.sum_us for part in (cell.ok, cell.failed) if part) / 1e6 + cell.phases.connect_us / 1e6
    if not of.tells_phases:
        cell.phases = None
    share = 1 / of.workers
    lag = Histogram()
    lag.add(round(of.lag_ms * 1000), 50)
    workers = [
        WorkerSecond(
            number,
            users=round(of.users * share),
            requests=round(of.rps * share),
            in_flight=busy_s * share,
            lag=lag.to_text(),
            lag_max_us=round(of.lag_ms * 1000),
            cpu_s=of.worker_cpu * of.worker_limit,
            cpu_limit=of.worker_limit,
            periods=10,
            throttled=of.worker_throttled,
            rss_bytes=40_000_000,
            files=of.worker_files,
        )
        for number in range(1, of.workers + 1)
    ]
    target = [_look(of, number, one, t) for number, one in enumerate(of.target)]
    return Second(t, of.users, of.users, [cell], workers, target, machine=of.machine)


def _cell(of: Staging, *, is_first: bool) -> Cell:
    """Return what was answered within a second; in the first, one answer came as fast as can be."""
    ok_us, phases = [], Phases()
    instances = of.target or [Machine()]
    failures = sum(of.errors.values())
    counts = [round((of.rps - failures) * one.share) for one in instances]
    for number, (one, count) in enumerate(zip(instances, counts, strict=True)):
        app_ms = of.app_ms + of.store_ms + one.extra_ms
        wait_ms = [of.spread(n) * (of.way_ms + of.queue_ms + app_ms) for n in range(count)]
        ok_us += [round(1000 * (wait + of.transfer_ms)) for wait in wait_ms]
        wait_us = round(1000 * sum(wait_ms))
        phases.wait_us += wait_us
        phases.timed += count
        if of.tells_timing:
            phases.app += count
            phases.app_us += round(1000 * count * app_ms)
            if of.tells_store:
                phases.db += count
                phases.db_us += round(1000 * count * of.store_ms)
            phases.instances[f"api-{number}"] = count
            phases.instances_us[f"api-{number}"] = wait_us
    phases.send_us = round(500 * of.transfer_ms * phases.timed)
    phases.connects = of.connects
    phases.connect_us = round(1000 * of.connects * of.connect_ms)
    phases.connect_max_us = round(1000 * of.connect_max_ms)
    if is_first and ok_us:
        fastest = of.way_ms + of.app_ms + of.store_ms if of.fastest is None else of.fastest
        ok_us[0] = round(1000 * fastest)
    thresholds = slo.thresholds_us(slo.parse(text) for text in of.slos)
    slow = tuple(sum(us >= threshold for us in ok_us) for threshold in thresholds)
    return Cell("GET", "/tests", times(ok_us), times([3000] * failures), 0, slow, dict(of.errors), phases)


def _look(of: Staging, number: int, one: Machine, t: int) -> TargetSecond:
    app_s = (of.app_ms + of.store_ms + one.extra_ms) / 1000
    elsewhere = one.machine_busy is not None
    told = TargetSecond(
        f"10.0.0.{number + 2}:8000",
        requests={"GET /tests": round(t * of.rps * one.share)},
        cpu_s=10 + t * one.cpu_cores,
        cpu_limit=one.cpu_limit,
        periods=10 * t if one.cpu_limit else None,
        throttled=round(10 * t * one.throttled) if one.cpu_limit else None,
        memory_bytes=one.memory(t),
        memory_limit_bytes=one.memory_limit,
        oom_kills=one.oom_kills * t,
        busy_s=t * of.rps * one.share * app_s,
        slots=one.slots,
        refused=one.refused * t,
        store_failures=one.store_failures * t,
        workers_cpu_s={str(pid): 1 + t * cores for pid, cores in enumerate(one.processes)} or None,
        backlog=one.backlog,
        backlog_limit=64,
        overflows=one.overflows * t,
        queue=one.queue,
        files=one.files,
        files_limit=1000,
        machine_cores=4 if elsewhere else None,
        machine_idle_s=4 * t * (1 - one.machine_busy) if one.machine_busy is not None else None,
        machine_stolen_s=0.0 if elsewhere else None,
        is_here=False if elsewhere else one.is_here,
        name=f"api-{number}",
    )
    for name, value in one.changes.items():
        setattr(told, name, value)
    return told
