"""The list of runs: what it says of each, and what it costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from loadlab.analysis.recording import Status
from loadlab.generator import run_list
from loadlab.generator.run_list import RunList
from loadlab.plan import make
from loadlab.runfolder import RunFolder
from tests.masters import begun, finish, kept

PLAN = {"users": 200, "spawn_rate": 50, "name": "night", "shape": "steps"}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose files were read, in order."""
    names: list[str] = []
    read = run_list._read

    def note(folder: RunFolder) -> Any:
        names.append(folder.id)
        return read(folder)

    monkeypatch.setattr(run_list, "_read", note)
    return names


def test_no_folder_no_runs(tmp_path: Path) -> None:
    """Before the first run there is nothing, and no error."""
    assert RunList(tmp_path / "none").lines() == []


def test_a_run_without_figures(tmp_path: Path) -> None:
    """What was asked for is told at once; what it gave is null until it was analysed."""
    folder = begun(tmp_path, make(PLAN))
    (line,) = RunList(tmp_path).lines(folder.id)
    assert line == {
        "id": folder.id, "name": "night", "status": "running", "partial": False, "started": folder.read_run().started,
        "duration_s": None, "shape": "steps", "workers": 8, "users": 200, "verdict": None, "validity": None,
        "headline": None, "exit_code": None, "requests": None, "throughput_rps": None, "p95_ms": None,
        "fail_percent": None, "capacity_users": None, "has_report": False,
    }  # fmt: skip


def test_a_run_with_figures(tmp_path: Path) -> None:
    """The key figures are those of the summary, of the window that the SLOs are judged on."""
    folder = begun(tmp_path, make(PLAN))
    finish(folder, users_max=180, workers_max=7)
    (line,) = RunList(tmp_path).lines()
    assert {name: line[name] for name in ("status", "verdict", "validity", "exit_code", "duration_s")} == {
        "status": "finished", "verdict": "pass", "validity": "valid", "exit_code": 0, "duration_s": 64.2,
    }  # fmt: skip
    assert (line["requests"], line["throughput_rps"], line["p95_ms"], line["fail_percent"]) == (
        12_400,
        196.7,
        96.2,
        0.169,
    )
    assert (line["users"], line["workers"], line["has_report"], line["partial"]) == (180, 7, True, False)


def test_a_run_that_its_master_left_is_partial(tmp_path: Path) -> None:
    """It says that it goes on, but no one leads it."""
    folder = begun(tmp_path, make(PLAN))
    runs = RunList(tmp_path)
    assert [line["partial"] for line in runs.lines(folder.id)] == [False]
    assert [line["partial"] for line in runs.lines(None)] == [True]


def test_the_newest_comes_first(tmp_path: Path) -> None:
    """By the time in their ids."""
    kept(tmp_path, 3)
    assert [line["name"] for line in RunList(tmp_path).lines()] == ["run 2", "run 1", "run 0"]


def test_the_latest_are_read_alone(tmp_path: Path, reads: list[str]) -> None:
    """Of many runs, so many are asked for and looked at; those that are no runs do not count."""
    folders = kept(tmp_path, 5)
    (tmp_path / "20990101-000000").mkdir()
    lines = RunList(tmp_path).lines(latest=2)
    assert [line["id"] for line in lines] == reads == [folders[4].id, folders[3].id]


def test_only_what_has_changed_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    """A second look reads nothing; a changed run.json, summary or report has that run read again, and only that."""
    folders = kept(tmp_path, 3)
    runs = RunList(tmp_path)
    assert len(runs.lines()) == len(reads) == 3
    reads.clear()
    runs.lines()
    assert reads == []
    finish(folders[1], status=Status.INTERRUPTED, headline="INTERRUPTED")
    assert {line["headline"] for line in runs.lines()} >= {"INTERRUPTED"}
    folders[0].html.unlink()
    assert [line["has_report"] for line in runs.lines()] == [True, True, False]
    assert reads == [folders[1].id, folders[0].id]


def test_a_run_that_was_removed_is_forgotten(tmp_path: Path) -> None:
    """Neither listed nor kept in memory."""
    folders = kept(tmp_path, 2)
    runs = RunList(tmp_path)
    runs.lines()
    for file in folders[0].path.iterdir():
        file.unlink()
    folders[0].path.rmdir()
    assert [line["id"] for line in runs.lines()] == [folders[1].id]
    assert set(runs._kept) == {folders[1].id}


def test_a_damaged_folder_hides_no_other(tmp_path: Path) -> None:
    """One that cannot be read, a stray file, a link and a folder without run.json are left out."""
    (folder,) = kept(tmp_path, 1)
    for name, text in (("20250101-000000", "{"), ("20250101-000001", '{"id": 5}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    (tmp_path / "20250101-000002").mkdir()
    (tmp_path / "20250101-000003").write_text("stray")
    (tmp_path / "20250101-000004").symlink_to(folder.path)
    (tmp_path / ".hidden").mkdir()
    assert [line["id"] for line in RunList(tmp_path).lines()] == [folder.id]


def test_others_get_their_turn_between_two_folders(tmp_path: Path) -> None:
    """The master hears its workers while it reads many runs for the first time."""
    kept(tmp_path, 5)
    pauses: list[None] = []
    runs = RunList(tmp_path, lambda: pauses.append(None))
    runs.lines()
    runs.lines()
    assert len(pauses) == 5


def test_hundreds_of_runs_are_listed_without_reading_them_again(tmp_path: Path, reads: list[str]) -> None:
    """Each has its line, and a second look costs but a few calls to the file system for each."""
    template = kept(tmp_path, 1)[0]
    for number in range(499):
        copy = tmp_path / f"20250101-{number:06}"
        copy.mkdir()
        for file in template.path.iterdir():
            os.link(file, copy / file.name)
    runs = RunList(tmp_path)
    assert len(runs.lines()) == len(reads) == 500
    reads.clear()
    assert len(runs.lines()) == 500
    assert reads == []
