"""`./lab compare`: exit codes, what it refuses, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from loadlab.analysis.recording import Recording, Status
from loadlab.analysis.summary import Level, Reason
from loadlab.errors import Exit
from loadlab.runfolder import RunFolder
from tests import pairs
from tests.report import folders
from tests.rig.fakes import Lab
from tests.schemas import validator

A, B = "20251009-000001", "20251009-000002"


def kept(home: Path, seed: int, change: Callable[[Recording], object] | None = None, **options: float) -> RunFolder:
    """Write the folder of a run among the results, analysed as after a run."""
    recording = pairs.recorded(seed, **options)  # type: ignore[arg-type]
    if change is not None:
        change(recording)
    folder = folders.write(recording, home / "results")
    folder.write_summary(pairs.measured(recording).summary)
    return folder


@pytest.fixture
def alike(bare: Path) -> Path:
    """Two runs of the same target, and one of a target that is half as slow again; returns the home."""
    for seed, median_ms in ((1, 40.0), (2, 40.0), (3, 60.0)):
        kept(bare, seed, median_ms=median_ms)
    return bare


def test_no_difference(lab: Lab, alike: Path) -> None:
    """0, the answer in the first line, every figure, and the page among the results."""
    code, out, _ = lab("compare", A, B)
    assert code == Exit.OK
    lines = out.splitlines()
    assert lines[0].startswith("NO SIGNIFICANT DIFFERENCE  p95 from ")
    for word in ("p50", "p95", "p99", "mean", "throughput", "failures"):
        assert any(line.startswith(word) and line.endswith("not significant") for line in lines), word
    page = alike / "results" / "comparisons" / f"{A}_vs_{B}.html"
    assert lines[-1] == f"page   results/comparisons/{page.name}"
    assert b"NO SIGNIFICANT DIFFERENCE" in page.read_bytes()
    assert [file.name for file in page.parent.iterdir()] == [page.name]  # no draft is left


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ((A, "20251009-000003"), Exit.SLO_FAILED, "WORSE"),
        (("20251009-000003", A), Exit.OK, "BETTER"),
        ((A, "20251009-000003", "--allow", "100"), Exit.OK, "WORSE"),
        ((A, "20251009-000003", "--allow", "20%"), Exit.SLO_FAILED, "WORSE"),
        ((f"{A},{B}", "latest"), Exit.SLO_FAILED, "WORSE"),
    ],
)
@pytest.mark.usefixtures("alike")
def test_a_regression_beyond_what_is_allowed(lab: Lab, arguments: tuple[str, ...], code: Exit, word: str) -> None:
    """99 beyond, 0 within; what became better is no regression."""
    found = lab("compare", *arguments)
    assert found.code == code
    assert found.out.startswith(word)


def test_as_json(lab: Lab, alike: Path) -> None:
    """The document alone is on stdout, as its schema has it; where the page is, on stderr."""
    code, out, err = lab("compare", A, "20251009-000003", "--json", "--html", "elsewhere/page.html")
    document = json.loads(out)
    assert list(validator("comparison").iter_errors(document)) == []
    assert (code, document["exit_code"], document["outcome"]) == (99, 99, "worse")
    assert (alike / "elsewhere" / "page.html").is_file()
    assert "elsewhere/page.html" in err


def test_runs_that_were_not_run_alike(lab: Lab, alike: Path) -> None:
    """2, each difference by its name, what to do; with --force it is done, and says so."""

    def other(recording: Recording) -> None:
        recording.run.plan["users"] = 60
        recording.run.machine["cores"] = 4

    kept(alike, 4, other)
    code, out, err = lab("compare", A, "20251009-000004")
    assert (code, out) == (Exit.USAGE, "")
    for said in ("plan: users: 50 in A, 60 in B", "machine: cores: not told in A, 4 in B", "--force"):
        assert said in err
    assert not (alike / "results" / "comparisons").exists()
    forced = lab("compare", A, "20251009-000004", "--force")
    assert forced.code == Exit.OK
    assert "Not run alike: plan: users is 50 in A and 60 in B" in " ".join(forced.out.split())


def test_a_run_that_is_not_valid(lab: Lab, alike: Path) -> None:
    """98 with the run and the reason; with --force it is done, and says so."""
    folder = kept(alike, 4)
    summary = folder.read_summary()
    assert summary is not None
    reason = Reason("cpu", Level.INVALID, "Worker 1 used 97% of its CPU.")
    folder.write_summary(replace(summary, validity=replace(summary.validity, level=Level.INVALID, reasons=(reason,))))
    code, _, err = lab("compare", A, folder.id)
    assert code == Exit.INVALID_MEASUREMENT
    assert f"The measurement of run {folder.id} is invalid: Worker 1 used 97% of its CPU." in " ".join(err.split())
    assert "--force" in err
    forced = lab("compare", A, folder.id, "--force")
    assert forced.code == Exit.OK
    assert "Worker 1 used 97%" in forced.out


def test_a_run_that_was_cut_short(lab: Lab, alike: Path) -> None:
    """98, and how far it came."""
    folder = kept(alike, 4, lambda recording: setattr(recording.run, "status", Status.INTERRUPTED))
    code, _, err = lab("compare", A, folder.id)
    assert code == Exit.INVALID_MEASUREMENT
    assert "did not reach its end: it was interrupted after 61 s." in " ".join(err.split())


def test_runs_that_are_too_short(lab: Lab, bare: Path) -> None:
    """98: there is nothing to be said of them."""
    kept(bare, 1, hold_s=12)
    kept(bare, 2, hold_s=12)
    code, out, _ = lab("compare", A, B)
    assert code == Exit.INVALID_MEASUREMENT
    assert out.startswith("CANNOT BE SAID")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((A, A), Exit.USAGE, f"Run {A} is on both sides: choose two different runs."),
        ((A, f"{B},{A}"), Exit.USAGE, f"Run {A} is on both sides"),
        ((A, ","), Exit.USAGE, "',' names no run"),
        ((A, B, "--allow", "much"), Exit.USAGE, "--allow much is not allowed. Allowed: a percentage of 0 or more"),
        ((A, B, "--allow", "-1"), Exit.USAGE, "--allow -1 is not allowed"),
        ((A, B, "--allow", "nan"), Exit.USAGE, "--allow nan is not allowed"),
        ((A, B, "--allow", "inf"), Exit.USAGE, "--allow inf is not allowed"),
        ((A,), Exit.USAGE, "Missing argument 'B'"),
        ((A, "nosuch"), Exit.TOOL_ERROR, "'nosuch' is not a run. There are: 2025"),
        ((A, "20251009"), Exit.TOOL_ERROR, "names several runs"),
        ((A, B, "--html", f"results/{A}/run.json/x.html"), Exit.TOOL_ERROR, "--html FILE puts it elsewhere"),
    ],
)
@pytest.mark.usefixtures("alike")
def test_what_is_not_allowed_is_said(lab: Lab, arguments: tuple[str, ...], code: Exit, said: str) -> None:
    """A mistake exits with 2, a run that there is not with 1; each says what is wrong."""
    found = lab("compare", *arguments)
    assert found.code == code
    assert said in " ".join(found.err.split())


def test_a_damaged_folder(lab: Lab, alike: Path) -> None:
    """1, and its name; a line that cannot be read makes the recording partial, and that is 98."""
    folder = RunFolder(alike / "results" / B)
    lines = folder.timeline.read_text().splitlines()
    line = json.loads(lines[30])
    line["cells"]["ok"][0][4] = "\u00e9"
    folder.timeline.write_text("\n".join([*lines[:30], json.dumps(line), *lines[31:]]))
    code, _, err = lab("compare", A, B)
    assert (code, B in err) == (Exit.TOOL_ERROR, True)
    folder.timeline.write_text("\n".join([*lines[:30], lines[30][:50], *lines[31:]]))
    code, _, err = lab("compare", A, B)
    assert code == Exit.INVALID_MEASUREMENT
    assert f"The recording of run {B} is partial." in " ".join(err.split())


def test_a_run_without_a_summary_is_analysed(lab: Lab, alike: Path) -> None:
    """What a crash left out, or another version wrote, is computed again."""
    RunFolder(alike / "results" / B).summary.unlink()
    assert lab("compare", A, B).code == Exit.OK
