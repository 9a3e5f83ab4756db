"""`./lab` as its user meets it: what it accepts, its exit codes, its words. No traceback, whatever happens."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from loadlab import __version__, cli
from loadlab.commands import collecting
from loadlab.commands import rig as commands
from loadlab.errors import Exit, LabError
from loadlab.rig import fleet, revision
from loadlab.rig.engine import LOOPBACK, Engine, Failure, RigState
from loadlab.rig.settings import ROOT, load
from tests.rig.rigs import Rig, bare_environment, copy_checkout, free_ports


@dataclass(frozen=True)
class Said:
    """How a command ended: its exit code and all that it printed, spaces and line ends made one space."""

    code: int
    text: str


Run = Callable[..., Said]


@pytest.fixture
def run(bare: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return a function that runs a command line in this process, without docker, on ports of the test's own."""
    assert bare.is_dir()
    monkeypatch.setenv("UI_PORT", str(free_ports()))
    monkeypatch.setenv("API_PORT", str(free_ports()))
    before = signal.getsignal(signal.SIGTERM)

    def lab(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        code = cli.main()
        output = "".join(capfd.readouterr())
        assert "Traceback" not in output
        return Said(code, " ".join(re.sub(r"[│╭╮╰╯─]", " ", output).split()))

    yield lab
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that a server listens on."""
    with socket.create_server((LOOPBACK, free_ports())) as server:
        yield int(server.getsockname()[1])


def nothing_started(home: Path) -> bool:
    """Tell whether no rig has ever been prepared in a LAB_HOME."""
    return not (home / "rig" / "logs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["up", "--nosuch"],
        ["up", "extra"],
        ["down", "-x"],
        ["status", "--jso"],
        ["--nosuch"],
        ["logs", "--nosuch"],
        ["doctor", "extra"],
        ["up", "--workers"],
        *(["up", "--workers", value] for value in ("abc", "1.5", "", "1e1", "0x2", "99999999999999999999999999x")),
        *(["up", "--api", value] for value in ("abc", "")),
    ],
)
def test_what_cannot_be_parsed_is_a_usage_error(arguments: list[str], run: Run, bare: Path) -> None:
    """An unknown command, flag or argument, or a number that is none, exits with 2, says so, and starts nothing."""
    said = run(*arguments)
    assert said.code == Exit.USAGE
    assert "Error" in said.text
    assert nothing_started(bare)


@pytest.mark.parametrize(
    ("flag", "value", "named"),
    [
        ("--workers", "0", "--workers 0 is not allowed. Allowed: a whole number of workers, 1-200."),
        ("--workers", "-1", "--workers -1 "),
        ("--workers", "9999", "--workers 9999 "),
        ("-w", "201", "--workers 201 "),
        ("--api", "0", "--api 0 is not allowed. Allowed: a whole number of replicas, 1-20."),
        ("--api", "21", "--api 21 "),
        ("--engine", "nope", "There is no engine 'nope': choose auto, compose, processes."),
        ("--engine", "", "There is no engine '': choose"),
        ("--engine", "Compose", "There is no engine 'Compose': choose"),
    ],
)
def test_a_bad_flag_is_a_usage_error(flag: str, value: str, named: str, run: Run, bare: Path) -> None:
    """A number out of its range or an engine that is none exits with 2, names what is allowed, and starts nothing."""
    said = run("up", flag, value)
    assert said.code == Exit.USAGE
    assert named in said.text
    assert nothing_started(bare)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "many"),
        ("SCENARIO", "nosuch"),
        ("API_MAX_IN_FLIGHT", "zero"),
        ("GUNICORN_WORKERS", "-1"),
        ("API_STORE", "paper"),
        ("DATABASE_URL", "mysql://somewhere/db"),
    ],
)
def test_a_bad_knob_is_a_usage_error(
    name: str, value: str, run: Run, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Knobs of the rig and of the API are checked before anything starts; the error names the bad one."""
    monkeypatch.setenv(name, value)
    said = run("up", "--detach")
    assert said.code == Exit.USAGE
    assert name in said.text
    assert nothing_started(bare)


def test_compose_without_docker_is_an_error_with_a_remedy(run: Run, bare: Path) -> None:
    """Compose asked for by name where there is none exits with 1 and names both ways out."""
    said = run("up", "--engine", "compose")
    assert said.code == Exit.TOOL_ERROR
    assert "install Docker Engine" in said.text
    assert "--engine processes" in said.text
    assert nothing_started(bare)


@pytest.mark.parametrize("knob", ["UI_PORT", "API_PORT"])
def test_a_taken_port_is_an_error_with_a_remedy(
    knob: str, taken: int, run: Run, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that somebody else holds exits with 1, names the port and its knob, and starts nothing."""
    monkeypatch.setenv(knob, str(taken))
    said = run("up", "--detach")
    assert said.code == Exit.TOOL_ERROR
    assert f"Port {taken} of 127.0.0.1 is taken: set {knob}" in said.text
    assert nothing_started(bare)


def test_both_taken_ports_are_told_at_once(taken: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ports that are taken need one attempt to be seen, the second replica's among them."""
    with socket.create_server((LOOPBACK, free_ports())) as other:
        another = other.getsockname()[1]
        monkeypatch.setenv("UI_PORT", str(another))
        monkeypatch.setenv("API_PORT", str(taken - 1))
        said = run("up", "--detach", "--api", "2")
    assert f"Port {taken} " in said.text
    assert f"Port {another} " in said.text


def test_an_address_of_another_host_is_an_error(run: Run, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that this host does not have exits with 1 and is named; it is not called a taken port."""
    monkeypatch.setenv("BIND_ADDRESS", "192.0.2.1")
    said = run("up", "--detach")
    assert said.code == Exit.TOOL_ERROR
    assert "192.0.2.1" in said.text
    assert "set BIND_ADDRESS" in said.text
    assert "taken" not in said.text
    assert nothing_started(bare)


def test_status_of_nothing(run: Run) -> None:
    """`status` exits with 1 when nothing is up, and its JSON says so too."""
    assert run("status").code == Exit.TOOL_ERROR
    assert run("status", "--json") == Said(Exit.TOOL_ERROR, '{"up": false}')


@pytest.mark.parametrize("arguments", [["down"], ["down", "--volumes"], ["down", "-v"]])
def test_down_of_nothing_is_good(arguments: list[str], run: Run) -> None:
    """Nothing to take down is no error, however often it is asked for."""
    assert run(*arguments) == Said(Exit.OK, "Nothing is up.")
    assert run(*arguments).code == Exit.OK


def test_logs_of_an_unknown_part(run: Run, bare: Path) -> None:
    """`logs nosuch` exits with 2 and names the parts that have logs, if any have."""
    said = run("logs", "nosuch")
    assert said.code == Exit.USAGE
    assert "no log of nosuch" in said.text
    assert "no rig was started" in said.text
    (bare / "rig" / "logs").mkdir(parents=True)
    (bare / "rig" / "logs" / "master-1.log").write_text("hello\nhalf a line")
    assert "master-1" in run("logs", "nosuch").text


def test_logs_of_the_last_rig(run: Run, bare: Path) -> None:
    """The logs outlive their rig; a service's name stands for all of its parts."""
    logs = bare / "rig" / "logs"
    logs.mkdir(parents=True)
    for part in ("master-1", "worker-1", "worker-2"):
        (logs / f"{part}.log").write_text(f"I am {part}\n")
    assert run("logs", "worker") == Said(Exit.OK, "worker-1 | I am worker-1 worker-2 | I am worker-2")
    assert "I am master-1" in run("logs").text
    assert run("logs", "worker-2").text == "worker-2 | I am worker-2"


def test_a_log_that_ends_within_a_line_is_printed_whole(run: Run, bare: Path) -> None:
    """The last words of a part that was killed often lack their line end: they are what one looks for."""
    logs = bare / "rig" / "logs"
    logs.mkdir(parents=True)
    (logs / "api-1.log").write_bytes(b"first\nlast words, \xff and no end")
    assert "last words" in run("logs").text


def test_version_and_help(run: Run) -> None:
    """`--version` prints it; every command has a help page; no command at all shows the help."""
    assert run("--version") == Said(Exit.OK, f"loadlab {__version__}")
    for command in ("up", "run", "runs", "report", "down", "status", "logs", "doctor", "test"):
        said = run(command, "--help")
        assert said.code == Exit.OK
        assert f"lab {command}" in said.text
    assert "Usage: lab" in run().text


def test_help_speaks_no_python(run: Run) -> None:
    """No page shows the types of the program: neither of flags, nor of arguments, nor of --help itself."""
    callbacks = [command.name or getattr(command.callback, "__name__", "") for command in cli.app.registered_commands]
    assert {"up", "compare", "logs"} <= {*callbacks}
    for command in ([], *([name] for name in callbacks)):
        said = run(*command, "--help")
        assert said.code == Exit.OK
        assert not re.search(r"<[a-z\[\]]+>", said.text)
    assert "lab logs [OPTIONS] [SERVICE]..." in run("logs", "--help").text


def test_ctrl_c_that_nobody_expected(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it comes, Ctrl-C ends with 97 and without a traceback."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "status", interrupt)
    assert run("status").code == Exit.INTERRUPTED


def test_doctor_of_a_good_machine(run: Run) -> None:
    """With free ports a rig can run, if need be of processes: exit 0, and docker's absence is a note."""
    said = run("doctor")
    assert said.code == Exit.OK
    assert "processes only" in said.text
    assert "install Docker Engine" in said.text


@pytest.mark.parametrize("knob", ["UI_PORT", "API_PORT"])
def test_doctor_names_a_taken_port(knob: str, taken: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken port keeps a rig from running: exit 1, the port, and the knob that moves it."""
    monkeypatch.setenv(knob, str(taken))
    said = run("doctor")
    assert said.code == Exit.TOOL_ERROR
    assert f"Port {taken} of 127.0.0.1 is taken: set {knob} to a free one" in said.text


def test_doctor_of_an_address_of_another_host(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that this host lacks is what is bad, not the ports."""
    monkeypatch.setenv("BIND_ADDRESS", "192.0.2.1")
    said = run("doctor")
    assert said.code == Exit.TOOL_ERROR
    assert "192.0.2.1 is not an address of this host" in said.text
    assert "taken" not in said.text


def test_doctor_of_a_bad_knob(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A knob that keeps a rig from running is what the doctor says."""
    monkeypatch.setenv("UI_PORT", "0")
    said = run("doctor")
    assert said.code == Exit.USAGE
    assert "UI_PORT=0" in said.text


@pytest.mark.parametrize("line", ["WORKER=3", "WORKERS 3"])
def test_a_broken_dotenv_is_a_usage_error(line: str, tmp_path: Path) -> None:
    """A line of .env that says nothing sensible stops a real `up` with 2, and the line is in the message."""
    checkout = copy_checkout(tmp_path / "checkout")
    with (checkout / ".env").open("a") as file:
        file.write(f"{line}\n")
    home = tmp_path / "home"
    command = [sys.executable, "-m", "loadlab", "up", "--detach"]
    done = subprocess.run(
        command, cwd=checkout, env=bare_environment(home), capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == Exit.USAGE
    assert line.partition("=")[0] in done.stderr
    assert "Traceback" not in done.stderr
    assert nothing_started(home)


@pytest.fixture
def lab(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the script `lab` itself, with a LAB_HOME that borrows this environment."""
    mark = Path(sys.prefix) / "complete-rig"
    if not mark.exists():
        pytest.skip("this environment was not made by ./lab, so ./lab would make another")
    home = tmp_path / "home"
    environment = bare_environment(home)
    (home / "venv").symlink_to(sys.prefix)
    (home / "bin" / "python3").symlink_to(Path(sys.executable).resolve())

    def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "lab"), *arguments]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def test_the_script_itself(lab: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """`./lab` works from any folder, hands its arguments and the exit code on, and prints nothing of its own."""
    done = lab("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"loadlab {__version__}\n", "")
    assert lab("status").returncode == Exit.TOOL_ERROR


def watch(monkeypatch: pytest.MonkeyPatch, *states: RigState | None) -> None:
    """Watch a rig in the foreground that is in one state after the other."""
    monkeypatch.setattr(commands, "WATCH_EVERY_S", 0)
    rest = iter(states)
    commands._watch(cast(Engine, SimpleNamespace(state=lambda: next(rest))))


@pytest.mark.parametrize(("workers", "said"), [("1", "processes: 1 worker, 1 API"), ("2", "2 workers, 1 API")])
def test_one_worker_is_no_plural(
    workers: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the rig is ready it says of how many workers."""
    brought_up(monkeypatch, workers=workers)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("existed", "renews", "is_told"),
    [(False, False, True), (True, False, False), (True, True, True)],
    ids=["a new rig", "processes that run on", "containers, which are made anew where their code is another"],
)
def test_of_which_revision_a_rig_is(
    existed: bool, renews: bool, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkout's, unless its master runs what the checkout had when the rig came up."""
    monkeypatch.setattr(revision, "current", lambda: "abc")
    assert brought_up(monkeypatch, existed=existed, renews=renews) == ({"revision": "abc"} if is_told else {})


def brought_up(
    monkeypatch: pytest.MonkeyPatch, *, workers: str = "2", existed: bool = False, renews: bool = False
) -> dict[str, str]:
    """Bring up a rig that is ready at once, and return what its master is told."""
    told: dict[str, str] = {}
    state = RigState("processes") if existed else None
    engine = SimpleNamespace(name="processes", renews=renews, state=lambda: state, up=lambda *_, **__: None)
    monkeypatch.setattr(fleet, "wait_ready", lambda *_: None)
    monkeypatch.setattr(collecting, "acquaint", lambda _master, **known: told.update(known))
    commands.bring_up(cast(Engine, engine), load({"workers": workers}), tied=False)
    return told


def test_a_part_that_ends_is_told_of_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In the foreground, a worker that ends is told of with its last lines, once; the rig goes on without it."""
    one = Failure("worker-1", -9, ("its [last] words",))
    two = Failure("worker-2", 3)
    watch(monkeypatch, RigState("x"), *[RigState("x", (), (one,))] * 3, RigState("x", (), (one, two)), None)
    said = capsys.readouterr().out
    assert said.count("worker-1 was killed by signal 9. Its last log lines:\n  its [last] words") == 1
    assert said.count("worker-2 exited with 3. Its last log lines:\n  (it logged nothing)") == 1
    assert said.endswith("The rig was taken down from elsewhere.\n")


def test_a_master_that_ends_ends_the_rig(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a master there is no test and no UI: the command ends with its last lines."""
    with pytest.raises(LabError, match="master-1 exited with 1") as end:
        watch(monkeypatch, RigState("x"), RigState("x", ("api-1",), (Failure("master-1", 1, ("why",)),)))
    assert "why" in str(end.value)
    assert end.value.exit_code == Exit.TOOL_ERROR


@pytest.mark.parametrize("arguments", [["status", "--json"], ["doctor"], ["--version"]])
def test_output_on_a_full_disk(arguments: list[str], tmp_path: Path) -> None:
    """It is said, in a sentence; there is no traceback."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "loadlab", *arguments]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=bare_environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == Exit.TOOL_ERROR
    assert (
        done.stderr.splitlines()[-1] == "Error: what this command prints to cannot be written: No space left on device."
    )
    assert "Traceback" not in done.stderr


def test_output_that_nobody_reads(tmp_path: Path) -> None:
    """`./lab logs | head -1` ends without a traceback when its reader goes away."""
    rig = Rig(tmp_path)
    rig.folder.prepare()
    rig.folder.log("api-1").write_text("a line\n" * 100_000)
    with subprocess.Popen(
        [sys.executable, "-m", "loadlab", "logs"],
        cwd=ROOT,
        env=rig.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert b"Traceback" not in child.stderr.read()
        assert child.wait(30) == Exit.TOOL_ERROR
