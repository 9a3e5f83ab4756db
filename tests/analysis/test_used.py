"""How much CPU workers and machine used, and when: in the measured window, of a search in the one step."""

from __future__ import annotations

import copy

import pytest

from loadlab.analysis.recording import MachineSecond, Recording
from loadlab.analysis.summarise import summarise
from loadlab.analysis.used import Used, used
from tests import searches
from tests.recordings import Recipe, make


def told(recording: Recording, inside: range, busy: float, stolen: float = 0.0) -> Recording:
    """Return a recording whose machine was so busy in some seconds, and fully in all others; so were its workers."""
    made = copy.deepcopy(recording)
    for second in made.seconds:
        is_inside = second.t in inside
        second.machine = MachineSecond(busy, stolen) if is_inside else MachineSecond(1.0)
        for worker in second.workers:
            worker.cpu_s = 0.25 if is_inside else 1.0
    return made


def test_ramps_are_left_out() -> None:
    """40 users come in 2 s and are held for 60: only what was used while they were held is the point's."""
    found = used(told(make(Recipe(workers=4)), range(2, 62), 0.5, 0.125))
    assert found.generator_cores == pytest.approx(4 * 0.25)
    assert found.machine_percent == pytest.approx(62.5)  # what the host took is as good as used


def test_of_a_search_it_is_the_step_that_held() -> None:
    """Not the harder ones, in which something was busier: the same seconds as those of the other figures."""
    recording = searches.found()
    window = summarise(recording).window
    found = used(told(recording, range(int(window.start_s), int(window.end_s)), 0.75))
    assert found.generator_cores == pytest.approx(0.25)
    assert found.machine_percent == pytest.approx(75)


def test_a_gap_in_the_record_is_not_idleness() -> None:
    """Means are over the seconds that told of something."""
    recording = told(make(Recipe(workers=2)), range(2, 62), 0.5)
    recording.seconds = [second for second in recording.seconds if not 10 <= second.t < 30]
    recording.seconds[8].machine = None
    found = used(recording)
    assert found.generator_cores == pytest.approx(0.5)
    assert found.machine_percent == pytest.approx(50)


def test_what_nobody_told_is_not_known() -> None:
    """Of a recording without seconds, and of one without the machine's."""
    recording = make(Recipe(workers=1))
    recording.seconds = []
    assert used(recording) == Used(None, None)
    assert used(make(Recipe(workers=1))).machine_percent is None
