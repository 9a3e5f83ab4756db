"""What a run recorded, as plain values: the input of the analysis. `runfolder` reads and writes them as JSON.

Times of day are Unix seconds, `t` is in whole or fractional seconds since the run's start, durations are whole µs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple


class Status(StrEnum):
    """Where a run is in its life; the last three are ends."""

    WAITING = "waiting"  # for its workers
    RUNNING = "running"
    DRAINING = "draining"  # users are stopping, last reports come in
    FINISHED = "finished"
    INTERRUPTED = "interrupted"  # stopped by someone before its planned end, or its master was told to go
    ABORTED = "aborted"  # ended by itself: all workers gone, or the master died


ENDS = (Status.FINISHED, Status.INTERRUPTED, Status.ABORTED)  # the master brought the run to its end


class EventKind(StrEnum):
    """What can happen in a run: each is a line of events.jsonl."""

    RUN_STARTED = "run-started"
    STAGE_STARTED = "stage-started"  # data: users; the planned number of users is reached
    STAGE_ENDED = "stage-ended"  # data: users; another number was ordered, or the stop
    WORKER_JOINED = "worker-joined"  # data: id, host, pid, files_limit, booted (its machine, in Unix seconds)
    WORKER_MISSING = "worker-missing"  # it does not answer; data: counters of its last report, see WorkerCounters
    WORKER_BACK = "worker-back"
    WORKER_LEFT = "worker-left"  # it said good-bye, its last report included
    WORKER_SILENCED = "worker-silenced"  # the worker heard nothing from the master and stopped its users
    LOAD_RESTORED = "load-restored"  # the users lost with a worker run again elsewhere; data: after_s
    GAP = "gap"  # reports of a worker that never came; data: first, last (sequence numbers)
    LATE = "late"  # reports that came after their second was written; they are counted; data: seconds
    STOP_ORDERED = "stop-ordered"  # data: by ("plan", "user", "signal", "no-workers")
    RUN_ENDED = "run-ended"
    WARNING = "warning"
    FAULT = "fault"  # a fault that was injected on purpose
    STEP = "step"  # a step of the search for the capacity came to its end; data: see search.Step
    RECOVERED = "recovered"  # a target that had collapsed answers again; data: after_s
    SEARCH_ENDED = "search-ended"  # data: ending (see search.Ending), low, high


class Times(NamedTuple):
    """Response times of one kind within one second, how many and what: a JSON array.

    `histogram` is the text of Histogram.to_text.
    """

    n: int
    sum_us: int
    min_us: int
    max_us: int
    histogram: str


@dataclass(slots=True)
class Phases:
    """How requests came to pass, as far as their client told. Sums and the greatest are in µs.

    Of `timed` requests it is known how long sending them took (`send_us`) and waiting for the first byte of the answer
    from then on (`wait_us`); the rest of their response time is the reading of the answer. `connects` connections were
    made for the cell's requests, failed ones left out, `reconnects` were found closed on the way: the time of making
    connections (`connect_us`, tries that failed included) is in no response time. `app` and `db` count the answers
    whose `Server-Timing` told of them. `instances` counts answers by their `X-Instance`; `instances_us` is how long the
    first bytes of each one's answers were waited for, left out where they are all of one: then it is `wait_us`.
    """

    timed: int = 0
    send_us: int = 0
    wait_us: int = 0
    connects: int = 0
    connect_us: int = 0
    connect_max_us: int = 0
    reconnects: int = 0
    app: int = 0
    app_us: int = 0
    db: int = 0
    db_us: int = 0
    instances: dict[str, int] = field(default_factory=dict)
    instances_us: dict[str, int] = field(default_factory=dict)

    def add(self, other: Phases) -> None:
        """Add what another one holds."""
        for name in SUMMED_PHASES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.connect_max_us = max(self.connect_max_us, other.connect_max_us)
        for own, others in ((self.instances, other.instances), (self.instances_us, other.waits_us)):
            for instance, number in others.items():
                own[instance] = own.get(instance, 0) + number

    @property
    def waits_us(self) -> dict[str, int]:
        """Return `instances_us`, also where it was left out."""
        is_of_one = list(self.instances.values()) == [self.timed]
        return dict.fromkeys(self.instances, self.wait_us) if is_of_one else self.instances_us


NOT_SUMMED = ("connect_max_us", "instances", "instances_us")
SUMMED_PHASES = tuple(one.name for one in fields(Phases) if one.name not in NOT_SUMMED)


@dataclass(slots=True)
class Cell:
    """One endpoint within one second, by the time its answers were complete.

    `slow` counts the successes of at least each of the run's `thresholds_us`, in their order. `errors` counts the
    failures by kind; a kind is a short text without what differs from request to request.
    """

    method: str
    name: str
    ok: Times | None = None
    failed: Times | None = None
    bytes: int = 0
    slow: tuple[int, ...] = ()
    errors: dict[str, int] = field(default_factory=dict)
    phases: Phases | None = None


@dataclass(slots=True)
class WorkerSecond:
    """How one worker was within one second. `worker` is its number in this run, see WORKER_JOINED.

    `requests` is how many it recorded; `in_flight` the mean number of requests on their way, by integration; `lag` the
    text of a histogram of how late its event loop woke its 20 ms probe, `lag_max_us` the longest; `cpu_s` the CPU time
    that its process used; `cpu_limit` how many cores it may use (at most 1: one process, one thread), `periods` and
    `throttled` how many periods of its CPU quota passed, and in how many it was held back; `files` how many files, thus
    connections, it had open.
    """

    worker: int
    users: int = 0
    requests: int = 0
    in_flight: float = 0.0
    lag: str = ""
    lag_max_us: int = 0
    cpu_s: float = 0.0
    cpu_limit: float = 1.0
    periods: int = 0
    throttled: int = 0
    rss_bytes: int = 0
    clock_offset_s: float = 0.0
    files: int = 0


@dataclass(slots=True)
class MachineSecond:
    """What became of the CPU time of the master's machine within one second, as shares of it (0-1).

    `busy` is what all programs together used, `stolen` what the host of a virtual machine took. The rest was idle.
    """

    busy: float = 0.0
    stolen: float = 0.0


@dataclass(slots=True)
class TargetSecond:
    """What one instance of the target said of itself: counters since its start, gauges as they were. None: not told.

    `requests` is by "METHOD ROUTE", all statuses together. `busy_s` is how long its requests were served, all added up;
    `slots` how many it serves at a time; `refused` how many it turned away for being full, `store_failures` those that
    failed for its store. `workers_cpu_s` is the CPU time of each of its processes by its number. `backlog` connections,
    of `backlog_limit`, wait to be accepted, `overflows` were dropped since too many did; `queue` requests wait in a
    load balancer. `files` are open of `files_limit`; `oom_kills` processes were killed for want of memory. Its machine
    has `machine_cores` cores, idle for `machine_idle_s`, and robbed by its host of `machine_stolen_s`; `is_here`: that
    is the master's machine, of which there is a record already.
    """

    instance: str
    requests: dict[str, int] | None = None
    in_flight: float | None = None
    cpu_s: float | None = None
    cpu_limit: float | None = None
    periods: int | None = None
    throttled: int | None = None
    memory_bytes: float | None = None
    memory_limit_bytes: float | None = None
    oom_kills: int | None = None
    busy_s: float | None = None
    slots: int | None = None
    refused: int | None = None
    store_failures: int | None = None
    workers_cpu_s: dict[str, float] | None = None
    backlog: int | None = None
    backlog_limit: int | None = None
    overflows: int | None = None
    queue: float | None = None
    files: int | None = None
    files_limit: int | None = None
    machine_cores: int | None = None
    machine_idle_s: float | None = None
    machine_stolen_s: float | None = None
    is_here: bool | None = None
    name: str = ""  # by which its answers call it, `X-Instance`


@dataclass(slots=True)
class Second:
    """A line of timeline.jsonl: [t, t + 1). Several lines of one t add up: what came late has a line of its own."""

    t: int
    users: int = 0
    target_users: int = 0
    cells: list[Cell] = field(default_factory=list)
    workers: list[WorkerSecond] = field(default_factory=list)
    target: list[TargetSecond] = field(default_factory=list)
    late: bool = False
    machine: MachineSecond | None = None


@dataclass(slots=True)
class Event:
    """A line of events.jsonl: something that happened at `t`, said in one sentence."""

    t: float
    kind: EventKind
    text: str
    worker: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class WorkerCounters:
    """What a worker counted in all of the run, by its last report.

    started = answered + killed + in_flight. `recorded` counts request events: those that a locustfile fires itself
    are among them, those that its code dropped (an exception inside a `with` block) are not. `busy_s` is the time that
    requests were on their way, all added up, `killed_busy_s` the part of it of those that were killed. `final` is
    False where the worker did not get to say its last word.
    """

    worker: int
    id: str = ""
    started: int = 0
    answered: int = 0
    killed: int = 0
    in_flight: int = 0
    recorded: int = 0
    busy_s: float = 0.0
    killed_busy_s: float = 0.0
    final: bool = False


class SetBy(StrEnum):
    """What set the ceiling of a fleet of workers that asked a null target."""

    WORKERS = "workers"  # each used the CPU that it may: the ceiling is theirs
    CORES = "cores"  # of the machine, which they share with each other, the master and the null target
    NULL_TARGET = "null-target"  # it was busy: the ceiling is at least so high
    UNKNOWN = "unknown"  # neither was: users that pause within their tasks, or wait for something else


@dataclass(frozen=True, slots=True)
class Calibration:
    """How many requests/s a fleet of workers makes of a scenario against a null target: the generator's own ceiling.

    Of the measured window of the run `run`, at `measured` in Unix seconds. `target` is the URL whose answers the null
    target gave, `bytes_each` the mean length of these. `cpu_us` is the workers' CPU time for each request in µs,
    `cpu_limit_cores` how many cores each may use. `sentence` says the result, `reservations` what takes from it.
    """

    run: str
    measured: float
    scenario: str | None
    target: str
    workers: int
    users: int
    ceiling_rps: float
    worker_rps: tuple[float, ...]
    worker_median_rps: float
    cpu_us: float
    cpu_limit_cores: float
    bytes_each: float
    fail_percent: float
    set_by: SetBy
    sentence: str
    reservations: tuple[str, ...] = ()
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def is_at_least(self) -> bool:
        """Tell whether the workers could have made more."""
        return self.set_by in (SetBy.NULL_TARGET, SetBy.UNKNOWN)


@dataclass(slots=True)
class Run:
    """run.json: what was asked for, where it ran, how it ended.

    `started` and `ended` are Unix seconds: of the first order to start users, and of the last report. `duration_s` is
    None until the end. `plan` is what loadlab.plan.RunPlan dumps. `thresholds_us` are the SLOs' limits that workers
    count against: a success of at least so many µs is beyond. `calibration` is the one that was nearest to this run
    when it was asked for, see analysis.headroom.
    """

    id: str
    status: Status
    plan: dict[str, Any]
    thresholds_us: tuple[int, ...]
    created: float
    format: int = 2
    started: float | None = None
    ended: float | None = None
    duration_s: float | None = None
    started_by: str = "ui"  # ui, http (which ./lab uses)
    stopped_by: str | None = None  # plan, user, signal, no-workers
    slo: tuple[str, ...] = ()
    own_shape: str | None = None  # the user's LoadTestShape, where one drove the run
    expected_workers: int = 0
    counters: list[WorkerCounters] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    revision: str | None = None
    calibration: Calibration | None = None


@dataclass(slots=True)
class Recording:
    """A run folder's content. `partial`: it was cut short and the end is missing, or some lines could not be read."""

    run: Run
    seconds: list[Second]
    events: list[Event]
    partial: bool = False
    unreadable_lines: int = 0
