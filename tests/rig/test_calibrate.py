"""`./lab calibrate` for real: a null target beside gunicorn, a master and workers, all as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadlab import calibrations
from loadlab.analysis.recording import Calibration
from loadlab.analysis.summary import Summary
from loadlab.commands.calibrate import NAME
from loadlab.errors import Exit, LabError
from loadlab.rig.engine import NULL_SERVICE
from loadlab.runfolder import RunFolder, folders
from tests.rig.rigs import STRAIGHT, Rig, copy_checkout, until
from tests.schemas import check_folder

pytestmark = pytest.mark.slow

SHORT = ("--users", "16", "--time", "4s")
RUN = ("--users", "4", "--spawn-rate", "20", "--time", "3s", "--slo", "fail<1%")
OWN_SCENARIO = """
from locust import FastHttpUser, LoadTestShape, constant, task


class Picky(FastHttpUser):
    wait_time = constant(30)

    @task
    def never_content(self) -> None:
        with self.client.get("/tests", catch_response=True) as response:
            response.failure("it is never right")


class OwnShape(LoadTestShape):
    def tick(self):
        return None
"""


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


def kept(rig: Rig) -> tuple[Calibration, ...]:
    """Return the calibrations that were kept on this host."""
    return calibrations.kept(rig.home / "results")


def newest(rig: Rig) -> RunFolder:
    """Return the newest run that was brought here."""
    return folders(rig.home / "results")[0]


def summary_of(folder: RunFolder) -> Summary:
    """Return what a run means."""
    summary = folder.read_summary()
    assert summary is not None
    return summary


def parts(rig: Rig) -> list[str]:
    """Return what runs of a rig."""
    state = rig.engine.state()
    assert state is not None
    return sorted(state.running)


def test_the_ceiling_of_the_rig_that_is_up(up: Rig) -> None:
    """Its users do not pause, the API answers a request of each kind, and nothing stays of the null target.

    The scenario's checks pass: its answers are the API's own.
    """
    done = up.lab("calibrate", *SHORT)
    assert done.returncode == Exit.OK, done.stdout
    assert "CEILING  1 worker makes at " in done.stdout
    (found,) = kept(up)
    assert newest(up).id.endswith(f"-{NAME}")
    assert found.run == newest(up).id
    assert found.ceiling_rps > 100  # 16 users who pause for a second make 16
    assert (found.fail_percent, found.workers, found.users, found.scenario) == (0, 1, 16, "locustfile")
    assert found.target == f"http://127.0.0.1:{up.settings.api_port}"
    assert found.machine["engine"] == "processes"
    assert found.bytes_each > 20
    with STRAIGHT.open(f"{found.target}/tests", timeout=10) as response:
        assert response.headers["X-Total-Count"] == "2"  # the first one, and that of the one POST it was asked for
    assert parts(up) == ["api-1", "master-1", "worker-1"]
    assert check_folder(up.home / "results") == 1
    assert check_folder(newest(up).path) > 4


def test_a_run_states_its_headroom(up: Rig) -> None:
    """The next run of the same kind, also one of the UI's; with other workers it says why there is none."""
    done = up.lab("run", *RUN)
    summary = summary_of(newest(up))
    assert summary.headroom is not None
    assert summary.headroom.ratio is not None
    assert summary.headroom.ratio > 3
    assert summary.headroom.sentence.split(". ")[0] in " ".join(done.stdout.split())
    assert f"headroom {summary.headroom.sentence[:20]}" in " ".join(done.stdout.split())
    assert "headroom" in newest(up).html.read_text()
    up.swarm(4)
    until(lambda: up.get("/runs")["active"] and up.get("/workers")["users"] == 4, 20, "a run of the UI")
    up.post("/stop")
    until(lambda: up.get("/runs")["runs"][0]["has_report"], 60, "its report")
    up.lab("runs")
    assert newest(up).read_run().calibration == kept(up)[0]
    up.lab("run", *RUN, "--scenario", "read_heavy")
    other = summary_of(newest(up)).headroom
    assert other is not None
    assert (other.ratio, other.sentence) == (
        None,
        "Not stated: the calibration nearest to this run was of the scenario locustfile.",
    )


def test_ctrl_c_leaves_no_null_target(up: Rig) -> None:
    """The run is stopped, the null target goes, the rig stays; nothing is kept."""
    before = kept(up)
    child = subprocess.Popen(
        [sys.executable, "-m", "loadlab", "calibrate", "--users", "4", "--time", "60s"],
        cwd=up.checkout,
        env=up.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: up.get("/workers")["users"] == 4, 40, "a calibration under load")
        assert f"{NULL_SERVICE}-1" in parts(up)
        os.killpg(child.pid, signal.SIGINT)
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == Exit.INTERRUPTED, out
    assert kept(up) == before
    until(lambda: parts(up) == ["api-1", "master-1", "worker-1"], 20, "the null target's end")


def test_a_null_target_that_cannot_start(up: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words are the error's."""
    monkeypatch.setattr("loadlab.rig.ports.free_port", lambda _address: up.settings.ui_port)
    monkeypatch.setattr("loadlab.rig.ports.is_free", lambda *_: True)
    with pytest.raises(LabError, match=f"There is no null target: {NULL_SERVICE}-1 exited with 1"):
        up.engine.start_null_target(up.settings)
    up.engine.stop_null_target()


def test_any_locustfile_on_a_rig_of_its_own(tmp_path: Path) -> None:
    """Checks that fail on every answer, a load shape that wants no users, another client: a ceiling with a reservation.

    The rig that was brought up for it is taken down, and with it all that was started.
    """
    checkout = copy_checkout(tmp_path / "checkout")
    (checkout / "locust" / "scenarios" / "picky.py").write_text(OWN_SCENARIO)
    home = tmp_path / "home"
    home.mkdir()
    rig = Rig(home, checkout=checkout, STOP_TIMEOUT_S="1")
    try:
        done = rig.lab("calibrate", *SHORT, "--scenario", "picky", "--workers", "1", "--json")
        assert done.returncode == Exit.OK, done.stdout
        found = json.loads(done.stdout[done.stdout.index("\n{") :])
        assert (found["scenario"], found["fail_percent"]) == ("picky", 100.0)
        assert found["reservations"][0].startswith("100% of the requests failed: the locustfile does not take")
        assert found["ceiling_rps"] > 50
        assert rig.left() == []
    finally:
        rig.end()
