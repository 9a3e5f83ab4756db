"""`./lab calibrate` against a master that plays a script: what is asked of it, and what becomes of its answer."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from loadlab import calibrations
from loadlab.analysis.recording import Calibration, SetBy, Status
from loadlab.analysis.summary import Summary, Verdict
from loadlab.errors import Exit, LabError
from loadlab.rig import fleet
from loadlab.rig.engine import NullTarget
from loadlab.rig.processes import ProcessEngine
from loadlab.rig.settings import RigSettings
from tests.rig.fakes import RUN_ID, FakeMaster, FakeRig, Lab, document, packed, summary, write_run
from tests.schemas import check_folder

TARGET, NULL = "http://127.0.0.1:5000", "http://127.0.0.1:7"


class Nulls:
    """Stands for the null target: with what settings it was started, and how often it was stopped."""

    def __init__(self) -> None:
        self.started: list[RigSettings] = []
        self.stopped = 0
        self.error: LabError | None = None

    def start(self, settings: RigSettings) -> NullTarget:
        """Start it."""
        self.started.append(settings)
        if self.error is not None:
            raise self.error
        return NullTarget(NULL, settings.target_host or TARGET)

    def stop(self) -> None:
        """Stop it."""
        self.stopped += 1


@pytest.fixture
def nulls(monkeypatch: pytest.MonkeyPatch) -> Nulls:
    """Have no null target."""
    made = Nulls()
    monkeypatch.setattr(ProcessEngine, "start_null_target", lambda _self, settings: made.start(settings))
    monkeypatch.setattr(ProcessEngine, "stop_null_target", lambda _self: made.stop())
    return made


class Scaled:
    """Stands for the engine's scaling: with which numbers of workers, and what happens instead at the first."""

    def __init__(self, rig: FakeRig) -> None:
        self.rig = rig
        self.workers: list[int] = []
        self.error: BaseException | None = None

    def up(self, settings: RigSettings) -> None:
        """Scale it."""
        self.workers.append(settings.workers)
        self.rig.parts = ["master-1", "api-1", *(f"worker-{n}" for n in range(1, settings.workers + 1))]
        self.rig.tell({})
        if self.error is not None and len(self.workers) == 1:
            raise self.error


@pytest.fixture
def scaled(fake_rig: FakeRig, master: FakeMaster, monkeypatch: pytest.MonkeyPatch) -> Scaled:
    """Have a rig that is scaled at once."""
    made = Scaled(fake_rig)
    monkeypatch.setenv("UI_PORT", str(master.port))
    monkeypatch.setattr(ProcessEngine, "up", lambda _self, settings, tied: made.up(settings))  # noqa: ARG005
    monkeypatch.setattr(fleet, "wait_ready", lambda *_: None)
    return made


@pytest.fixture(autouse=True)
def _archive(master: FakeMaster, fake_rig: FakeRig, nulls: Nulls) -> None:  # noqa: ARG001 - only wanted
    serve(master, fake_rig.home / "served", calibrated())


def calibrated(**changes: object) -> Summary:
    """Return what a calibration means."""
    found = Calibration(
        run=RUN_ID,
        measured=1_767_323_045.0,
        scenario="locustfile",
        target=TARGET,
        workers=2,
        users=128,
        ceiling_rps=20_000.0,
        worker_rps=(9_900.0, 10_100.0),
        worker_median_rps=10_000.0,
        cpu_us=97.0,
        cpu_limit_cores=1.0,
        bytes_each=80.0,
        fail_percent=25.0,
        set_by=SetBy.WORKERS,
        sentence="2 workers make at most 20,000 requests/s, 10,000 each (97 µs of CPU a request). So it is.",
        reservations=("25% of the requests failed.",),
        machine={"cpu": "a CPU", "cores": 8, "engine": "processes"},
        versions={"locust": "2.47.0"},
    )
    return replace(summary(), calibration=replace(found, **changes))  # type: ignore[arg-type]


def serve(master: FakeMaster, path: Path, result: Summary) -> None:
    """Have the master hand out a run that means this."""
    master.archive = packed(write_run(path / RUN_ID, result=result))


def test_the_plan_is_a_run_against_the_null_target(lab: Lab, master: FakeMaster, nulls: Nulls) -> None:
    """64 users for each worker, who do not wait, without promises; the null target is there for so long only."""
    assert lab("calibrate").code == Exit.OK
    assert master.plans == [
        {
            **{"users": 128, "spawn_rate": 64.0, "time_s": 20.0, "shape": "steady", "slos": [], "workers": 2},
            **{"scenario": "locustfile", "name": "calibration", "host": NULL, "calibrates": TARGET},
            **{"start_users": 10, "precision_percent": 3.0},  # of no search
        }
    ]
    assert [(one.workers, one.target_host) for one in nulls.started] == [(2, None)]
    assert nulls.stopped == 1


