"""The script `lab`: makes its environment once, mends one that is spoilt, and says what is wrong when it cannot.

A copy of it works in a project of the test's own, with locks that name no package, and with a stand-in for uv (in one
test, for venv and pip) that makes an environment in a tenth of a second and keeps a record of its calls.
"""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadlab.__main__ import PACKAGES
from loadlab.errors import Exit
from loadlab.rig.settings import ROOT
from tests.rig.rigs import until

BINARY = Path(sys.executable).resolve()
# What the stand-in for uv does: `uv venv ... FOLDER`, and `uv pip install ... -r LOCK`, which installs empty packages
# under the names in the lock's comment. Told to, it fails, or waits to be killed.
UV = f"""#!{BINARY}
import pathlib, subprocess, sys, time
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:3]) + " " + sys.argv[-1] + "\\n")
order = here / ("order-" + sys.argv[1])
if order.exists() and order.read_text() == "fail":
    sys.exit("no route to the index")
if order.exists() and order.read_text() == "hang":
    (here / "hanging").touch()
    time.sleep(60)
if sys.argv[1] == "venv":
    subprocess.run([{str(BINARY)!r}, "-m", "venv", "--without-pip", sys.argv[-1]], check=True)
else:
    assert "--require-hashes" in sys.argv
    python = pathlib.Path(sys.argv[sys.argv.index("--python") + 1])
    site = next(python.parent.parent.glob("lib/python*/site-packages"))
    for name in pathlib.Path(sys.argv[-1]).read_text().lstrip("# ").split():
        (site / name).mkdir(exist_ok=True)
        (site / name / "__init__.py").touch()
"""
CLI = """
import os, sys
def main():
    print(sys.prefix, os.environ["LAB_HOME"], os.getcwd(), *sys.argv[1:], sep="|")
    return 42
"""


# Stand-ins for the modules venv and pip, which PYTHONPATH puts before the real ones.
VENV = f"""
import pathlib, subprocess, sys
(pathlib.Path(__file__).parent / "calls").open("a").write("venv " + sys.argv[-1] + "\\n")
command = [{str(BINARY)!r}, "-I", "-m", "venv", "--without-pip", sys.argv[-1]]
subprocess.run(command, check=True)
"""
PIP = """
import pathlib, sys
assert sys.argv[1] == "install" and "--require-hashes" in sys.argv
(pathlib.Path(__file__).parent / "calls").open("a").write("pip " + sys.prefix + " " + sys.argv[-1] + "\\n")
"""


