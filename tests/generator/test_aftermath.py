"""The report of a run that is over is made by another process, whatever becomes of that."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from loadlab import calibrations
from loadlab.generator import aftermath
from loadlab.runfolder import RunFolder
from tests.analysis.test_headroom import calibration
from tests.report import summaries


def python(path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a script of the shell run in the place of Python."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(aftermath, "sys", SimpleNamespace(executable=str(path)))


def test_the_reporter_is_told_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m loadlab.report FOLDER`, and nothing to read; that it went well is told."""
    folder = RunFolder(tmp_path / "a run")
    folder.path.mkdir()
    python(tmp_path / "python", f'echo "$@" "$(cat)" > {tmp_path}/told', monkeypatch)
    assert aftermath.report(folder) is True
    assert (tmp_path / "told").read_text() == f"-m loadlab.report {folder.path} \n"


@pytest.mark.parametrize(("script", "why"), [("echo broken >&2; exit 3", "broken"), ("echo odd; exit 1", "odd")])
def test_a_failure_is_logged_with_its_reason(
    script: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the process said, from either of its outputs, under the run's name."""
    python(tmp_path / "python", script, monkeypatch)
    assert aftermath.report(RunFolder(tmp_path / "run-7")) is False
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"The report of run run-7 could not be made: {why}"


def test_an_endless_report_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After its time the process is killed, and the run goes without."""
    python(tmp_path / "python", f"echo $$ > {tmp_path}/pid; exec sleep 60", monkeypatch)
    monkeypatch.setattr(aftermath, "PATIENCE_S", 0.3)
    began = time.monotonic()
    assert aftermath.report(RunFolder(tmp_path / "slow")) is False
    assert time.monotonic() - began < 20
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    assert "slow" in caplog.text


def test_a_process_that_cannot_start_is_no_disaster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Then there is no report, and the log says so."""
    monkeypatch.setattr(aftermath, "sys", SimpleNamespace(executable=str(tmp_path / "none")))
    assert aftermath.report(RunFolder(tmp_path)) is False
    assert "could not be made" in caplog.text


def test_what_a_calibration_showed_is_kept_beside_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For the runs to come; a place that cannot be written to costs a word in the log, no more."""
    folder = RunFolder(tmp_path / "20251009-080000-calibration")
    folder.path.mkdir()
    made = summaries.summary(calibration=calibration())
    folder.write_summary(made)
    aftermath.remember(folder)
    assert calibrations.kept(tmp_path) == (made.calibration,)

    def refuse(*_: object) -> None:
        raise OSError("no room is left")

    monkeypatch.setattr(calibrations, "keep", refuse)
    aftermath.remember(folder)
    assert "no room is left" in caplog.text
