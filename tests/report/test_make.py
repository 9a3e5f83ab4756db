"""From a run folder to its report, as the master and `./lab` make it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loadlab import report
from loadlab.report.__main__ import main
from loadlab.runfolder import RunFolder, RunFolderError
from tests import recordings
from tests.report import folders
from tests.schemas import check_folder

SHORT = recordings.Recipe(steps=((20, 12),), workers=2, name="short")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """The folder of a short run."""
    return folders.write(recordings.make(SHORT), tmp_path)


def test_the_files_are_written_and_read_again(folder: RunFolder) -> None:
    """The summary is what summary.json gives back, and every file is as the published schemas say."""
    summary = report.make(folder)
    assert folder.read_summary() == summary
    assert summary.totals.requests > 100
    assert folder.junit.read_bytes().startswith(b"<?xml")
    assert folder.html.read_bytes().startswith(b"<!DOCTYPE html>")
    assert check_folder(folder.path) > 15
    assert not list(folder.path.glob("*.draft"))


def test_the_same_folder_gives_the_same_bytes(folder: RunFolder) -> None:
    """Reporting again changes nothing, in the same process or in another one."""
    files = (folder.summary, folder.junit, folder.html)
    report.make(folder)
    first = [file.read_bytes() for file in files]
    report.make(folder)
    assert [file.read_bytes() for file in files] == first
    command = [sys.executable, "-m", "loadlab.report", str(folder.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder.html}\n"
    assert [file.read_bytes() for file in files] == first


def test_a_folder_cut_short_is_reported_as_partial(folder: RunFolder) -> None:
    """Half a line at the timeline's end and a run without an end: all else is read, and the report says so."""
    content = folder.timeline.read_bytes()
    folder.timeline.write_bytes(content[:-100])
    summary = report.make(folder)
    assert summary.partial
    assert summary.totals.requests > 100
    assert "The recording is partial" in folder.html.read_text()


def test_what_is_no_run_folder_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and one line on stderr that names the folder; the folders beside it are reported all the same."""
    good = folders.write(recordings.make(SHORT), tmp_path)
    assert main([str(tmp_path / "nothing"), str(good.path)]) == 1
    told = capsys.readouterr()
    assert told.err == f"loadlab.report: {tmp_path / 'nothing'} is not a run folder: it has no run.json.\n"
    assert told.out == f"{good.html}\n"


def test_a_damaged_histogram_is_said_in_one_line(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is JSON but whose histogram cannot be read is an error that names the folder."""
    recording = recordings.make(SHORT)
    cell = recording.seconds[5].cells[0]
    assert cell.ok is not None
    cell.ok = cell.ok._replace(histogram="not a histogram")
    damaged = folders.write(recording, folder.path)
    with pytest.raises(RunFolderError, match="damaged"):
        report.make(damaged)
    assert main([str(damaged.path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(damaged.path) in line


def test_a_defect_of_ours_is_said_in_one_line(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody thought of is still exit code 1 and one line, with the place in the code."""

    def make(_folder: RunFolder) -> None:
        raise KeyError("no such\nkey")

    monkeypatch.setattr(report, "make", make)
    assert main([str(folder.path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "KeyError" in line
    assert "test_make.py" in line
