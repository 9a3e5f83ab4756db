"""Makes recordings of runs that never were: consistent down to the last request, so that a test may spoil one thing.

`make(Recipe(...))` gives a clean run; `plausible()` one of 120 s with a ramp, a burst of failures and a lost worker. A
long one with all that can be recorded, to measure with, is in hours.py.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from loadlab.analysis import slo
from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import (
    Cell,
    Event,
    EventKind,
    Recording,
    Run,
    Second,
    Status,
    TargetSecond,
    Times,
    WorkerCounters,
    WorkerSecond,
)

LAG_STEP_US = 100  # as the probe of generator/health.py counts
STARTED = 1_760_000_000.0  # Unix seconds: 2025-10-09 08:53:20 UTC
LatencyMs = Callable[[random.Random, float], float]  # of a source of chance and the second


def lognormal(median_ms: float, sigma: float = 0.5) -> LatencyMs:
    """Return a distribution of response times with a long tail."""
    return lambda chance, _t: chance.lognormvariate(math.log(median_ms), sigma)


def fixed(times_ms: Sequence[float]) -> LatencyMs:
    """Return the given response times, one after another, over and over."""
    endless = cycle(times_ms)
    return lambda _chance, _t: next(endless)


def never(_t: float) -> float:
    """Return the share of failures of a run without any."""
    return 0.0


def burst(first: float, last: float, share: float) -> Callable[[float], float]:
    """Return the share of failures by second: `share` from `first` to before `last`, else none."""
    return lambda t: share if first <= t < last else 0.0


@dataclass
class EndpointRecipe:
    """One endpoint: which part of the requests goes to it, and how long its answers take."""

    method: str
    name: str
    share: float
    latency_ms: LatencyMs
    bytes_each: int = 300


def two_endpoints() -> list[EndpointRecipe]:
    """Return reads and, one in five, writes, which are slower."""
    return [
        EndpointRecipe("GET", "/tests", 0.8, lognormal(12, 0.5), 6_100),
        EndpointRecipe("POST", "/tests", 0.2, lognormal(26, 0.45), 0),
    ]


@dataclass
class Recipe:
    """What shall have happened. `steps` are users and the seconds that they are held, ramps between them come on top.

    `fails` gives the share of failures by second. `lose` is a worker's number and the second from which nothing is
    heard of it; its users run elsewhere `restore_s` later (None: never).
    """

    steps: Sequence[tuple[int, float]] = ((40, 60),)
    spawn_rate: float = 20.0
    workers: int = 4
    pace_s: float = 1.0  # a user asks once in so many seconds
    endpoints: list[EndpointRecipe] = field(default_factory=two_endpoints)
    slos: tuple[str, ...] = slo.DEFAULTS
    fails: Callable[[float], float] = never
    fail_ms: LatencyMs = field(default_factory=lambda: lognormal(3, 0.4))
    error_kinds: tuple[str, ...] = ("HTTP 503 Service Unavailable", "ConnectionRefusedError")
    instances: int = 2  # of the target; 0: it does not tell
    lose: tuple[int, float] | None = None
    restore_s: float | None = 5.0
    name: str = "synthetic"
    shape: str = "steady"
    status: Status = Status.FINISHED
    seed: int = 1


def make(recipe: Recipe | None = None) -> Recording:
    """Return the recording of a recipe; the same recipe gives the same recording."""
    return Maker(recipe or Recipe()).made()


def plausible() -> Recording:
    """Return a run of 120 s as people have them: 200 users on 8 workers, a burst of failures, a worker lost."""
    return make(
        Recipe(
            steps=((200, 116),),
            spawn_rate=50,
            workers=8,
            slos=("p95<450ms", "fail<1%", "POST /tests: p99<800ms", "rps>150"),
            fails=burst(70, 74, 0.35),
            lose=(5, 41.0),
            name="nightly",
        )
    )


def times(values_us: Sequence[int]) -> Times | None:
    """Return the recorded form of some response times; None of none."""
    if not values_us:
        return None
    made = Histogram()
    for value in values_us:
        made.add(value)
    return Times(len(values_us), made.sum_us, min(values_us), max(values_us), made.to_text())


def cell(
    values_us: Sequence[int],
    thresholds_us: Sequence[int] = (),
    failed_us: Sequence[int] = (),
    *,
    errors: dict[str, int] | None = None,
    method: str = "GET",
    name: str = "/tests",
) -> Cell:
    """Return a cell of the given successes and failures, its counters exact."""
    slow = tuple(sum(value >= threshold for value in values_us) for threshold in thresholds_us)
    kinds = errors if errors is not None else ({"HTTP 500": len(failed_us)} if failed_us else {})
    return Cell(method, name, times(values_us), times(failed_us), 300 * len(values_us), slow, kinds)


class Maker:
    """Walks through a recipe second by second and keeps every account."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.chance = random.Random(recipe.seed)
        self.events: list[Event] = []
        self.users_by_t, self.stages = _users(recipe)
        self.duration_s = self.stages[-1][2]
        self.numbers = list(range(1, recipe.workers + 1))
        self.counters = {n: WorkerCounters(n, f"worker-{n}", final=True) for n in self.numbers}
        self.served: list[dict[str, int]] = [{} for _ in range(recipe.instances)]
        self.target_cpu_s = [40.0] * recipe.instances
        self.cells_of: Callable[[int, int], list[Cell]] = self._cells
        self.lags = [self._lag() for _ in range(100)]
        self.run = self._run()

    def made(self) -> Recording:
        """Return the whole."""
        # The target is looked at before the first request, at the beginning of each second, and after the last one.
        seconds = [Second(-1, target=self._looks(-1, 0.0))] if self.recipe.instances else []
        seconds += [self._second(t) for t in range(len(self.users_by_t))]
        if self.recipe.instances:
            seconds.append(Second(len(self.users_by_t), target=self._looks(len(self.users_by_t), 0.0)))
        self._tell()
        self.run.counters = list(self.counters.values())
        return Recording(self.run, seconds, sorted(self.events, key=lambda event: event.t))

    def _run(self) -> Run:
        recipe = self.recipe
        plan = {
            "users": max(users for users, _ in recipe.steps),
            "spawn_rate": recipe.spawn_rate,
            "time_s": sum(held for _, held in recipe.steps),
            "shape": recipe.shape,
            "slos": list(recipe.slos),
            "scenario": "locustfile",
            "workers": recipe.workers,
            "name": recipe.name,
            "host": None,
        }
        return Run(
            id=f"20251009-085320-{recipe.name}",
            status=recipe.status,
            plan=plan,
            thresholds_us=slo.thresholds_us(slo.parse(text) for text in recipe.slos),
            created=STARTED - 2,
            started=STARTED,
            ended=STARTED + self.duration_s,
            duration_s=self.duration_s,
            started_by="http",
            stopped_by="plan" if recipe.status is Status.FINISHED else "user",
            slo=recipe.slos,
            expected_workers=recipe.workers,
            versions={"loadlab": "0.1.0", "locust": "2.47.0", "python": "3.13.5"},
            machine={"cpus": 8, "memory_bytes": 16 << 30, "system": "Linux 6.1"},
            revision="0123456789ab",
        )

    def _lag(self) -> tuple[str, int]:
        lag = Histogram()
        for _ in range(50):  # the probe wakes every 20 ms
            late_us = self.chance.lognormvariate(math.log(250), 0.6)
            lag.add(int(late_us / LAG_STEP_US) * LAG_STEP_US)
        return lag.to_text(), lag.max_us or 0

    def _alive(self, t: float) -> list[int]:
        lost = self.recipe.lose
        return [n for n in self.numbers if not (lost and n == lost[0] and t >= lost[1])]

    def _users_of(self, t: int) -> dict[int, int]:
        """Return the users of each worker that is there, in the second t."""
        wanted, lost = self.users_by_t[t], self.recipe.lose
        alive = self._alive(t)
        restored = lost and self.recipe.restore_s is not None and t >= lost[1] + self.recipe.restore_s
        sharing = alive if not lost or restored else self.numbers
        shares = {n: wanted // len(sharing) + (place < wanted % len(sharing)) for place, n in enumerate(sharing)}
        return {n: shares.get(n, 0) for n in alive}

    def _second(self, t: int) -> Second:
        users = self._users_of(t)
        total = sum(users.values())
        expected = total / self.recipe.pace_s
        requests = max(0, round(expected + self.chance.uniform(-0.02, 0.02) * expected))
        cells = self.cells_of(t, requests)
        busy_s = sum(part.sum_us for one in cells for part in (one.ok, one.failed) if part) / 1e6
        answered = sum(part.n for one in cells for part in (one.ok, one.failed) if part)
        workers = list(self._workers(users, answered, busy_s))
        target = self._looks(t, busy_s)
        for instance in range(self.recipe.instances):
            self._serve(instance, cells, busy_s)
        return Second(t, total, self.users_by_t[t], cells, workers, target)

    def _cells(self, t: int, requests: int) -> list[Cell]:
        cells, left, share_left = [], requests, 1.0
        for endpoint in self.recipe.endpoints:
            count = round(left * endpoint.share / share_left) if share_left > 1e-9 else left
            left, share_left = left - count, share_left - endpoint.share
            failures = min(count, round(count * self.recipe.fails(t)))
            ok = [self._us(endpoint.latency_ms, t) for _ in range(count - failures)]
            failed = [self._us(self.recipe.fail_ms, t) for _ in range(failures)]
            kinds: dict[str, int] = {}
            for number in range(failures):
                kind = self.recipe.error_kinds[number % len(self.recipe.error_kinds)]
                kinds[kind] = kinds.get(kind, 0) + 1
            if count:
                made = cell(ok, self.run.thresholds_us, failed, errors=kinds)
                made.method, made.name, made.bytes = endpoint.method, endpoint.name, endpoint.bytes_each * len(ok)
                cells.append(made)
        return cells

    def _us(self, latency_ms: LatencyMs, t: float) -> int:
        return round(latency_ms(self.chance, t) * 1000)

    def _workers(self, users: dict[int, int], answered: int, busy_s: float) -> Iterator[WorkerSecond]:
        total, left, busy_left = sum(users.values()), answered, busy_s
        for place, (number, own) in enumerate(users.items()):
            last = place == len(users) - 1
            share = own / total if total else 1 / len(users)
            requests = left if last else min(left, round(answered * share))
            busy = busy_left if last else busy_s * share
            left, busy_left = left - requests, busy_left - busy
            counters = self.counters[number]
            counters.started += requests
            counters.answered += requests
            counters.recorded += requests
            counters.busy_s += busy
            lag, lag_max_us = self.chance.choice(self.lags)
            cpu = min(0.85, 0.02 + requests * 0.0006) * self.chance.uniform(0.9, 1.1)
            rss = 38_000_000 + 60_000 * own + 4_000 * len(str(number))
            yield WorkerSecond(number, own, requests, busy, lag, lag_max_us, cpu, 1.0, 10, 0, rss, 0.0004 * number)

    def _looks(self, t: int, busy_s: float) -> list[TargetSecond]:
        """Return what each instance says at the beginning of the second t."""
        return [
            TargetSecond(
                instance=f"10.0.0.{instance + 2}:8000",
                requests={"GET /tests": 1_000, "POST /tests": 1_000, "GET /readyz": 51 + t} | served,
                in_flight=busy_s / self.recipe.instances,
                cpu_s=self.target_cpu_s[instance],
                cpu_limit=2.0,
                periods=10 * (t + 1),
                throttled=0,
                memory_bytes=126e6 + 200 * sum(served.values()),
                memory_limit_bytes=float(2 << 30),
            )
            for instance, served in enumerate(self.served)
        ]

    def _serve(self, instance: int, cells: list[Cell], busy_s: float) -> None:
        served, count = self.served[instance], self.recipe.instances
        for one in cells:
            key = f"{one.method} {one.name}"
            got = sum(part.n for part in (one.ok, one.failed) if part)
            # What does not divide goes to one of them, so that together they served what was answered.
            served[key] = served.get(key, 1_000) + got // count + (instance < got % count)
        self.target_cpu_s[instance] += min(1.9, 0.02 + busy_s / count * 0.4) * self.chance.uniform(0.95, 1.05)

    def _tell(self) -> None:
        """Write down what happened."""
        self._event(0.0, EventKind.RUN_STARTED, f"run started by {self.run.started_by}")
        for number in self.numbers:
            data = {"id": f"worker-{number}", "host": "lab", "pid": 100 + number}
            text = f"worker {number} takes part (process {100 + number} on lab)"
            self._event(0.0, EventKind.WORKER_JOINED, text, number, data)
        for number, (users, start, end) in enumerate(self.stages, 1):
            self._event(start, EventKind.STAGE_STARTED, f"stage {number}: {users} users", None, {"users": users})
            text = f"stage {number} of {users} users ends"
            self._event(end, EventKind.STAGE_ENDED, text, None, {"users": users})
        if self.recipe.lose:
            self._lose(*self.recipe.lose)
        by = self.run.stopped_by
        self._event(self.stages[-1][2], EventKind.STOP_ORDERED, f"stop ordered by {by}", None, {"by": by})
        self._event(self.duration_s, EventKind.RUN_ENDED, f"run {self.run.status}")

    def _lose(self, worker: int, t: float) -> None:
        counters = self.counters[worker]
        counters.final = False
        counters.started += 2  # they were on their way at its last report
        counters.in_flight = 2
        last = int(t) - 1
        text = f"worker {worker} does not answer; its last report is of second {last}"
        data: dict[str, object] = {
            "last_second": last,
            "throughput_rps": round(self.users_by_t[last] / self.recipe.workers / self.recipe.pace_s, 3),
            "in_flight": 2,
            "started": counters.started,
            "recorded": counters.recorded,
        }
        self._event(t + 3.2, EventKind.WORKER_MISSING, text, worker, data)
        if self.recipe.restore_s is not None:
            after_s = round(self.recipe.restore_s - 3.2, 3)
            text = f"all {self.users_by_t[last]} users run again, {after_s:.1f} s after a worker was missed"
            self._event(t + self.recipe.restore_s, EventKind.LOAD_RESTORED, text, None, {"after_s": after_s})

    def _event(
        self, t: float, kind: EventKind, text: str, worker: int | None = None, data: dict[str, object] | None = None
    ) -> None:
        self.events.append(Event(t, kind, text, worker, data or {}))


def _users(recipe: Recipe) -> tuple[list[int], list[tuple[int, float, float]]]:
    """Return the planned users by second, and the users, start and end of each stage."""
    by_t: list[int] = []
    stages: list[tuple[int, float, float]] = []
    now, before = 0.0, 0
    for users, held in recipe.steps:
        start = round(now + abs(users - before) / recipe.spawn_rate, 3)
        end = round(start + held, 3)
        for t in range(len(by_t), math.ceil(start)):
            by_t.append(round(before + (users - before) * min(1.0, (t + 0.5 - now) / max(start - now, 1e-9))))
        by_t += [users] * (math.ceil(end) - len(by_t))
        stages.append((users, start, end))
        now, before = end, users
    return by_t, stages