def test_the_plan_is_what_was_asked_for(
    lab: Lab, master: FakeMaster, nulls: Nulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users, time, scenario and whose answers to give; what USERS and SPAWN_RATE say is for runs."""
    monkeypatch.setenv("USERS", "1000000")
    monkeypatch.setenv("SPAWN_RATE", "1")
    monkeypatch.setenv("TARGET_HOST", "http://of.env")
    assert lab("calibrate", "--users", "30", "--time", "5s", "--scenario", "read_heavy").code == Exit.OK
    assert lab("calibrate", "--host", "http://of.the/flag").code == Exit.OK
    assert lab("calibrate", "--users", "90000").code == Exit.OK
    given = {"users": 30, "spawn_rate": 15.0, "time_s": 5.0, "scenario": "read_heavy", "calibrates": "http://of.env"}
    assert master.plans[0].items() >= given.items()
    assert (master.plans[1]["users"], master.plans[1]["calibrates"]) == (128, "http://of.the/flag")
    assert (master.plans[2]["users"], master.plans[2]["spawn_rate"]) == (90_000, 10_000.0)
    assert [one.target_host for one in nulls.started] == ["http://of.env", "http://of.the/flag", "http://of.env"]


def test_the_ceiling_is_told_and_kept(lab: Lab, fake_rig: FakeRig) -> None:
    """The sentence, what takes from it, the machine, and where it is kept; the run is among the others."""
    said = lab("calibrate")
    for text in (
        "CEILING  2 workers make at most 20,000 requests/s",
        "! 25% of the requests failed.",
        "128 users, 9,900 to 10,100 requests/s each",
        "locustfile, with the answers of http://127.0.0.1:5000",
        "a CPU, 8 cores, processes",
        "results/calibration.json",
        f"results/{RUN_ID}/report.html",
    ):
        assert text in said.out
    assert fake_rig.copied.html.exists()
    assert calibrations.kept(fake_rig.home / "results") == (calibrated().calibration,)
    assert check_folder(fake_rig.home / "results") == 1
    assert [line["id"] for line in json.loads(lab("runs", "--json").out)] == [RUN_ID]


def test_json_is_alone_on_stdout(lab: Lab, fake_rig: FakeRig) -> None:
    """With --json, stdout is the calibration and nothing else."""
    said = lab("calibrate", "--json")
    assert json.loads(said.out) == json.loads((fake_rig.home / "results" / "calibration.json").read_text())[0]
    assert "running" in said.err


def test_the_newest_of_a_kind_is_kept(lab: Lab, master: FakeMaster, fake_rig: FakeRig) -> None:
    """One more of the same kind takes the place of the older; another kind, such as more workers, is kept beside it."""
    newer = [calibrated(measured=9e9, ceiling_rps=1.0), calibrated(measured=8e9, workers=4)]
    for number, result in enumerate([calibrated(), *newer]):
        serve(master, fake_rig.home / str(number), result)
        assert lab("calibrate").code == Exit.OK
    assert calibrations.kept(fake_rig.home / "results") == tuple(one.calibration for one in newer)


@pytest.mark.parametrize("is_told", [True, False], ids=["this version", "one that knows nothing of it"])
def test_a_rig_that_is_new_knows_of_it(is_told: bool, lab: Lab, master: FakeMaster, fake_rig: FakeRig) -> None:
    """What a calibration showed outlives the rig that it was made on: the next one's master is told."""
    master.is_told = is_told
    made = calibrated().calibration
    assert made is not None
    (fake_rig.home / "results").mkdir()
    calibrations.add(fake_rig.home / "results", [made])
    assert lab("run").code == Exit.OK
    told = master.known.get("calibrations", [])
    assert [one["run"] for one in told] == ([made.run] if is_told else [])


def test_a_damaged_file_is_replaced(lab: Lab, fake_rig: FakeRig) -> None:
    """What cannot be read is no obstacle."""
    file = fake_rig.home / "results" / "calibration.json"
    file.parent.mkdir()
    file.write_text("[{")
    assert lab("calibrate").code == Exit.OK
    assert len(calibrations.kept(file.parent)) == 1


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(
    ("result", "code"),
    [
        (replace(calibrated(), validity=summary(Verdict.NONE, 98).validity), Exit.INVALID_MEASUREMENT),
        (replace(calibrated(), calibration=None), Exit.INVALID_MEASUREMENT),
        (replace(calibrated(), status=Status.INTERRUPTED, exit_code=97), Exit.INTERRUPTED),
    ],
)
def test_what_is_no_measurement_is_not_kept(
    result: Summary, code: Exit, lab: Lab, master: FakeMaster, fake_rig: FakeRig
) -> None:
    """An invalid one, one without a request, one that was stopped: the report says why, and no ceiling is told."""
    serve(master, fake_rig.home / "bad", result)
    said = lab("calibrate")
    assert said.code == code
    assert "CEILING" not in said.out
    assert result.headline in said.out
    assert calibrations.kept(fake_rig.home / "results") == ()


def test_a_rig_in_use_is_left_alone(lab: Lab, master: FakeMaster, nulls: Nulls) -> None:
    """While a run is active nothing is started beside it: exit 1, and the run is named."""
    master.active = "20260101-000000"
    said = lab("calibrate")
    assert said.code == Exit.TOOL_ERROR
    assert "Run 20260101-000000 is active on the rig that is up" in said.err
    assert (nulls.started, master.plans) == ([], [])


def test_the_workers_of_a_rig_are_given_back(lab: Lab, master: FakeMaster, scaled: Scaled) -> None:
    """One that was up with two workers has two again; who asks for no number, or for these, changes nothing."""
    assert lab("calibrate").code == lab("calibrate", "--workers", "2").code == Exit.OK
    assert scaled.workers == []
    said = lab("calibrate", "--workers", "1")
    assert said.code == Exit.OK
    assert scaled.workers == [1, 2]
    assert master.plans[-1]["workers"] == 1
    assert "The rig gets its 2 workers back" in said.out


@pytest.mark.parametrize("error", [LabError("not ready"), KeyboardInterrupt()])
def test_workers_are_given_back_when_there_is_no_run(error: BaseException, lab: Lab, scaled: Scaled) -> None:
    """Be it by an error or by Ctrl-C while the rig is being scaled."""
    scaled.error = error
    assert lab("calibrate", "--workers", "1").code in (Exit.TOOL_ERROR, Exit.INTERRUPTED)
    assert scaled.workers == [1, 2]


def test_workers_are_given_back_when_the_run_fails(lab: Lab, master: FakeMaster, nulls: Nulls, scaled: Scaled) -> None:
    """Without a null target, with a plan that is refused, and with a Ctrl-C that gives up in the midst of it."""
    nulls.error = LabError("There is no null target: it exited with 3.")
    assert lab("calibrate", "--workers", "1").code == Exit.TOOL_ERROR
    nulls.error, master.refusal = None, (409, {"message": "run X is active"})
    assert lab("calibrate", "--workers", "3").code == Exit.TOOL_ERROR
    master.refusal, master.script = None, [document(Status.RUNNING)]
    master.on_look = lambda _number: os.kill(os.getpid(), signal.SIGINT)
    assert lab("calibrate", "--workers", "4").code == Exit.INTERRUPTED
    assert scaled.workers == [1, 2, 3, 2, 4, 2]


def test_without_a_null_target_there_is_no_run(lab: Lab, master: FakeMaster, nulls: Nulls) -> None:
    """What it says is told, and what there is of it is stopped."""
    nulls.error = LabError("There is no null target: it exited with 3.")
    said = lab("calibrate")
    assert said.code == Exit.TOOL_ERROR
    assert "it exited with 3" in said.err
    assert (nulls.stopped, master.plans) == (1, [])


def test_a_plan_that_is_refused_leaves_no_null_target(lab: Lab, master: FakeMaster, nulls: Nulls) -> None:
    """Whatever goes wrong, it does not stay up on a rig that was up before."""
    master.refusal = (409, {"message": "run X is active"})
    assert lab("calibrate").code == Exit.TOOL_ERROR
    assert nulls.stopped == 1


@pytest.mark.slow
def test_a_master_that_is_lost(lab: Lab, master: FakeMaster, fake_rig: FakeRig) -> None:
    """The command ends with 97; nothing is kept of half a measurement."""
    fake_rig.partial()
    master.script = [document(Status.RUNNING)]
    master.on_look = lambda number: master.vanish() if number == 3 else None
    assert lab("calibrate").code == Exit.INTERRUPTED
    assert calibrations.kept(fake_rig.home / "results") == ()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--users", "0"], "--users 0 is not allowed. Allowed: a whole number of users, 1-1000000."),
        (["--workers", "none"], "--workers none is not allowed"),
        (["--time", "soon"], "--time: 'soon' is not a time. Write seconds, or such as 90s, 2m, 1h30m."),
        (["--scenario", "none"], "--scenario none is not a file of locust/scenarios: choose locustfile"),
        (["--host", "ftp://x"], "--host ftp://x is not allowed"),
        (["--engine", "nope"], "There is no engine 'nope'"),
        (["--slo", "p95<1s"], "No such option"),
    ],
)
def test_what_is_not_allowed(arguments: list[str], named: str, lab: Lab, master: FakeMaster, nulls: Nulls) -> None:
    """It exits with 2, names the value and what is allowed, and nothing is started."""
    said = lab("calibrate", *arguments)
    assert said.code == Exit.USAGE
    assert named in " ".join(said.err.replace("│", " ").split())
    assert (nulls.started, master.plans) == ([], [])
