"""Outages and what follows from them, on timelines whose failures are known to the second."""

from __future__ import annotations

import math
import random

import pytest

from loadlab.analysis import intervals
from loadlab.analysis.loads import tallied
from loadlab.analysis.outages import outages
from loadlab.analysis.recording import Second, WorkerSecond
from loadlab.analysis.reliability import of_outages, reliability
from loadlab.analysis.summary import Interval, Outage
from loadlab.analysis.timeline import columns
from tests.recordings import cell


def line(t: int, ok: int, failed: int = 0, waiting: float = 0.5, took_us: int = 20_000) -> Second:
    """Return a second with so many successes and failures, and requests that wait."""
    cells = [cell([took_us] * ok, [], [1_000] * failed)] if ok + failed else []
    return Second(t, cells=cells, workers=[WorkerSecond(1, 10, ok + failed, waiting)])


def found(*percents: int | None, took_us: int = 20_000) -> list[tuple[float, float | None]]:
    """Return the outages of a run whose seconds had these shares of failures; None: nothing was answered."""
    lines = [
        line(t, 0, waiting=5.0) if percent is None else line(t, 100 - percent, percent, took_us=took_us)
        for t, percent in enumerate(percents)
    ]
    timeline = columns(lines)
    totals = tallied(timeline, [], (range(len(lines)),), 0, []).all.over((range(len(lines)),))
    return [(outage.start_s, outage.end_s) for outage in outages(timeline, totals, len(lines))]


@pytest.mark.parametrize(
    ("percents", "expected"),
    [
        ([0, 0, 9, 0, 0], []),
        ([0, 0, 10, 0, 0, 0], [(2, 3)]),
        ([0, 100, 100, 100, 0, 0, 0, 0], [(1, 4)]),
        ([0, 50, 0, 0, 50, 0, 0, 0], [(1, 5)]),  # two good seconds do not end it
        ([0, 50, 0, 0, 0, 50, 0, 0, 0], [(1, 2), (5, 6)]),  # three do
        ([0, 50, 5, 5, 5, 5, 5, 0, 0, 0], [(1, 7)]),  # 5% is not good enough
        ([0, 50, 4, 4, 4], [(1, 2)]),
        ([0, 50, 4, 7, 4, 4, 4], [(1, 4)]),  # between both shares it goes on, but none begins
        ([7, 7, 7, 7], []),
        ([0, 0, 50, 0, 0], [(2, None)]),  # not over when the run ended
        ([100, 100, 100], [(0, None)]),
        ([0, None, 0, 0, 0], [(1, 2)]),  # silence is a failure
        ([0, None, None, None, 0, 0, 0], [(1, 4)]),
        ([0, 50, None, 0, 0, 0], [(1, 3)]),
    ],
)
def test_an_outage_begins_and_ends_as_defined(
    percents: list[int | None], expected: list[tuple[float, float | None]]
) -> None:
    """With a second of at least 10%, before the first of three under 5% on end."""
    assert found(*percents) == expected


def test_silence_between_slow_answers_is_no_outage() -> None:
    """Answers that take 2 s leave seconds without any: a silence is one from more than twice that on."""
    assert found(0, None, None, None, None, 0, 0, 0, took_us=2_000_000) == []
    assert found(0, None, None, None, None, None, 0, 0, 0, took_us=2_000_000) == [(1, 6)]


def test_a_second_in_which_nobody_asked_says_nothing() -> None:
    """It neither begins an outage nor brings its end nearer, nor farther."""
    lines = [line(0, 10), line(1, 0, 10), line(2, 10), line(3, 0, waiting=0.0), line(4, 10), line(5, 10), line(6, 10)]
    timeline = columns(lines)
    totals = tallied(timeline, [], (range(7),), 0, []).all.over((range(7),))
    assert outages(timeline, totals, 7) == [Outage(1.0, 2.0)]
    quiet = columns([line(t, 0, waiting=0.0) for t in range(5)])
    assert outages(quiet, totals, 5) == []


def test_failures_while_the_users_are_stopped_are_not_the_targets() -> None:
    """What is watched ends with the order to stop."""
    timeline = columns([line(t, 10) for t in range(10)] + [line(10, 0, 10)])
    totals = tallied(timeline, [], (range(11),), 0, []).all.over((range(11),))
    seen = reliability(timeline, totals, 10.4)
    assert (seen.observed_s, seen.outages, seen.availability_percent) == (10.0, (), 100.0)


