"""Who takes part: each coming and going is told once, and so is that the load was made good."""

from __future__ import annotations

from typing import Any

import pytest
from locust.runners import STATE_INIT, STATE_MISSING, STATE_RUNNING, STATE_SPAWNING

from loadlab.analysis.recording import EventKind
from loadlab.generator.attendance import Attendance
from loadlab.generator.collector import Collector
from tests.generator.fakes import cell, report

JOINED, MISSING, BACK = EventKind.WORKER_JOINED, EventKind.WORKER_MISSING, EventKind.WORKER_BACK
LEFT, RESTORED, SILENCED = EventKind.WORKER_LEFT, EventKind.LOAD_RESTORED, EventKind.WORKER_SILENCED
Told = tuple[EventKind, int | None, dict[str, Any]]


class Roll:
    """An attendance, its collector, and what was told."""

    def __init__(self, *workers: int) -> None:
        self.collector = Collector(0)
        self.told: list[Told] = []
        self.texts: list[str] = []
        self.attendance = Attendance(self.collector, self._tell)
        self._numbers: dict[int, int] = {}
        for worker in workers:
            self.attendance.invite(worker, f"w{worker}", 0.0)
            self.hear(worker, 0)
        self.news()

    def _tell(self, kind: EventKind, text: str, worker: int | None = None, **data: Any) -> None:
        self.told.append((kind, worker, data))
        self.texts.append(text)

    def hear(self, worker: int, through: int, *seconds: list[Any], **changes: Any) -> None:
        """Take in the next report of a worker."""
        number = self._numbers[worker] = self._numbers.get(worker, 0) + 1
        one = report(number, through, *seconds, **changes)
        assert self.collector.accept(worker, f"w{worker}", one)
        self.attendance.meet(worker, f"w{worker}", one)

    def look(
        self, now: float, *missing: int, gone: tuple[int, ...] = (), users: int = 10, wanted: int = 10
    ) -> list[Told]:
        """Look at the workers, all running but those said, and return what is new."""
        states = {n: STATE_MISSING if n in missing else STATE_RUNNING for n in self.collector.books if n not in gone}
        self.attendance.look(now, states, users, wanted)
        return self.news()

    def news(self) -> list[Told]:
        """Return what was told since the last time."""
        told, self.told = self.told, []
        return told


def test_a_worker_joins_once() -> None:
    """With its first report, however many follow; where it runs is told."""
    roll = Roll()
    roll.attendance.invite(1, "w1", 0.0)
    assert roll.news() == []
    roll.hear(1, 0)
    roll.hear(1, 1)
    assert roll.news() == [(JOINED, 1, {"id": "w1", "host": "here", "pid": 7, "booted": 5, "files_limit": 1024})]


def test_while_all_are_there_nothing_is_told() -> None:
    """Whatever they do, and also while users are being started."""
    roll = Roll(1, 2)
    for state in (STATE_INIT, STATE_SPAWNING, STATE_RUNNING):
        roll.attendance.look(1.0, {1: state, 2: STATE_RUNNING}, 3, 10)
    assert roll.look(2.0) == []


def test_a_worker_that_does_not_answer_is_told_once_with_what_it_last_said() -> None:
    """Its last second, its throughput and its counters: what may be lost is judged by them."""
    roll = Roll(1, 2)
    counters = {"started": 60, "answered": 50, "killed": 1, "in_flight": 9, "recorded": 49}
    roll.hear(2, 4, [4, [cell(ok={5: 8})]], counters={**counters, "busy_s": 1.0, "killed_busy_s": 0.0})
    data = {"last_second": 4, "throughput_rps": 2.0, "in_flight": 9, "started": 60, "recorded": 49}
    assert roll.look(9.0, 2, users=5) == [(MISSING, 2, data)]
    assert roll.look(9.25, 2, users=5) == []
    assert [book.is_expected for book in roll.collector.books.values()] == [True, False]


def test_a_worker_that_comes_back_is_expected_again() -> None:
    """Told once; and when it is lost again, that is told again."""
    roll = Roll(1, 2)
    roll.look(5.0, 2, users=5)
    assert roll.look(9.0, users=5) == [(BACK, 2, {})]
    assert roll.collector.books[2].is_expected
    assert roll.look(9.5, users=5) == []
    assert [kind for kind, *_ in roll.look(20.0, 2, users=5)] == [MISSING]