class Project:
    """A project with the real `lab` and `__main__.py`, and nothing else that is real."""

    def __init__(self, path: Path) -> None:
        self.path = path / "project"
        self.home = self.path / ".lab"
        self.venv = self.home / "venv"
        self.bin = path / "bin"
        (self.path / "loadlab").mkdir(parents=True)
        (self.path / "requirements").mkdir()
        self.bin.mkdir()
        shutil.copy(ROOT / "lab", self.path)
        shutil.copy(ROOT / "loadlab" / "__main__.py", self.path / "loadlab")
        (self.path / "loadlab" / "__init__.py").touch()
        (self.path / "loadlab" / "cli.py").write_text(CLI)
        for lock in ("rig", "dev"):
            self.lock(lock).write_text(f"# {' '.join(PACKAGES)}\n")
        (self.bin / "python3").symlink_to(BINARY)
        self.script("uv", UV)

    def lock(self, name: str) -> Path:
        """Return the path of a lock."""
        return self.path / "requirements" / f"{name}.lock"

    def script(self, name: str, text: str) -> None:
        """Put a program on the PATH."""
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def order(self, command: str, what: str) -> None:
        """Tell the stand-in for uv how its next calls of a command end."""
        (self.bin / f"order-{command}").write_text(what)

    def calls(self) -> list[str]:
        """Return the calls of uv since the last look: its command, and for an installation the lock's name."""
        file = self.bin / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line.split()[0] if line.startswith("venv") else Path(line.split()[-1]).stem for line in lines]

    def start(self, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.Popen[str]:
        """Start ./lab in a process group of its own."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "PYTHON"))}
        return subprocess.Popen(
            [str(self.path / "lab"), *arguments],
            cwd=cwd or self.path,
            env=inherited | {"PATH": str(self.bin)} | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, **more: str) -> tuple[int, str, str]:
        """Run ./lab and return its exit code, what it printed, and what it said on stderr."""
        with self.start(*arguments, cwd=cwd, **more) as child:
            try:
                output, errors = child.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                raise
        assert "Traceback" not in errors
        return child.returncode, output, errors


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project on which ./lab has never run."""
    return Project(tmp_path)


def test_the_first_run_makes_the_environment_and_the_second_none(project: Project) -> None:
    """Made once, from the lock; later runs call no installer, say nothing, and hand on arguments and exit code."""
    code, output, errors = project.run("up", "--workers", "3", "a b")
    assert code == 42
    assert output == f"{project.venv}|{project.home}|{project.path}|up|--workers|3|a b\n"
    assert "Preparing the environment" in errors
    assert project.calls() == ["venv", "rig"]
    project.order("venv", "fail")
    project.order("pip", "fail")
    assert project.run("status") == (42, f"{project.venv}|{project.home}|{project.path}|status\n", "")
    assert project.calls() == []


def test_it_is_found_from_any_folder(project: Project, tmp_path: Path) -> None:
    """Called by its path, or through a link to it, ./lab uses its own project, and stays in the caller's folder."""
    link = tmp_path / "link"
    link.symlink_to(project.path / "lab")
    assert project.run("x", cwd=tmp_path)[1] == f"{project.venv}|{project.home}|{tmp_path}|x\n"
    environment = {"PATH": str(project.bin)}
    done = subprocess.run([str(link), "y"], cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == f"{project.venv}|{project.home}|/|y\n"
    assert project.calls() == ["venv", "rig"]


def test_lab_home_says_where(project: Project, tmp_path: Path) -> None:
    """LAB_HOME moves the environment, a relative one from the caller's folder; it is handed on as a whole path."""
    code, output, _ = project.run("x", cwd=tmp_path, LAB_HOME="else where")
    elsewhere = tmp_path / "else where"
    assert (code, output) == (42, f"{elsewhere / 'venv'}|{elsewhere}|{tmp_path}|x\n")
    assert not project.home.exists()


def test_the_tests_have_a_lock_that_comes_on_top(project: Project) -> None:
    """`./lab test` adds what the tests need to the environment that is there, once; the other commands need no more."""
    project.run("status")
    project.calls()
    assert project.run("test")[0] == 42
    assert project.calls() == ["dev"]
    assert project.run("test")[2] == project.run("status")[2] == ""
    assert project.calls() == []


def test_the_lock_of_the_tests_serves_the_other_commands(project: Project) -> None:
    """The lock of the tests holds all of the other: made for the tests first, nothing is left to be made."""
    project.run("test")
    assert project.calls() == ["venv", "dev"]
    assert project.run("status")[2] == ""
    assert project.calls() == []


def spoil_mark(project: Project) -> None:
    """As a process leaves it that was killed before the end."""
    (project.venv / "complete-rig").unlink()


def change_lock(project: Project) -> None:
    """As a pull does that brings other versions."""
    with project.lock("rig").open("a") as file:
        file.write("# other versions\n")


def lose_python(project: Project) -> None:
    """As a system leaves it whose Python was replaced: the link in the environment leads nowhere."""
    for file in (project.venv / "bin").glob("python*"):
        file.unlink()
    (project.venv / "bin" / "python").symlink_to("/nowhere/python3")


def change_version(project: Project) -> None:
    """As a newer Python finds what an older one has made."""
    mark = project.venv / "complete-rig"
    mark.write_text(mark.read_text().replace(f"python3.{sys.version_info.minor}", "python3.9"))


def empty_mark(project: Project) -> None:
    """As a full disk leaves it."""
    (project.venv / "complete-rig").write_text("")


@pytest.mark.parametrize("damage", [spoil_mark, change_lock, lose_python, change_version, empty_mark])
def test_what_is_half_made_or_of_another_version_is_made_anew(
    damage: Callable[[Project], None], project: Project
) -> None:
    """Whatever is not exactly what the lock says is thrown away and made again, and that once."""
    project.run("status")
    project.calls()
    relic = project.venv / "relic"
    relic.touch()
    damage(project)
    assert project.run("status")[0] == 42
    assert project.calls() == ["venv", "rig"]
    assert not relic.exists()
    assert project.run("status")[2] == ""
    assert project.calls() == []


def test_a_lost_package_is_mended(project: Project) -> None:
    """A package that was removed by hand is noticed at the next run, which makes the environment anew and goes on."""
    project.run("status")
    project.calls()
    site = next(project.venv.glob("lib/python*/site-packages"))
    shutil.rmtree(site / "locust")
    (project.path / "locust").mkdir()  # as in the real project: a folder that must not pass for the package
    code, output, errors = project.run("up", "-w", "3")
    assert (code, output.endswith("|up|-w|3\n")) == (42, True)
    assert "lost locust" in errors
    assert project.calls() == ["venv", "rig"]
    assert project.run("up")[2] == ""


def test_an_environment_that_cannot_be_mended_is_not_made_for_ever(project: Project) -> None:
    """A lock that does not bring a package leads to one attempt, not to a loop."""
    for lock in ("rig", "dev"):
        project.lock(lock).write_text("# flask\n")
    code, _, errors = project.run("status")
    assert code == 42
    assert errors.count("lost") == 1
    assert project.calls() == ["venv", "rig"] * 2


def test_runs_at_the_same_time_make_one_environment(project: Project) -> None:
    """Of four first runs at once, one makes the environment, the others wait for it, and all do their work."""
    children = [project.start(f"run-{number}") for number in range(4)]
    ends = [(*child.communicate(timeout=60), child.wait()) for child in children]
    assert [code for *_, code in ends] == [42] * 4
    assert project.calls() == ["venv", "rig"]
    assert sum("Preparing the environment" in errors for _, errors, _ in ends) == 1


@pytest.mark.parametrize("command", ["venv", "pip"])
def test_a_failing_installation_is_told_and_the_next_run_mends(command: str, project: Project) -> None:
    """Exit 1, the installer's own words, what to look at; nothing counts as made, and the next run makes it."""
    project.order(command, "fail")
    code, output, errors = project.run("status")
    assert (code, output) == (Exit.TOOL_ERROR, "")
    assert "no route to the index" in errors
    assert "lab: The environment could not be made:" in errors
    assert "Is the package index reachable" in errors
    project.calls()
    project.order(command, "work")
    assert project.run("status")[0] == 42
    assert project.calls() == ["venv", "rig"]


@pytest.mark.parametrize(
    ("command", "number"), [("venv", signal.SIGKILL), ("pip", signal.SIGKILL), ("pip", signal.SIGINT)]
)
def test_an_interrupted_installation_is_mended_by_the_next_run(
    command: str, number: signal.Signals, project: Project
) -> None:
    """Interrupted at any point, even without a chance to clean up: the next run makes the environment."""
    project.order(command, "hang")
    child = project.start("status")
    until((project.bin / "hanging").exists, 20, "an installation under way")
    os.killpg(child.pid, number)
    _, errors = child.communicate(timeout=20)
    if number == signal.SIGINT:
        assert child.returncode == Exit.INTERRUPTED
        assert "interrupted while preparing" in errors
    project.order(command, "work")
    project.calls()
    assert project.run("status")[0] == 42
    assert project.calls() == ["venv", "rig"]


def test_without_uv_there_is_pip(project: Project) -> None:
    """Where uv is not on the PATH, Python's own venv and pip do it, and the result is as complete."""
    (project.bin / "uv").unlink()
    (project.path / "loadlab" / "__main__.py").write_text("import sys; print(sys.prefix)")
    stand_ins = project.path.parent / "stand-ins"
    stand_ins.mkdir()
    (stand_ins / "venv.py").write_text(VENV)
    (stand_ins / "pip.py").write_text(PIP)
    code, output, errors = project.run("status", PYTHONPATH=str(stand_ins))
    assert (code, output) == (0, f"{project.venv}\n")
    assert f"in {project.venv} with pip" in errors
    calls = (stand_ins / "calls").read_text().splitlines()
    assert calls == [f"venv {project.venv}", f"pip {project.venv} {project.lock('rig')}"]
    assert project.run("status")[2] == ""


@pytest.mark.parametrize("home", ["file", "file/below"])
def test_a_home_that_cannot_be_written_is_told(home: str, project: Project, tmp_path: Path) -> None:
    """A file where the folder should be, or above it: exit 1, the path, and LAB_HOME as the way out."""
    (tmp_path / "file").touch()
    code, _, errors = project.run("status", LAB_HOME=str(tmp_path / home))
    assert code == Exit.TOOL_ERROR
    assert f"{tmp_path / home} cannot be written" in errors
    assert "LAB_HOME" in errors
    assert project.calls() == []


def run_as_old(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script as Python 3.8 would."""
    script = (
        "import runpy, sys; sys.version_info = (3, 8, 0, 'final', 0); sys.argv[0] = 'lab';"
        f"runpy.run_path({str(project.path / 'lab')!r}, run_name='__main__')"
    )
    command = [str(BINARY), "-c", script, *arguments]
    environment = {"PATH": str(project.bin)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_too_old_a_python_is_told(project: Project) -> None:
    """Exit 1 with the version that is needed and the one that is here."""
    done = run_as_old(project, "status")
    assert done.returncode == Exit.TOOL_ERROR
    assert "Python 3.11 or newer is needed, this is 3.8." in done.stderr
    assert project.calls() == []


def test_a_newer_python_beside_it_is_used(project: Project) -> None:
    """Where python3 is old but a newer one is installed under its own name, that one goes on, the newest that runs."""
    project.script("python3.13", "#!/bin/sh\necho no such version\nexit 127\n")
    project.script("python3.11", "#!/bin/sh\necho 11 $@\n")
    project.script("python3.12", "#!/bin/sh\necho 12 $@\n")
    assert run_as_old(project, "up", "-d").stdout == f"12 {project.path / 'lab'} up -d\n"


def test_an_old_python_can_read_the_script() -> None:
    """The script's syntax is old enough for the Python that is to be told that it is too old."""
    ast.parse((ROOT / "lab").read_text(), feature_version=(3, 6))
    assert os.access(ROOT / "lab", os.X_OK)
