"""Is what gives out first called by its name? Bottlenecks staged on purpose, in containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.truth.bottlenecks import CASES, Case, StagedRig, measure
from tests.truth.machine import STOLEN_MOST
from tests.truth.runs import add_scenarios

from .conftest import PROJECT
from .rig import clone_into, leftovers

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def rig(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StagedRig]:  # noqa: ARG001 - it comes first
    """A rig that each case brings up as it wants it."""
    clone = add_scenarios(clone_into(tmp_path_factory.mktemp("staged") / "clone"))
    rig = StagedRig(clone, f"{PROJECT}-staged", replicas=2)
    rig.compose("build", "api", "master")
    try:
        yield rig
    finally:
        rig.down()
        assert not leftovers(rig.project)


# One of each cause; bench/bottleneck stages the others too.
STAGED = (
    *("API limited to 0.5 CPU", "2 threads, waits of 50 ms", "store slowed by 50 ms", "one slow replica of three"),
    *("workers limited to 0.2 CPU", "1% answered 500", "listen backlog of 8", "memory near its limit"),
    *("a target that tells nothing", "a light load"),
)


@pytest.mark.parametrize("case", [CASES[name] for name in STAGED], ids=STAGED)
def test_what_gives_out_is_called(rig: StagedRig, case: Case, tmp_path: Path) -> None:
    """By the name it is known by; where nothing gives out or nothing is told, by none."""
    measured = measure(rig, case, tmp_path)
    found = measured.summary.bottleneck
    assert found is not None
    is_the_hosts = measured.stolen > STOLEN_MOST and found.first == "machine CPU"
    assert found.first in case.expected or is_the_hosts, f"{found.sentence}\n{measured.reasons()}"
