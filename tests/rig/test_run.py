"""`./lab run` for real: gunicorn, a master and workers as processes. A pass wants a quiet machine: see tests/stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadlab.analysis.recording import Status
from loadlab.analysis.summary import Verdict
from loadlab.errors import Exit
from loadlab.runfolder import RunFolder, folders
from tests.rig.rigs import Rig, until

pytestmark = pytest.mark.slow

MakeRig = Callable[..., Rig]
SHORT = ("--users", "4", "--spawn-rate", "20", "--time", "2s")
LONG = ("--users", "4", "--spawn-rate", "20", "--time", "120s")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig of one worker that is up."""
    rig = Rig(tmp_path_factory.mktemp("up"), STOP_TIMEOUT_S="1")
    try:
        done = rig.lab("up", "--detach")
        assert done.returncode == Exit.OK, done.stdout
        yield rig
    finally:
        rig.end()


def start(rig: Rig, *arguments: str) -> subprocess.Popen[str]:
    """Start `./lab run` in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-m", "loadlab", "run", *arguments],
        cwd=rig.checkout,
        env=rig.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def runs(rig: Rig) -> list[RunFolder]:
    """Return the runs that were brought to this rig's results, the newest first."""
    return folders(rig.home / "results")


def has_load(rig: Rig) -> bool:
    """Tell whether the run that is active has made requests."""
    active = rig.get("/runs")["active"]
    return bool(active and (rig.get(f"/runs/{active}")["live"] or {}).get("requests"))


def test_a_run_on_the_rig_that_is_up(up: Rig) -> None:
    """Too short to judge `fail<1%`: exit 98, never a pass. All that was recorded is here, each request counted."""
    done = up.lab("run", *SHORT, "--name", "short one", "--slo", "fail<1%")
    assert done.returncode == Exit.INVALID_MEASUREMENT, done.stdout
    assert "4 users" in done.stdout
    folder = runs(up)[0]
    assert folder.id.endswith("-short-one")
    run, summary = folder.read_run(), folder.read_summary()
    assert summary is not None
    assert summary.verdict in (Verdict.UNDECIDED, Verdict.NONE)
    assert (run.status, run.plan["users"], run.slo, run.started_by) == (Status.FINISHED, 4, ("fail<1%",), "http")
    account = summary.validity.accounting
    assert account.started == account.answered == account.recorded == account.served == summary.totals.requests >= 8
    assert up.engine.state() is not None
    listed = json.loads(up.lab("runs", "--json").stdout)
    assert [(line["id"], line["exit_code"], line["workers"]) for line in listed] == [(folder.id, 98, 1)]


def test_other_workers_than_are_up(up: Rig) -> None:
    """--workers scales the rig that is up for the run."""
    done = up.lab("run", *SHORT, "--workers", "2", "--slo", "p99.9<1ms", "--json")
    assert done.returncode != Exit.TOOL_ERROR, done.stdout
    assert runs(up)[0].read_run().expected_workers == 2
    assert up.get("/workers")["ready"] == 2


def test_ctrl_c_in_mid_run(up: Rig) -> None:
    """The load is stopped and drained, the partial report is here and says by whom; the exit code is 97.

    Without --workers a run takes those that are there, whatever WORKERS says.
    """
    workers = up.get("/workers")["ready"]
    child = start(up, *LONG)
    try:
        until(lambda: has_load(up), 40, "a run under load")
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == Exit.INTERRUPTED, out + err
    folder = runs(up)[0]
    summary = folder.read_summary()
    assert summary is not None
    assert (folder.read_run().status, folder.read_run().stopped_by) == (Status.INTERRUPTED, "user")
    assert summary.validity.accounting.started == summary.validity.accounting.served
    assert folder.read_run().expected_workers == workers
    assert folder.html.exists()
    assert "Traceback" not in out + err
    assert up.get("/workers")["users"] == 0


