"""Intervals against their definitions, computed another way, and against a truth that was simulated."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from loadlab.analysis import intervals


@st.composite
def counted(draw: st.DrawFn) -> tuple[int, int]:
    """Draw a number of successes and of trials."""
    trials = draw(st.integers(1, 300))
    return draw(st.integers(0, trials)), trials


@given(counted())
def test_a_proportions_bounds_leave_half_the_doubt_on_either_side(case: tuple[int, int]) -> None:
    """At the lower bound, as many successes or more have a chance of 2.5%; at the upper one, as many or fewer."""
    successes, trials = case
    low, high = intervals.proportion(successes, trials)
    assert low <= successes / trials <= high
    assert stats.binom.sf(successes - 1, trials, low) == pytest.approx(0.025 if successes else 1, rel=1e-6)
    assert stats.binom.cdf(successes, trials, high) == pytest.approx(0.025 if successes < trials else 1, rel=1e-6)


def test_the_rule_of_three() -> None:
    """Nothing bad in n trials: the one-sided 95% bound is about 3 / n."""
    for trials in (100, 299, 3_000):
        assert intervals.proportion_high(0, trials) == pytest.approx(3 / trials, rel=0.02)
    assert intervals.proportion_high(0, 299) < 0.01 < intervals.proportion_high(0, 298)


@pytest.mark.parametrize(("share", "needed"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995), (0.0, 1)])
def test_the_fewest_trials_that_show_a_share(share: float, needed: int) -> None:
    """With so many, all good, there is 95% confidence; with one fewer there is not."""
    assert intervals.success_run(share) == needed
    if needed > 1:
        assert share**needed <= 0.05 < share ** (needed - 1)


@given(st.integers(1, 100), st.sampled_from(["0.5", "0.9", "0.95", "0.99", "0.999"]))
def test_a_quantile_lies_between_two_of_the_ordered_values(trials: int, text: str) -> None:
    """The positions are the closest whose chance to miss is at most 2.5% on either side, by adding up in fractions."""
    share = Fraction(text)
    chances = [math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(trials + 1)]
    fewer = list(accumulate(chances, initial=Fraction(0)))  # the chance of fewer than k
    tail = Fraction(25, 1000)
    lows = [k for k in range(1, trials + 1) if fewer[k] < tail]
    highs = [k for k in range(1, trials + 1) if 1 - fewer[k] <= tail]
    assert intervals.quantile_positions(trials, share) == (max(lows, default=None), min(highs, default=None))


def test_a_quantile_of_very_many_values_is_found_quickly() -> None:
    """36 million answers, an hour of a fast run, are no trouble, and the positions are near the quantile's own."""
    low, high = intervals.quantile_positions(36_000_000, Fraction(95, 100))
    assert low is not None
    assert high is not None
    assert low < 34_200_000 < high
    assert high - low < 6_000


def test_quantile_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 600 samples of an exponential whose p95 is known, at least 95% of the intervals hold it, chance aside."""
    chance, truth, held = random.Random(7), -math.log(0.05), 0
    low, high = intervals.quantile_positions(200, Fraction(95, 100))
    assert low is not None
    assert high is not None
    for _ in range(600):
        values = sorted(chance.expovariate(1) for _ in range(200))
        held += values[low - 1] <= truth <= values[high - 1]
    assert held / 600 > 0.93


def test_the_mean_has_the_textbooks_interval() -> None:
    """1.96 standard errors on either side."""
    low, high = intervals.mean(100, 20, 400)
    assert (low, high) == pytest.approx((98.04, 101.96), abs=0.001)


@pytest.mark.parametrize(("ends", "truncated"), [(1, True), (4, True), (4, False), (30, True)])
def test_a_mean_time_has_the_chi_square_interval(ends: int, truncated: bool) -> None:
    """As the handbooks' tables have it; cut by the clock, the lower bound has two degrees of freedom more."""
    low, high = intervals.mean_time(1_000, ends, truncated=truncated)
    freedom = 2 * ends + 2 * truncated
    assert low == pytest.approx(2_000 / stats.chi2.ppf(0.975, freedom))
    assert high == pytest.approx(2_000 / stats.chi2.ppf(0.025, 2 * ends))


def test_without_an_end_there_is_a_lower_bound() -> None:
    """1,000 s without a failure: the mean time to one is at least a third of that (total / 2.996)."""
    low, high = intervals.mean_time(1_000, 0)
    assert low == pytest.approx(1_000 / -math.log(0.05))
    assert high is None


def test_mean_times_hold_the_truth_as_often_as_they_say() -> None:
    """Failures every 100 s on average, watched for 500 s each time: at least 95% of the intervals hold it."""
    chance, held, watches = random.Random(11), 0, 2_000
    for _ in range(watches):
        ends, t = 0, chance.expovariate(1 / 100)
        while t < 500:
            ends, t = ends + 1, t + chance.expovariate(1 / 100)
        low, high = intervals.mean_time(500, ends)
        held += low <= 100 and (high is None or high >= 100)
    assert held / watches > 0.945


def test_availability_holds_the_truth_as_often_as_it_says() -> None:
    """Up for 90 s and down for 10 s on average, five times each: about 95% of the intervals hold 90%."""
    chance, held, watches = random.Random(13), 0, 2_000
    for _ in range(watches):
        up = sum(chance.expovariate(1 / 90) for _ in range(5))
        down = sum(chance.expovariate(1 / 10) for _ in range(5))
        found = intervals.availability(up, 5, down, 5)
        assert found is not None
        held += found[0] <= 0.9 <= found[1]
    assert held / watches == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("case", [(10, 0, 5, 1), (10, 1, 5, 0), (0, 1, 5, 1), (10, 1, 0, 1)])
def test_without_ups_and_downs_availability_has_no_interval(case: tuple[float, int, float, int]) -> None:
    """There is nothing to estimate one of the two means from."""
    assert intervals.availability(*case) is None


@pytest.mark.parametrize(
    ("ends", "up", "down", "expected"), [(10, 9_990, 10, (0.9975, 0.9996)), (1, 999, 1, (0.9624, 1.0))]
)
def test_availability_has_the_textbooks_interval(
    ends: int, up: float, down: float, expected: tuple[float, float]
) -> None:
    """The two worked examples of Trivedi, Probability and Statistics with Reliability, chapter 10."""
    assert intervals.availability(up, ends, down, ends) == pytest.approx(expected, abs=6e-5)
