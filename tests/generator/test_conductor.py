"""The conductor leads every run the same way, whoever started it and however it ends."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from locust import LoadTestShape
from locust.env import Environment
from locust.runners import MasterRunner

from loadlab.analysis import slo
from loadlab.analysis.recording import EventKind, Recording, Run, Status
from loadlab.errors import LabError
from loadlab.generator import conductor as module
from loadlab.generator.conductor import BusyError, attach, default_slos
from loadlab.generator.load_shape import PlanShape
from loadlab.generator.reporting import ACK, BEGIN, REPORT
from loadlab.plan import RunPlan
from loadlab.runfolder import CALIBRATIONS, RunFolder, folders
from tests.analysis.test_headroom import calibration
from tests.generator.fakes import Master, cell, planned, report, sent
from tests.schemas import check_folder

LOOK_S = 0.004


def load(**values: Any) -> RunPlan:
    """Return a plan that is judged by its failures only: there are no thresholds to count against."""
    return planned(**{"slos": ("fail<1%",), **values})


class OwnShape(LoadTestShape):
    """A shape of the user's own: three users, until it has been asked often enough."""

    abstract = True
    ticks = 5

    def tick(self) -> tuple[int, float] | None:
        """Return three users for a while."""
        self.ticks -= 1
        return (3, 3.0) if self.ticks > 0 else None


class Podium:
    """A conductor with a master that only seems to be one, whose workers say what the test has them say."""

    def __init__(self, root: Path, shape: LoadTestShape | None, stop_timeout: float) -> None:
        options = Namespace(scenario=None, num_users=None, users=None, spawn_rate=None, host="http://set.invalid")
        self.environment = Environment(shape_class=shape, host="http://set.invalid", parsed_options=options)
        self.environment.stop_timeout = stop_timeout
        self.environment.available_user_classes = {}
        self.master = Master(self.environment)
        self.reports: list[RunFolder] = []
        self.root = root
        self.conductor = attach(self.environment, cast(MasterRunner, self.master), root)
        self._numbers: dict[str, int] = {}

    def wait(self, happened: Callable[[], object], what: str = "what was waited for") -> None:
        """Wait until something has happened."""
        with gevent.Timeout(10, AssertionError(f"waited in vain for {what}")):
            while not happened():
                gevent.sleep(0.002)

    def looks(self, count: int) -> None:
        """Let the conductor look so many times."""
        for _ in range(count):
            gevent.sleep(LOOK_S * 1.2)

    @property
    def run(self) -> Run:
        """Return run.json of the newest run."""
        return max((folder.read_run() for folder in folders(self.root)), key=lambda run: run.created)

    @property
    def recording(self) -> Recording:
        """Return all that was written down of the newest run."""
        return RunFolder(self.root / self.run.id).read()

    def kinds(self) -> list[EventKind]:
        """Return what happened in the newest run."""
        return [event.kind for event in self.recording.events]

    def is_in(self, status: Status) -> Callable[[], bool]:
        """Return a function that tells whether the newest run has come so far."""
        return lambda: bool(folders(self.root)) and self.run.status is status

    def say(self, worker: str, *seconds: list[Any], **changes: Any) -> None:
        """Have a worker send its next report."""
        number = self._numbers[worker] = self._numbers.get(worker, 0) + 1
        through = int(time.time() - (self.run.started or 0))
        self.send(worker, report(number, through, *seconds, run=self.run.id, **changes))

    def send(self, worker: str, data: Any) -> None:
        """Have somebody send whatever it is."""
        self.master.listeners[REPORT](environment=self.environment, msg=sent(REPORT, data, worker))

    def orders(self, kind: str) -> list[tuple[str, Any]]:
        """Return what was sent to whom since the last time, of one kind; all else is forgotten."""
        orders = [(message.node_id, message.data) for message in self.master.sent if message.type == kind]
        self.master.sent.clear()
        return orders

    def last_words(self, *workers: str) -> None:
        """Have workers say their last words once the run drains, and wait for its report."""
        self.wait(self.is_in(Status.DRAINING), "a draining run")
        for worker in workers:
            self.say(worker, final=True)
        self.reported()

    def reported(self) -> None:
        """Wait until the newest run is over, and its report was made."""
        self.wait(lambda: [folder.id for folder in self.reports][-1:] == [self.run.id], "a report")


