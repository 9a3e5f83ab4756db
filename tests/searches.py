"""Recordings of searches for the capacity, made by the search itself: a simulated target answers, its users are asked.

`found()` is a search that ends well; the others end as they are named. All are made once and must not be changed:
`copy.deepcopy` one to spoil it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Event, EventKind, Recording, Run, Second, Status, WorkerCounters, WorkerSecond
from loadlab.analysis.search import Search
from loadlab.generator import searching
from loadlab.plan import RunPlan, make
from tests.queues import Queue
from tests.recordings import STARTED, times

Spoil = Callable[[Second], Second]
LONGEST_S = 1000  # a search that takes longer has lost its way
DRAIN_S = 30


def quick(**changes: Any) -> Queue:
    """Return a target of 10 slots and 20 ms, whose users think for 0.2 s: it takes some hundred of them."""
    values: dict[str, Any] = {"slots": 10, "service_s": 0.02, "think_s": 0.2, "thresholds_us": (100_000,)}
    return Queue(**(values | changes))


def plan(**changes: Any) -> RunPlan:
    """Return the plan of a search that promises what `quick` can keep."""
    values = {"users": 2000, "spawn_rate": 50, "shape": "capacity", "slos": ["p95<100ms", "fail<1%"], "workers": 1}
    return make(values | {"name": "before the release", "start_users": 20} | changes)


@cache
def found() -> Recording:
    """Return a search that found the capacity."""
    return record(quick(), plan())


@cache
def collapsed() -> Recording:
    """Return one whose target broke down under more than 60 users, and came back some seconds after the load went."""
    return record(quick(), plan(), breaking_down(60, 4))


@cache
def lost() -> Recording:
    """Return one whose target broke down under more than 60 users, and never came back."""
    return record(quick(), plan(), breaking_down(60, LONGEST_S))


@cache
def few() -> Recording:
    """Return one with too few answers to show that less than one in a hundred fails."""
    slow = quick(slots=1, service_s=0.5, think_s=20, is_exponential=False, thresholds_us=(900_000,))
    return record(slow, plan(slos=["p95<900ms", "fail<1%"]))


@cache
def failed() -> Recording:
    """Return one whose target fails some answers under more than 100 users."""
    return record(quick(), plan(), failing(100, 0.03))


@cache
def cut_short() -> Recording:
    """Return one that somebody stopped in its 80th second, in the middle of a step."""
    return record(quick(), plan(), stop_s=80)


@cache
def limited() -> Recording:
    """Return one whose worker had no CPU left from 150 users on."""
    return record(quick(slots=100), plan(), starving(150))


@cache
def all_held() -> Recording:
    """Return one that was allowed too few users to break anything."""
    return record(quick(), plan(users=100))


@cache
def none_held() -> Recording:
    """Return one whose target keeps no promise."""
    return record(quick(service_s=0.2, is_exponential=False), plan(start_users=4))


@cache
def late() -> Recording:
    """Return one whose time was up before it was sure."""
    return record(quick(), plan(time_s=75))


def record(queue: Queue, plan: RunPlan, spoil: Spoil = lambda second: second, stop_s: int = LONGEST_S) -> Recording:
    """Return the recording of a search, with accounts that are right; one that goes on for `stop_s` is stopped then."""
    search, recorder = searching.make(plan), _Recorder(queue, spoil)
    while search.order is not None and recorder.t < stop_s:
        recorder.second(*search.order, search)
    assert recorder.t < LONGEST_S, "the search does not end"
    by = "plan" if search.order is None else "user"
    recorder.tell(EventKind.STOP_ORDERED, f"stop ordered by {by}", by=by)
    recorder.drain()
    recorder.tell(EventKind.RUN_ENDED, "run ended")
    return Recording(_run(plan, by, recorder), recorder.seconds, recorder.events)


def document(recording: Recording, t: int) -> dict[str, Any]:
    """Return how a search was going after so many seconds, as the master tells it."""
    search = searching.make(RunPlan.model_validate(recording.run.plan))
    for second in recording.seconds[:t]:
        search.add(second)
    return searching.document(search)


def measuring(recording: Recording, after_s: int) -> dict[str, Any]:
    """Return how a search was going in the first second from then on in which a step was measured."""
    told = (document(recording, t) for t in range(after_s, len(recording.seconds)))
    return next(one for one in told if one["state"] == "measure")


def breaking_down(most: int, after_s: int) -> Spoil:
    """Return a spoiler: with more users all answers are failures, and so they stay for some seconds afterwards."""
    down_until = 0

    def spoil(second: Second) -> Second:
        nonlocal down_until
        if second.users > most:
            down_until = second.t + after_s + 1
        if second.t >= down_until:
            return second
        cells = [
            replace(cell, ok=None, failed=cell.ok, bytes=0, slow=(0,) * len(cell.slow), errors={"HTTP 503": cell.ok.n})
            for cell in second.cells
            if cell.ok
        ]
        return replace(second, cells=cells)

    return spoil


def failing(most: int, share: float) -> Spoil:
    """Return a spoiler: with more users, for each answer so many failures come besides, within a millisecond."""

    def spoil(second: Second) -> Second:
        for cell in second.cells if second.users > most else ():
            count = round(share * cell.ok.n) if cell.ok else 0
            cell.failed, cell.errors = times([900] * count), {"HTTP 500": count}
        return second

    return spoil


def starving(users: int) -> Spoil:
    """Return a spoiler: from so many users on the worker has no CPU left."""

    def spoil(second: Second) -> Second:
        for worker in second.workers:
            worker.cpu_s = 0.99 if second.users >= users else 0.0
        return second

    return spoil


class _Recorder:
    """Has the target answer, second by second, and keeps every account."""

    def __init__(self, queue: Queue, spoil: Spoil) -> None:
        self.queue, self.spoil = queue, spoil
        self.chance = random.Random(1)
        self.seconds: list[Second] = []
        self.events: list[Event] = []
        self.counters = WorkerCounters(1, "worker-1", final=True)
        self.tell(EventKind.RUN_STARTED, "run started by http")
        self.events.append(Event(0.0, EventKind.WORKER_JOINED, "worker 1 takes part", 1, {"id": "worker-1"}))

    @property
    def t(self) -> int:
        return len(self.seconds)

    def second(self, users: int, rate: float, search: Search) -> None:
        """Go on for a second towards so many users, and tell the search of it."""
        step = max(1, round(rate))
        now = self.queue.users
        self.queue.set_users(min(users, now + step) if users > now else max(users, now - step))
        self._take(users)
        self.events += search.add(self.seconds[-1])

    def drain(self) -> None:
        """Let what is on its way be answered."""
        self.queue.set_users(0)
        for _ in range(DRAIN_S):
            if not self.queue.in_flight:
                return
            self._take(0)
        raise AssertionError("the queue does not empty")

    def tell(self, kind: EventKind, text: str, **data: Any) -> None:
        """Note a happening of now."""
        self.events.append(Event(float(self.t), kind, text, None, data))

    def _take(self, wanted: int) -> None:
        second = self.spoil(self.queue.second())
        second.target_users = wanted
        parts = [part for cell in second.cells for part in (cell.ok, cell.failed) if part]
        answered = sum(part.n for part in parts)
        for worker in second.workers:
            self._fill(worker, answered)
        counters = self.counters
        counters.started += answered
        counters.answered += answered
        counters.recorded += answered
        counters.busy_s += sum(part.sum_us for part in parts) / 1e6
        self.seconds.append(second)

    def _fill(self, worker: WorkerSecond, answered: int) -> None:
        lag = Histogram()
        for _ in range(50):  # the probe wakes every 20 ms
            lag.add(round(self.chance.lognormvariate(math.log(250), 0.6)))
        worker.lag, worker.lag_max_us = lag.to_text(), lag.max_us or 0
        worker.requests = answered
        worker.cpu_s = max(worker.cpu_s, min(0.8, 0.02 + answered * 0.0006) * self.chance.uniform(0.9, 1.1))
        worker.rss_bytes = 38_000_000 + 60_000 * worker.users


def _run(plan: RunPlan, by: str, recorder: _Recorder) -> Run:
    status = Status.FINISHED if by == "plan" else Status.INTERRUPTED
    return Run(
        id="20251009-085320-search",
        status=status,
        plan=plan.model_dump(mode="json"),
        thresholds_us=recorder.queue.thresholds_us,
        created=STARTED - 2,
        started=STARTED,
        ended=STARTED + recorder.t,
        duration_s=float(recorder.t),
        started_by="http",
        stopped_by=by,
        slo=plan.slos,
        expected_workers=1,
        counters=[recorder.counters],
        versions={"loadlab": "0.1.0", "locust": "2.47.0", "python": "3.13.5"},
        machine={"cpus": 8, "memory_bytes": 16 << 30, "system": "Linux 6.1"},
        revision="0123456789ab",
    )
