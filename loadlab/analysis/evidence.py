"""What the checks of a measurement look at: the recording, its columns, and when which worker was away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from loadlab.analysis import distribution, stages
from loadlab.analysis.distribution import Distribution
from loadlab.analysis.loads import Tally
from loadlab.analysis.recording import Event, EventKind, Recording, Run
from loadlab.analysis.stages import Held, Seconds
from loadlab.analysis.summary import Level, Reason
from loadlab.analysis.timeline import Counts, Timeline

# What a lost worker did since its last report is unknown. It reports a moment after each full second: a tenth on top.
REPORT_S = 1.1


@dataclass(frozen=True, slots=True)
class Absence:
    """A worker that did not answer, or left, from `start_s` on while the load was on; it last told of `told_s`.

    `end_s` is when it answered again, None if never; `restored_s` when all users ran again, None if never.
    `throughput_rps` is what it did at last.
    """

    worker: int
    start_s: float
    told_s: int
    end_s: float | None
    restored_s: float | None
    throughput_rps: float
    has_left: bool


@dataclass(frozen=True)
class Evidence:
    """Everything that validity is judged on. `window` is the measured one, `totals` is of the whole run."""

    recording: Recording
    timeline: Timeline
    held: Sequence[Held]
    window: Seconds
    totals: Tally

    @property
    def run(self) -> Run:
        """The run's document."""
        return self.recording.run

    @cached_property
    def window_places(self) -> Counts:
        """The seconds of the measured window, as the index of an array."""
        return stages.places(self.window)

    @cached_property
    def stop_s(self) -> float:
        """When the users were told to stop; the end of the timeline where that is not recorded."""
        ordered = self.of_kind(EventKind.STOP_ORDERED)
        return ordered[0].t if ordered else float(self.timeline.length)

    @cached_property
    def lags(self) -> Lags:
        """How late the workers' event loops were."""
        return read_lags(self.timeline, self.window)

    @cached_property
    def absences(self) -> list[Absence]:
        """The workers that went away before the stop was ordered, in order of time."""
        gone = self.of_kind(EventKind.WORKER_MISSING, EventKind.WORKER_LEFT)
        return [self._absence(event) for event in gone if event.worker is not None and event.t < self.stop_s]

    def of_kind(self, *kinds: EventKind) -> list[Event]:
        """Return the events of some kinds, in order of time."""
        return sorted((event for event in self.recording.events if event.kind in kinds), key=lambda event: event.t)

    def _absence(self, event: Event) -> Absence:
        assert event.worker is not None
        back = [e.t for e in self.of_kind(EventKind.WORKER_BACK) if e.worker == event.worker and e.t >= event.t]
        restored = [
            e.t
            for e in self.of_kind(EventKind.LOAD_RESTORED)
            if e.worker in (None, event.worker) and event.t <= e.t <= self.stop_s
        ]
        told = event.data.get("throughput_rps")
        seen = last_throughput_rps(self.timeline, event.worker)
        return Absence(
            event.worker,
            event.t,
            last_told_s(self.timeline, event.worker, event.t),
            min(back, default=None),
            min(restored, default=None),
            max(seen, float(told)) if isinstance(told, int | float) else seen,
            event.kind is EventKind.WORKER_LEFT,
        )


@dataclass(frozen=True, slots=True)
class Lags:
    """How late event loops woke their probe, by worker: in the measured window, and in all of the run."""

    window: dict[int, Distribution] = field(default_factory=dict)
    run: dict[int, Distribution] = field(default_factory=dict)

    @property
    def fleet(self) -> Distribution:
        """All workers together, in the measured window."""
        together = Distribution()
        for one in self.window.values():
            together.add(one)
        return together


def read_lags(timeline: Timeline, window: Seconds) -> Lags:
    """Read the histograms of lag, each once.

    Raises:
        ValueError: one is damaged.
    """
    made, inside = Lags(), {t for stretch in window for t in stretch}
    for worker, column in timeline.workers.items():
        own = distribution.of_texts([lag for t, lag in column.lags if t in inside])
        rest = distribution.of_texts([lag for t, lag in column.lags if t not in inside])
        made.window[worker] = own
        made.run[worker] = rest
        rest.add(own)
    return made


def last_throughput_rps(timeline: Timeline, worker: int) -> float:
    """Return the most requests that a worker recorded in one of the last three seconds that it told of."""
    column = timeline.workers.get(worker)
    if column is None:
        return 0.0
    return float(column.requests[np.flatnonzero(column.present)[-3:]].max(initial=0))


def last_told_s(timeline: Timeline, worker: int, before: float) -> int:
    """Return the end of the last second that a worker told of before some moment; 0 where there is none."""
    column = timeline.workers.get(worker)
    told = np.flatnonzero(column.present[: max(0, int(before))]) if column else np.zeros(0, dtype=np.int64)
    return int(told[-1]) + 1 if len(told) else 0


def invalid(code: str, text: str) -> Reason:
    """Return a reason not to believe the measurement."""
    return Reason(code, Level.INVALID, text)


def degraded(code: str, text: str) -> Reason:
    """Return a reason to believe it within stated bounds only."""
    return Reason(code, Level.DEGRADED, text)


def note(code: str, text: str) -> Reason:
    """Return what should be known, but changes nothing."""
    return Reason(code, Level.VALID, text)
