"""The record of a run: its stages, seconds and events, as they are written into its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from locust.env import Environment
from locust.runners import STATE_MISSING, STATE_RUNNING, MasterRunner

from loadlab.analysis.recording import Event, EventKind, MachineSecond, Run, Second, Status, TargetSecond
from loadlab.generator import chronicle as module
from loadlab.generator.chronicle import Chronicle
from loadlab.generator.target import Target
from loadlab.plan import RunPlan
from loadlab.runfolder import RunFolder
from tests.generator.fakes import Clock, Master, cell, modules_time, planned, report
from tests.schemas import check_folder

STARTED, ENDED = EventKind.STAGE_STARTED, EventKind.STAGE_ENDED
UNIX = 1_700_000_000.0


class Book:
    """A chronicle in a folder of its own, with a clock to turn and a target that tells what it is given."""

    def __init__(self, path: Path, clock: Clock, plan: RunPlan, *workers: int, own_shape: str | None) -> None:
        self.clock = clock
        self.target: Any = SimpleNamespace(look=lambda: self.says)
        self.says: list[TargetSecond] = []
        self.folder = RunFolder(path)
        run = Run(path.name, Status.WAITING, {}, (), UNIX, own_shape=own_shape, expected_workers=len(workers))
        self.folder.write_run(run)
        self.chronicle = Chronicle(self.folder, run, plan)
        self.states = dict.fromkeys(workers, STATE_RUNNING)
        self._numbers: dict[int, int] = {}

    def begin(self) -> None:
        """Begin, some time after the making."""
        self.clock.now += 30
        self.chronicle.begin(cast(Target, self.target))
        for worker in self.states:
            self.chronicle.attendance.invite(worker, f"w{worker}", 0.0)

    def hear(self, worker: int, through: int, *seconds: list[Any], **changes: Any) -> None:
        """Take in the next report of a worker."""
        number = self._numbers[worker] = self._numbers.get(worker, 0) + 1
        self.chronicle.hear(worker, f"w{worker}", report(number, through, *seconds, **changes))

    def look(self, at: float, users: int, wanted: int) -> None:
        """Look, at some second of the run."""
        self.clock.now = 530 + at
        self.chronicle.look(self.states, users, wanted)

    def events(self, *kinds: EventKind) -> list[Event]:
        """Return what was written down, of some kinds."""
        return [event for event in self.folder.read().events if event.kind in kinds]

    def seconds(self) -> list[Second]:
        """Return the lines of the timeline."""
        return self.folder.read().seconds


Open = Callable[..., Book]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a chronicle."""
    path = tmp_path / "a-run"
    path.mkdir()

    def make(*workers: int, own_shape: str | None = None, **plan: Any) -> Book:
        clock = Clock(500.0)
        monkeypatch.setattr(module, "time", modules_time(clock, unix=UNIX))
        return Book(path, clock, planned(**plan), *workers, own_shape=own_shape)

    return make


def test_a_run_begins_at_zero_with_what_the_target_said_before(opened: Open) -> None:
    """Its clock, its status, its first event; the target's counters before the first request are of second -1."""
    book = opened(1)
    book.says = [TargetSecond("api:80", {"GET /": 7})]
    book.begin()
    assert book.chronicle.now() == 0.0
    run = book.folder.read_run()
    assert (run.status, run.started, run.ended, run.duration_s) == (Status.RUNNING, UNIX + 530, None, None)
    assert book.seconds() == [Second(-1, target=book.says)]
    (event,) = book.events(*EventKind)
    assert (event.t, event.kind, event.text) == (0.0, EventKind.RUN_STARTED, "run started by ui")


def test_a_stage_lasts_from_when_all_users_are_there_until_another_number_is_ordered(opened: Open) -> None:
    """A ramp is no stage, users that are lost end none, and the end is at the last look before the order."""
    book = opened(1)
    book.begin()
    for at, users, wanted in [(0.2, 0, 10), (1, 9, 10), (2.25, 10, 10), (4, 10, 10), (5, 6, 10), (6, 10, 10)]:
        book.look(at, users, wanted)
    book.look(7, 10, 20)
    book.look(9.5, 20, 20)
    book.clock.now = 530 + 12.5
    book.chronicle.drain("plan")
    told = [(event.kind, event.t, event.data["users"]) for event in book.events(STARTED, ENDED)]
    assert told == [(STARTED, 2.25, 10), (ENDED, 6.0, 10), (STARTED, 9.5, 20), (ENDED, 12.5, 20)]
    (stop,) = book.events(EventKind.STOP_ORDERED)
    assert (stop.t, stop.data) == (12.5, {"by": "plan"})
    assert book.folder.read_run().status is Status.DRAINING