Stand = Callable[..., Podium]


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Return a function that makes a podium; its workers are connected, and time goes by much faster."""
    monkeypatch.delenv("TARGET_METRICS", raising=False)
    monkeypatch.delenv("SLO", raising=False)
    monkeypatch.setattr(module, "LOOK_EVERY_S", LOOK_S)
    monkeypatch.setattr(module, "TICK_S", LOOK_S / 2)
    monkeypatch.setattr(module, "READY_S", 0.1)
    monkeypatch.setattr(module, "LAST_WORDS_S", 0.1)
    monkeypatch.setattr(module, "Target", lambda *_: SimpleNamespace(look=list))
    made: list[Podium] = []

    def make(*workers: str, shape: LoadTestShape | None = None, stop_timeout: float = 0.0) -> Podium:
        podium = Podium(tmp_path / "results", shape, stop_timeout)
        monkeypatch.setattr(module, "aftermath", SimpleNamespace(report=podium.reports.append, PATIENCE_S=5))
        made.append(podium)
        podium.master.join(*workers)
        return podium

    yield make
    for podium in made:
        podium.master.greenlet.kill()


def test_a_run_from_its_start_to_its_report(stand: Stand) -> None:
    """Waiting, running, draining, finished: as planned, over HTTP, with a folder that is as it is documented."""
    podium = stand("a", "b")
    # `plan.make` allows no less than a second of load.
    run = podium.conductor.start(load(users=4, spawn_rate=4, time_s=1, workers=2, name="first run"), by="http")
    assert (podium.conductor.active, podium.run.id, podium.run.status) == (run, run, Status.WAITING)
    assert run.endswith("-first-run")
    podium.wait(lambda: EventKind.STAGE_STARTED in podium.kinds(), "a stage")
    assert podium.master.starts == [(4, 4.0)]
    assert podium.is_in(Status.RUNNING)()
    assert {name: order["run"] for name, order in podium.orders(BEGIN)} == {"a": run, "b": run}
    podium.say("a", [0, [cell(ok={5: 3})]])
    podium.say("b", [0, [cell(ok={6: 4}, failed=1)]])
    podium.wait(podium.is_in(Status.DRAINING), "the end of the plan")
    podium.looks(3)
    assert podium.is_in(Status.DRAINING)()
    podium.last_words("a", "b")
    recording = podium.recording
    ended = recording.run
    assert (ended.status, ended.started_by, ended.stopped_by) == (Status.FINISHED, "http", "plan")
    assert (podium.conductor.active, recording.partial) == (None, False)
    assert [counters.final for counters in ended.counters] == [True, True]
    assert sum(side.n for s in recording.seconds for c in s.cells for side in (c.ok, c.failed) if side) == 8
    assert podium.kinds() == [
        EventKind.RUN_STARTED,
        EventKind.STAGE_STARTED,
        EventKind.WORKER_JOINED,
        EventKind.WORKER_JOINED,
        EventKind.STAGE_ENDED,
        EventKind.STOP_ORDERED,
        EventKind.RUN_ENDED,
    ]
    assert check_folder(podium.reports[0].path) > 8
    assert len(podium.reports) == 1


def test_a_run_ends_as_soon_as_all_is_told(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it would wait for the last words."""
    podium = stand("a")
    monkeypatch.setattr(module, "LAST_WORDS_S", 600)
    podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    podium.conductor.stop(podium.run.id, by="user")
    podium.last_words("a")


