"""Fixtures of the rig's tests: each hands out rigs, and sees that nothing of them outlives the test."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from loadlab import cli
from loadlab.analysis.recording import Status
from loadlab.commands import following, reporting, screen
from loadlab.report import overview
from loadlab.rig import fleet
from loadlab.rig.settings import known_names
from tests.rig.fake_engine import FakeEngine
from tests.rig.fakes import RUN_ID, FakeMaster, FakeRig, Lab, NoReport, Said, document, packed, summary, write_run
from tests.rig.rigs import Rig, bare_environment

WIDTH = 120

MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[MakeRig]:
    """Return a function that makes rigs, none of which outlives the test."""
    with ExitStack() as ends:

        def make(name: str = "home", **options: Any) -> Rig:
            home = tmp_path / name
            home.mkdir()
            rig = Rig(home, **options)
            ends.callback(rig.end)
            return rig

        yield make


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this process no knob and no docker, and a LAB_HOME of its own, which is returned."""
    home = tmp_path / "home"
    for name in known_names():
        monkeypatch.delenv(name, raising=False)
    for name, value in bare_environment(home).items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def master(tmp_path: Path) -> Iterator[FakeMaster]:
    """A master whose run ends as planned and passes, and which lists it as one that it has."""
    folder = write_run(tmp_path / "kept" / RUN_ID, result=summary())
    fake = FakeMaster(packed(folder))
    states = (Status.WAITING, Status.RUNNING, Status.DRAINING, Status.FINISHED)
    fake.script = [*(document(status) for status in states), document(Status.FINISHED, reported=True)]
    fake.listed = [overview.line(folder)]
    yield fake
    fake.vanish()


@pytest.fixture
def fake_rig(bare: Path, master: FakeMaster) -> Iterator[FakeRig]:
    """The rig of that master, with two workers."""
    fake = FakeRig(bare, master)
    yield fake
    fake.end()


@pytest.fixture
def lab(bare: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Return a function that runs a command of the lab in this process, quickly, within a LAB_HOME of its own."""
    monkeypatch.chdir(bare)
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(following, "TICK_S", 0.01)
    for each in (screen.console, screen.aside):
        monkeypatch.setattr(each, "_width", WIDTH)  # whatever the terminal's
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        code = cli.main()
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Said(code, out, err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no report made here, which takes seconds; test_run.py sees the real one."""
    monkeypatch.setattr(reporting, "Making", NoReport)


@pytest.fixture
def engine(bare: Path, master: FakeMaster, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """The engine that is chosen; nothing is up, and what is brought up is ready at once."""
    fake = FakeEngine(bare, master)
    monkeypatch.setenv("UI_PORT", str(master.port))
    monkeypatch.setattr(fleet, "find", lambda: None)
    monkeypatch.setattr(fleet, "choose", fake.chosen)
    monkeypatch.setattr(fleet, "check_api", lambda _settings: None)
    monkeypatch.setattr(fleet, "wait_ready", lambda _engine, _settings, report: report(0, 0))
    yield fake
    assert not fake.is_up, "a rig was left up"
