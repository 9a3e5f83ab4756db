"""`./lab down --volumes` where the rig is gone whose runs are stored: they are brought here before anything is lost."""

from __future__ import annotations

import pytest

from loadlab.errors import Exit, LabError
from loadlab.rig import fleet
from loadlab.runfolder import folders
from tests.rig.fake_engine import FakeEngine
from tests.rig.fakes import FakeMaster, Lab


@pytest.fixture(autouse=True)
def _engines(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "usable", lambda: [engine])
    engine.keeps = True


def test_runs_of_an_earlier_rig_are_brought_here_first(lab: Lab, engine: FakeEngine) -> None:
    """A rig is brought up for it; then all that was stored is thrown away."""
    said = lab("down", "--volumes")
    assert said.code == Exit.OK, said.err
    assert engine.downs == [False, True]
    assert len(engine.ups) == 1
    assert len(folders(engine.home / "results")) == 1
    assert "What was stored is thrown away" in said.out


def test_nothing_is_brought_up_to_keep_what_is_stored(lab: Lab, engine: FakeEngine) -> None:
    """Without --volumes it stays where it is."""
    assert lab("down").out == "Nothing is up.\n"
    assert (engine.ups, engine.downs) == ([], [False])


def test_nothing_stored(lab: Lab, engine: FakeEngine) -> None:
    """Then nothing is brought up either."""
    engine.keeps = False
    assert lab("down", "--volumes").out == "Nothing is up.\n"
    assert engine.ups == []


@pytest.mark.parametrize("trouble", ["Port 8089 of 127.0.0.1 is taken.", "could not be copied"])
def test_runs_that_cannot_be_brought_here_are_not_thrown_away(
    trouble: str, lab: Lab, engine: FakeEngine, master: FakeMaster
) -> None:
    """The command fails, says why, and what would throw them away."""

    def fail() -> None:
        master.archive = b"broken"
        if trouble.startswith("Port"):
            raise LabError(trouble)

    engine.troubles[1] = fail
    said = lab("down", "--volumes")
    assert said.code == Exit.TOOL_ERROR
    assert trouble in said.err
    assert "nothing was thrown away" in said.err
    assert True not in engine.downs