def test_a_start_that_is_killed_blocks_no_other(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop within a moment of start: Locust kills what starts, here while the target is looked at."""
    podium = stand("a")
    monkeypatch.setattr(module, "Target", lambda *_: SimpleNamespace(look=lambda: gevent.sleep(10)))
    starting = gevent.spawn(podium.master.start, 5, 5)
    podium.wait(lambda: podium.conductor.active, "a run that begins")
    podium.master._users_dispatcher = object()
    starting.kill()
    assert podium.conductor.active is None
    assert podium.master._users_dispatcher is None
    podium.reported()
    assert podium.reports[-1].read_run().status is Status.INTERRUPTED


def test_what_was_asked_for_is_in_run_json(stand: Stand) -> None:
    """The plan, what it left to the rig filled in, thresholds, promises, versions, revision, how many workers."""
    podium = stand("a", "b", "c")
    podium.conductor.revision = "abc123"
    vars(podium.environment.parsed_options)["scenario"] = "locustfile"
    podium.conductor.start(load(users=9, spawn_rate=2, time_s=60, slos=["p99<=0.8s", "fail<2%"]), by="http")
    run = podium.run
    assert run.plan["users"] == 9
    assert (run.plan["host"], run.plan["scenario"]) == ("http://set.invalid", "locustfile")
    assert (run.slo, run.thresholds_us) == (("p99<=0.8s", "fail<2%"), (800_001,))
    assert (run.expected_workers, run.revision, run.own_shape) == (3, "abc123", None)
    assert "locust" in run.versions
    assert run.machine["cores"]


def test_options_are_set_as_the_start_form_would(stand: Stand) -> None:
    """The UI then shows what runs; the target is that of the plan."""
    podium = stand("a")
    podium.conductor.start(load(users=9, spawn_rate=2, time_s=60, host="http://other.invalid"), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    options = vars(podium.environment.parsed_options)
    assert {name: options[name] for name in ("num_users", "users", "spawn_rate", "host")} == {
        "num_users": 9, "users": 9, "spawn_rate": 2.0, "host": "http://other.invalid"
    }  # fmt: skip
    assert podium.environment.host == "http://other.invalid"
    assert podium.run.plan["host"] == "http://other.invalid"


def test_it_waits_for_exactly_as_many_workers(stand: Stand) -> None:
    """With fewer it waits, with more it waits too, with just as many it starts."""
    podium = stand("a", "b", "c")
    podium.conductor.start(load(workers=2, time_s=60), by="http")
    podium.looks(5)
    assert podium.is_in(Status.WAITING)()
    assert podium.master.starts == []
    del podium.master.clients["c"]
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    assert podium.run.expected_workers == 2


@pytest.mark.parametrize(("workers", "wanted"), [([], None), (["a"], 2), (["a", "b", "c"], 2)])
def test_without_the_workers_it_is_aborted(workers: list[str], wanted: int | None, stand: Stand) -> None:
    """After a time, with the reason; no user was started, and the next run can be."""
    podium = stand(*workers)
    podium.conductor.start(load(workers=wanted, time_s=60), by="http")
    podium.reported()
    assert (podium.run.status, podium.run.stopped_by) == (Status.ABORTED, "no-workers")
    (warning,) = podium.recording.events
    assert warning.kind is EventKind.WARNING
    ready = {0: "0 workers were", 1: "1 worker was", 3: "3 workers were"}[len(workers)]
    assert warning.text.startswith(f"{ready} ready, not ")
    assert (podium.master.starts, podium.conductor.active) == ([], None)
    check_folder(podium.reports[0].path)
    podium.conductor.start(load(time_s=60), by="http")


def test_a_run_is_not_started_beside_the_rest_of_another(stand: Stand) -> None:
    """Users of a test that nobody recorded, or a shape on its way out, have to be gone first."""
    podium = stand("a")
    podium.master.state = "stopping"
    podium.conductor.start(load(time_s=60), by="http")
    podium.looks(5)
    podium.master.state = "stopped"
    podium.master.shape_greenlet = podium.master.greenlet.spawn(gevent.sleep, 60)
    podium.looks(5)
    assert podium.is_in(Status.WAITING)()
    podium.master.shape_greenlet = None
    podium.wait(podium.is_in(Status.RUNNING), "a run")


def test_a_run_that_waits_can_be_stopped(stand: Stand) -> None:
    """It never starts, not even when its workers come."""
    podium = stand("a")
    run = podium.conductor.start(load(workers=2, time_s=60), by="http")
    podium.conductor.stop(run, by="user")
    podium.reported()
    assert (podium.run.status, podium.run.stopped_by) == (Status.INTERRUPTED, "user")
    podium.master.join("b")
    podium.looks(5)
    assert podium.master.starts == []
    assert podium.recording.events == []
    assert len(podium.reports) == 1


def test_a_run_that_is_stopped_in_its_midst(stand: Stand) -> None:
    """It drains, and was interrupted; stopping it again, or another, changes nothing."""
    podium = stand("a")
    run = podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    podium.conductor.stop("another", by="user")
    podium.looks(3)
    assert podium.is_in(Status.RUNNING)()
    podium.conductor.stop(run, by="user")
    podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    podium.conductor.stop(run, by="signal")
    podium.last_words("a")
    podium.conductor.stop(run, by="signal")
    assert (podium.run.status, podium.run.stopped_by) == (Status.INTERRUPTED, "user")
    assert podium.master.user_count == 0
    assert len(podium.reports) == 1


def test_a_stop_while_the_target_is_asked_is_not_forgotten(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first user a run asks the target, which may take a second: stopped then, no user runs on."""
    podium = stand("a")
    stopped: list[str] = []

    def look() -> list[Any]:
        if not stopped:
            stopped.append(podium.run.id)
            podium.conductor.stop(podium.run.id, by="user")
            gevent.sleep(0.02)
        return []

    monkeypatch.setattr(module, "Target", lambda *_: SimpleNamespace(look=look))
    podium.conductor.start(load(time_s=60), by="http")
    podium.last_words("a")
    assert stopped == [podium.run.id]
    assert (podium.run.status, podium.run.stopped_by) == (Status.INTERRUPTED, "user")
    assert (podium.master.user_count, podium.master.state) == (0, "stopped")
    assert podium.conductor.active is None


def test_the_master_is_told_to_go(stand: Stand) -> None:
    """It stops the run, waits for the last words and the report, and says that it was a signal."""
    podium = stand("a")
    podium.conductor.leave()  # without a run, at once
    podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    leaving = gevent.spawn(podium.conductor.leave)
    podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    assert not leaving.ready()
    podium.say("a", final=True)
    leaving.join(5)
    assert leaving.ready()
    assert (podium.run.status, podium.run.stopped_by) == (Status.INTERRUPTED, "signal")
    assert len(podium.reports) == 1


@pytest.mark.parametrize("status", [Status.WAITING, Status.DRAINING])
def test_the_master_is_told_to_go_at_another_time(status: Status, stand: Stand) -> None:
    """While a run waits, or drains already: its report is waited for as well."""
    podium = stand("a")
    run = podium.conductor.start(load(time_s=60, workers=2 if status is Status.WAITING else 1), by="http")
    if status is Status.DRAINING:
        podium.wait(podium.is_in(Status.RUNNING), "a run")
        podium.conductor.stop(run, by="user")
        podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    leaving = gevent.spawn(podium.conductor.leave)
    leaving.join(5)
    assert leaving.ready()
    assert len(podium.reports) == 1
    assert (podium.run.status, podium.conductor.active) == (Status.INTERRUPTED, None)


def test_all_workers_are_lost(stand: Stand) -> None:
    """The run is aborted, and nobody's last word is waited for."""
    podium = stand("a", "b")
    podium.conductor.start(load(users=4, time_s=60), by="http")
    podium.wait(lambda: EventKind.STAGE_STARTED in podium.kinds(), "a stage")
    podium.master.miss("a")
    podium.wait(lambda: EventKind.WORKER_MISSING in podium.kinds(), "a missing worker")
    assert podium.is_in(Status.RUNNING)()
    podium.master.miss("b")
    podium.reported()
    assert (podium.run.status, podium.run.stopped_by) == (Status.ABORTED, "no-workers")
    assert [counters.final for counters in podium.run.counters] == [False, False]
    check_folder(podium.reports[0].path)


def test_a_lost_worker_and_a_new_one(stand: Stand) -> None:
    """Missed, and made good for by one that greets in the midst of the run; the load is restored."""
    podium = stand("a", "b")
    podium.conductor.start(load(users=4, time_s=60), by="http")
    podium.wait(lambda: EventKind.STAGE_STARTED in podium.kinds(), "a stage")
    podium.orders(BEGIN)
    podium.master.miss("b")
    podium.wait(lambda: EventKind.WORKER_MISSING in podium.kinds(), "a missing worker")
    assert EventKind.LOAD_RESTORED not in podium.kinds()
    podium.master.join("c")
    assert podium.orders(BEGIN) == []  # it has only just connected, and might not hear
    podium.send("c", {"run": None, "number": 0})
    acknowledged, begun = podium.master.sent
    assert (acknowledged.type, acknowledged.node_id, acknowledged.data["number"]) == (ACK, "c", 0)
    assert (begun.type, begun.node_id) == (BEGIN, "c")
    run = podium.run
    order = {"run": run.id, "started": run.started, "thresholds_us": list(run.thresholds_us), "pauses": True}
    assert begun.data == order
    podium.master.share_out()
    podium.wait(lambda: EventKind.LOAD_RESTORED in podium.kinds(), "the load restored")
    podium.say("c")
    podium.conductor.stop(run.id, by="user")
    podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    podium.say("a", final=True)
    podium.looks(3)
    assert podium.is_in(Status.DRAINING)()  # the new one is waited for, the lost one is not
    podium.last_words("c")
    assert [(one.worker, one.final) for one in podium.run.counters] == [(1, True), (2, False), (3, True)]


def test_a_greeting_while_nothing_runs_is_acknowledged(stand: Stand) -> None:
    """And no more: the worker is told at the next start. A stranger is told nothing at all."""
    podium = stand("a")
    podium.send("a", {"run": None, "number": 0})
    assert podium.orders(BEGIN) == []
    podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    assert [name for name, _ in podium.orders(BEGIN)] == ["a"]
    podium.send("stranger", {"run": None, "number": 0})
    assert podium.orders(BEGIN) == []
    podium.looks(3)
    assert EventKind.WORKER_MISSING not in podium.kinds()


def test_the_last_words_are_not_waited_for_for_ever(stand: Stand) -> None:
    """The stop timeout, in which users may end what they do, and some time more."""
    podium = stand("a", stop_timeout=0.15)
    run = podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    podium.conductor.stop(run, by="user")
    podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    gevent.sleep(0.15)
    assert podium.is_in(Status.DRAINING)()
    podium.reported()
    assert [counters.final for counters in podium.run.counters] == [False]


@pytest.mark.parametrize("status", [Status.WAITING, Status.RUNNING, Status.DRAINING])
def test_there_is_one_run_at_a_time(status: Status, stand: Stand) -> None:
    """Another is refused as long as one waits, runs or drains, from the UI too; it says which one it is."""
    podium = stand("a")
    run = podium.conductor.start(load(time_s=60, workers=2 if status is Status.WAITING else 1), by="http")
    if status is not Status.WAITING:
        podium.wait(podium.is_in(Status.RUNNING), "a run")
    if status is Status.DRAINING:
        podium.conductor.stop(run, by="user")
        podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    with pytest.raises(BusyError, match=f"Run {run} is {status}"):
        podium.conductor.start(load(time_s=60), by="http")
    with pytest.raises(BusyError, match=run):
        podium.conductor.prepare({"users": 1, "spawn_rate": 1})
    assert len(folders(podium.root)) == 1


def test_runs_follow_one_another(stand: Stand) -> None:
    """Each with its own folder, counts and workers' numbers; nothing of the first is in the second."""
    podium = stand("a")
    for _ in range(2):
        run = podium.conductor.start(load(time_s=60, name="again"), by="http")
        podium._numbers.clear()
        podium.wait(podium.is_in(Status.RUNNING), "a run")
        podium.say("a", [0, [cell(ok={5: 2})]])
        podium.conductor.stop(run, by="user")
        podium.last_words("a")
    one, other = (folder.read() for folder in podium.reports)
    assert one.run.id != other.run.id
    for recording in (one, other):
        assert sum(cell.ok.n for second in recording.seconds for cell in second.cells if cell.ok) == 2
        assert [event.kind for event in recording.events].count(EventKind.WORKER_JOINED) == 1


def test_a_start_of_the_ui_follows_the_plan_of_its_form(stand: Stand) -> None:
    """Prepared, then started by Locust's own shape: the folder has the plan, and who started it."""
    podium = stand("a")
    podium.conductor.prepare({"users": 5, "spawn_rate": 5, "time_s": 30, "name": "by hand", "slos": ["p50<1s"]})
    shape = podium.environment.shape_class
    assert isinstance(shape, PlanShape)
    assert [(step.users, step.hold_s) for step in shape.steps] == [(5, 30)]
    assert (folders(podium.root), podium.conductor.active) == ([], None)
    podium.master.start_shape()
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    assert (podium.run.started_by, podium.run.plan["name"], podium.run.slo) == ("ui", "by hand", ("p50<1s",))
    podium.master.stop()
    podium.last_words("a")
    assert (podium.run.status, podium.run.stopped_by) == (Status.INTERRUPTED, "user")
    assert podium.environment.shape_class is None


def test_a_start_of_the_ui_without_a_time_has_no_end(stand: Stand) -> None:
    """Then no shape drives it, so that the form can change the number of users; stopped by hand, it is finished."""
    podium = stand("a")
    podium.conductor.prepare({"users": 5, "spawn_rate": 5})
    assert podium.environment.shape_class is None
    podium.master.start(5, 5)
    podium.wait(lambda: podium.kinds()[-1] is EventKind.STAGE_STARTED, "a stage")
    podium.master.start(8, 5)
    podium.wait(lambda: podium.kinds().count(EventKind.STAGE_STARTED) == 2, "another stage")
    podium.master.stop()
    podium.last_words("a")
    run = podium.run
    assert (run.status, run.stopped_by, run.plan["time_s"]) == (Status.FINISHED, "user", None)
    users = [event.data["users"] for event in podium.recording.events if event.kind is EventKind.STAGE_STARTED]
    assert users == [5, 8]


def test_what_was_prepared_holds_for_one_start(stand: Stand) -> None:
    """The next start that is not prepared has none of it."""
    podium = stand("a")
    podium.conductor.prepare({"users": 5, "spawn_rate": 5, "name": "once"})
    for users in (5, 6):
        podium._numbers.clear()
        podium.master.start(users, 5)
        podium.wait(podium.is_in(Status.RUNNING), "a run")
        podium.master.stop()
        podium.last_words("a")
    assert [folder.read_run().plan["name"] for folder in podium.reports] == ["once", ""]
    assert [folder.read_run().plan["users"] for folder in podium.reports] == [5, 6]


def test_another_target_is_that_of_one_run_alone(stand: Stand) -> None:
    """The next one has the rig's own again."""
    podium = stand("a")
    own = podium.environment.host
    podium.conductor.prepare({"users": 5, "spawn_rate": 5, "host": "http://elsewhere.invalid"})
    assert podium.environment.host == "http://elsewhere.invalid"
    podium.conductor.prepare({"users": 5, "spawn_rate": 5})
    assert podium.environment.host == own


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"users": 0, "spawn_rate": 1}, "users 0 is not allowed"),
        ({"users": 1, "spawn_rate": 1, "slos": ["p95<"]}, "is not an SLO"),
        ({"users": 1, "spawn_rate": 1, "scenario": "nosuch"}, "There is no scenario 'nosuch'"),
    ],
)
def test_a_bad_plan_is_not_prepared(values: dict[str, Any], error: str, stand: Stand) -> None:
    """It says why, and nothing has changed."""
    podium = stand("a")
    with pytest.raises(LabError, match=error):
        podium.conductor.prepare(values)
    assert podium.environment.shape_class is None
    assert vars(podium.environment.parsed_options)["num_users"] is None
    assert podium.conductor.active is None


