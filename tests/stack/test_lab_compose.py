"""`./lab` on the Compose engine: up, scale, status, logs, down, and every way that a start can fail."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import PROJECT
from .rig import CHECKOUT, LOOPBACK, Rig, docker, fresh, is_free, leftovers, request, run, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

OK, TOOL_ERROR, USAGE, INTERRUPTED, INVALID = 0, 1, 2, 97, 98


class Lab:
    """`./lab` in the clone of one rig, with that rig's name and ports in its environment."""

    def __init__(self, rig: Rig, home: Path) -> None:
        self.rig = rig
        self.environment = rig.environment | {"LAB_HOME": str(home), "NO_COLOR": "1", "TERM": "dumb"}

    def __call__(self, *arguments: str, **knobs: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return run(["./lab", *arguments], self.rig.clone, self.environment | knobs, check=False)

    def start(self, output: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command as a shell does: in a process group of its own, which Ctrl-C goes to as a whole."""
        with output.open("wb") as file:
            return subprocess.Popen(
                ["./lab", *arguments],
                cwd=self.rig.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LAB_HOME of our own, with the environment that the checkout has already, or these tests run in."""
    home = tmp_path_factory.mktemp("lab-home")
    for venv in (Path(sys.prefix), CHECKOUT / ".lab" / "venv"):
        if (venv / "complete-rig").exists():
            (home / "venv").symlink_to(venv)
            break
    return home


@pytest.fixture
def lab(clone: Path, home: Path) -> Iterator[Lab]:
    """`./lab` for a rig that is not up; whatever a test leaves of it is taken down."""
    for rig in fresh(clone, f"{PROJECT}-lab"):
        yield Lab(rig, home)


def test_up_detached_status_logs_scale_and_down(lab: Lab) -> None:
    """A rig is brought up, looked at, read, scaled by a second `up`, and taken down, each with exit code 0."""
    up = lab("up", "--engine", "compose", "--workers", "2", "--detach")
    assert up.returncode == OK, up.stderr
    assert "2 workers" in up.stdout
    assert lab.rig.ui in up.stdout
    assert f"{lab.rig.api}/tests" in up.stdout

    status = lab("status", "--json")
    assert status.returncode == OK
    document = json.loads(status.stdout)
    assert (document["up"], document["engine"]) == (True, "compose")
    assert (document["workers_ready"], document["workers_running"], document["failures"]) == (2, 2, [])
    assert document["ui_url"] == lab.rig.ui
    assert document["api"] == [{"url": lab.rig.api, "ready": True}]

    logs = lab("logs", "worker")
    assert logs.returncode == OK
    assert "Starting Locust" in logs.stdout
    assert "master-1" not in logs.stdout
    one = lab("logs", "worker-2", "api-1").stdout
    assert all(part in one for part in ("worker-2", "api-1"))
    assert "worker-1" not in one
    none = lab("logs", "lb")
    assert (none.returncode, "There is no log of lb. There are: api-1," in none.stderr) == (USAGE, True)

    assert lab("up", "--workers", "4", "--detach").returncode == OK
    assert lab.rig.workers()["ready"] == len(lab.rig.containers("worker")) == 4

    assert lab("down", "--volumes").returncode == OK
    assert leftovers(lab.rig.project) == []
    nothing = lab("status", "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)) == (TOOL_ERROR, {"up": False})


def test_ctrl_c_takes_everything_down(lab: Lab, tmp_path: Path) -> None:
    """`./lab up` in the foreground stays, and Ctrl-C ends it with 0 and leaves nothing but what is stored."""
    output = tmp_path / "output"
    process = lab.start(output, "up", "--engine", "compose", "--workers", "1")
    try:
        wait_for("ready", lambda: "Ctrl-C" in output.read_text() or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        assert lab.rig.workers()["ready"] == 1
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == OK, output.read_text()
    finally:
        process.kill()
        process.wait()
    assert [left.split()[0] for left in leftovers(lab.rig.project)] == ["volume", "volume"]
    assert is_free(lab.rig.ui_port)
    assert is_free(lab.rig.api_port)


def test_a_run_outlives_its_rig_and_its_master(lab: Lab, tmp_path: Path) -> None:
    """With the master killed in mid-run, its container's volume still has what was recorded: it is reported as partial.

    The run stays in the volume when the rig is taken down, and is not copied a second time by the next one.
    """
    results = tmp_path / "results"
    lab.environment["LAB_RESULTS"] = str(results)
    assert lab("up", "--engine", "compose", "--workers", "1", "--detach").returncode == OK
    output = tmp_path / "output"
    process = lab.start(output, "run", "--users", "5", "--spawn-rate", "5", "--time", "2m", "--name", "cut")
    try:
        active = str(wait_for("a run under load", lambda: has_load(lab.rig)))
        docker("kill", lab.rig.containers("master")[0]["Id"])
        assert process.wait(60) == INTERRUPTED, output.read_text()
    finally:
        process.kill()
        process.wait()
    assert "The run was cut short: master-1 was killed by signal 9" in output.read_text()
    folder = results / active
    wait_for("the report, which goes on when the command has ended", (folder / "report.html").exists)
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["partial"], summary["exit_code"]) == (True, INTERRUPTED)
    assert summary["totals"]["requests"] > 0

    assert lab("down").returncode == OK
    again = lab(
        "run", "--engine", "compose", "--workers", "1", "--time", "1s", "--users", "1", "--slo", "fail<1%", "--keep"
    )
    assert again.returncode == INVALID, again.stdout + again.stderr
    runs = json.loads(lab("runs", "--json").stdout)
    assert len(runs) == len(list(results.iterdir())) == 2
    assert [run["id"] for run in json.loads(request(f"{lab.rig.ui}/runs").body)["runs"]] == [run["id"] for run in runs]


def test_compose_and_the_lab_share_a_rig(lab: Lab, tmp_path: Path) -> None:
    """Each scales what the other brought up, in the middle of a test, which goes on.

    Runs that are in the volume only are brought here before it is thrown away, though their rig is gone.
    """
    lab.rig.up(workers=2)
    master = lab.rig.containers("master")[0]["Id"]
    load = json.dumps({"users": 4, "spawn_rate": 4, "time_s": 600}).encode()
    run_id = request(f"{lab.rig.ui}/runs", load).json["id"]
    wait_for("a run under load", lambda: has_load(lab.rig))
    assert lab("up", "--engine", "compose", "--workers", "3", "--detach").returncode == OK
    assert lab.rig.workers()["ready"] == 3
    lab.rig.up(workers=2)
    assert [container["Id"] for container in lab.rig.containers("master")] == [master]
    assert request(f"{lab.rig.ui}/runs").json["active"] == run_id
    lab.rig.compose("down")
    results = tmp_path / "results"
    done = lab("down", "--volumes", LAB_RESULTS=str(results))
    assert done.returncode == OK, done.stderr
    assert (results / run_id / "summary.json").exists()
    assert leftovers(lab.rig.project) == []


def has_load(rig: Rig) -> str | None:
    """Return the run that is active, once some seconds of it are recorded."""
    active: str | None = request(f"{rig.ui}/runs").json["active"]
    live = request(f"{rig.ui}/runs/{active}").json["live"] if active else None
    return active if live and live["requests"] and live["elapsed_s"] > 3 else None


def test_the_ceiling_and_the_headroom(lab: Lab, tmp_path: Path) -> None:
    """The null target is a container of the rig's that is up for as long as it is asked; a later run has its headroom.

    The API answers a request of each kind, so that the scenario's checks pass.
    """
    assert lab("up", "--engine", "compose", "--workers", "1", "--detach").returncode == OK
    done = lab("calibrate", "--users", "32", "--time", "5s", "--json")
    assert done.returncode == OK, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["workers"], found["fail_percent"], found["target"]) == (1, 0, "http://api:8000")
    assert found["machine"]["engine"] == "compose"
    assert found["set_by"] in ("workers", "cores", "null-target"), found["sentence"]
    assert found["ceiling_rps"] > 200
    assert not [one for one in found["reservations"] if "made up" in one or "others" in one]
    assert null_targets(lab.rig) == []

    run_ = lab("run", "--users", "4", "--time", "3s", "--slo", "fail<1%", "--json")
    headroom = json.loads(run_.stdout)["headroom"]
    assert headroom["ceiling_rps"] == found["ceiling_rps"]
    assert headroom["ratio"] > 3

    process = lab.start(tmp_path / "output", "calibrate", "--time", "60s")
    try:
        wait_for("a null target", lambda: null_targets(lab.rig))
    finally:
        process.kill()
        process.wait()
    assert lab("down", "--volumes").returncode == OK
    assert leftovers(lab.rig.project) == []


def null_targets(rig: Rig) -> list[str]:
    """Return the containers of null targets, which belong to a profile that Compose does not show by itself."""
    of = f"label=com.docker.compose.project={rig.project}"
    return docker(
        "ps", "--all", "--quiet", "--filter", of, "--filter", "label=com.docker.compose.service=null-target"
    ).split()


@pytest.mark.parametrize("knob", ["UI_PORT", "API_PORT"])
def test_a_taken_port_is_named(lab: Lab, knob: str) -> None:
    """Where another program listens on a port, `up` says which port and which knob moves it, and leaves nothing."""
    port = lab.rig.ui_port if knob == "UI_PORT" else lab.rig.api_port
    with socket.create_server((LOOPBACK, port)):
        up = lab("up", "--engine", "compose", "--workers", "1", "--detach")
    assert up.returncode == TOOL_ERROR
    assert f"Port {port}" in up.stderr
    assert knob in up.stderr
    assert "Traceback" not in up.stderr
    assert leftovers(lab.rig.project) == []


@pytest.mark.parametrize(
    ("knob", "value"), [("API_STORE", "nonsense"), ("WORKERS", "0"), ("WORKER_MEMORY", "much"), ("SCENARIO", "none")]
)
def test_a_bad_knob_is_refused_before_anything_starts(lab: Lab, knob: str, value: str) -> None:
    """A value that is not allowed, for the API or for the rig, exits with 2 and names knob and value at once."""
    begun = time.monotonic()
    up = lab("up", "--engine", "compose", "--detach", **{knob: value})
    assert up.returncode == USAGE, up.stdout + up.stderr
    assert knob in up.stderr
    assert value in up.stderr
    assert "Traceback" not in up.stderr
    assert time.monotonic() - begun < 20
    assert leftovers(lab.rig.project) == []


def test_a_broken_build_leaves_nothing(lab: Lab) -> None:
    """A base image that cannot be had exits with 1, shows why, and leaves nothing behind."""
    image = f"{LOOPBACK}:9/none:none"  # the port of discard: nobody listens
    up = lab("up", "--engine", "compose", "--workers", "1", "--detach", PYTHON_IMAGE=image)
    assert up.returncode == TOOL_ERROR
    assert image in up.stdout + up.stderr
    assert "Traceback" not in up.stderr
    assert leftovers(lab.rig.project) == []


def test_a_worker_that_cannot_start_ends_up_with_its_last_words(lab: Lab) -> None:
    """A locustfile with an error makes `up` exit with 1, shows the error, and leaves nothing running."""
    locustfile = lab.rig.clone / "locust" / "locustfile.py"
    text = locustfile.read_text()
    try:
        locustfile.write_text(text + "\nraise RuntimeError('broken on purpose')\n")
        up = lab("up", "--engine", "compose", "--workers", "1", "--detach")
    finally:
        locustfile.write_text(text)
    assert up.returncode == TOOL_ERROR
    assert "broken on purpose" in up.stdout + up.stderr
    assert [left for left in leftovers(lab.rig.project) if not left.startswith("volume")] == []
