"""What is made of a search for the capacity. tests/analysis/test_search.py has the search itself."""

from __future__ import annotations

import copy

from loadlab.analysis import summarise
from loadlab.analysis.summary import Level
from tests import searches


def test_what_is_not_to_be_believed_is_no_capacity() -> None:
    """Its accounts do not add up: there is no capacity, nothing recommended, whatever the steps say."""
    spoilt = copy.deepcopy(searches.found())
    spoilt.run.counters[0].started += 1000
    summary = summarise.summarise(spoilt)
    assert summary.validity.level is Level.INVALID
    assert summary.capacity is not None
    found = summary.capacity
    assert (found.users, found.throughput_rps, found.recommended_users, found.recommended_rps) == (None,) * 4
    assert found.held_users == 122


def test_a_knee_is_one_that_was_passed() -> None:
    """The best of throughput by response time, with worse on both sides; while it still rises there is none."""
    found = summarise.summarise(searches.found()).capacity
    assert found is not None
    powers = {
        step.users: step.throughput_rps / step.mean_ms for step in found.steps if step.throughput_rps and step.mean_ms
    }
    assert found.knee_users == max(powers, key=lambda users: powers[users]) == 80
    for name in (searches.limited, searches.collapsed):
        rising = summarise.summarise(name()).capacity
        assert rising is not None
        assert rising.knee_users is None


def test_a_searchs_window_is_one_step() -> None:
    """The one that held last with the users of the capacity: figures, promises and validity are of it alone."""
    summary = summarise.summarise(searches.found())
    assert summary.capacity is not None
    last = summary.capacity.steps[-1]
    assert (summary.window.start_s, summary.window.end_s) == (last.start_s, last.end_s)
    assert summary.window.throughput_rps == last.throughput_rps == summary.capacity.throughput_rps
    assert [stage.users for stage in summary.stages] == [step.users for step in summary.capacity.steps]