def test_a_scenario_that_is_not_there_starts_nothing(stand: Stand) -> None:
    """No folder is made for it."""
    podium = stand("a")
    with pytest.raises(LabError, match="nosuch"):
        podium.conductor.start(load(time_s=60, scenario="nosuch"), by="http")
    assert folders(podium.root) == []


def test_a_calibration(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers are told that users do not pause, a shape of the user's own stands back, and it is remembered."""
    podium = stand("a", shape=OwnShape())
    remembered: list[RunFolder] = []

    def report(folder: RunFolder) -> bool:
        podium.reports.append(folder)
        return True

    monkeypatch.setattr(module, "aftermath", SimpleNamespace(report=report, remember=remembered.append))
    plan = load(users=8, spawn_rate=8, time_s=1, slos=[], host="http://null.invalid", calibrates="http://set.invalid")
    podium.conductor.start(plan, by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    assert [order["pauses"] for _, order in podium.orders(BEGIN)] == [False]
    podium.last_words("a")
    assert (podium.run.own_shape, podium.run.calibration, podium.run.slo) == (None, None, ())
    assert podium.master.starts == [(8, 8.0)]
    assert [folder.id for folder in remembered] == [podium.run.id]
    podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "another run")
    assert [order["pauses"] for _, order in podium.orders(BEGIN)] == [True]
    assert podium.run.own_shape == "OwnShape"


def test_a_run_carries_the_calibration_that_is_nearest(stand: Stand) -> None:
    """Of those that the master remembers; where it remembers none, or what it cannot read, none."""
    podium = stand("a", "b")
    runs = [podium.conductor.start(load(time_s=60, workers=9), by="http")]
    first = podium.run
    podium.conductor.stop(runs[0], by="user")
    podium.reported()
    assert first.calibration is None
    one, two = (
        calibration(workers=number, target="http://set.invalid", machine=first.machine, versions=first.versions)
        for number in (1, 2)
    )
    (podium.root / "calibration.json").write_bytes(CALIBRATIONS.dump((one, two)))
    podium.conductor.start(load(time_s=60, workers=2), by="http")
    assert podium.run.calibration == two
    assert podium.run.versions["locustfiles"] == first.versions["locustfiles"]
    assert check_folder(podium.root / podium.run.id) == 1


def test_a_users_own_shape_wins(stand: Stand) -> None:
    """It drives the run to its own end, whoever starts it, and is there for the next one."""
    own = OwnShape()
    podium = stand("a", shape=own)
    own.runner = cast(Any, podium.master)
    podium.conductor.start(load(users=9, spawn_rate=9, time_s=60), by="http")
    podium.last_words("a")
    assert (podium.run.own_shape, podium.run.status, podium.run.stopped_by) == ("OwnShape", Status.FINISHED, "plan")
    assert podium.master.starts == [(3, 3.0)]
    assert podium.environment.shape_class is own


def test_a_start_that_nobody_prepared_is_recorded(stand: Stand) -> None:
    """By code of the user's own: with the users that it asked for, and the promises of the rig."""
    podium = stand("a")
    podium.master.start(7, 3.5)
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    plan = podium.run.plan
    assert (plan["users"], podium.run.slo, podium.run.started_by) == (7, slo.DEFAULTS, "ui")
    assert plan["host"] == "http://set.invalid"
    podium.master.stop()
    podium.last_words("a")
    assert podium.run.status is Status.FINISHED
    check_folder(podium.reports[0].path)


@pytest.mark.parametrize(
    "data",
    [
        None,
        7,
        "text",
        [],
        {},
        {"run": "RUN"},
        {"run": "RUN", "number": 1},
        {"run": "RUN", "number": "one", "seconds": []},
        {"run": ["RUN"], "number": {}},
        report(1, 0, run="RUN") | {"seconds": 5},
        report(1, 0, run="RUN") | {"seconds": [[0, [["GET"]]]]},
        report(1, 0, run="RUN") | {"seconds": [[[], []]]},
        report(1, 0, run="RUN") | {"seconds": [[0, [["GET", "/", [1, 2], None, 0, [], {}]]]]},
        report(1, 0, run="RUN") | {"seconds": [[0, [["GET", "/", None, None, 0, [1, 2, 3], {}]]]]},
        report(1, 0, run="RUN") | {"counters": {"odd": 1}},
        report(1, 0, run="RUN") | {"counters": None},
        report(1, 0, run="RUN") | {"health": {}},
        report(1, 0, run="RUN") | {"through": None},
        report(1, 0, run="RUN") | {"who": None},
    ],
)
def test_a_malformed_report_does_no_harm(data: Any, stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    """It raises nothing, is not acknowledged, is logged; and the run goes on to its end."""
    podium = stand("a")
    run = podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    podium.orders(BEGIN)
    if isinstance(data, dict) and data.get("run") == "RUN":
        data = data | {"run": run}
    podium.send("a", data)
    is_greeting_like = isinstance(data, dict) and data.get("run") != run and {"run", "number"} <= data.keys()
    assert [kind for kind, _ in podium.orders(ACK)] == (["a"] if is_greeting_like else [])
    assert is_greeting_like or "A report of a could not be read" in caplog.text
    podium.conductor.stop(run, by="user")
    podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    podium.send("a", report(2, 0, run=run, final=True))
    podium.reported()
    assert podium.run.status is Status.INTERRUPTED
    check_folder(podium.reports[0].path)


def test_a_report_of_another_run_is_acknowledged_and_not_counted(stand: Stand) -> None:
    """The worker may forget it: of a run that is over, or of another master's."""
    podium = stand("a")
    podium.send("a", report(4, 0, run="gone"))
    assert [(name, order["run"], order["number"]) for name, order in podium.orders(ACK)] == [("a", "gone", 4)]
    podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    podium.orders(ACK)
    podium.send("a", report(5, 0, [0, [cell(ok={5: 100})]], run="gone"))
    assert [(name, order["number"]) for name, order in podium.orders(ACK)] == [("a", 5)]
    assert podium.conductor.live(podium.run.id) is not None
    podium.looks(2)
    assert EventKind.WORKER_JOINED not in podium.kinds()


def test_a_repeated_report_is_acknowledged_again_and_counted_once(stand: Stand) -> None:
    """The first acknowledgement may have been lost."""
    podium = stand("a")
    run = podium.conductor.start(load(time_s=60), by="http")
    podium.wait(podium.is_in(Status.RUNNING), "a run")
    podium.orders(ACK)
    for _ in range(3):
        podium.send("a", report(1, 0, [0, [cell(ok={5: 2})]], run=run))
    assert [(name, order["run"], order["number"]) for name, order in podium.orders(ACK)] == [("a", run, 1)] * 3
    podium.conductor.stop(run, by="user")
    podium.wait(podium.is_in(Status.DRAINING), "a draining run")
    podium.send("a", report(2, 0, run=run, final=True))
    podium.reported()
    assert sum(cell.ok.n for second in podium.recording.seconds for cell in second.cells if cell.ok) == 2


def test_how_it_is_going_is_told_of_the_active_run_only(stand: Stand) -> None:
    """From its opening to its end."""
    podium = stand("a")
    run = podium.conductor.start(load(users=3, workers=2, time_s=60), by="http")
    live = podium.conductor.live(run)
    assert live is not None
    assert (live["workers_ready"], live["workers_expected"], live["target_users"]) == (1, 2, 3)
    assert podium.conductor.live("another") is None
    podium.conductor.stop(run, by="user")
    podium.reported()
    assert podium.conductor.live(run) is None


@pytest.mark.parametrize(("texts", "slos"), [("", slo.DEFAULTS), (" p99<1s , fail<5%,", ("p99<1s", "fail<5%"))])
def test_the_promises_of_the_rig(texts: str, slos: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """From the knob, else the built-in ones."""
    monkeypatch.setenv("SLO", texts)
    assert default_slos() == slos


def test_a_folder_that_cannot_be_written_is_refused_at_the_start(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the end of the first run; it says which one, and what to do."""
    podium = stand()
    monkeypatch.setattr(module, "os", SimpleNamespace(access=lambda *_: False, W_OK=2))
    with pytest.raises(PermissionError, match=r"results: set RESULTS_DIR"):
        attach(podium.environment, cast(MasterRunner, podium.master), podium.root)
