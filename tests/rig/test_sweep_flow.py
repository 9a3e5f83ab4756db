"""`./lab sweep` on rigs that are none: which are brought up, what becomes of each point, and what is left of it all."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadlab.analysis.recording import Status
from loadlab.analysis.summary import Capacity, Summary, Verdict
from loadlab.analysis.sweep import Axis, State, Sweep, SweepStatus
from loadlab.errors import Exit, LabError
from loadlab.rig import fleet
from loadlab.rig.engine import RigState
from loadlab.runfolder import SweepFolder, sweeps
from tests.rig.fake_engine import FakeEngine
from tests.rig.fakes import FakeMaster, Lab, document, summary
from tests.schemas import check_folder


def folder_of(engine: FakeEngine) -> SweepFolder:
    """Return the folder of the one sweep that there is, whose files are as the schema says."""
    (folder,) = sweeps(engine.home / "results")
    check_folder(folder.path)
    return folder


def sweep_of(engine: FakeEngine) -> Sweep:
    """Return what became of the one sweep that there is."""
    return folder_of(engine).read_sweep()


def states(engine: FakeEngine) -> list[State]:
    """Return what became of each point."""
    return [point.state for point in sweep_of(engine).points]


def test_each_number_has_a_fresh_rig(lab: Lab, engine: FakeEngine, master: FakeMaster) -> None:
    """Exactly so many workers, the same plan, in turn, and after each one everything that was stored is gone."""
    said = lab("sweep", "--workers", "1,4", "--repeats", "2", "--users", "9", "--time", "5s", "--name", "night")
    assert said.code == Exit.OK, said.out + said.err
    assert [(settings.workers, settings.api_replicas) for settings in engine.ups] == [(1, 1), (4, 1), (1, 1), (4, 1)]
    assert engine.downs == [True] * 4
    assert [plan["workers"] for plan in master.plans] == [1, 4, 1, 4]
    assert {(plan["users"], plan["time_s"]) for plan in master.plans} == {(9, 5.0)}
    names = ["night 1 workers run 1", "night 4 workers run 1", "night 1 workers run 2", "night 4 workers run 2"]
    assert [plan["name"] for plan in master.plans] == names
    sweep = sweep_of(engine)
    assert (sweep.axis, sweep.counts, sweep.repeats, sweep.status) == (
        *(Axis.WORKERS, (1, 4), 2),
        SweepStatus.FINISHED,
    )
    assert [(p.count, p.repeat, p.figures and p.figures.throughput_rps) for p in sweep.points] == [
        *((1, 1, 100.0), (4, 1, 200.0)),
        *((1, 2, 300.0), (4, 2, 400.0)),
    ]


def test_what_is_shown_and_left(lab: Lab, engine: FakeEngine) -> None:
    """Each point as it comes, what it gave, then the answer; the runs lie beside the sweep, whose page leads there."""
    said = lab("sweep", "--workers", "1,2")
    assert "Point 1 of 2: 1 worker" in said.out
    assert "1 worker: 100 requests/s, p95 12.0 ms, 0.25% failed, pass, measurement valid" in said.out
    assert "2 workers make 2.00 x the load of 1" in said.out
    folder = folder_of(engine)
    assert f"results/{folder.id}/report.html" in said.out
    page = folder.html.read_text()
    for point in folder.read_sweep().points:
        assert f'href="../{point.run}/report.html"' in page
        assert (folder.path.parent / str(point.run) / "report.html").is_file()


def test_json_is_alone_on_stdout(lab: Lab, engine: FakeEngine) -> None:
    """With --json, stdout is sweep.json and nothing else; the progress is on stderr."""
    said = lab("sweep", "--workers", "1,2", "--json")
    assert json.loads(said.out) == json.loads(folder_of(engine).sweep.read_text())
    assert "Point 2 of 2" in said.err


# --- What goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.NONE, 98), (Verdict.UNDECIDED, 98), (Verdict.FAIL, 99), (Verdict.PASS, 0)]
)
def test_the_worst_point_is_the_exit_code(verdict: Verdict, code: int, lab: Lab, engine: FakeEngine) -> None:
    """One that is invalid or undecided makes it 98, one with a broken promise 99."""
    engine.results[2] = summary(verdict, code)
    assert lab("sweep", "--workers", "1,2,3").code == code
    assert states(engine) == [State.MEASURED] * 3


def fail(message: str) -> None:
    """Be a rig that cannot be brought up."""
    raise LabError(message)


def test_a_point_that_fails_loses_nothing_and_can_be_made_up_for(lab: Lab, engine: FakeEngine) -> None:
    """It is marked with its reason, the others go on, the exit code is 1; --resume measures that one alone."""
    engine.troubles[2] = lambda: fail("worker-1 exited with 1. Its last log lines:\n  broken on purpose")
    said = lab("sweep", "--workers", "1,2,4", "--users", "7")
    assert said.code == Exit.TOOL_ERROR
    assert states(engine) == [State.MEASURED, State.FAILED, State.MEASURED]
    assert "broken on purpose" in sweep_of(engine).points[1].error
    assert "2 workers: failed. worker-1 exited with 1" in said.out
    assert f"./lab sweep --resume {folder_of(engine).id}" in said.out
    assert engine.downs[1:3] == [False, True]  # what could not start, and then its volumes

    said = lab("sweep", "--resume", "latest")
    assert said.code == Exit.OK, said.out + said.err
    assert "1 point to measure" in said.out
    assert [settings.workers for settings in engine.ups] == [1, 2, 4, 2]
    assert states(engine) == [State.MEASURED] * 3
    assert engine.master.plans[-1]["users"] == 7


def test_a_run_that_is_aborted_is_a_point_that_failed(lab: Lab, engine: FakeEngine) -> None:
    """All its workers gone, say: its folder is kept and named, and there are no figures of it."""
    engine.results[1] = replace(summary(Verdict.NONE, 97, Status.ABORTED), headline="INVALID: all workers were gone")
    assert lab("sweep", "--workers", "1,2").code == Exit.TOOL_ERROR
    first = sweep_of(engine).points[0]
    assert (first.state, first.error, first.figures) == (State.FAILED, "INVALID: all workers were gone", None)
    assert (engine.home / "results" / str(first.run)).is_dir()


def interrupt() -> None:
    """Be the user who presses Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_in_mid_run(lab: Lab, engine: FakeEngine, master: FakeMaster) -> None:
    """The run is stopped, the rig taken down, what there is reported: 97, and --resume goes on."""
    master.script_after_stop = [document(Status.INTERRUPTED, reported=True)]
    master.on_look = lambda _number: interrupt() if len(engine.ups) == 2 and not master.stops else None
    said = lab("sweep", "--workers", "1,2,4")
    assert said.code == Exit.INTERRUPTED, said.out + said.err
    assert master.stops == 1
    assert states(engine) == [State.MEASURED, State.INTERRUPTED, State.PENDING]
    assert sweep_of(engine).status is SweepStatus.INTERRUPTED
    assert "1 point of 3 not tried yet" in " ".join(said.out.split())
    assert "Interrupted: 2 workers." in folder_of(engine).html.read_text()

    assert lab("sweep", "--resume", folder_of(engine).id).code == Exit.OK
    assert [settings.workers for settings in engine.ups] == [1, 2, 2, 4]
    assert (states(engine), sweep_of(engine).status) == ([State.MEASURED] * 3, SweepStatus.FINISHED)


