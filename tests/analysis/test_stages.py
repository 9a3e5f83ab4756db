"""Stages and the measured window: which whole seconds lie within, and what is too short."""

from __future__ import annotations

import pytest

from loadlab.analysis import stages
from loadlab.analysis.recording import Event, EventKind
from loadlab.analysis.stages import Held


def events(*marks: tuple[float, str, int]) -> list[Event]:
    """Return beginnings and ends of stages."""
    kinds = {"start": EventKind.STAGE_STARTED, "end": EventKind.STAGE_ENDED}
    return [Event(t, kinds[what], what, None, {"users": users}) for t, what, users in marks]


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (4.0, 60.0, range(4, 60)),
        (4.001, 59.999, range(5, 59)),
        (3.9, 60.1, range(4, 60)),
        (10.0, 13.0, range(10, 13)),
        (0.0, 500.0, range(0, 100)),  # not beyond what was recorded
    ],
)
def test_a_second_counts_when_all_of_it_lies_within(start: float, end: float, seconds: range) -> None:
    """From the first whole second after the beginning to the last before the end."""
    assert stages.held(events((start, "start", 40), (end, "end", 40)), 100) == [Held(40, seconds)]


def test_a_short_stage_says_nothing() -> None:
    """Fewer than three whole seconds are dropped."""
    assert stages.held(events((10.1, "start", 40), (13.9, "end", 40)), 100) == []


def test_stages_follow_one_another() -> None:
    """Each at its number of users; the same number twice is two stages; ramps lie between them."""
    marks = events(
        (2, "start", 10), (20, "end", 10), (25, "start", 50), (40, "end", 50), (45, "start", 10), (60, "end", 10)
    )
    held = stages.held(reversed(marks), 60)
    assert held == [Held(10, range(2, 20)), Held(50, range(25, 40)), Held(10, range(45, 60))]
    window = stages.window(held, 60)
    assert stages.count(window) == 18 + 15 + 15
    assert stages.places(window).tolist() == [*range(2, 20), *range(25, 40), *range(45, 60)]


def test_a_stage_without_an_end_lasts_to_the_recordings() -> None:
    """The master died: what was recorded of the stage counts."""
    assert stages.held(events((4, "start", 40)), 30) == [Held(40, range(4, 30))]
    assert stages.held(events((4, "start", 40), (20, "start", 80)), 30) == [
        Held(40, range(4, 20)),
        Held(80, range(20, 30)),
    ]


def test_without_a_stage_all_of_the_run_is_measured() -> None:
    """There is nothing better; validity says so."""
    assert stages.window([], 30) == (range(30),)
