"""Fixtures of the rig's tests: each hands out rigs, and sees that nothing of them outlives the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from loadlab.rig.settings import known_names
from tests.rig.rigs import Rig, bare_environment

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
