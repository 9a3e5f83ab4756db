"""What the parts of a rig are told: where runs are kept, what is promised, where the target tells of itself."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from loadlab.rig import revision
from loadlab.rig.engine import NULL_SERVICE
from loadlab.rig.parts import Part, parts
from loadlab.rig.processes import ProcessEngine
from loadlab.rig.settings import RigSettings


def told(tmp_path: Path, **knobs: str) -> dict[str, Part]:
    """Return the parts of a rig of processes by their names."""
    engine = ProcessEngine(tmp_path / "rig")
    settings = RigSettings.model_validate({"API_PORT": "6000", "API_REPLICAS": 2, **knobs})
    return {part.name: part for part in parts(engine._fleet(settings))}


def test_the_master_alone_keeps_runs_and_judges(tmp_path: Path) -> None:
    """It knows where to keep them and what is promised; each replica is asked on its own port, not the shared one."""
    found = told(tmp_path, SLO="p99<1s")
    master = found["master-1"].environment
    assert master["RESULTS_DIR"] == str(tmp_path / "rig" / "results")
    assert master["SLO"] == "p99<1s"
    assert master["TARGET_METRICS"] == "http://127.0.0.1:6000/metrics,http://127.0.0.1:6001/metrics"
    assert "RESULTS_DIR" not in found["worker-1"].environment
    assert master.items() >= found["worker-1"].environment.items()


def test_the_metrics_of_another_target(tmp_path: Path) -> None:
    """The pages that were named are watched; with another target, this rig's API is not taken for it."""
    named = told(tmp_path, TARGET_METRICS="http://a/metrics")["master-1"].environment
    assert named["TARGET_METRICS"] == "http://a/metrics"
    other = told(tmp_path, TARGET_HOST="http://other")["master-1"].environment
    assert (other["LOCUST_HOST"], other["TARGET_METRICS"]) == ("http://other", "")
    open_rig = told(tmp_path, BIND_ADDRESS="0.0.0.0")["master-1"].environment
    assert open_rig["TARGET_METRICS"].startswith("http://127.0.0.1:6000/")


def test_a_commit_makes_no_other_rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is made while a rig is up starts no part of it anew."""
    engine = ProcessEngine(tmp_path)
    settings = RigSettings.model_validate({})
    monkeypatch.setattr(revision, "current", lambda: "abc")
    before = engine._fleet(settings)
    monkeypatch.setattr(revision, "current", lambda: "def")
    more = engine._fleet(settings.model_copy(update={"workers": 9}), before)
    assert replace(more, workers=before.workers) == before


def test_runs_outlive_the_rig_but_not_its_volumes(tmp_path: Path) -> None:
    """A new start keeps the runs of the one before, as `down` does; `down --volumes` throws them away."""
    folder = ProcessEngine(tmp_path).folder
    folder.prepare()
    (folder.results / "20260101-000000").mkdir()
    folder.prepare()
    assert (folder.results / "20260101-000000").exists()
    ProcessEngine(tmp_path).down(volumes=False)
    assert folder.results.exists()
    ProcessEngine(tmp_path).down(volumes=True)
    assert not folder.results.exists()


def test_what_is_salvaged(tmp_path: Path) -> None:
    """The files of the run as they are, and nothing else; no run, nothing to salvage."""
    engine = ProcessEngine(tmp_path / "rig")
    run = engine.folder.results / "20260101-000000"
    run.mkdir(parents=True)
    (run / "timeline.jsonl").write_text("{}\n{")
    assert not engine.salvage(run.name, tmp_path / "out")
    assert not engine.salvage("nosuch", tmp_path / "out")
    (run / "run.json").write_text("{}")
    (run / "link").symlink_to("/etc/passwd")
    assert engine.salvage(run.name, tmp_path / "out")
    assert {file.name: file.read_text() for file in (tmp_path / "out").iterdir()} == {
        "run.json": "{}",
        "timeline.jsonl": "{}\n{",
    }


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout of its own, with one commit."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "app.py").write_text("1")
    (tmp_path / "README.md").write_text("1")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "x")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it printed."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_revision_of_a_checkout(checkout: Path) -> None:
    """The commit, and whether what a rig runs was changed since: a document is no part of it, a new file is."""
    commit = git(checkout, "rev-parse", "HEAD")[:12]
    assert revision.current() == commit
    (checkout / "README.md").write_text("2")
    assert revision.current() == commit
    (checkout / "api" / "new.py").touch()
    assert revision.current() == f"{commit}-dirty"


def test_no_revision_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a repository, or where there is no git, there is none, and no error."""
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    assert revision.current() == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision.current() == ""


def test_a_null_target_is_one_more_part(tmp_path: Path) -> None:
    """On a port of its own, for as many workers as there are; it stays when the workers are scaled."""
    engine = ProcessEngine(tmp_path)
    settings = RigSettings.model_validate({"WORKERS": 3})
    without = engine._fleet(settings)
    assert not any(part.name.startswith(NULL_SERVICE) for part in parts(without))
    fleet = replace(without, null_port=7000, null_target="http://127.0.0.1:5000")
    null = next(part for part in parts(fleet) if part.name == f"{NULL_SERVICE}-1")
    assert null.command[-6:] == ("--port", "7000", "--target", "http://127.0.0.1:5000", "--workers", "3")
    more = engine._fleet(settings.model_copy(update={"workers": 9}), fleet)
    assert (more.null_port, more.null_target, more.workers) == (7000, "http://127.0.0.1:5000", 9)
