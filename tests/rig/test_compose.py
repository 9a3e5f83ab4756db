"""What the engine `compose` makes of a `down` that fails; with a real Docker Engine, tests/stack."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from loadlab.errors import LabError
from loadlab.rig.compose import ComposeEngine

# Says what $SAID has for the beginning of the command, and fails for `compose ... down`.
DOCKER = """#!/usr/bin/env python3
import json, os, sys
said = json.loads(os.environ["SAID"])
words = [word for word in sys.argv[1:] if word not in ("--profile", "*", "--all", "--quiet")]
if "down" in words:
    sys.exit("failed to remove network rig_control: it has active endpoints")
sys.stdout.write(next((said[asked] for asked in said if " ".join(words).startswith(asked)), ""))
"""
EMPTY = {"Name": "rig_control", "Containers": {}}
USED = {"Name": "rig_load", "Containers": {"1f": {"Name": "of-somebody-else"}}}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes the engine of a project `rig` of which the given things are left."""
    fake = tmp_path / "docker"
    fake.write_text(DOCKER)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def engine(networks: list[Any], containers: str = "", volumes: str = "") -> ComposeEngine:
        said = {
            "compose config": json.dumps({"name": "rig"}),
            "network inspect": json.dumps(networks),
            "ps": containers,
            "volume ls": volumes,
        }
        monkeypatch.setenv("SAID", json.dumps(said))
        return ComposeEngine()

    return engine


def test_an_empty_network_that_the_engine_keeps_is_told_and_no_failure(
    engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine's count of endpoints may be wrong: the rig is down all the same."""
    engine([EMPTY]).down(volumes=True)
    assert "rig_control" in capsys.readouterr().err
    engine([EMPTY], volumes="rig_data").down(volumes=False)


@pytest.mark.parametrize(
    "left",
    [
        {"networks": []},
        {"networks": [EMPTY, USED]},
        {"networks": [EMPTY], "containers": "1f"},
        {"networks": [EMPTY], "volumes": "rig_data"},
    ],
)
def test_whatever_else_is_left_is_a_failure(engine: Any, left: dict[str, Any]) -> None:
    """A container, of the rig or in its network, a volume that was to go, or nothing that we can see."""
    with pytest.raises(LabError, match="could not take the rig down"):
        engine(**left).down(volumes=True)