def test_a_run_that_is_given_up(lab: Lab, engine: FakeEngine, master: FakeMaster) -> None:
    """By a second Ctrl-C, while the first is obeyed: nothing of it is brought here, the sweep ends, and can go on."""
    master.script_after_stop = [document(Status.DRAINING)] * 20

    def press(number: int) -> None:
        if len(engine.ups) == 2 and (not master.stops or number % 3 == 0):
            interrupt()

    master.on_look = press
    said = lab("sweep", "--workers", "1,2,4")
    assert said.code == Exit.INTERRUPTED, said.out + said.err
    assert states(engine) == [State.MEASURED, State.INTERRUPTED, State.PENDING]
    point = sweep_of(engine).points[1]
    assert (point.run, point.figures, sweep_of(engine).status) == (None, None, SweepStatus.INTERRUPTED)
    assert "Interrupted: 2 workers." in folder_of(engine).html.read_text()
    assert engine.downs == [True] * 2

    master.on_look = lambda _number: None
    assert lab("sweep", "--resume", "latest").code == Exit.OK
    assert states(engine) == [State.MEASURED] * 3


def test_ctrl_c_while_a_run_is_brought_here(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third one, say: the run was begun, so that its point is not one that was never tried."""
    monkeypatch.setattr("loadlab.commands.run._bring", lambda *_: interrupt())
    said = lab("sweep", "--workers", "1,2")
    assert said.code == Exit.INTERRUPTED, said.out + said.err
    assert states(engine) == [State.INTERRUPTED, State.PENDING]
    assert engine.downs == [True]


def test_ctrl_c_while_a_rig_comes_up(lab: Lab, engine: FakeEngine) -> None:
    """Nothing is left up, the point is still to be measured, and what there is is reported."""
    engine.troubles[2] = interrupt
    said = lab("sweep", "--workers", "1,2,4")
    assert said.code == Exit.INTERRUPTED, said.out + said.err
    assert states(engine) == [State.MEASURED, State.PENDING, State.PENDING]
    assert engine.downs[-1] is True
    assert folder_of(engine).html.is_file()


def test_ctrl_c_while_a_rig_goes_down(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes down all the same; the point that was measured is kept, and no other one is begun."""
    down = engine.down

    def interrupted_down(*, volumes: bool) -> None:
        down(volumes=volumes)
        if len(engine.downs) == 1:
            interrupt()

    monkeypatch.setattr(engine, "down", interrupted_down)
    assert lab("sweep", "--workers", "1,2").code == Exit.INTERRUPTED
    assert states(engine) == [State.MEASURED, State.PENDING]


def test_a_rig_that_cannot_be_taken_down_ends_the_sweep(lab: Lab, engine: FakeEngine) -> None:
    """The next point would not have a fresh one; the point that was measured is kept."""
    engine.down_trouble = LabError("docker compose could not take the rig down: its own words are above.")
    said = lab("sweep", "--workers", "1,2")
    assert said.code == Exit.TOOL_ERROR
    assert "could not take the rig down" in said.err
    assert states(engine) == [State.MEASURED, State.PENDING]


def test_a_sweep_that_was_killed_goes_on(lab: Lab, engine: FakeEngine) -> None:
    """Whatever it had written last."""
    assert lab("sweep", "--workers", "1,2").code == Exit.OK
    folder = folder_of(engine)
    sweep = folder.read_sweep()
    pending = replace(sweep.points[1], state=State.PENDING, run=None, figures=None)
    folder.write_sweep(replace(sweep, status=SweepStatus.RUNNING, points=(sweep.points[0], pending), scaling=None))
    assert lab("report", folder.id).code == Exit.OK
    assert "cut short" in folder.html.read_text()
    assert lab("sweep", "--resume", "latest").code == Exit.OK
    assert [settings.workers for settings in engine.ups] == [1, 2, 2]


# --- Searches --------------------------------------------------------------------------------------------------------


def searched(users: int | None, ending: str = "found") -> Summary:
    """Return what a search means that found a capacity, or none."""
    sentence = "at 150 users p95<450ms broke" if users else "nothing broke"
    found = Capacity(ending, users, 20.0, users or 10, None, True, None, None, None, None, (), (), sentence)
    return replace(summary(), capacity=found)


def test_each_point_is_a_search(lab: Lab, engine: FakeEngine, master: FakeMaster) -> None:
    """By the flags of `./lab capacity`; what each found is shown, a search to no avail with its reason."""
    engine.results = {1: searched(100), 2: searched(None, "all-held"), 3: searched(150)}
    flags = ["--capacity", "--from", "20", "--precision", "5%", "--time", "2m", "--slo", "p95<450ms"]
    said = lab("sweep", "--workers", "1,2,4", *flags)
    assert said.code == Exit.OK, said.out + said.err
    wanted = {"shape": "capacity", "users": 10_000, "start_users": 20, "precision_percent": 5.0, "time_s": 120.0}
    assert len(master.plans) == 3
    for plan in master.plans:
        assert {name: plan[name] for name in wanted} == wanted
    assert "1 worker: capacity 100 users, 100 requests/s, p95 12.0 ms" in said.out
    assert "2 workers: no capacity was found: nothing broke (pass, measurement valid)" in said.out
    assert "With 4 workers, the SLOs hold at 3.00 x the load of 1" in said.out
    sweep = sweep_of(engine)
    assert sweep.is_search
    assert sweep.scaling is not None
    assert [row.runs for row in sweep.scaling.rows] == [1, 0, 1]
    assert "Users that hold the SLOs" in folder_of(engine).html.read_text()


def test_a_sweep_of_searches_goes_on_with_searches(lab: Lab, engine: FakeEngine, master: FakeMaster) -> None:
    """As they were planned; the flag is not to be said again."""
    engine.results = {1: searched(100), 3: searched(150)}
    engine.troubles[2] = lambda: fail("broken on purpose")
    flags = ("--capacity", "--users", "500", "--from", "30")
    assert lab("sweep", "--workers", "1,2", *flags).code == Exit.TOOL_ERROR
    assert lab("sweep", "--resume", "latest").code == Exit.OK
    assert states(engine) == [State.MEASURED] * 2
    assert {(plan["shape"], plan["users"], plan["start_users"]) for plan in master.plans} == {("capacity", 500, 30)}


# --- Before anything starts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "Nothing to sweep: give several numbers, such as --workers 1,2,4,8"),
        (["--workers", "4"], "Nothing to sweep"),
        (["--workers", "1,2", "--api", "1,2"], "only one can be swept at a time"),
        (["--workers", "1,x"], "--workers 1,x is not allowed. Allowed: whole numbers from 1 to 200"),
        (["--workers", "1,,2"], "--workers 1,,2 is not allowed"),
        (["--workers", "0,1"], "--workers 0,1 is not allowed"),
        (["--workers", "1,201"], "from 1 to 200"),
        (["--api", "1,21"], "--api 1,21 is not allowed. Allowed: whole numbers from 1 to 20"),
        (["--workers", "1,2,1"], "--workers 1,2,1 has a number twice"),
        (["--workers", "1,2", "--api", "30"], "--api 30 is not allowed"),
        (["--workers", "1,2", "--repeats", "0"], "--repeats 0 is not allowed. Allowed: a whole number, 1-20."),
        (["--workers", "1,2", "--repeats", "many"], "--repeats many is not allowed"),
        (["--workers", "1,2,3,4,5,6", "--repeats", "20"], "120 points are more than the 100"),
        (["--workers", "1,2", "--users", "0"], "--users 0 is not allowed"),
        (["--workers", "1,2", "--time", "soon"], "--time: 'soon' is not a time"),
        (["--workers", "1,2", "--slo", "p95<<1"], "p95<<1"),
        (["--workers", "1,2", "--name", "n" * 41], "is too long for a sweep"),
        (["--api", "1,2", "--host", "http://other"], "--api sweeps the replicas of this rig's API"),
        (["--workers", "1,2", "--engine", "nope"], "There is no engine 'nope'"),
        (
            ["--resume", "latest", "--users", "3"],
            "--resume goes on with the sweep as it was planned: leave out --users",
        ),
        (["--resume", "latest", "--workers", "1,2", "--lb"], "leave out --lb, --workers"),
        (["--resume", "latest", "--capacity", "--from", "9"], "leave out --capacity, --from"),
        (["--workers", "1,2", "--capacity", "--shape", "spike"], "--capacity and --shape spike are two kinds of load"),
        (["--workers", "1,2", "--from", "9"], "--from tells how to search for the capacity: add"),
        (["--workers", "1,2", "--from", "9", "--precision", "2"], "--from and --precision tell how to search"),
        (["--workers", "1,2", "--capacity", "--precision", "0"], "--precision 0 is not allowed"),
    ],
)
def test_what_cannot_be_is_a_usage_error(arguments: list[str], named: str, lab: Lab, engine: FakeEngine) -> None:
    """It exits with 2, names the value and what is allowed; nothing is started, and no folder is made."""
    said = lab("sweep", *arguments)
    assert said.code == Exit.USAGE, said.out + said.err
    assert named in " ".join(said.err.split())
    assert engine.ups == []
    assert sweeps(engine.home / "results") == []