def test_one_user_is_no_plural(opened: Open) -> None:
    """The texts of a stage are read by people."""
    book = opened(1)
    book.begin()
    book.look(1, 1, 1)
    book.look(2, 1, 2)
    assert [event.text for event in book.events(STARTED, ENDED)] == ["stage 1: 1 user", "stage 1 of 1 user ends"]


def test_a_stop_before_any_stage_ends_none(opened: Open) -> None:
    """In the midst of the ramp; nobody is no stage either."""
    book = opened(1)
    book.begin()
    book.look(0.5, 0, 0)
    book.look(1, 3, 10)
    book.chronicle.drain("user")
    assert book.events(STARTED, ENDED) == []


def test_a_second_has_its_users_and_what_the_target_said(opened: Open) -> None:
    """Those who run by the workers' word, those who were wanted then, and the scrape of that second."""
    book = opened(1, 2)
    book.begin()
    book.look(0.1, 0, 5)
    book.look(0.9, 4, 8)
    book.chronicle._scrapes[1] = [TargetSecond("api:80", in_flight=3)]
    book.chronicle._machine_seconds[1] = MachineSecond(0.75, 0.1)
    for worker in (1, 2):
        book.hear(worker, 0, [0, [cell(ok={5: worker})]], users=worker)
    book.look(1.1, 8, 8)
    for worker in (1, 2):
        book.hear(worker, 1, users=4)
    book.look(2.1, 8, 9)
    one, two = book.seconds()
    assert (one.t, one.users, one.target_users, one.target) == (0, 3, 8, [])
    assert (two.t, two.users, two.target_users, two.target) == (1, 8, 8, [TargetSecond("api:80", in_flight=3)])
    assert (one.machine, two.machine) == (None, MachineSecond(0.75, 0.1))
    assert [times.n for times in (one.cells[0].ok,) if times] == [3]


def test_what_comes_late_is_counted_and_told(opened: Open) -> None:
    """In a line of its own, which wants no users a second time."""
    book = opened(1, 2)
    book.begin()
    for at in (0.5, 1.5, 4.5):
        book.look(at, 4, 4)
        book.hear(1, int(at))
    book.look(5.1, 4, 4)
    book.hear(2, 4, [0, [cell(ok={5: 3})]])
    book.look(5.2, 4, 4)
    late = [second for second in book.seconds() if second.late]
    assert [(second.t, second.target_users, bool(second.cells)) for second in late] == [
        (0, 0, True), (1, 0, False)
    ]  # fmt: skip
    (event,) = book.events(EventKind.LATE)
    assert event.data == {"seconds": [0, 1]}


def test_everything_is_written_at_the_end(opened: Open) -> None:
    """The seconds that waited, the gaps, the last counters, the target's last word, how and when it ended."""
    book = opened(1, 2)
    book.begin()
    book.look(1.5, 4, 4)
    counters = {
        "started": 5,
        "answered": 4,
        "killed": 1,
        "in_flight": 0,
        "recorded": 4,
        "busy_s": 1,
        "killed_busy_s": 0,
    }
    book.hear(1, 1, [1, [cell(ok={5: 4})]], final=True, counters=counters)
    book._numbers[2] = 2
    book.hear(2, 0)
    book.clock.now = 530 + 3.25
    book.chronicle.drain("plan")
    book.says = [TargetSecond("api:80", {"GET /": 9})]
    book.chronicle.close(Status.FINISHED, "plan")
    run = book.folder.read_run()
    assert (run.status, run.stopped_by, run.duration_s, run.ended) == (Status.FINISHED, "plan", 3.25, UNIX + 533.25)
    assert [(one.worker, one.id, one.started, one.final) for one in run.counters] == [
        (1, "w1", 5, True), (2, "w2", 0, False)
    ]  # fmt: skip
    seconds = book.seconds()
    assert [(second.t, bool(second.target)) for second in seconds] == [(0, False), (1, False), (2, False), (3, True)]
    (gap,) = book.events(EventKind.GAP)
    assert (gap.worker, gap.data) == (2, {"first": 1, "last": 2})
    assert book.events(*EventKind)[-1].kind is EventKind.RUN_ENDED
    assert check_folder(book.folder.path) > 5


