"""What is made of a search for the capacity. tests/analysis/test_search.py has the search itself."""

from __future__ import annotations

import copy

import pytest

from loadlab.analysis import summarise
from loadlab.analysis.recording import EventKind, Recording
from loadlab.analysis.search import Ending
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


# What each ending says of a search in which no number of users held.
NONE_SHOWN = {
    Ending.FEW_SAMPLES: "no number of users was shown to hold the promises: too few answers came to judge 10 users "
    "(p95<900ms: 27 successes cannot show it: at least 59 are needed); at 20 users p95<900ms broke",
    Ending.GENERATOR: "generator-limited at 10 users: no number of users was shown to hold the promises; "
    "at 20 users p95<900ms broke",
    Ending.TIME: "no number of users was shown to hold the promises when the time was up; at 20 users p95<900ms broke",
    Ending.NOT_RECOVERED: "no number of users was shown to hold the promises; at 20 users p95<900ms broke, "
    "and a minute after the load was taken away it had not come back",
}


@pytest.mark.parametrize("ending", NONE_SHOWN)
def test_where_nothing_held_the_sentence_says_so_and_why(ending: Ending) -> None:
    """Not that "at least 0 users hold": that nothing was shown to, and what was in the way."""
    found = summarise.summarise(ended(searches.few(), ending)).capacity
    assert found is not None
    assert found.held_users == 0
    assert found.sentence == NONE_SHOWN[ending]


def test_where_the_time_was_up_the_sentence_says_so() -> None:
    """A number that was held for longer is one that holds at least: the gap above it was not closed."""
    recording = searches.found()
    low = next(int(one.data["low"]) for one in recording.events if one.kind is EventKind.SEARCH_ENDED)
    found = summarise.summarise(ended(recording, Ending.TIME, low)).capacity
    assert found is not None
    assert f"takes at least {low} users" in found.sentence
    assert "the time was up before it was known how many more; at" in found.sentence


def test_every_promise_that_broke_is_named() -> None:
    """Not the first alone, where several broke at once."""
    recording = copy.deepcopy(searches.found())
    for event in recording.events:
        if event.kind is EventKind.STEP and event.data["broken"]:
            event.data["broken"] = ["p95<900ms", "fail<1%"]
    found = summarise.summarise(recording).capacity
    assert found is not None
    assert found.limiting == "p95<900ms and fail<1%"
    assert "users p95<900ms and fail<1% broke" in found.sentence


def test_one_user_holds() -> None:
    """One is no plural."""
    found = summarise.summarise(ended(searches.few(), Ending.FEW_SAMPLES, low=1)).capacity
    assert found is not None
    assert found.sentence == "too few answers came to judge 10 users; at least 1 user holds"


def test_a_single_user_under_whom_it_collapses() -> None:
    """It is not said that the collapse broke."""
    made = ended(searches.collapsed(), Ending.NONE_HELD)
    found = summarise.summarise(made).capacity
    assert found is not None
    assert found.sentence.endswith("this target takes not even one user: it collapsed")


def ended(recording: Recording, ending: Ending, low: int = 0) -> Recording:
    """Return a copy of a search as if it had ended so, with so many users that held."""
    changed = copy.deepcopy(recording)
    (end,) = [event for event in changed.events if event.kind is EventKind.SEARCH_ENDED]
    end.data |= {"ending": ending, "low": low}
    return changed