def test_one_run_at_a_time(up: Rig) -> None:
    """A second `./lab run` beside an active one exits with 1 and names it; the first one goes on."""
    child = start(up, *LONG)
    try:
        until(lambda: has_load(up), 40, "a run under load")
        active = up.get("/runs")["active"]
        second = up.lab("run", *SHORT)
        assert second.returncode == Exit.TOOL_ERROR
        assert f"Run {active} is active" in second.stdout
        assert up.get("/runs")["active"] == active
        up.post(f"/runs/{active}/stop")
        assert child.wait(60) == Exit.INTERRUPTED
    finally:
        child.kill()
        child.communicate()


def test_a_run_of_the_ui_is_brought_home(up: Rig) -> None:
    """START in the UI, a while later STOP: `./lab runs` has the run with its verdict."""
    before = len(runs(up))
    up.swarm(4)
    until(lambda: has_load(up), 40, "a run under load")
    up.post("/stop")
    until(lambda: up.get("/runs")["runs"][0]["has_report"], 60, "its report")
    listed = json.loads(up.lab("runs", "--json").stdout)
    assert len(listed) == len(runs(up)) == before + 1
    assert listed[0]["verdict"] is not None
    assert runs(up)[0].read_run().started_by == "ui"


def test_kill_9_of_the_master(up: Rig) -> None:
    """The command ends with 97 and its last words; what it had written is here, reported as partial. The last test."""
    child = start(up, *LONG)
    try:
        until(lambda: has_load(up), 40, "a run under load")
        time.sleep(2)  # of which something has to be written
        os.kill(up.pid("master-1"), signal.SIGKILL)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    # On a busy machine the command ends before the report, which goes on by itself.
    until(runs(up)[0].html.exists, 60, "the report")
    assert child.returncode == Exit.INTERRUPTED, out + err
    assert "The run was cut short: master-1 was killed by signal 9" in err
    summary = runs(up)[0].read_summary()
    assert summary is not None
    assert (summary.partial, summary.exit_code) == (True, Exit.INTERRUPTED)
    assert summary.totals.requests > 0
    assert f"{runs(up)[0].id}/report.html" in out


def test_a_run_without_a_rig_brings_one_up_and_down(make_rig: MakeRig) -> None:
    """From nothing to a verdict and back to nothing: stdout is the summary alone, and no process or port is left."""
    rig = make_rig(STOP_TIMEOUT_S="1")
    child = start(rig, *SHORT, "--workers", "2", "--slo", "fail<1%", "--json")
    out, err = child.communicate(timeout=110)
    assert child.returncode == Exit.INVALID_MEASUREMENT, err
    assert json.loads(out)["workers_max"] == 2
    assert "Ready on engine processes: 2 workers" in err
    assert rig.left() == []
    assert json.loads(out) == json.loads(runs(rig)[0].summary.read_text())


def test_a_rig_of_a_run_that_is_killed_is_not_left(make_rig: MakeRig) -> None:
    """SIGKILL of the command takes its rig with it; an impatient Ctrl-C, twice, leaves nothing either."""
    rig = make_rig(STOP_TIMEOUT_S="1")
    child = start(rig, *LONG)
    try:
        until(rig.folder.running.exists, 40, "a supervisor")
        until(lambda: "master-1" in json.loads(rig.folder.running.read_text())["running"], 20, "a master")
        child.kill()
        child.communicate()
        if sys.platform == "linux":
            rig.wait_for_nothing()
    finally:
        child.kill()


def test_a_rig_is_kept_when_asked(make_rig: MakeRig, tmp_path: Path) -> None:
    """With --keep the rig is there for the next run, and `./lab down` takes it down."""
    rig = make_rig(STOP_TIMEOUT_S="1")
    done = rig.lab("run", *SHORT, "--keep", "--slo", "fail<1%", LAB_RESULTS=str(tmp_path / "elsewhere"))
    assert done.returncode == Exit.INVALID_MEASUREMENT, done.stdout
    assert "The rig stays up" in done.stdout
    assert rig.get("/workers")["ready"] == 1
    assert len(folders(tmp_path / "elsewhere")) == 1
    down = rig.lab("down")
    assert down.returncode == Exit.OK
    assert len(runs(rig)) == 1
    assert rig.left() == []
