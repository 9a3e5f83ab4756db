"""A sweep: one run, or one search, at several numbers of workers or of replicas. The content of sweep.json.

Units are in the names, as in summary.py. None is "cannot be said". docs/metrics.md defines each figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loadlab.analysis.summary import Level, Reason, Verdict


class Axis(StrEnum):
    """What there are more and more of."""

    WORKERS = "workers"
    API = "api"


class State(StrEnum):
    """What became of a point; those that are not measured are what `--resume` goes on with."""

    PENDING = "pending"
    MEASURED = "measured"
    INTERRUPTED = "interrupted"  # its run was stopped before its end, or given up: then it may have no folder
    FAILED = "failed"  # no run could be made, or nothing of it was brought home


class SweepStatus(StrEnum):
    """Where a sweep is in its life. One that is killed stays running."""

    RUNNING = "running"
    FINISHED = "finished"  # each point was tried
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Searched:
    """What the search for the capacity of a point came to, as in summary.Capacity.

    `users` is the capacity; None where none was found, and `sentence` says why. `confirmed`: it was held for longer.
    `held_users` and `broke_users` are the bracket, `limiting` the promise that broke first.
    """

    ending: str
    users: int | None
    confirmed: bool
    held_users: int
    broke_users: int | None
    limiting: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What a point gave: figures of the measured window of its run; of a search that is the step of its capacity.

    `users` are the most that ran; of a search, those of that step, or where it found none, of the last one measured.
    `generator_cores` and `target_cores` are the CPU that all workers and all instances of the target used, in cores;
    `machine_percent` is how busy all cores of the master's machine were. `balance` is Jain's index of the requests that
    each replica served. `limit` is what limited the run, in a sentence.
    """

    users: int
    throughput_rps: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    fail_percent: float
    in_flight: float | None
    verdict: Verdict
    validity: Level
    doubts: tuple[Reason, ...]
    exit_code: int
    headline: str
    generator_cores: float | None = None
    target_cores: float | None = None
    machine_percent: float | None = None
    balance: float | None = None
    limit: str | None = None
    search: Searched | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a sweep: at `count` workers or replicas, for the `repeat`th time, from 1.

    `run` is the id of its run, whose folder lies beside the sweep's. `error` says why it could not be measured.
    """

    count: int
    repeat: int
    state: State = State.PENDING
    run: str | None = None
    error: str = ""
    figures: Figures | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """A value of several runs (their mean or median, as the field says), the least and the greatest."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """All runs at one number of workers or replicas. `runs` of them count: the others cannot be believed.

    `throughput_rps` is their mean, `growth` what it is of the row's before, `efficiency` what it is of proportional
    growth from the first row on. The percentiles are medians of the runs', `fail_percent`, `validity` and `balance` the
    worst. `capacity_users` is the mean of the capacities, None where no search found one. `is_paced`: the users' own
    pauses set the throughput. `is_saturated`: the machine's cores were busy, and workers and target share them.
    `is_generator_limited`: the workers had no CPU left.
    """

    count: int
    runs: int
    throughput_rps: Spread | None = None
    growth: float | None = None
    efficiency: float | None = None
    users: float | None = None
    capacity_users: Spread | None = None
    p50_ms: Spread | None = None
    p95_ms: Spread | None = None
    p99_ms: Spread | None = None
    fail_percent: float | None = None
    validity: Level | None = None
    busy_percent: float | None = None
    waiting_percent: float | None = None
    generator_cores: float | None = None
    target_cores: float | None = None
    balance: float | None = None
    limit: str | None = None
    is_paced: bool = False
    is_saturated: bool = False
    is_generator_limited: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """A fitted value and its 95% interval; `high` is None where the points set no upper bound."""

    value: float
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The fitted throughput at N, and the 95% interval of it; None where the points set no upper bound."""

    count: float
    throughput_rps: float
    low_rps: float
    high_rps: float | None


@dataclass(frozen=True, slots=True)
class Usl:
    """A fit of the Universal Scalability Law, see usl.py.

    `peak_count` is the N of the greatest throughput, `peak_rps`; None where it goes on rising. `off_percent` is the
    relative deviation of the points from the curve (root of the mean square).
    """

    lambda_rps: Estimate
    sigma: Estimate
    kappa: Estimate
    peak_count: float | None
    peak_rps: float | None
    off_percent: float
    points: int
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a sweep means. `usl` is the fit, or None for the reason that `refusal` gives; `notes` are sentences."""

    headline: str
    rows: tuple[Row, ...]
    usl: Usl | None
    refusal: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """sweep.json. `plan` is what every run has in common, `others` how many there were of what was not swept.

    `is_shared`: workers and target run on this machine, of so many `cores`. `balancer` is how requests were spread
    over the replicas: "lb", "dns" or "kernel". `knobs` are those of the rig that were set. `notes` say what should be
    known of all points.
    """

    id: str
    name: str
    axis: Axis
    counts: tuple[int, ...]
    repeats: int
    others: int
    plan: dict[str, Any]
    engine: str
    balancer: str
    cores: int
    is_shared: bool
    created: float
    status: SweepStatus
    points: tuple[Point, ...]
    ended: float | None = None
    knobs: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    revision: str = ""
    version: str = ""
    scaling: Scaling | None = None
    exit_code: int = 0
    format: int = 1

    @property
    def is_search(self) -> bool:
        """Tell whether each point is a search for the capacity, not a run at one load."""
        return self.plan.get("shape") == "capacity"


def order(counts: Sequence[int], repeats: int) -> tuple[Point, ...]:
    """Return the points in the order of their running: interleaved, so that what drifts, drifts for all alike."""
    return tuple(Point(count, repeat) for repeat in range(1, repeats + 1) for count in counts)
