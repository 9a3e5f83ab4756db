"""The record of one run on the master: its folder, its clock, its reports, its stages, who takes part."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import gevent
from gevent.event import Event as Flag
from locust.runners import STATE_MISSING, MasterRunner

from loadlab.analysis.recording import Event, EventKind, MachineSecond, Run, Second, Status, TargetSecond
from loadlab.analysis.search import Search
from loadlab.analysis.wording import many
from loadlab.generator import live, searching
from loadlab.generator.attendance import Attendance
from loadlab.generator.collector import Collector
from loadlab.generator.live import Live
from loadlab.generator.machine import Machine
from loadlab.generator.target import Target
from loadlab.plan import RunPlan
from loadlab.runfolder import RunFolder

logger = logging.getLogger(__name__)


class Chronicle:
    """Follows one run and writes it down. Times are in s since the run's start."""

    def __init__(self, folder: RunFolder, run: Run, plan: RunPlan) -> None:
        self.folder = folder
        self.run = run
        self.plan = plan
        self.reported = Flag()
        self.collector = Collector(len(run.thresholds_us))
        self.attendance = Attendance(self.collector, self.tell)
        self._live = Live(plan)
        self._search: Search | None = None
        self._zero = time.perf_counter()
        self._target: Target | None = None
        self._scrapes: dict[int, list[TargetSecond]] = {}
        self._machine = Machine()
        self._machine_seconds: dict[int, MachineSecond] = {}
        self._wanted: dict[int, int] = {}
        self._stage_users: int | None = None
        self._stages = 0
        self._looked_at = 0.0

    def now(self) -> float:
        """Return the seconds since the run's start."""
        return time.perf_counter() - self._zero

    def tell(self, kind: EventKind, text: str, worker: int | None = None, at: float | None = None, **data: Any) -> None:
        """Write down that something happened, now unless said otherwise."""
        self._note(Event(round(self.now() if at is None else at, 3), kind, text, worker, data))

    def _note(self, event: Event) -> None:
        self.folder.append_event(event)
        self._live.note(event)
        logger.info("Run %s, %.1f s: %s", self.run.id, event.t, event.text)

    def begin(self, target: Target, search: Search | None = None) -> None:
        """Set the clock to zero, with what the target says before its first request.

        A `search` is told each second, and has the say when stages begin and end.
        """
        self._target = target
        self._search = search
        before = target.look()
        self._zero = time.perf_counter()
        self._write(status=Status.RUNNING, started=time.time())
        if before:
            self.folder.append_second(Second(-1, target=before))
        self.tell(EventKind.RUN_STARTED, f"run started by {self.run.started_by}")

    def hear(self, worker: int, name: str, report: dict[str, Any]) -> None:
        """Take in a worker's report, once; nothing of someone who was not invited."""
        if worker in self.collector.books and self.collector.accept(worker, name, report):
            self.attendance.meet(worker, name, report)

    def look(self, states: Mapping[int, str], users: int, wanted: int) -> None:
        """Take note of who is there, of the stages, and of the seconds that are complete. A few times a second."""
        now = self.now()
        self._wanted[int(now)] = wanted
        self.attendance.look(now, states, users, wanted)
        if self._search is None:
            self._look_at_stage(now, users, wanted)
        self._looked_at = now
        self._write_seconds()

    def _look_at_stage(self, now: float, users: int, wanted: int) -> None:
        if self._stage_users is not None and wanted != self._stage_users:
            self._end_stage(self._looked_at)  # the order came after the last look
        if self._stage_users is None and users == wanted and users:
            self._stages += 1
            self._stage_users = users
            self.tell(EventKind.STAGE_STARTED, f"stage {self._stages}: {many(users, 'user')}", at=now, users=users)

    def look_beside(self) -> None:
        """Each second look at the machine, and ask the target for its own figures as long as it has any."""
        self._machine.sample()
        while self.run.status is Status.RUNNING and self._target is not None:
            now = self.now()
            gevent.sleep(int(now) + 1 - now)
            sample = self._machine.sample()
            if sample is not None:
                self._machine_seconds[int(self.now()) - 1] = sample
            if not self._target.is_silent:
                self._target.ask(self._note_target)

    def _note_target(self, told: TargetSecond) -> None:
        self._scrapes.setdefault(int(self.now()), []).append(told)

    def drain(self, by: str) -> None:
        """Note that the users were told to stop: what is still on its way comes in."""
        if self._stage_users is not None:
            self._end_stage(self.now())
        self._write(status=Status.DRAINING, stopped_by=by)
        self.tell(EventKind.STOP_ORDERED, f"stop ordered by {by}", by=by)

    @property
    def is_told(self) -> bool:
        """Tell whether every worker that is still there has said its last word, and all that it said before came.

        Reports that a worker could not send while this master was busy may come after its last word.
        """
        self._write_seconds()
        expected = [book for book in self.collector.books.values() if book.is_expected]
        return all(book.counters.final and book.gap is None for book in expected)

    @property
    def status_of_end(self) -> Status:
        """Return how the run ended, by who stopped it: one without a planned end is finished whenever it is stopped."""
        by = self.run.stopped_by
        if by == "no-workers":
            return Status.ABORTED
        has_end = self.plan.planned_s() is not None and self.run.own_shape is None
        return Status.INTERRUPTED if by == "signal" or (by == "user" and has_end) else Status.FINISHED

    def close(self, status: Status, by: str | None) -> None:
        """Write down all that is left, and how the run ended."""
        if self.run.started is not None:
            self._note_gaps()
            after = self._target.look() if self._target else []
            self._write_seconds(everything=True)
            if after:
                self.folder.append_second(Second(self.collector.written + 1, target=after))
            self.tell(EventKind.RUN_ENDED, f"run {status}")
        absent = self.attendance.absent
        counters = [book.counters for worker, book in sorted(self.collector.books.items()) if worker not in absent]
        duration_s = round(self.now(), 3) if self.run.started is not None else 0.0
        self._write(status=status, stopped_by=by, counters=counters, ended=time.time(), duration_s=duration_s)

    def document(self, runner: MasterRunner) -> dict[str, Any]:
        """Return how it is going: LIVE of the HTTP interface."""
        has_begun = self.run.started is not None
        return {
            "elapsed_s": round(self.now(), 1) if has_begun else 0.0,
            "planned_s": self.plan.planned_s() if self.run.own_shape is None else None,
            "stage": self._stages,
            "stages": len(self.plan.steps()) or None if self.run.own_shape is None else None,
            "search": searching.document(self._search) if self._search else None,
            "users": runner.user_count,
            "target_users": runner.target_user_count if has_begun else self.plan.users,
            "workers_ready": runner.worker_count,
            "workers_expected": self.run.expected_workers,
            **self._live.document(),
            "workers": [self._worker(runner, client) for client in runner.clients.all],
        }

    def _worker(self, runner: MasterRunner, client: Any) -> dict[str, Any]:
        number = int(runner.get_worker_index(client.id)) + 1
        second = self._live.worker(number)
        return {
            "worker": number,
            "id": client.id,
            "state": client.state,
            "users": client.user_count if client.state != STATE_MISSING else 0,
            "cpu_percent": live.cpu_percent(second) if second else None,
            "lag_ms": live.lag_ms(second) if second else None,
            "memory_bytes": second.rss_bytes if second else None,
        }

    def _end_stage(self, at: float) -> None:
        text = f"stage {self._stages} of {many(self._stage_users or 0, 'user')} ends"
        self.tell(EventKind.STAGE_ENDED, text, at=at, users=self._stage_users)
        self._stage_users = None

    def _write_seconds(self, *, everything: bool = False) -> None:
        late = []
        for second in self.collector.complete(self.now(), everything=everything):
            if second.late:
                late.append(second.t)
            else:
                second.target_users = self._wanted.pop(second.t, 0)
                second.target = self._scrapes.pop(second.t, [])
                second.machine = self._machine_seconds.pop(second.t, None)
            self.folder.append_second(second)
            self._live.add(second)
            if self._search is not None and not second.late:
                for event in self._search.add(second):
                    self._note(event)
        if late:
            self.tell(
                EventKind.LATE, f"reports of {many(len(late), 'second')} came late, and are counted", seconds=late
            )

    def _note_gaps(self) -> None:
        for worker, book in self.collector.books.items():
            if book.gap is not None:
                first, last = book.gap
                text = f"reports {first} to {last} of worker {worker} never came"
                self.tell(EventKind.GAP, text, worker, first=first, last=last)

    def _write(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.run, name, value)
        self.folder.write_run(self.run)
