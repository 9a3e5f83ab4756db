"""The search for the capacity, by the real command on a rig of processes, of targets whose capacity is known.

bench/capacity repeats it, at default settings and with more targets.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loadlab.errors import Exit
from loadlab.runfolder import folders
from tests.truth.capacities import KNOWN, LIMIT_MS, SEARCH_S
from tests.truth.experiments import Lab, open_lab
from tests.truth.runs import Measured, read

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A rig of two workers that loads a truth server."""
    with open_lab(tmp_path_factory.mktemp("capacity"), 2) as opened:
        opened.rig.command_timeout_s = SEARCH_S + 30
        yield opened


def search(lab: Lab, scenario: str, *options: str) -> tuple[int, str, Measured]:
    """Search by the command, and return its exit code, what it printed, and what was recorded."""
    results = lab.rig.home / "results"
    done = lab.rig.lab("capacity", "--scenario", scenario, *options, LAB_RESULTS=str(results))
    return done.returncode, done.stdout, read(folders(results)[0].path)


def test_a_known_capacity_is_found(lab: Lab) -> None:
    """The bracket holds it, its lower end was held for longer, and the figures are of that step."""
    known = KNOWN["fixed"]
    lab.truth.control(reset=True, **known.control)
    code, printed, measured = search(
        lab, "busy", *("--slo", f"p95<{LIMIT_MS}ms", "--users", "1000", "--from", "120", "--precision", "15")
    )
    assert code == Exit.OK, printed
    capacity = measured.summary.capacity
    assert capacity is not None
    assert capacity.confirmed
    assert capacity.users is not None
    assert capacity.broke_users is not None
    # Sixteen slots: up to a user a slot more may hold, by how their times happen to fall.
    assert capacity.users <= known.users + 16
    assert capacity.broke_users > known.users
    assert capacity.users == pytest.approx(known.users, rel=0.15)
    assert measured.summary.window.throughput_rps == pytest.approx(1000 * 16 / 44, rel=0.03)
    assert f"takes {capacity.users} users" in " ".join(printed.split())
    assert measured.summary.validity.level == "valid", measured.reasons()


def test_a_capacity_beyond_the_generator_is_none(lab: Lab) -> None:
    """Workers without CPU end the search: what the target takes is not known, and not said."""
    lab.truth.control(reset=True, slots=0, delay={"kind": "instant"})
    code, printed, measured = search(lab, "brisk", "--slo", "p95<30s", "--users", "10000", "--from", "640")
    assert code == Exit.INVALID_MEASUREMENT, printed
    assert "Generator-limited at" in printed
    assert measured.summary.capacity is not None
    assert measured.summary.capacity.users is None


def test_a_promise_that_nothing_keeps(lab: Lab) -> None:
    """Not even one user: the command says so, and fails."""
    lab.truth.control(reset=True, slots=0, random=False, delay={"kind": "fixed", "ms": 100})
    code, printed, _ = search(lab, "busy", "--slo", "p95<50ms", "--users", "100", "--from", "2")
    assert code == Exit.SLO_FAILED, printed
    assert "not even one user" in " ".join(printed.split())
