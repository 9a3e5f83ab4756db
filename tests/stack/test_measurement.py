"""Can the measurement be trusted? Held against a server that counts and times for itself, on real processes.

No engine is needed, but the machine to itself: other work on the same cores is what these tests take for a fault.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loadlab.analysis.slo import Outcome
from loadlab.analysis.summary import Level
from loadlab.errors import Exit
from tests.truth import experiments
from tests.truth.experiments import DELAYS, Lab, open_lab

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

WORKERS = 8


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A rig of eight workers that loads a truth server."""
    with open_lab(tmp_path_factory.mktemp("eight"), WORKERS) as lab:
        yield lab


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A rig of two workers that loads a truth server."""
    with open_lab(tmp_path_factory.mktemp("two"), 2) as lab:
        yield lab


def test_twenty_thousand_requests_of_eight_workers_are_all_reported(eight: Lab) -> None:
    """As many as the server answered, no more and no less, and all in the account."""
    experiments.many_requests(eight)


def test_a_killed_worker_costs_little_and_is_stated(eight: Lab) -> None:
    """kill -9 of 1 of 8 at 200 users: restored within 10 s, no second collapse, at most an interval's requests lost."""
    experiments.a_worker_is_killed(eight)


def test_a_worker_that_stands_still_is_flagged_and_counted_once(eight: Lab) -> None:
    """SIGSTOP for 10 s: flagged, load restored, and in the end every request is counted once."""
    experiments.a_worker_stands_still(eight)


@pytest.mark.parametrize("name", DELAYS)
def test_percentiles_are_those_that_the_server_saw(two: Lab, name: str) -> None:
    """p50, p95 and p99 to 1%, beyond what the event loops were late by: it is stated, and some 1 ms."""
    experiments.accuracy(two, name)


@pytest.mark.parametrize(
    ("p95_ms", "outcome", "code"), [(446.0, Outcome.PASS, Exit.OK), (454.0, Outcome.FAIL, Exit.SLO_FAILED)]
)
def test_a_promise_is_judged_to_the_millisecond(two: Lab, p95_ms: float, outcome: Outcome, code: Exit) -> None:
    """p95<450ms holds for a server whose p95 is 446 ms, and not for one of 454 ms; Locust shows 450 for both."""
    result, measured = experiments.promise(two, p95_ms)
    if measured.is_disturbed:  # it says itself that it cannot be believed, or not in full
        assert measured.summary.exit_code in (code, Exit.INVALID_MEASUREMENT)
        return
    assert result.outcome == outcome, result
    assert measured.summary.validity.level is Level.VALID, measured.reasons()
    assert measured.summary.exit_code == code


def test_a_server_that_froze_shows_in_the_timeline(two: Lab) -> None:
    """One second without an answer is seen in the second in which the answers came."""
    experiments.freeze(two)


def test_a_killed_master_ends_command_and_load(two: Lab) -> None:
    """`./lab run` exits within 5 s, the load stops within 10 s, and what was recorded is reported as partial."""
    experiments.the_master_is_killed(two)
