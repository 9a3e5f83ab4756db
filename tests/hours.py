"""A long run with all that can be recorded: wide histograms, what LeanHttpUser tells, what this rig's API tells."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadlab.analysis.recording import Cell, MachineSecond, Phases, Recording, TargetSecond, Times
from tests.recordings import Maker, Recipe, times

PEOPLE = 1000
DISTINCT = 200  # histograms, taken in turn
GUNICORN_WORKERS = 4


@dataclass(frozen=True)
class Taken:
    """A second of an endpoint: its response times, and how many were beyond each threshold."""

    ok: Times
    slow: tuple[int, ...]


def hour(
    seconds: int = 3600, endpoints: int = 10, workers: int = 8, buckets: int = 250, instances: int = 2
) -> Recording:
    """Return a long run with wide histograms: about `buckets` filled in each cell, of twice as many requests."""
    recipe = Recipe(
        steps=((PEOPLE, seconds - 20.0),),
        spawn_rate=50,
        workers=workers,
        instances=instances,
        name="hour",
        shape="soak",
    )
    maker, chance = Maker(recipe), random.Random(2)
    pool = [_wide(random.Random(number), buckets, maker.run.thresholds_us) for number in range(DISTINCT)]
    names = [f"/endpoint/{number}" for number in range(endpoints)]

    def cells_of(t: int, _requests: int) -> list[Cell]:
        taken = (pool[(t * endpoints + number) * 7 % len(pool)] for number in range(endpoints))
        return [_cell(chance, name, one, instances) for name, one in zip(names, taken, strict=True)]

    maker.cells_of = cells_of
    return as_recorded(maker.made(), chance)


def as_recorded(recording: Recording, chance: random.Random) -> Recording:
    """Add what the rig's own target and machine tell, with as many digits as the recorder writes."""
    for second in recording.seconds:
        for worker in second.workers:
            worker.cpu_s, worker.in_flight = round(worker.cpu_s, 4), round(worker.in_flight, 3)
            worker.clock_offset_s = round(worker.clock_offset_s, 4)
            worker.files = 40 + worker.users
        second.target = [_told(chance, number, one) for number, one in enumerate(second.target)]
        if second.workers:
            second.machine = MachineSecond(round(chance.uniform(0.5, 0.7), 4), round(chance.uniform(0, 0.004), 4))
    return recording


def _wide(chance: random.Random, buckets: int, thresholds_us: Sequence[int]) -> Taken:
    values = [round(chance.lognormvariate(math.log(20_000), 0.6)) for _ in range(2 * buckets)]
    made = times(values)
    assert made is not None
    return Taken(made, tuple(sum(value >= threshold for value in values) for threshold in thresholds_us))


def _cell(chance: random.Random, name: str, taken: Taken, instances: int) -> Cell:
    ok = taken.ok
    phases = Phases(
        timed=ok.n,
        send_us=round(ok.n * chance.uniform(55, 75)),
        wait_us=round(ok.sum_us * chance.uniform(0.97, 0.99)),
        app=ok.n,
        app_us=round(ok.sum_us * chance.uniform(0.8, 0.9)),
        db=ok.n,
        db_us=round(ok.sum_us * chance.uniform(0.2, 0.3)),
    )
    if chance.random() < 0.05:  # users keep their connections
        phases.connects, phases.connect_us, phases.connect_max_us = 2, 1_423, 911
    if instances:
        share, wait_us = ok.n // instances, phases.wait_us // instances
        hosts = [f"{number:012x}" for number in range(0x5EED_FACE, 0x5EED_FACE + instances)]
        phases.instances = dict.fromkeys(hosts, share) | {hosts[0]: ok.n - share * (instances - 1)}
        if instances > 1:
            phases.instances_us = {host: round(wait_us * chance.uniform(0.95, 1.05)) for host in hosts}
    return Cell("GET", name, ok, None, ok.n * 300, taken.slow, {}, phases)


def _told(chance: random.Random, number: int, told: TargetSecond) -> TargetSecond:
    """Return what an instance of the rig's own API says beside the figures of `told`."""
    assert told.cpu_s is not None
    assert told.in_flight is not None
    return replace(
        told,
        name=f"{0x5EED_FACE + number:012x}",
        in_flight=float(round(told.in_flight)),
        cpu_s=round(told.cpu_s, 6),
        busy_s=round(told.cpu_s * 3.7, 6),
        slots=4096,
        refused=0,
        store_failures=0,
        workers_cpu_s={
            str(worker): round(told.cpu_s / GUNICORN_WORKERS * chance.uniform(0.9, 1.1), 3)
            for worker in range(1, GUNICORN_WORKERS + 1)
        },
        backlog=0,
        backlog_limit=2048,
        overflows=0,
        oom_kills=0,
        files=180,
        files_limit=1_048_576,
        machine_cores=8,
        is_here=True,
    )
