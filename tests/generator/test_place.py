"""Where a run took place, for run.json."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest

from loadlab import __version__
from loadlab.analysis.recording import Run, Status
from loadlab.generator import place as module
from loadlab.generator.place import place
from loadlab.runfolder import RunFolder


def test_versions_and_machine(tmp_path: Path) -> None:
    """What figures depend on is named, and fits into run.json."""
    told = place()
    assert told["versions"]["loadlab"] == __version__
    assert told["versions"]["python"] == platform.python_version()
    assert told["versions"]["locust"] == version("locust")
    assert told["machine"]["host"] == os.uname().nodename
    assert told["machine"]["cores"] == os.cpu_count()
    assert told["machine"]["memory_bytes"] > 10**8
    assert told["machine"]["booted"] == int(psutil.boot_time())
    run = Run("r", Status.WAITING, {}, (), 0.0, **told)
    folder = RunFolder(tmp_path)
    folder.write_run(run)
    assert folder.read_run() == run


def test_the_engine_is_told_by_whoever_started_the_rig(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request costs more through a container's network; a Locust that somebody started by hand has no engine."""
    monkeypatch.setenv("LAB_ENGINE", "compose")
    assert place()["machine"]["engine"] == "compose"
    monkeypatch.delenv("LAB_ENGINE")
    assert "engine" not in place()["machine"]


@pytest.mark.parametrize(
    ("content", "model"),
    [
        ("processor : 0\nmodel name\t: Fast CPU: 3 GHz\nmodel name\t: other\n", "Fast CPU: 3 GHz"),
        ("Features : fp asimd\n", platform.processor()),
        (None, platform.processor()),
    ],
)
def test_the_name_of_the_processor(
    content: str | None, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that the kernel names; where it names none, or has no such file, what Python knows."""
    file = tmp_path / "cpuinfo"
    if content is not None:
        file.write_text(content)
    paths: list[str] = []

    def path(name: str) -> Path:
        paths.append(name)
        return file

    monkeypatch.setattr(module, "Path", path)
    machine: dict[str, Any] = place()["machine"]
    assert (machine["cpu"], paths) == (model, ["/proc/cpuinfo"])
