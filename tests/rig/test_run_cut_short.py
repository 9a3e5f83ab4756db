"""`./lab run` against a master that plays a script: runs that are cut short, by a death or by the user."""

from __future__ import annotations

import os
import signal
import time

import pytest

from loadlab.analysis.recording import Status
from loadlab.analysis.summary import Verdict
from loadlab.commands import following
from loadlab.errors import Exit
from tests.rig.fakes import RUN_ID, FakeMaster, FakeRig, Lab, document, packed, run_record, summary, write_run
from tests.rig.rigs import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fake_rig", "no_report")]

RUNNING = document(Status.RUNNING)
DRAINING = document(Status.DRAINING)
REPORTED = document(Status.FINISHED, reported=True)


def test_a_master_that_dies(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """Killed in mid-run: exit 97 within 5 s, its last words, and what it had written is here, with a partial report."""
    fake_rig.partial()
    fake_rig.folder.logs.mkdir(parents=True)
    fake_rig.folder.log("master-1").write_text("the last [words]\n")
    master.script = [RUNNING]
    died = 0.0

    def die(look: int) -> None:
        nonlocal died
        if look == 3:
            died = time.monotonic()
            fake_rig.tell({"master-1": -9})
            master.is_silent = True

    master.on_look = die
    said = lab("run")
    assert said.code == Exit.INTERRUPTED
    assert time.monotonic() - died < 5
    assert "master-1 was killed by signal 9. Its last log lines:\n  the last [words]" in said.err
    assert fake_rig.copied.read_run().status == Status.RUNNING


def test_a_rig_that_is_taken_away(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """`./lab down` from elsewhere in mid-run: exit 97, and what was written is here."""
    fake_rig.partial()
    master.script = [RUNNING]

    def go(look: int) -> None:
        if look == 2:
            fake_rig.supervisor.kill()
            fake_rig.supervisor.wait()
            master.is_silent = True

    master.on_look = go
    said = lab("run")
    assert said.code == Exit.INTERRUPTED
    assert "The rig is gone" in said.err
    assert fake_rig.copied.run.exists()


def test_a_master_that_hangs(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """A master that lives and does not answer is dead after 3 s of silence: exit 97 within 5 s."""
    fake_rig.partial()
    master.script = [RUNNING]
    hung = 0.0

    def hang(look: int) -> None:
        nonlocal hung
        if look == 2:
            hung, master.is_silent = time.monotonic(), True

    master.on_look = hang
    said = lab("run")
    took = time.monotonic() - hung
    assert said.code == Exit.INTERRUPTED
    assert 3 <= took < 5
    assert "silent for 3 s" in said.err
    assert fake_rig.copied.run.exists()


def test_a_lost_answer_is_no_death(lab: Lab, master: FakeMaster) -> None:
    """One answer that takes two seconds, from a master that lives, changes nothing."""
    master.script = [RUNNING, RUNNING, REPORTED]

    def stumble(look: int) -> None:
        if look == 2:
            time.sleep(2)

    master.on_look = stumble
    assert lab("run").code == 0


def test_a_master_that_was_started_anew(
    lab: Lab, fake_rig: FakeRig, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new master finds the old run's folder, but leads no run: the command does not wait for ever."""
    monkeypatch.setattr(following, "LOST_S", 0.2)
    fake_rig.partial()
    master.script = [RUNNING, document(Status.RUNNING, live=None)]
    said = lab("run")
    assert said.code == Exit.INTERRUPTED
    assert "started anew" in said.err


def test_a_run_that_the_master_forgot(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """A master that does not know the run any more has nothing to wait for."""
    fake_rig.partial()
    master.script = [RUNNING, RUNNING]

    def forget(look: int) -> None:
        master.is_forgetful = look >= 2

    master.on_look = forget
    said = lab("run")
    assert said.code == Exit.INTERRUPTED
    assert "does not know the run any more" in said.err


def test_an_aborted_run(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """A run that ends by itself, all workers gone, has the exit code of its partial report."""
    result = summary(Verdict.NONE, 97, Status.ABORTED)
    master.archive = packed(write_run(fake_rig.home / "other" / RUN_ID, run_record(Status.ABORTED), result))
    master.script = [RUNNING, document(Status.ABORTED, reported=True)]
    assert lab("run").code == Exit.INTERRUPTED


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_run_and_reports_it(number: signal.Signals, fake_rig: FakeRig, master: FakeMaster) -> None:
    """The run is told to stop, its partial report is fetched and shown, and the exit code is 97."""
    result = summary(Verdict.NONE, 97, Status.INTERRUPTED)
    master.archive = packed(write_run(fake_rig.home / "other" / RUN_ID, run_record(Status.INTERRUPTED), result))
    master.script = [RUNNING]
    master.script_after_stop = [DRAINING, document(Status.INTERRUPTED), document(Status.INTERRUPTED, reported=True)]
    child = fake_rig.start("run")
    try:
        until(lambda: master.looks, 20, "a look at the run")
        os.killpg(child.pid, number)
        out, err = child.communicate(timeout=20)
    finally:
        child.kill()
    assert (child.returncode, master.stops) == (Exit.INTERRUPTED, 1), err
    assert "Stopping: requests on their way may finish (at most 40 s)" in out
    assert "The run was interrupted" in out
    assert fake_rig.copied.read_run().status == Status.INTERRUPTED
    assert "Traceback" not in err


def test_a_second_ctrl_c_gives_up(fake_rig: FakeRig, master: FakeMaster) -> None:
    """Whoever does not want to wait for the drain gets their prompt back at once, and still what was written."""
    fake_rig.partial()
    master.script = [RUNNING]
    master.script_after_stop = [DRAINING]
    child = fake_rig.start("run")
    try:
        until(lambda: master.looks, 20, "a look at the run")
        os.killpg(child.pid, signal.SIGINT)
        until(lambda: master.stops, 5, "the order to stop")
        time.sleep(0.5)  # a signal that follows at once counts as the same one
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=5)
    finally:
        child.kill()
    assert child.returncode == Exit.INTERRUPTED
    assert f"'./lab report {RUN_ID}' reports it" in out
    assert fake_rig.copied.run.exists()
    assert "Traceback" not in err


def test_a_run_that_does_not_stop(
    lab: Lab, fake_rig: FakeRig, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to stop, a run that goes on is left after the stop timeout and 30 s: exit 97, with what was written."""
    monkeypatch.setattr(following, "DRAIN_S", 0.3)
    monkeypatch.setenv("STOP_TIMEOUT_S", "0")
    fake_rig.partial()
    master.script = [RUNNING]
    master.on_look = lambda look: os.kill(os.getpid(), signal.SIGINT) if look == 2 else None
    said = lab("run")
    assert said.code == Exit.INTERRUPTED
    assert "did not end within 0 s after it was told to stop" in said.err
    assert fake_rig.copied.run.exists()


def test_ctrl_c_after_the_end_changes_no_verdict(lab: Lab, master: FakeMaster) -> None:
    """A run that was over when Ctrl-C came is not an interrupted one, and is not told to stop."""
    master.script = [RUNNING, *[document(Status.FINISHED)] * 5, REPORTED]
    master.on_look = lambda look: os.kill(os.getpid(), signal.SIGINT) if look == 4 else None
    said = lab("run")
    assert (said.code, master.stops) == (0, 0)
    assert "The run is over, its report is being made" in said.out
