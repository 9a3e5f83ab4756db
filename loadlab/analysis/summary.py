"""What a run means: the result of the analysis, and the content of summary.json. docs/metrics.md defines each figure.

Units are in the names: _ms, _s, _rps (requests per second), _percent (0-100). None is "cannot be said".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from loadlab.analysis.recording import Calibration

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


class Verdict(StrEnum):
    """Were the promises kept?"""

    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"  # no promise was broken, but one has too few samples, or the recording breaks off
    NONE = "none"  # the measurement cannot be believed: there is no verdict


class Level(StrEnum):
    """Can the measurement be believed?"""

    VALID = "valid"
    DEGRADED = "degraded"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; None where it is open to that side."""

    low: float | None
    high: float | None
    confidence_percent: float = 95.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times of `count` answers. `percentiles_ms` is by name: "p50", "p99.9"."""

    count: int
    mean_ms: float
    min_ms: float
    max_ms: float
    percentiles_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """How requests came to pass, as far as their client told (LeanHttpUser does). Of `requests` the phases are known.

    The making of connections is in no response time. `app` and `db` are what the target's `Server-Timing` says.
    """

    requests: int
    send_mean_ms: float | None
    wait_mean_ms: float | None
    connects: int
    reconnects: int
    connect_mean_ms: float | None
    connect_max_ms: float | None
    app_mean_ms: float | None
    db_mean_ms: float | None
    instances: dict[str, int] = field(default_factory=dict)
    instances_wait_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of a stretch of time: `ok` and `failed` are the response times of each kind, None where there are none.

    `errors` counts the failures by kind. `in_flight` is the mean number of requests on their way.
    """

    start_s: float
    end_s: float
    requests: int
    failures: int
    fail_percent: float
    throughput_rps: float
    bytes: int
    in_flight: float | None
    ok: Latency | None
    failed: Latency | None
    errors: dict[str, int] = field(default_factory=dict)
    phases: PhaseTimes | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method and name within the measured window."""

    method: str
    name: str
    load: Load


@dataclass(frozen=True, slots=True)
class SloResult:
    """How one promise was judged, and on what. `measured` and `limit` are in `unit`; `interval` is of `measured`.

    `beyond` is how many of the `samples` were on the bad side, counted exactly; None where nothing is counted.
    `reason` is one sentence for people.
    """

    text: str
    outcome: str  # slo.Outcome
    unit: str
    limit: float
    measured: float | None
    interval: Interval | None
    samples: int
    samples_needed: int
    beyond: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch at one number of users, each promise judged on it alone."""

    number: int
    users: int
    load: Load
    slos: tuple[SloResult, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the measurement is not, or not fully, to be believed; VALID is a note that changes nothing."""

    code: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Accounting:
    """Where every request that was started went. started = answered + killed + in_flight + lost, else it is invalid.

    `recorded` are those in the figures (`requests` of the totals), `unjudged` those answered but dropped by the
    locustfile's own code, `lost_at_most` how many may have been made by lost workers after their last report.
    `served` is what the target counted for itself, None where it does not tell.
    """

    started: int
    answered: int
    killed: int
    in_flight: int
    recorded: int
    unjudged: int
    lost_at_most: int
    served: int | None


@dataclass(frozen=True, slots=True)
class Little:
    """Little's law over the whole run: requests in flight = throughput x response time."""

    in_flight: float
    throughput_rps: float
    response_s: float
    off_percent: float


@dataclass(frozen=True, slots=True)
class Validity:
    """Can the measurement be believed, and why not: the worst reasons first."""

    level: Level
    reasons: tuple[Reason, ...]
    accounting: Accounting
    little: Little | None


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch in which the target failed, see docs/metrics.md; `end_s` is None where it lasted to the end."""

    start_s: float
    end_s: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Mean times between and to failures and to repair, in s, with 95% intervals; availability in %.

    Without a failure, MTTF and MTBF are None and their intervals have a lower end only.
    """

    observed_s: float
    down_s: float
    outages: tuple[Outage, ...]
    mtbf_s: float | None
    mtbf: Interval | None
    mttf_s: float | None
    mttf: Interval | None
    mttr_s: float | None
    mttr: Interval | None
    availability_percent: float | None
    availability: Interval | None
    success_percent: float | None
    success: Interval | None


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """One worker in all of the run. CPU is in % of what it may use (one core at most); lag is its event loop's."""

    worker: int
    id: str
    requests: int
    users_max: int
    lag_p99_ms: float | None
    lag_max_ms: float | None
    cpu_mean_percent: float | None
    cpu_max_percent: float | None
    throttled_percent: float | None
    rss_max_bytes: int
    clock_offset_ms: float
    fate: str  # "stayed", "left", "lost"


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One instance of the target in the measured window; None: it does not tell."""

    instance: str
    requests: int | None
    share_percent: float | None
    cpu_mean_cores: float | None
    cpu_max_cores: float | None
    cpu_limit_cores: float | None
    throttled_percent: float | None
    memory_max_bytes: float | None
    memory_limit_bytes: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How the last quarter of the measured window compares with the first: for soaks."""

    p95_first_ms: float | None
    p95_last_ms: float | None
    throughput_first_rps: float
    throughput_last_rps: float
    memory_first_bytes: float | None
    memory_last_bytes: float | None


class Limit(StrEnum):
    """How near its limit is something that can give out?"""

    LIMITING = "limiting"  # at it: that is what keeps the target, or the measurement, from more
    NEAR = "near"  # not at it, but the next to be, or it follows from something else that is
    NOT = "not"
    UNKNOWN = "unknown"  # nothing was told of it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that can give out. `score` is how near its limit it is, from 0 to 1; None where that cannot be said.

    `evidence` are sentences with figures, `advice` says what to do about it. docs/metrics.md has the codes.
    """

    code: str
    name: str
    level: Limit
    score: float | None
    evidence: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What gave out first between `start_s` and `end_s`, or would: `first` is its name, None where none can be named.

    `sentence` says it to people; `findings` are all that was looked at, the nearest to its limit first.
    """

    first: str | None
    sentence: str
    findings: tuple[Finding, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class CapacityStep:
    """A step of the search for the capacity: so many users, held and judged. Figures are of its window, None without.

    `phase` and `outcome` are search.Phase and search.StepOutcome; `start_s` and `end_s` bound the window.
    """

    number: int
    phase: str
    attempt: int
    users: int
    start_s: int | None
    end_s: int | None
    outcome: str
    reason: str
    throughput_rps: float | None
    fail_percent: float | None
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most users, and their throughput, that hold the promises; None where that was not found, see `ending`.

    `held_users` and `broke_users` are the bracket: the most that held (0: none), the fewest that broke (None: none).
    `limiting` is the promise that broke first. `recommended_users` leaves headroom; `knee_users` is where throughput by
    response time is greatest. `recoveries_s` is how long the target took to answer again after each collapse.
    """

    ending: str
    users: int | None
    throughput_rps: float | None
    held_users: int
    broke_users: int | None
    confirmed: bool
    limiting: str | None
    recommended_users: int | None
    recommended_rps: float | None
    knee_users: int | None
    recoveries_s: tuple[float, ...]
    steps: tuple[CapacityStep, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Headroom:
    """How much more the generator could make than it made, by the nearest calibration: see docs/metrics.md.

    `used_rps` is the greatest throughput of a stage, `ratio` the ceiling by it. None for the figures where that
    calibration is not of this run's kind; the sentence then says why. `calibrated` is when it was, in Unix seconds.
    """

    ceiling_rps: float | None
    used_rps: float | None
    ratio: float | None
    is_at_least: bool
    sentence: str
    calibration: str
    calibrated: float
    machine: str


@dataclass(frozen=True, slots=True)
class Summary:
    """summary.json. `headline` says the result in one line; `exit_code` is what `./lab run` ends with.

    `window` is what the promises are judged on: the stages, ramps left out; `totals` is everything, ramps included.
    """

    run: str
    name: str
    status: str
    partial: bool
    verdict: Verdict
    exit_code: int
    headline: str
    validity: Validity
    slos: tuple[SloResult, ...]
    totals: Load
    window: Load
    stages: tuple[Stage, ...]
    endpoints: tuple[Endpoint, ...]
    reliability: Reliability
    workers: tuple[WorkerHealth, ...]
    target: tuple[TargetHealth, ...]
    drift: Drift | None
    users_max: int
    workers_max: int
    capacity: Capacity | None = None
    format: int = 1
    calibration: Calibration | None = None  # of a run that is one
    headroom: Headroom | None = None
    bottleneck: Bottleneck | None = None