@pytest.mark.parametrize(("final", "kind"), [(True, LEFT), (False, MISSING)])
def test_a_worker_that_quits(final: bool, kind: EventKind) -> None:
    """It left when its last report is in; without one it is lost. Either way once, and it is not waited for."""
    roll = Roll(1, 2)
    roll.hear(2, 3, final=final)
    assert [(what, who) for what, who, _ in roll.look(5.0, gone=(2,), users=5)] == [(kind, 2)]
    assert roll.look(6.0, gone=(2,), users=5) == []
    assert not roll.collector.books[2].is_expected


def test_the_load_is_restored_when_all_users_run_again() -> None:
    """With the time since the lost worker's last word, once; until then it is not."""
    roll = Roll(1, 2)
    roll.hear(2, 3)
    roll.look(9.0, 2, users=5)
    assert roll.look(10.0, 2, users=9) == []
    assert roll.look(12.5, 2, users=10) == [(RESTORED, None, {"after_s": 8.5})]
    assert "8.5 s" in roll.texts[-1]
    assert roll.look(13.0, 2, users=10) == []


def test_two_losses_are_one_shortage() -> None:
    """It lasts from the first until all users run again; a later loss begins another."""
    roll = Roll(1, 2, 3)
    roll.hear(2, 1)
    roll.hear(3, 5)
    roll.look(6.0, 2, users=6)
    roll.look(8.0, 2, 3, users=3)
    assert roll.look(12.0, 2, 3) == [(RESTORED, None, {"after_s": 10.0})]
    roll.hear(1, 19)
    roll.look(21.0, 1, 2, 3, users=0)
    assert roll.look(22.0, 1, 2, 3) == [(RESTORED, None, {"after_s": 2.0})]


def test_a_worker_that_is_invited_anew_takes_part_again() -> None:
    """One that quit and has connected again is waited for, from then on, and can be lost again."""
    roll = Roll(1, 2)
    roll.look(5.0, gone=(2,), users=5)
    roll.attendance.invite(2, "w2", 7.5)
    book = roll.collector.books[2]
    assert (book.is_expected, book.through) == (True, 6)
    assert roll.look(8.0, users=5) == []
    assert [(kind, who) for kind, who, _ in roll.look(9.0, gone=(2,), users=5)] == [(MISSING, 2)]


def test_a_late_joiner_is_expected_from_the_second_it_joined_in() -> None:
    """Seconds before it do not wait for it; a worker that is there already keeps what it has told."""
    roll = Roll(1)
    roll.hear(1, 8)
    roll.attendance.invite(2, "w2", 7.25)
    assert [second.t for second in roll.collector.complete(9.0)] == list(range(7))
    roll.attendance.invite(1, "w1", 3.0)
    assert roll.collector.books[1].through == 8


def test_who_was_away_before_the_run_is_not_missed() -> None:
    """Whether it stays away or is given up; once it is back it takes part, and can be missed."""
    roll = Roll(1)
    for worker in (2, 3):
        roll.attendance.invite(worker, f"w{worker}", 0.0, is_there=False)
    assert not roll.collector.books[2].is_expected
    assert roll.look(1.0, 2, 3) == []
    assert roll.look(2.0, 2, gone=(3,)) == []
    assert roll.attendance.absent == {2, 3}
    assert roll.look(3.0, gone=(3,)) == [(BACK, 2, {})]
    assert roll.collector.books[2].is_expected
    assert roll.attendance.absent == {3}
    assert [(kind, who) for kind, who, _ in roll.look(4.0, 2, gone=(3,), users=5)] == [(MISSING, 2)]


def test_notes_of_a_worker_are_told() -> None:
    """Each as it is, of that worker."""
    roll = Roll(1)
    roll.hear(1, 1, notes=["stopped its 3 users", "again"])
    assert roll.news() == [(SILENCED, 1, {})] * 2
    assert roll.texts[-2:] == ["worker 1 stopped its 3 users", "worker 1 again"]


def test_a_worker_that_was_away_before_the_run_is_not_missed_in_it() -> None:
    """A dead one that the master still knows of an earlier run takes no part; one that comes back does, from then."""
    roll = Roll(1)
    for dead in (2, 3):
        roll.attendance.invite(dead, f"w{dead}", 0.0, is_there=False)
    assert roll.look(1.0, 2, 3) == []
    assert not roll.collector.books[2].is_expected
    assert [told[:2] for told in roll.look(2.0, 2)] == [(BACK, 3)]
    assert roll.collector.books[3].is_expected
    assert roll.attendance.absent == {2}
    assert [told[:2] for told in roll.look(6.0, 2, 3, users=5)] == [(MISSING, 3)]
