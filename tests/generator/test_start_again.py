"""Locust's own start button, in its real processes, pressed again as soon as a planned run is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadlab.rig.engine import fetch
from tests.generator.test_plugin import BESIDE, SHOP, Master
from tests.rig.rigs import until

pytestmark = pytest.mark.slow


@pytest.fixture
def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Master]:
    """A master with a worker, which keeps its runs in a folder of its own."""
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "results"))
    (tmp_path / "shop.py").write_text(SHOP)
    made = Master(BESIDE, tmp_path / "shop.py", workers=1)
    try:
        until(made.is_ready, 30, "a master with a worker")
        yield made
    finally:
        made.end()


def runs(master: Master) -> dict[str, Any]:
    """Return the list of runs."""
    return fetch(master.url("/runs")) or {}


def test_a_start_right_after_a_run_starts_one(master: Master) -> None:
    """Locust would say that it has, while the shape of the last run is on its way out, and do nothing."""
    for name in ("one", "two"):
        answer = master.swarm(run_time="2", run_name=name, host="http://127.0.0.1:9")
        assert answer["success"] is True
        until(lambda: runs(master)["active"] is not None, 5, f"run {name} begun")
        until(lambda: runs(master)["active"] is None, 20, f"run {name} over")
    assert [(run["name"], run["status"]) for run in runs(master)["runs"]] == [("two", "finished"), ("one", "finished")]
