"""Puts the workers' reports together: each counted once, and each second written down when all have told of it.

No Locust and no files here: reports in, whole seconds out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Cell, Phases, Second, Times, WorkerCounters, WorkerSecond

PATIENCE_S = 3  # how long a second waits for the report of a worker that is late


@dataclass
class Side:
    """The successes, or the failures, of an endpoint in a second: times in µs."""

    sum_us: int = 0
    min_us: int = 1 << 62
    max_us: int = 0
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, sum_us: int, min_us: int, max_us: int, counts: dict[int, int]) -> None:
        """Add what one worker counted."""
        self.sum_us += sum_us
        self.min_us = min(self.min_us, min_us)
        self.max_us = max(self.max_us, max_us)
        own = self.counts
        for bucket, count in counts.items():
            own[bucket] = own.get(bucket, 0) + count

    def times(self) -> Times | None:
        """Return it as it is written down."""
        if not self.counts:
            return None
        text = Histogram(self.counts).to_text()
        return Times(sum(self.counts.values()), self.sum_us, self.min_us, self.max_us, text)


@dataclass
class Merged:
    """One endpoint in one second, of all workers."""

    thresholds: int
    ok: Side = field(default_factory=Side)
    failed: Side = field(default_factory=Side)
    bytes: int = 0
    slow: list[int] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    phases: Phases | None = None

    def add(  # noqa: PLR0917 - as recorder.packed has them
        self,
        ok: list[Any] | None,
        failed: list[Any] | None,
        size: int,
        slow: list[int],
        errors: dict[str, int],
        phases: dict[str, Any] | None = None,
    ) -> int:
        """Add what one worker counted, and return how many requests that is."""
        for side, told in ((self.ok, ok), (self.failed, failed)):
            if told is not None:
                side.add(*told)
        self.bytes += size
        self.slow = [own + other for own, other in zip(self.slow or [0] * self.thresholds, slow, strict=True)]
        for kind, count in errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        if phases is not None:
            self.phases = self.phases or Phases()
            self.phases.add(Phases(**phases))
        return sum(sum(told[3].values()) for told in (ok, failed) if told is not None)

    def cell(self, method: str, name: str) -> Cell:
        """Return it as it is written down."""
        ok, failed = self.ok.times(), self.failed.times()
        if self.phases is not None and list(self.phases.instances.values()) == [self.phases.timed]:
            self.phases.instances_us = {}  # it can be told from the rest
        return Cell(method, name, ok, failed, self.bytes, tuple(self.slow), self.errors, self.phases)


Cells = dict[tuple[str, str], Merged]


@dataclass
class Book:
    """What is known of one worker. `seen` are report numbers beyond `upto`, below which none is missing.

    `last` is the number of its latest report, which told of all seconds until `through`.
    """

    counters: WorkerCounters
    upto: int = 0
    seen: set[int] = field(default_factory=set)
    last: int = 0
    through: int = -1
    is_expected: bool = True
    throughput_rps: float = 0.0
    latest: WorkerSecond | None = None

    def is_new(self, number: int) -> bool:
        """Note a report's number, and tell whether it was not there before."""
        if number <= self.upto or number in self.seen:
            return False
        self.seen.add(number)
        while self.upto + 1 in self.seen:
            self.upto += 1
            self.seen.remove(self.upto)
        return True

    @property
    def gap(self) -> tuple[int, int] | None:
        """The first and last number of the reports that are missing; None when there are none."""
        return (self.upto + 1, max(self.seen) - 1) if self.seen else None


class Collector:
    """Merges reports of one run. Time is in s since the run's start."""

    def __init__(self, thresholds: int) -> None:
        self.books: dict[int, Book] = {}
        self.written = -1  # the last second that was handed out
        self._thresholds = thresholds
        self._cells: dict[int, Cells] = {}
        self._workers: dict[int, list[WorkerSecond]] = {}

    def accept(self, worker: int, name: str, report: dict[str, Any]) -> bool:
        """Take in a report of a worker, and tell whether it was new."""
        book = self.books.setdefault(worker, Book(WorkerCounters(worker, name)))
        if not book.is_new(report["number"]):
            return False
        requests = 0
        for second, cells in report["seconds"]:
            merged = self._cells.setdefault(second, {})
            for method, endpoint, *tally in cells:
                one = merged.get((method, endpoint))
                if one is None:
                    one = merged[method, endpoint] = Merged(self._thresholds)
                requests += one.add(*tally)
        self._note(book, worker, name, report, requests)
        return True

    def leave(self, worker: int) -> None:
        """Wait no longer for a worker's reports."""
        if worker in self.books:
            self.books[worker].is_expected = False

    def complete(self, now: float, *, everything: bool = False) -> Iterator[Second]:
        """Hand out the seconds that all workers have told of, or that have waited long enough, in order.

        What comes for a second that is out already is handed out as a second of its own, marked late. With
        `everything` nothing is waited for any more.
        """
        for t in sorted(t for t in self._cells.keys() | self._workers.keys() if t <= self.written):
            yield self._hand_out(t, late=True)
        last = int(now) - 1
        expected = [book.through for book in self.books.values() if book.is_expected]
        told = last if everything else min(expected, default=last)
        last_told = max([last, *self._cells, *self._workers]) if everything else last
        while self.written < last_told:
            t = self.written + 1
            if not everything and t > told and now < t + 1 + PATIENCE_S:
                return
            self.written = t
            yield self._hand_out(t, late=False)

    def _hand_out(self, t: int, *, late: bool) -> Second:
        cells = [one.cell(*key) for key, one in self._cells.pop(t, {}).items()]
        workers = sorted(self._workers.pop(t, []), key=lambda second: second.worker)
        return Second(t, users=sum(w.users for w in workers), cells=cells, workers=workers, late=late)

    def _note(self, book: Book, worker: int, name: str, report: dict[str, Any], requests: int) -> None:
        through, span = report["through"], 1
        if through >= book.through:  # a report sent again may come after a newer one
            if report["number"] == book.last + 1:  # else the seconds between come with a report that is missing
                span = max(1, through - book.through)
            book.last = report["number"]
            book.throughput_rps = requests / span
            book.through = through
            book.counters = WorkerCounters(worker, name, **report["counters"], final=report["final"])
        health = report["health"]
        health["cpu_s"] = round(health["cpu_s"] / span, 4)
        same = {"worker": worker, "users": report["users"], "in_flight": report["in_flight"], "cpu_s": health["cpu_s"]}
        for t in range(through - span + 1, through):  # a worker that stood still tells of several seconds at once
            self._workers.setdefault(max(0, t), []).append(WorkerSecond(**same, cpu_limit=health["cpu_limit"]))
        second = WorkerSecond(**same | health, requests=requests, clock_offset_s=report["clock_offset_s"])
        book.latest = second
        self._workers.setdefault(max(0, through), []).append(second)
