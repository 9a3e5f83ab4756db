"""The engine of processes, for real: what it starts, what it heals, and that nothing of it is ever left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from loadlab.commands import rig as commands
from loadlab.errors import Exit, LabError
from loadlab.rig import rigfolder
from loadlab.rig.engine import LOOPBACK, api_urls, fetch
from loadlab.rig.processes import ProcessEngine
from loadlab.rig.rigfolder import MARK
from tests.rig.rigs import STRAIGHT, Rig, copy_checkout, until

pytestmark = pytest.mark.slow

USERS = 20
MakeRig = Callable[..., Rig]


# --- One rig under load, scaled and hurt ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A rig of two workers, brought up by the command and under the load of 20 users."""
    rig = Rig(tmp_path_factory.mktemp("loaded"), workers=2)
    try:
        done = rig.lab("up", "--detach")
        assert done.returncode == Exit.OK, done.stdout
        rig.swarm(USERS)
        yield rig
    finally:
        rig.end()


def shared(rig: Rig, *users: int) -> Callable[[], bool]:
    """Return a question: are the users shared among the workers just so?"""
    return lambda: rig.users() == sorted(users)


def has_no_failures(rig: Rig) -> bool:
    """Tell whether requests were made and none of them failed."""
    total = rig.get("/stats/requests")["stats"][-1]
    return bool(total["num_requests"] > 0 and total["num_failures"] == 0)


def test_up_starts_the_parts_that_are_wanted(loaded: Rig) -> None:
    """The rig has exactly its parts, each with a log, and the users are shared evenly."""
    loaded.scale(2)
    state = loaded.engine.state()
    assert state is not None
    assert set(state.running) == {"api-1", "master-1", "worker-1", "worker-2"}
    assert state.failures == ()
    until(shared(loaded, 10, 10), 5, "10 users on each of two workers")
    assert {file.stem for file in loaded.folder.logs.iterdir()} == {*state.running, "supervisor"}


def test_a_run_has_no_failures(loaded: Rig) -> None:
    """Twenty users read and write for some seconds, and every answer is right."""
    loaded.scale(2)
    until(lambda: loaded.get("/stats/requests")["stats"][-1]["num_requests"] >= 3 * USERS, 15, "60 requests")
    assert has_no_failures(loaded)
    assert {"/tests"} == {row["name"] for row in loaded.get("/stats/requests")["stats"][:-1]}


def test_other_knobs_need_a_new_rig(loaded: Rig) -> None:
    """A rig that is up is scaled, not changed: with another knob of the API or the test `up` refuses, and says so."""
    for knob, named in (
        ({"API_POOL_SIZE": "7"}, "API_POOL_SIZE is 5 there, and 7 was asked for. Run"),
        ({"USERS": "7", "WORKER_CPUS": "1"}, "USERS is 200 there, and 7 was asked for. Run"),
    ):
        refused = loaded.lab("up", "--detach", **knob)
        assert refused.returncode == Exit.TOOL_ERROR
        assert "other knobs" in refused.stdout
        assert named in refused.stdout
        assert "./lab down" in refused.stdout
    assert loaded.engine.state() is not None


def test_new_workers_get_their_share(loaded: Rig) -> None:
    """Scaled up in the middle of a run, the new worker has its users within 5 s, and none is lost or added."""
    loaded.scale(2)
    until(shared(loaded, 10, 10), 10, "10 users on each of two workers")
    loaded.scale(3)
    until(shared(loaded, 6, 7, 7), 5, "20 users on three workers")
    assert has_no_failures(loaded)


def test_users_of_workers_that_leave_are_taken_over(loaded: Rig) -> None:
    """Scaled down in the middle of a run, the workers that stay have all the users within 5 s."""
    loaded.scale(3)
    until(shared(loaded, 6, 7, 7), 10, "20 users on three workers")
    loaded.scale(1)
    until(shared(loaded, USERS), 5, "20 users on one worker")
    assert loaded.get("/workers")["ready"] == 1
    assert has_no_failures(loaded)


