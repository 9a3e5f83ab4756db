"""`./lab runs` and `./lab report`, and how runs come from a rig to this host."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from loadlab.analysis.recording import Status
from loadlab.analysis.summary import Verdict
from loadlab.commands import collecting, reporting
from loadlab.commands.screen import aside, console
from loadlab.errors import Exit, LabError
from loadlab.rig.master import SilentError, checked_id
from loadlab.runfolder import RunFolder, RunFolderError, create, find, folders
from tests import recordings
from tests.rig.fakes import RUN_ID, FakeMaster, FakeRig, Lab, run_record, summary, write_run


def three_runs(home: Path) -> list[RunFolder]:
    """Write a run that passed, one that failed and one that was cut short before it was reported."""
    results = home / "results"
    return [
        write_run(results / "20260101-000000-tuned", result=summary()),
        write_run(results / "20260102-000000", result=summary(Verdict.FAIL, 99)),
        write_run(results / "20260103-000000-crash", run_record(Status.RUNNING)),
    ]


def test_no_runs(lab: Lab) -> None:
    """Nothing to list is no error, and an empty list for programs."""
    assert lab("runs") == (0, "There is no run yet: './lab run' makes one.\n", "")
    assert lab("runs", "--json") == (0, "[]\n", "")


def test_runs_are_listed_newest_first(lab: Lab, bare: Path) -> None:
    """Each run has a line with its verdict and figures; what is not known of one that was cut short is left open."""
    three_runs(bare)
    code, out, _ = lab("runs")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[0] == "run name when shape workers users verdict validity p95 req/s"
    assert [line.split()[0] for line in lines[1:]] == [folder.id for folder in reversed(three(bare))]
    assert "steady 2 20 fail valid 12.0 ms 20.0" in lines[2]
    assert "steady 2 20 pass valid 12.0 ms 20.0" in lines[3]
    assert "no report" in lines[1]


def three(home: Path) -> list[RunFolder]:
    """Return the runs, oldest first."""
    return [RunFolder(path) for path in sorted((home / "results").iterdir())]


def test_runs_fit_a_narrow_terminal(lab: Lab, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On 80 columns a run still has one line: the id says name and time."""
    three_runs(bare)
    monkeypatch.setattr(console, "_width", 80)
    out = lab("runs")[1]
    assert len(out.splitlines()) == 4
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert "20260101-000000-tuned" in out


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120])
def test_ids_are_never_broken(width: int, lab: Lab, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are copied and pasted: other columns go where there is no room, at last all but the verdict."""
    results = bare / "results"
    runs = [write_run(results / f"2026010{n}-000000-{'long-' * (3 * n)}name", result=summary()).id for n in (1, 2, 3)]
    monkeypatch.setattr(console, "_width", width)
    lines = lab("runs")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["run", *reversed(runs)]
    if width > max(map(len, runs)) + len("  verdict"):
        assert "verdict" in lines[0]
        assert all(" pass" in line for line in lines[1:])
        assert max(len(line.rstrip()) for line in lines) <= width


def test_runs_as_json(lab: Lab, bare: Path) -> None:
    """Programs get what the master's own list has, and the path."""
    folders = three_runs(bare)
    listed = json.loads(lab("runs", "--json")[1])
    assert [run["id"] for run in listed] == [folder.id for folder in reversed(folders)]
    assert [run["path"] for run in listed] == [str(folder.path) for folder in reversed(folders)]
    assert [run["exit_code"] for run in listed] == [None, 99, 0]
    assert [run["has_report"] for run in listed] == [False, True, True]


def test_a_spoilt_folder_is_left_out(lab: Lab, bare: Path) -> None:
    """One damaged run.json does not hide the other runs, and is named."""
    folders = three_runs(bare)
    folders[1].run.write_text("{")
    code, out, err = lab("runs")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert str(folders[1].run) in err


# --- Copies ---------------------------------------------------------------------------------------------------------


def test_runs_of_the_rig_are_copied_first(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """A run started in the UI is here after `./lab runs`, whole; it is fetched once."""
    assert RUN_ID in lab("runs")[1]
    assert fake_rig.copied.html.exists()
    master.archive = b"broken"
    assert RUN_ID in lab("runs")[1]


def listed(master: FakeMaster, **changes: Any) -> None:
    """Let the master's list say something else of its run."""
    master.listed = [master.listed[0] | changes]


@pytest.mark.usefixtures("fake_rig")
def test_a_run_that_is_on_is_left_there(lab: Lab, master: FakeMaster) -> None:
    """Neither an active run nor one whose report is being made is copied: the copy would not be all of it."""
    listed(master, status="running", has_report=False)
    master.active = RUN_ID
    assert RUN_ID not in lab("runs")[1]
    listed(master, status="finished", has_report=False)
    master.active = None
    assert RUN_ID not in lab("runs")[1]
    listed(master, has_report=True)
    assert RUN_ID in lab("runs")[1]


def test_what_was_cut_short_is_replaced_once_it_is_whole(lab: Lab, fake_rig: FakeRig) -> None:
    """A partial copy, reported here, gives way to what the rig made of the same run later."""
    write_run(fake_rig.copied.path, run_record(Status.RUNNING), summary(Verdict.NONE, 97))
    lab("runs")
    assert fake_rig.copied.read_run().status == Status.FINISHED
    assert len(list((fake_rig.home / "results").iterdir())) == 1


def test_a_broken_archive_does_not_break_the_list(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """What cannot be copied now is not listed, and nothing half is left."""
    three_runs(fake_rig.home)
    master.archive = master.archive[:100]
    code, out, _ = lab("runs")
    assert (code, len(out.splitlines())) == (0, 4)
    assert not fake_rig.copied.path.exists()


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "", None, 7, "x" * 300])
def test_an_id_that_is_none_is_refused(name: object) -> None:
    """What a master calls a run becomes the name of a folder: nothing but an id may."""
    with pytest.raises(SilentError):
        checked_id(name)


def test_down_copies_first(lab: Lab, fake_rig: FakeRig) -> None:
    """`./lab down` brings home what the rig has, and says what it came to."""
    code, out, _ = lab("down", "--volumes")
    assert code == 0
    assert f"Run {RUN_ID}: the headline of a pass (results/{RUN_ID}/report.html)" in out
    assert "The rig is down." in out
    assert fake_rig.copied.html.exists()
    assert fake_rig.supervisor.wait(10) is not None


def test_down_keeps_what_it_could_not_copy(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """The rig goes down, its runs stay stored, and that is said."""
    stored = fake_rig.partial()
    master.archive = b"broken"
    code, _, err = lab("down")
    assert code == 0
    assert f"Run {RUN_ID} could not be copied" in err
    assert stored.run.exists()


def test_down_stops_an_active_run_and_waits_for_its_report(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """A run that is on when the rig goes is stopped, drained and reported, not lost."""
    listed(master, status="running", has_report=False)
    master.active = RUN_ID
    answer, asked = master.answer, 0

    def drain(method: str, path: str, body: bytes) -> tuple[int, Any]:
        nonlocal asked
        if master.stops and (method, path) == ("GET", "/runs"):
            asked += 1
            if asked == 2:
                master.active = None
                listed(master, status="interrupted")
            if asked == 3:
                listed(master, has_report=True)
        return answer(method, path, body)

    master.answer = drain  # type: ignore[method-assign]
    _, out, _ = lab("down")
    assert master.stops == 1
    assert f"Stopping run {RUN_ID}, which is active" in out
    assert asked >= 3
    assert fake_rig.copied.html.exists()


@pytest.mark.usefixtures("fake_rig")
def test_a_run_that_does_not_end_is_not_taken_for_copied(master: FakeMaster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is stored of it would be thrown away with the rest."""
    monkeypatch.setattr(collecting, "SETTLE_S", 0.1)
    listed(master, status="running", has_report=False)
    master.active = RUN_ID
    with pytest.raises(LabError, match="is still active, and not copied"):
        collecting.settle(master.url, aside)


# --- Reports --------------------------------------------------------------------------------------------------------


def test_a_report_is_made_anew(lab: Lab, bare: Path) -> None:
    """From what was recorded, whatever the folder held before: verdict, page and JUnit."""
    recording = recordings.make()
    folder = write_run(bare / "results" / RUN_ID, recording.run)
    for second in recording.seconds:
        folder.append_second(second)
    for event in recording.events:
        folder.append_event(event)
    code, out, _ = lab("report", RUN_ID)
    assert code == 0
    assert out.startswith("PASS  40 users")
    assert f"results/{RUN_ID}/report.html" in out
    assert folder.html.stat().st_size > 1000
    assert folder.junit.exists()


@pytest.mark.parametrize("wanted", ["20260101-000000-tuned", "20260101", "tuned", "results/20260101-000000-tuned"])
def test_a_run_is_found(wanted: str, lab: Lab, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its id, the beginning of it, its name, or a path."""
    found = three_runs(bare)[0]
    monkeypatch.setattr(reporting, "make", lambda folder: folder.read_summary())
    code, out, _ = lab("report", wanted)
    assert code == 0
    assert f"results/{found.id}/report.html" in out


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("after", "after"), ("A1", "A1"), ("A1", "a1"), ("v1.2 (new)", "v1.2 (new)"), ("after", "20260101-000000-after")],
)
def test_a_name_is_found_as_it_was_given(name: str, wanted: str, tmp_path: Path) -> None:
    """Whatever its letters, and though others, which are newer, have it as a part of theirs."""
    for at, one in enumerate([name, f"{name}-1-workers", f"before {name}"]):
        create(tmp_path, one, at=1_767_225_600 + 60 * at).write_run(run_record())
    assert find(tmp_path, wanted).id == folders(tmp_path)[-1].id


def test_of_several_runs_of_a_name_one_is_chosen_by_its_id(tmp_path: Path) -> None:
    """Also of two that were made in the same second."""
    for _ in range(2):
        create(tmp_path, "after", at=1_767_225_600).write_run(run_record())
    with pytest.raises(RunFolderError, match=r"names several runs.*after\.2, 20260101-000000-after"):
        find(tmp_path, "after")
    assert find(tmp_path, "20260101-000000-after.2").id == "20260101-000000-after.2"


def test_a_report_as_json(lab: Lab, bare: Path) -> None:
    """--json prints summary.json and nothing else; the exit code says that it was made, not what it says."""
    folder = three_runs(bare)[2]
    code, out, _ = lab("report", "latest", "--json")
    assert code == 0
    assert json.loads(out) == json.loads(folder.summary.read_text())
    assert json.loads(out)["partial"] is True


@pytest.mark.parametrize(
    ("wanted", "said"), [("nosuch", "'nosuch' is not a run. There are: 2026"), ("2026", "names several runs")]
)
def test_a_report_of_no_run(wanted: str, said: str, lab: Lab, bare: Path) -> None:
    """A run that there is not, or more than one, exits with 1 and names those there are."""
    three_runs(bare)
    code, _, err = lab("report", wanted)
    assert code == Exit.TOOL_ERROR
    assert said in err


def test_a_report_that_cannot_be_made(lab: Lab, bare: Path) -> None:
    """A damaged folder exits with 1, and says what is wrong."""
    folder = three_runs(bare)[0]
    folder.run.write_text("{}")
    code, _, err = lab("report", str(folder.path))
    assert code == Exit.TOOL_ERROR
    assert "run.json" in err


def test_results_can_be_elsewhere(lab: Lab, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LAB_RESULTS moves the folder of all runs."""
    three_runs(bare)
    shutil.move(bare / "results", tmp_path / "elsewhere")
    assert "no run yet" in lab("runs")[1]
    monkeypatch.setenv("LAB_RESULTS", os.path.relpath(tmp_path / "elsewhere"))
    assert "20260102-000000" in lab("runs")[1]
