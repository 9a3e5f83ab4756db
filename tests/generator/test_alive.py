"""A worker's sign of life and the healthcheck that reads it; and the open files that it may have."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from locust.event import Events

from loadlab.generator import alive
from loadlab.rig.settings import ROOT


def check(file: Path | None) -> subprocess.CompletedProcess[str]:
    """Run the healthcheck as the container does."""
    environment = {} if file is None else {"WORKER_ALIVE_FILE": str(file)}
    command = [sys.executable, "-I", "-S", str(ROOT / "loadlab" / "generator" / "alive.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=20)


def aged(file: Path, age_s: float) -> Path:
    """Make the sign of life so old."""
    file.touch()
    then = time.time() - age_s
    os.utime(file, (then, then))
    return file


@pytest.mark.parametrize(("age_s", "code"), [(0, 0), (8, 0), (12, 1), (3600, 1)])
def test_the_age_of_the_sign_decides(age_s: float, code: int, tmp_path: Path) -> None:
    """A master that answered within the last ten seconds is good, one that did not is bad, and the age is told."""
    done = check(aged(tmp_path / "alive", age_s))
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith(f"the master answered {age_s} s ago")


def test_no_sign_yet(tmp_path: Path) -> None:
    """Before the first answer, or without a file to look at, the worker is not healthy, and no traceback says so."""
    for done in (check(tmp_path / "none"), check(None)):
        assert (done.returncode, done.stderr) == (1, "")
        assert "not answered" in done.stdout


def test_each_answer_of_the_master_is_a_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat that the master answers makes the file, or makes it young again."""
    file = aged(tmp_path / "alive", 3600)
    monkeypatch.setenv("WORKER_ALIVE_FILE", str(file))
    environment: Any = SimpleNamespace(events=Events())
    alive.attach(environment)
    environment.events.heartbeat_received.fire(client_id="worker", timestamp=1.0)
    assert time.time() - file.stat().st_mtime < 60
    file.unlink()
    environment.events.heartbeat_received.fire(client_id="worker", timestamp=2.0)
    assert alive.main() == 0


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_file_nothing_is_hung_in(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no healthcheck, as in a rig of processes, a heartbeat costs nothing more."""
    monkeypatch.delenv("WORKER_ALIVE_FILE", raising=False)
    if value is not None:
        monkeypatch.setenv("WORKER_ALIVE_FILE", value)
    environment: Any = SimpleNamespace(events=Events())
    before = len(environment.events.heartbeat_received._handlers)
    alive.attach(environment)
    assert len(environment.events.heartbeat_received._handlers) == before


@pytest.mark.parametrize(
    ("soft", "hard", "enough", "then"), [(256, 512, 65_536, 512), (256, 512, 400, 400), (256, 256, 65_536, 256)]
)
def test_open_files_are_raised(soft: int, hard: int, enough: int, then: int) -> None:
    """The soft limit goes up to what is enough, or to the hard one where that is less."""
    script = (
        f"import resource as r; r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard}));"
        f"from loadlab.generator import descriptors as d; d.ENOUGH = {enough};"
        "print(d.raise_limit(), r.getrlimit(r.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{then} ({then}, {hard})\n"