def test_the_means_are_those_of_the_textbook() -> None:
    """100 s with outages of 4 s and 6 s: up 45 s on average, down 5 s, a failure every 50 s, available 90%."""
    seen = of_outages((Outage(20, 24), Outage(60, 66)), 100.0, 10.0, 1_000, 100)
    assert (seen.mttf_s, seen.mttr_s, seen.mtbf_s) == (45, 5, 50)
    assert (seen.availability_percent, seen.success_percent) == (90, 90)
    means = {45.0: seen.mttf, 5.0: seen.mttr, 50.0: seen.mtbf, 90.0: seen.availability}
    for mean, interval in means.items():
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < mean < interval.high


def test_the_intervals_are_on_the_times_they_are_of() -> None:
    """Failures on what was watched, times up on the time up, repairs on the time down, shares in percent."""
    seen = of_outages((Outage(20, 24), Outage(60, 66)), 100.0, 10.0, 1_000, 100)
    assert seen.mtbf == Interval(*intervals.mean_time(100.0, 2))
    assert seen.mttf == Interval(*intervals.mean_time(90.0, 2))
    assert seen.mttr == Interval(*intervals.mean_time(10.0, 2, truncated=False))
    shares = intervals.availability(90.0, 2, 10.0, 2)
    assert shares is not None
    assert seen.availability == Interval(100 * shares[0], 100 * shares[1])
    low, high = intervals.proportion(900, 1_000)
    assert seen.success == Interval(100 * low, 100 * high)


def test_no_outage_gives_a_lower_bound() -> None:
    """Nothing failed in 300 s: the mean time to a failure is at least 100 s (300 / 2.996), with 95% confidence."""
    seen = of_outages((), 300.0, 0.0, 1_000, 0)
    assert (seen.mtbf_s, seen.mttf_s, seen.mttr_s, seen.mttr, seen.availability) == (None, None, None, None, None)
    assert seen.mttf is not None
    assert seen.mttf.low == pytest.approx(100.1, abs=0.1)
    assert seen.mttf.high is None
    assert seen.availability_percent == 100


def test_an_outage_that_was_not_over_is_no_repair() -> None:
    """Its time counts as down, but there is no mean time to repair, only a lower bound."""
    seen = of_outages((Outage(80, None),), 100.0, 20.0, 1_000, 200)
    assert (seen.mttf_s, seen.mttr_s, seen.availability_percent) == (80, None, 80)
    assert seen.mttr is not None
    assert seen.mttr.low == pytest.approx(20 / 2.996, rel=1e-3)
    assert seen.mttr.high is None


def test_a_run_that_never_was_has_no_reliability() -> None:
    """No second, no request: nothing is claimed."""
    seen = of_outages((), 0.0, 0.0, 0, 0)
    assert (seen.availability_percent, seen.success_percent, seen.mtbf, seen.success) == (None, None, None, None)


def test_the_intervals_hold_the_truth_in_watches_that_the_clock_ends() -> None:
    """Up for 90 s and down for 10 s on average, watched for 1,000 s, 600 times: 95% of each interval, chance aside."""
    chance, watches, length_s = random.Random(17), 600, 1_000.0
    held = dict.fromkeys(("mtbf", "mttf", "mttr", "availability"), 0)
    for _ in range(watches):
        seen, t = [], chance.expovariate(1 / 90)
        while t < length_s:
            repaired = t + chance.expovariate(1 / 10)
            seen.append(Outage(t, repaired if repaired < length_s else None))
            t = repaired + chance.expovariate(1 / 90)
        down_s = sum(((length_s if one.end_s is None else one.end_s) - one.start_s for one in seen), 0.0)
        figures = of_outages(tuple(seen), length_s, down_s, 1, 0)
        for name, truth in (("mtbf", 100.0), ("mttf", 90.0), ("mttr", 10.0), ("availability", 90.0)):
            interval = getattr(figures, name)
            held[name] += (interval.low or 0) <= truth <= (interval.high or math.inf)
    assert {name for name, number in held.items() if number / watches < 0.93} == set()