def test_a_killed_worker_is_told_of_and_replaced(
    loaded: Rig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its users are back within 10 s, `status` names it with signal and last log lines, and `up` starts it again."""
    loaded.scale(2)
    until(shared(loaded, 10, 10), 10, "10 users on each of two workers")
    os.kill(loaded.pid("worker-2"), signal.SIGKILL)
    until(shared(loaded, USERS), 10, "20 users on the worker that is left")
    for name, value in loaded.environment().items():
        monkeypatch.setenv(name, value)
    assert commands.status(as_json=False) == Exit.OK
    status = capsys.readouterr().out
    assert "1 ready of 1 running" in status
    assert "worker-2 was killed by signal 9. Its last log lines:" in status
    assert "Starting Locust" in status
    assert commands.status(as_json=True) == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert (document["workers_running"], document["users"], len(document["failures"])) == (1, USERS, 1)
    loaded.scale(2)
    until(shared(loaded, 10, 10), 5, "10 users on each of two workers")
    state = loaded.engine.state()
    assert state is not None
    assert state.failures == ()


def test_up_with_other_ports_is_refused(loaded: Rig) -> None:
    """A rig that is up keeps its ports: another wish is refused with the remedy, and does it no harm."""
    done = loaded.lab("up", "--detach", UI_PORT=str(loaded.settings.ui_port + 5000))
    assert done.returncode == Exit.TOOL_ERROR
    assert "Run './lab down' first" in done.stdout
    assert loaded.get("/workers")["users"] == USERS


def test_an_interrupted_up_leaves_the_rig_that_was_up(loaded: Rig) -> None:
    """Ctrl-C of a scaling `up` ends that command with 97, not the rig, which was there before."""
    loaded.scale(2)
    before = loaded.supervisor()
    command = [sys.executable, "-m", "loadlab", "up", "--detach", "--workers", "3"]
    child = subprocess.Popen(command, cwd=loaded.checkout, env=loaded.environment(), start_new_session=True)
    until(lambda: rigfolder.read(loaded.folder.wanted) or {}, 5, "a wanted rig")
    until(lambda: (rigfolder.read(loaded.folder.wanted) or {})["workers"] == 3, 10, "three workers wanted")
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(30) == Exit.INTERRUPTED
    assert loaded.supervisor() == before
    assert loaded.get("/workers")["users"] == USERS


def test_wanted_rig_of_another_version(loaded: Rig) -> None:
    """A rig started by an older loadlab cannot be scaled by this one, which says so; `status` still works."""
    kept = loaded.folder.wanted.read_text()
    try:
        for text in ("{}", "[]", '{"workers": 2', ""):
            loaded.folder.wanted.write_text(text)
            with pytest.raises(LabError, match=r"\./lab down"):
                loaded.engine.up(loaded.settings, tied=False)
            assert loaded.engine.state() is not None
    finally:
        loaded.folder.wanted.write_text(kept)


def test_a_clock_that_is_set_does_not_lose_the_rig(loaded: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start times move with the clock, as after a time server's correction; the supervisor is still found."""
    really = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: really + 3, raising=False)
    assert loaded.engine.state() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_parts_end_with_a_supervisor_that_is_killed(loaded: Rig) -> None:
    """SIGKILL of the supervisor in the middle of a run: every part ends by itself, and every port is free."""
    os.kill(loaded.supervisor(), signal.SIGKILL)
    loaded.wait_for_nothing()
    assert loaded.engine.state() is None
    status = loaded.lab("status")
    assert (status.returncode, status.stdout) == (1, "Nothing is up. './lab up' changes that.\n")


# --- Rigs in the foreground, all of them up at once -----------------------------------------------------------------


@pytest.fixture(scope="module")
def foregrounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Rig]]:
    """Rigs of one worker in the foreground, each for one test to end in its way; all up side by side."""
    rigs = [Rig(tmp_path_factory.mktemp(f"foreground-{number}")) for number in range(3)]
    rigs[1].knobs["API_DRAIN_S"] = "1"  # so that a second Ctrl-C finds it still going down
    try:
        for rig in rigs:
            rig.start()
        for rig in rigs:
            rig.wait_for_output("Ctrl-C takes everything down")
        yield rigs
    finally:
        for rig in rigs:
            rig.end()