def test_a_run_that_never_began_has_no_seconds(opened: Open) -> None:
    """It was waiting for its workers, and is closed as it is."""
    book = opened()
    book.chronicle.close(Status.INTERRUPTED, "user")
    run = book.folder.read_run()
    assert (run.status, run.started, run.duration_s) == (Status.INTERRUPTED, None, 0.0)
    assert (book.seconds(), book.events(*EventKind)) == ([], [])
    check_folder(book.folder.path)


@pytest.mark.parametrize(
    ("by", "time_s", "own_shape", "status"),
    [
        ("plan", 60, None, Status.FINISHED),
        ("user", 60, None, Status.INTERRUPTED),
        ("user", None, None, Status.FINISHED),
        ("user", 60, "Own", Status.FINISHED),
        ("signal", None, None, Status.INTERRUPTED),
        ("signal", 60, "Own", Status.INTERRUPTED),
        ("no-workers", 60, None, Status.ABORTED),
        ("no-workers", None, None, Status.ABORTED),
    ],
)
def test_how_a_run_ended(by: str, time_s: float | None, own_shape: str | None, status: Status, opened: Open) -> None:
    """By who stopped it: stopped by hand, one that has no planned end is finished, any other was interrupted."""
    book = opened(time_s=time_s, own_shape=own_shape)
    book.begin()
    book.chronicle.drain(by)
    assert book.chronicle.status_of_end is status


def test_all_is_told_when_everyone_who_is_there_has_said_the_last_word(opened: Open) -> None:
    """The lost ones are not waited for."""
    book = opened(1, 2, 3)
    book.begin()
    assert not book.chronicle.is_told
    book.hear(1, 0, final=True)
    assert not book.chronicle.is_told
    book.states[2] = STATE_MISSING
    book.look(0.5, 0, 0)
    assert not book.chronicle.is_told
    book.hear(3, 0, final=True)
    assert book.chronicle.is_told


def test_the_last_word_is_not_all_where_reports_before_it_are_on_their_way(opened: Open) -> None:
    """A worker to which the master was silent keeps its reports, and sends them after its last word."""
    book = opened(1)
    book.begin()
    book.chronicle.hear(1, "w1", report(1, 0, [0, [cell(ok={9: 1})]]))
    book.chronicle.hear(1, "w1", report(4, 3, final=True))
    assert not book.chronicle.is_told
    for number in (2, 3):
        book.chronicle.hear(1, "w1", report(number, number - 1, [number - 1, [cell(ok={9: 1})]]))
    assert book.chronicle.is_told


def test_who_was_away_from_the_beginning_took_no_part(opened: Open) -> None:
    """It is neither missed nor counted, unless it comes back."""
    book = opened(1)
    book.begin()
    book.states |= {2: STATE_MISSING, 3: STATE_MISSING}
    for worker in (2, 3):
        book.chronicle.attendance.invite(worker, f"w{worker}", 0.0, is_there=False)
    book.look(0.5, 4, 4)
    book.states[3] = STATE_RUNNING
    book.look(1.0, 4, 4)
    assert [(event.kind, event.worker) for event in book.events(EventKind.WORKER_MISSING, EventKind.WORKER_BACK)] == [
        (EventKind.WORKER_BACK, 3)
    ]
    book.chronicle.close(Status.FINISHED, "plan")
    assert [one.worker for one in book.folder.read_run().counters] == [1, 3]


def test_who_was_not_invited_is_not_heard(opened: Open) -> None:
    """A stranger's report, be it as good as any, counts for nothing and makes nobody wait."""
    book = opened(1)
    book.begin()
    book.hear(9, 0, [0, [cell(ok={5: 100})]])
    book.hear(1, 0, [0, [cell(ok={5: 1})]])
    book.look(1.1, 4, 4)
    (second,) = book.seconds()
    assert [times.n for one in second.cells if (times := one.ok)] == [1]
    assert 9 not in book.chronicle.collector.books