def test_a_bad_knob_of_a_later_point_is_found_first(
    lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ports that three replicas have and four do not."""
    monkeypatch.setenv("API_PORT", "65533")
    said = lab("sweep", "--api", "1,2,4", "--no-lb")
    assert said.code == Exit.USAGE
    assert "API_PORT=65533 leaves no port for 4 replicas" in said.err
    assert engine.ups == []


def test_a_rig_that_is_up_is_left_alone(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep brings up its own: exit 1, and what to do."""
    monkeypatch.setattr(fleet, "find", lambda: (engine, RigState("processes")))
    said = lab("sweep", "--workers", "1,2")
    assert said.code == Exit.TOOL_ERROR
    assert "A rig is up on the engine processes" in said.err
    assert (engine.ups, engine.downs) == ([], [])


def test_what_an_earlier_rig_left(lab: Lab, engine: FakeEngine, master: FakeMaster) -> None:
    """Its runs are brought here before its store is thrown away; then the first point has an empty one."""
    engine.keeps = True
    said = lab("sweep", "--workers", "1,2")
    assert said.code == Exit.OK, said.out + said.err
    assert "An earlier rig stored something on engine" in said.out
    assert [settings.workers for settings in engine.ups] == [1, 1, 2]
    assert engine.downs == [True] * 3
    assert len(master.plans) == 2


# --- Replicas, and going on ------------------------------------------------------------------------------------------


def test_replicas_are_behind_the_load_balancer(
    lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unless --no-lb is said; the number of workers is one and the same."""
    haproxy = tmp_path / "haproxy"
    haproxy.write_text("#!/bin/sh\n")
    haproxy.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lab("sweep", "--api", "1,2", "--workers", "3").code == Exit.OK
    assert [(s.workers, s.api_replicas, s.lb) for s in engine.ups] == [(3, 1, "lb"), (3, 2, "lb")]
    assert (sweep_of(engine).balancer, sweep_of(engine).others) == ("lb", 3)
    (engine.home / "results").rename(engine.home / "elsewhere")
    engine.ups.clear()
    (engine.home / "kept").rename(engine.home / "kept before")
    assert lab("sweep", "--api", "1,2", "--no-lb").code == Exit.OK
    assert [s.lb for s in engine.ups] == ["", ""]
    assert sweep_of(engine).balancer == "kernel"


def test_replicas_without_haproxy(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the engine of processes it has to be installed: exit 1, the reason, and what to do."""
    monkeypatch.setattr("loadlab.rig.balancer.SBIN", "/nosuch")
    said = lab("sweep", "--api", "1,2")
    assert said.code == Exit.TOOL_ERROR
    for word in ("HAProxy, which is not installed", "apt install haproxy", "--no-lb"):
        assert word in said.err
    assert engine.ups == []


def test_other_knobs_are_another_sweep(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first points were measured with must hold for the rest; ports may be others."""
    engine.troubles[2] = lambda: fail("broken")
    assert lab("sweep", "--workers", "1,2").code == Exit.TOOL_ERROR
    monkeypatch.setenv("API_POOL_SIZE", "9")
    said = lab("sweep", "--resume", "latest")
    assert said.code == Exit.USAGE
    assert "begun with other knobs: API_POOL_SIZE=5" in said.err
    monkeypatch.delenv("API_POOL_SIZE")
    monkeypatch.setenv("API_PORT", "7000")
    assert lab("sweep", "--resume", "latest").code == Exit.OK


def test_a_store_elsewhere_is_told_of(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not emptied between the points; its password is in no file."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db/tests")
    assert lab("sweep", "--workers", "1,2").code == Exit.OK
    assert any("not emptied between the points" in note for note in sweep_of(engine).notes)
    assert "secret" not in folder_of(engine).sweep.read_text() + folder_of(engine).html.read_text()


def test_nothing_to_resume(lab: Lab, engine: FakeEngine) -> None:
    """Without a sweep, or with none of that name, exit 1 says which there are."""
    said = lab("sweep", "--resume", "latest")
    assert (said.code, "There is no sweep in" in said.err) == (Exit.TOOL_ERROR, True)
    assert lab("sweep", "--workers", "1,2").code == Exit.OK
    said = lab("sweep", "--resume", "nosuch")
    assert (said.code, f"There are: {folder_of(engine).id}" in said.err) == (Exit.TOOL_ERROR, True)


def test_the_report_is_made_again(lab: Lab, engine: FakeEngine) -> None:
    """From sweep.json alone, the same bytes; a damaged one is named."""
    assert lab("sweep", "--workers", "1,2", "--name", "night").code == Exit.OK
    folder = folder_of(engine)
    page, record = folder.html.read_bytes(), folder.sweep.read_bytes()
    folder.html.unlink()
    said = lab("report", folder.id)
    assert said.code == Exit.OK, said.err
    assert "2 workers make 2.00 x" in said.out
    assert (folder.html.read_bytes(), folder.sweep.read_bytes()) == (page, record)
    assert json.loads(lab("report", str(folder.path), "--json").out)["id"] == folder.id
    folder.sweep.write_text("{")
    said = lab("sweep", "--resume", folder.id)
    assert (said.code, "cannot be read" in said.err) == (Exit.TOOL_ERROR, True)


def test_sweeps_are_no_runs(lab: Lab, engine: FakeEngine) -> None:
    """`./lab runs` lists the runs of a sweep, and not the sweep."""
    assert lab("sweep", "--workers", "1,2").code == Exit.OK
    listed: list[dict[str, Any]] = json.loads(lab("runs", "--json").out)
    assert {line["id"] for line in listed} == {str(point.run) for point in sweep_of(engine).points}