def test_rigs_live_side_by_side(foregrounds: list[Rig]) -> None:
    """Rigs with folders and ports of their own do not touch each other: each has one worker and one API."""
    for rig in foregrounds:
        assert rig.get("/workers")["ready"] == 1
        state = rig.engine.state()
        assert state is not None
        assert sorted(state.running) == ["api-1", "master-1", "worker-1"]
    assert len({rig.supervisor() for rig in foregrounds}) == len(foregrounds)


def test_ctrl_c_takes_everything_down(foregrounds: list[Rig]) -> None:
    """Ctrl-C is how a rig in the foreground is meant to end: exit 0, and nothing is left when it returns."""
    rig = foregrounds[0]
    rig.signal_group(signal.SIGINT)
    assert rig.wait_for_end() == Exit.OK
    assert rig.left() == []
    assert "Taking everything down" in rig.output.read_text()
    assert "Traceback" not in rig.output.read_text()


def test_sigterm_and_impatience_take_everything_down(foregrounds: list[Rig]) -> None:
    """SIGTERM ends a rig as Ctrl-C does; whoever then presses Ctrl-C again and again does not leave half of it."""
    rig = foregrounds[1]
    assert rig.foreground is not None
    rig.foreground.terminate()
    rig.wait_for_output("Taking everything down")
    for _ in range(3):
        time.sleep(0.1)
        rig.signal_group(signal.SIGINT)
    assert rig.wait_for_end() in (Exit.OK, Exit.INTERRUPTED)
    assert rig.left() == []
    assert "Traceback" not in rig.output.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_everything_ends_with_a_command_that_is_killed(foregrounds: list[Rig]) -> None:
    """SIGKILL of the command in the foreground: its rig ends by itself, and every port is free."""
    rig = foregrounds[2]
    assert rig.foreground is not None
    rig.foreground.kill()
    rig.wait_for_end()
    rig.wait_for_nothing()


def test_ctrl_c_before_it_is_ready(make_rig: MakeRig) -> None:
    """Interrupted while it starts, `up` exits with 97, and nothing is left of what it had started."""
    rig = make_rig()
    rig.start()
    until(rig.folder.running.exists, 20, "a supervisor at work")
    rig.signal_group(signal.SIGINT)
    assert rig.wait_for_end() == Exit.INTERRUPTED
    assert rig.left() == []
    assert "Interrupted before the rig was ready" in rig.output.read_text()


# --- Replicas, data, failures at the start ----------------------------------------------------------------------------


def test_replicas_and_their_data(make_rig: MakeRig) -> None:
    """Each replica answers on its port and all of them share one store; users are spread over them.

    `down` ends everything and keeps the data; `down --volumes` throws them away.
    """
    rig = make_rig(replicas=2)
    done = rig.lab("up", "--detach")
    assert done.returncode == Exit.OK, done.stdout
    assert all(f"{url}/tests" in done.stdout for url in api_urls(rig.settings))
    assert [instance(url) for url in api_urls(rig.settings)] == ["api-1", "api-2"]
    balanced = json.loads(rig.folder.wanted.read_text())["balanced_port"]
    spread = [instance(f"http://{LOOPBACK}:{balanced}") for _ in range(40)]
    assert {name: spread.count(name) >= 5 for name in set(spread)} == {"api-1": True, "api-2": True}
    assert add(api_urls(rig.settings)[0]) == 204
    assert len(names(api_urls(rig.settings)[1])) == 2
    down = rig.lab("down")
    assert (down.returncode, down.stdout) == (Exit.OK, "The rig is down.\n")
    assert rig.left() == []
    assert (rig.folder.path / "data" / "tests.db").exists()
    assert rig.lab("down", "--volumes").returncode == Exit.OK
    assert not (rig.folder.path / "data").exists()


def instance(url: str) -> str | None:
    """Return which replica answers a new connection."""
    with STRAIGHT.open(f"{url}/tests", timeout=10) as response:
        return str(response.headers["X-Instance"])


def names(url: str) -> list[str]:
    """Return the names of the types of testing that a replica lists."""
    return [item["name"] for item in fetch(f"{url}/tests") or []]


def add(url: str) -> int:
    """Add a type of testing and return the status of the answer."""
    body = json.dumps({"name": "a", "description": "b"}).encode()
    request = urllib.request.Request(f"{url}/tests", body, {"Content-Type": "application/json"})
    with STRAIGHT.open(request, timeout=10) as response:
        return int(response.status)