class Beside:
    """Lets a chronicle look at its target and its machine, each second lasting no time."""

    def __init__(self, book: Book, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
        self.book = book
        self.asked: list[float] = []
        self._left = seconds
        monkeypatch.setattr(module, "gevent", SimpleNamespace(sleep=self._pass))
        book.target.is_silent = False
        book.target.ask = self._ask
        book.chronicle._machine = cast(Any, SimpleNamespace(sample=self._sample))

    def _pass(self, seconds: float) -> None:
        self.book.clock.now += seconds
        self._left -= 1
        if not self._left:
            self.book.chronicle.run.status = Status.DRAINING

    def _sample(self) -> MachineSecond:
        return MachineSecond(self.book.chronicle.now() / 10)

    def _ask(self, tell: Callable[[TargetSecond], None]) -> None:
        self.asked.append(round(self.book.chronicle.now(), 3))
        self.book.clock.now += 0.3
        tell(TargetSecond("api:80", in_flight=len(self.asked)))


def test_target_and_machine_are_looked_at_each_second(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning of each; the target is of the second in which it told, the machine of the one that is over."""
    book = opened(1)
    book.begin()
    beside = Beside(book, monkeypatch, 4)
    book.chronicle.look_beside()
    assert beside.asked == [1, 2, 3, 4]
    assert {t: seen[0].in_flight for t, seen in book.chronicle._scrapes.items()} == {1: 1, 2: 2, 3: 3, 4: 4}
    busy = {t: round(one.busy, 3) for t, one in book.chronicle._machine_seconds.items()}
    assert busy == {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4}


def test_what_two_instances_told_in_a_second_is_kept(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tells when it can."""
    book = opened(1)
    book.begin()
    Beside(book, monkeypatch, 1)
    told = [TargetSecond("api-1:80", in_flight=1), TargetSecond("api-2:80", in_flight=2)]
    book.target.ask = lambda tell: [tell(one) for one in told]
    book.chronicle.look_beside()
    assert book.chronicle._scrapes == {1: told}


def test_a_target_that_never_told_anything_is_let_be(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is looked at all the same."""
    book = opened(1)
    book.begin()
    beside = Beside(book, monkeypatch, 3)
    book.target.is_silent = True
    book.chronicle.look_beside()
    assert (beside.asked, len(book.chronicle._machine_seconds)) == ([], 3)


def test_how_it_is_going(opened: Open) -> None:
    """The part of LIVE that the record knows: time, stages, users and each worker."""
    book = opened(1, 2, users=10, time_s=60, shape="steps")
    runner = Master(Environment())
    runner.join("w1", "w2")
    live = book.chronicle.document(cast(MasterRunner, runner))
    assert (live["elapsed_s"], live["stage"], live["stages"], live["target_users"]) == (0.0, 0, 5, 10)
    assert live["planned_s"] == book.chronicle.plan.planned_s()
    book.begin()
    runner.target_user_count = 4
    runner.share_out()
    runner.clients["w2"].state = STATE_MISSING
    book.look(1.26, 4, 4)
    health = {**report(1, 0)["health"], "cpu_s": 0.25, "cpu_limit": 0.5, "rss_bytes": 7}
    book.hear(1, 0, [0, [cell(ok={5: 3}, failed=1)]], health=health)
    book.states[2] = STATE_MISSING
    book.look(1.26, 4, 4)
    live = book.chronicle.document(cast(MasterRunner, runner))
    assert (live["elapsed_s"], live["stage"], live["users"], live["target_users"]) == (1.3, 1, 4, 4)
    assert (live["workers_ready"], live["workers_expected"]) == (1, 2)
    assert (live["requests"], live["failures"], live["throughput_rps"]) == (4, 1, 4.0)
    assert live["validity"]["level"] == "degraded"
    one, two = live["workers"]
    assert one == {
        "worker": 1, "id": "w1", "state": STATE_RUNNING, "users": 2,
        "cpu_percent": 50.0, "lag_ms": None, "memory_bytes": 7,
    }  # fmt: skip
    assert two == {
        "worker": 2, "id": "w2", "state": STATE_MISSING, "users": 0,
        "cpu_percent": None, "lag_ms": None, "memory_bytes": None,
    }  # fmt: skip


def test_a_users_own_shape_has_no_planned_end(opened: Open) -> None:
    """Only it knows how long it takes, and in how many stages."""
    book = opened(time_s=60, own_shape="Own")
    live = book.chronicle.document(cast(MasterRunner, Master(Environment())))
    assert (live["planned_s"], live["stages"]) == (None, None)
