"""Who takes part in a run: workers that join, go missing, come back or leave, and whether the load was made good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from locust.runners import STATE_MISSING

from loadlab.analysis.recording import EventKind, WorkerCounters
from loadlab.generator.collector import Book, Collector


class Tell(Protocol):
    """Writes down that something happened."""

    def __call__(self, kind: EventKind, text: str, worker: int | None = None, **data: Any) -> None:
        """Write it down."""


class Attendance:
    """Compares, again and again, the workers that should be there with those that are."""

    def __init__(self, collector: Collector, tell: Tell) -> None:
        self._collector = collector
        self._tell = tell
        self._met: set[int] = set()
        self._away: set[int] = set()
        self._gone: set[int] = set()
        self.absent: set[int] = set()  # away since before the run began: they took no part
        self._short_since: float | None = None

    def invite(self, worker: int, name: str, now: float, *, is_there: bool = True) -> None:
        """Expect reports of a worker from now on; of one that was away before the run began, once it is back."""
        book = self._collector.books.setdefault(worker, Book(WorkerCounters(worker, name)))
        book.is_expected = is_there
        if not is_there:
            self._away.add(worker)
            self.absent.add(worker)
        book.through = max(book.through, int(now) - 1)
        self._gone.discard(worker)

    def meet(self, worker: int, name: str, report: Mapping[str, Any]) -> None:
        """Note what a report says beside its figures."""
        if worker not in self._met:
            self._met.add(worker)
            who = report["who"]
            text = f"worker {worker} takes part (process {who['pid']} on {who['host']})"
            numbers = {key: int(who[key]) for key in ("pid", "booted", "files_limit") if key in who}
            self._tell(EventKind.WORKER_JOINED, text, worker, id=name, host=str(who["host"]), **numbers)
        for note in report["notes"]:
            self._tell(EventKind.WORKER_SILENCED, f"worker {worker} {note}", worker)

    def look(self, now: float, states: Mapping[int, str], users: int, wanted: int) -> None:
        """Compare with the states that the master knows of its workers, by number; one that quit has none."""
        for worker, book in self._collector.books.items():
            state = states.get(worker)
            if worker in self._gone or (worker in self.absent and state in (None, STATE_MISSING)):
                continue
            if state is None:
                self._gone.add(worker)
                self._lose(worker, book)
            elif state == STATE_MISSING and worker not in self._away:
                self._away.add(worker)
                self._lose(worker, book)
            elif state != STATE_MISSING and worker in self._away:
                self._away.discard(worker)
                self.absent.discard(worker)
                book.is_expected = True
                self._tell(EventKind.WORKER_BACK, f"worker {worker} answers again", worker)
        if self._short_since is not None and users == wanted:
            after_s = now - self._short_since
            self._short_since = None
            who = "the one user runs" if wanted == 1 else f"all {wanted:,} users run"
            text = f"{who} again, {after_s:.1f} s after the last word of the worker that was missed"
            self._tell(EventKind.LOAD_RESTORED, text, after_s=round(after_s, 3))

    def _lose(self, worker: int, book: Book) -> None:
        book.is_expected = False
        if book.counters.final:
            self._tell(EventKind.WORKER_LEFT, f"worker {worker} left, its last report is in", worker)
        else:
            text = f"worker {worker} does not answer; its last report is of second {book.through}"
            data = {
                "last_second": book.through,
                "throughput_rps": round(book.throughput_rps, 3),
                "in_flight": book.counters.in_flight,
                "started": book.counters.started,
                "recorded": book.counters.recorded,
            }
            self._tell(EventKind.WORKER_MISSING, text, worker, **data)
        if self._short_since is None:
            self._short_since = book.through + 1.0
