"""What is known of a run while it is on: a look at the last seconds, for people who watch. The summary is exact."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Event, EventKind, Second, WorkerSecond
from loadlab.analysis.slo import Outcome, Slo
from loadlab.plan import RunPlan

WINDOW_S = 5
SERIES_S = 120
LATE_MS = 10.0
BUSY_SHARE = 0.9
SERIOUS = {EventKind.WORKER_MISSING, EventKind.WORKER_SILENCED, EventKind.GAP, EventKind.WARNING}


@dataclass
class Total:
    """What was seen of one endpoint, or of all, since the users were there."""

    requests: int = 0
    failures: int = 0
    ok: Histogram = field(default_factory=Histogram)


@dataclass
class Moment:
    """One second."""

    t: int
    users: int
    requests: int
    failures: int
    ok: Histogram


class Live:
    """Follows one run."""

    def __init__(self, plan: RunPlan) -> None:
        self._slos = plan.parsed_slos
        self._is_search = plan.shape == "capacity"
        self._is_calibration = plan.calibrates is not None
        self._moments: deque[Moment] = deque(maxlen=SERIES_S)
        self._workers: dict[int, WorkerSecond] = {}
        self._totals: dict[tuple[str, str], Total] = {}
        self._serious: dict[str, None] = {}  # an ordered set
        self._measured_s = 0
        self.is_measuring = False
        self.requests = 0
        self.failures = 0

    def note(self, event: Event) -> None:
        """Take in a happening."""
        if event.kind is EventKind.STAGE_STARTED:
            self.is_measuring = True
        if self._is_search and event.kind in (EventKind.STAGE_STARTED, EventKind.STAGE_ENDED):
            self._turn_to_step(is_on=event.kind is EventKind.STAGE_STARTED)
        if event.kind in SERIOUS:
            self._serious[event.text] = None

    def _turn_to_step(self, *, is_on: bool) -> None:
        """Look at a step's window alone: a search breaks promises on purpose. Between two, the last one's stands."""
        self.is_measuring = is_on
        if is_on:
            self._totals, self._measured_s = {}, 0

    def add(self, second: Second) -> None:
        """Take in a second."""
        moment = Moment(second.t, second.users, 0, 0, Histogram())
        for cell in second.cells:
            failed = cell.failed.n if cell.failed else 0
            ok = Histogram()
            if cell.ok:
                ok.add_text(cell.ok.histogram)
                ok.sum_us, ok.min_us, ok.max_us = cell.ok.sum_us, cell.ok.min_us, cell.ok.max_us
            moment.requests += ok.count + failed
            moment.failures += failed
            moment.ok.merge(ok)
            if self.is_measuring:
                total = self._totals.setdefault((cell.method, cell.name), Total())
                total.requests += ok.count + failed
                total.failures += failed
                total.ok.merge(ok)
        self.requests += moment.requests
        self.failures += moment.failures
        self._measured_s += self.is_measuring and not second.late
        if not second.late:
            self._moments.append(moment)
            self._workers = {worker.worker: worker for worker in second.workers} or self._workers

    def document(self) -> dict[str, Any]:
        """Return the part of LIVE that was measured."""
        last = list(self._moments)[-WINDOW_S:]
        recent = Histogram()
        for moment in last:
            recent.merge(moment.ok)
        p50, p95, p99 = (_ms(value) for value in recent.percentiles_us((50, 95, 99)))
        strains = [] if self._is_calibration else _strains(self._workers.values())  # there they are wanted
        reasons = [*self._serious, *strains]
        return {
            "requests": self.requests,
            "failures": self.failures,
            "fail_percent": _percent(self.failures, self.requests),
            "throughput_rps": round(sum(m.requests for m in last) / len(last), 1) if last else 0.0,
            "p50_ms": p50,
            "p95_ms": p95,
            "p99_ms": p99,
            "slos": [self._judged(promise) for promise in self._slos],
            "validity": {"level": "degraded" if reasons else "valid", "reasons": reasons},
            "series": {
                "t": [m.t for m in self._moments],
                "users": [m.users for m in self._moments],
                "throughput_rps": [m.requests for m in self._moments],
                "p95_ms": [_ms(m.ok.percentile_us(95)) for m in self._moments],
                "fail_percent": [_percent(m.failures, m.requests) for m in self._moments],
            },
        }

    def worker(self, number: int) -> WorkerSecond | None:
        """Return how a worker was at last."""
        return self._workers.get(number)

    def _judged(self, promise: Slo) -> dict[str, Any]:
        measured = self._measure(promise)
        holds = None if measured is None else promise.holds_for(measured)
        outcome = Outcome.INSUFFICIENT if holds is None else Outcome.PASS if holds else Outcome.FAIL
        return {"text": promise.text, "outcome": outcome, "measured": measured, "unit": promise.unit}

    def _measure(self, promise: Slo) -> float | None:
        total = Total()
        for (method, name), one in self._totals.items():
            if promise.method in (None, method) and promise.name in (None, name):
                total.requests += one.requests
                total.failures += one.failures
                total.ok.merge(one.ok)
        if promise.rank is not None:
            return _ms(total.ok.percentile_us(promise.rank))
        measures = {
            "max": _ms(total.ok.max_us),
            "mean": _ms(total.ok.mean_us),
            "fail": _percent(total.failures, total.requests),
            "rps": round(total.requests / self._measured_s, 1) if self._measured_s else None,
        }
        return measures.get(promise.metric)


def lag_ms(second: WorkerSecond) -> float | None:
    """Return the 99th percentile of a worker's event loop lag within one second, in ms."""
    lag = Histogram(max_us=second.lag_max_us, min_us=0)
    lag.add_text(second.lag)
    return _ms(lag.percentile_us(99))


def cpu_percent(second: WorkerSecond) -> float:
    """Return how much of the CPU that it may use a worker used."""
    return round(100 * second.cpu_s / second.cpu_limit, 1) if second.cpu_limit else 0.0


def _strains(workers: Iterable[WorkerSecond]) -> list[str]:
    """Say which workers are at their limits now, in a sentence for each sign."""
    signs: dict[str, list[int]] = {}
    for second in workers:
        if second.cpu_s > BUSY_SHARE * second.cpu_limit:
            signs.setdefault(f"use over {BUSY_SHARE:.0%} of their CPU", []).append(second.worker)
        if second.throttled:
            signs.setdefault("are held back by their CPU quota", []).append(second.worker)
        if (lag_ms(second) or 0) > LATE_MS:
            signs.setdefault(f"have event loops over {LATE_MS:g} ms late", []).append(second.worker)
    return [f"workers {', '.join(map(str, sorted(numbers)))} {sign}" for sign, numbers in signs.items()]


def _ms(value_us: float | None) -> float | None:
    return None if value_us is None else round(value_us / 1000, 3)


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 3) if whole else None