def test_a_broken_locustfile_is_told_at_the_start(make_rig: MakeRig, tmp_path: Path) -> None:
    """`up` exits with 1 and the last log lines, which name the mistake; nothing is left, and the next `up` is free."""
    checkout = copy_checkout(tmp_path / "checkout")
    with (checkout / "locust" / "locustfile.py").open("a") as file:
        file.write("\nthis is no Python\n")
    rig = make_rig(checkout=checkout)
    done = rig.lab("up", "--detach")
    assert done.returncode == Exit.TOOL_ERROR
    assert "master-1 exited with 1. Its last log lines:" in done.stdout
    assert "SyntaxError" in done.stdout
    assert "this is no Python" in done.stdout
    assert rig.left() == []
    assert "SyntaxError" in rig.lab("logs", "master").stdout  # still there to be read


# --- The folder: stale, spoilt, somebody else's --------------------------------------------------------------------


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any rig."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"pid": 12',
        "[]",
        "{}",
        "null",
        '"text"',
        '{"pid": "x", "running": {}, "ended": {}}',
        '{"pid": -5, "running": {}, "ended": {}}',
        '{"pid": 99999999999999999999, "running": {}, "ended": {}}',
        "\xff\xfe",
    ],
)
def test_a_spoilt_state_file_means_nothing_is_up(text: str, tmp_path: Path) -> None:
    """Whatever is in running.json, the rig counts as down, and `down` clears it away."""
    engine = ProcessEngine(tmp_path)
    engine.folder.running.write_bytes(text.encode("latin-1"))
    assert engine.state() is None
    engine.down(volumes=False)
    assert not engine.folder.running.exists()


def test_a_recycled_pid_is_not_killed(tmp_path: Path, stranger: subprocess.Popen[bytes]) -> None:
    """After a power cut, the pid in running.json may be anybody's: it is not taken for the rig, and left alone."""
    engine = ProcessEngine(tmp_path)
    document = {"pid": stranger.pid, "running": {"api-1": stranger.pid}, "ended": {}}
    rigfolder.write(engine.folder.running, document)
    assert engine.state() is None
    engine.down(volumes=True)
    assert stranger.poll() is None


def marked(path: Path, stubborn: bool) -> subprocess.Popen[str]:
    """Start a process with a rig's mark, which ignores SIGTERM if it is stubborn, and wait until it is ready."""
    handler = "SIG_IGN" if stubborn else "SIG_DFL"
    script = f"import signal, time; signal.signal(signal.SIGTERM, signal.{handler}); print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script]
    child = subprocess.Popen(command, env={**os.environ, MARK: str(path)}, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def test_leftovers_are_ended_by_their_mark(
    tmp_path: Path, stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`down` ends what carries this rig's mark without a supervisor, stubborn or not; another rig's it lets be."""
    monkeypatch.setattr("loadlab.rig.processes.START_S", 0.5)
    polite, stubborn = (marked(tmp_path / "a", stubborn) for stubborn in (False, True))
    others = marked(tmp_path / "ab", False)
    try:
        ProcessEngine(tmp_path / "a").down(volumes=False)
        assert polite.poll() is not None
        assert stubborn.poll() is not None
        assert others.poll() is None
        assert stranger.poll() is None
    finally:
        for child in (polite, stubborn, others):
            child.kill()
            child.communicate()


def test_stored_files_are_replaced_in_one_step(tmp_path: Path) -> None:
    """A reader sees the old document or the new one, never half of one; no draft is left."""
    file = tmp_path / "deep" / "state.json"
    rigfolder.write(file, {"a": 1})
    rigfolder.write(file, {"b": [2]})
    assert rigfolder.read(file) == {"b": [2]}
    assert [path.name for path in file.parent.iterdir()] == ["state.json"]
    assert rigfolder.read(tmp_path / "none.json") is None


def test_secrets_are_not_written_down(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in DATABASE_URL reaches the parts through their environment, never a file of the rig's folder."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1/db")
    rig = make_rig()
    assert "hunter2" not in json.dumps(rig.engine._fleet(rig.settings).to_json())
    assert rig.engine._environment(rig.settings)["DATABASE_URL"].endswith("hunter2@127.0.0.1/db")
