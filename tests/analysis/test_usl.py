"""The fit of the Universal Scalability Law against curves whose parameters are known."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.analysis import usl
from loadlab.analysis.sweep import Estimate

COUNTS = (1, 2, 4, 8, 16)


def law(n: float, rate: float, sigma: float, kappa: float) -> float:
    """Return the throughput of N by the law."""
    return rate * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def noisy(counts: Sequence[float], truth: tuple[float, float, float], noise: float, seed: int) -> list[float]:
    """Return throughputs of the law, each off by a normal share."""
    chance = random.Random(seed)
    return [law(n, *truth) * chance.gauss(1, noise) for n in counts]


def holds(estimate: Estimate, value: float) -> bool:
    """Tell whether an interval holds a value."""
    return estimate.low <= value and (estimate.high is None or value <= estimate.high)


@settings(deadline=None, max_examples=30)
@given(st.floats(1, 1e5), st.floats(0, 0.9), st.floats(0, 0.05))
def test_points_without_noise_give_back_what_made_them(rate: float, sigma: float, kappa: float) -> None:
    """Whatever the three parameters are, and however great the throughput is."""
    fitted = usl.fit(COUNTS, [law(n, rate, sigma, kappa) for n in COUNTS])
    assert fitted.lambda_rps.value == pytest.approx(rate, rel=1e-6)
    assert fitted.sigma.value == pytest.approx(sigma, abs=1e-6)
    assert fitted.kappa.value == pytest.approx(kappa, abs=1e-7)
    assert fitted.off_percent < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("truth", [(1000.0, 0.05, 0.002), (80.0, 0.2, 0.01), (400.0, 0.01, 0.0005)])
def test_intervals_hold_the_truth(truth: tuple[float, float, float]) -> None:
    """Of 60 sweeps of ten noisy points, about 57 of each interval do; at least 51 is what chance allows."""
    inside = [0, 0, 0, 0]
    for seed in range(60):
        fitted = usl.fit(COUNTS * 2, noisy(COUNTS * 2, truth, 0.03, seed))
        parameters = (fitted.lambda_rps, fitted.sigma, fitted.kappa)
        at = fitted.curve[len(fitted.curve) // 2]
        curve = Estimate(at.throughput_rps, at.low_rps, at.high_rps)
        for number, (one, value) in enumerate(zip((*parameters, curve), (*truth, law(at.count, *truth)), strict=True)):
            inside[number] += holds(one, value)
    assert min(inside) >= 51


def test_noise_makes_intervals_wide_and_more_points_make_them_narrow() -> None:
    """Four points leave one degree of freedom: little is known of them, and that is what is said."""
    truth = (500.0, 0.1, 0.005)
    few = usl.fit(COUNTS[:4], noisy(COUNTS[:4], truth, 0.05, 3))
    many = usl.fit(COUNTS * 6, noisy(COUNTS * 6, truth, 0.05, 3))
    assert few.sigma.high is None or few.sigma.high - few.sigma.low > 4 * ((many.sigma.high or 0) - many.sigma.low)
    assert holds(many.sigma, 0.1)
    assert 3 < many.off_percent < 7


def test_the_peak() -> None:
    """Throughput is greatest at sqrt((1 - sigma) / kappa), known to be so from the curve itself."""
    fitted = usl.fit(COUNTS, [law(n, 100, 0.1, 0.01) for n in COUNTS])
    assert fitted.peak_count == pytest.approx(math.sqrt(0.9 / 0.01), rel=1e-6)
    assert fitted.peak_rps == pytest.approx(law(math.sqrt(90), 100, 0.1, 0.01), rel=1e-6)
    assert max(law(n / 100, 100, 0.1, 0.01) for n in range(100, 2000)) <= (fitted.peak_rps or 0) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("throughputs", "peak"),
    [
        ([100.0, 200.0, 400.0, 800.0], None),  # in proportion
        ([100.0, 230.0, 490.0, 1000.0], None),  # faster than that: neither parameter goes below 0
        ([100.0, 60.0, 30.0, 10.0], 1.0),  # one alone is best
    ],
)
def test_curves_at_the_edge(throughputs: list[float], peak: float | None) -> None:
    """Neither contention nor coherency is ever negative, and what does not fall within reach has no peak."""
    fitted = usl.fit([1, 2, 4, 8], throughputs)
    assert fitted.sigma.value >= 0
    assert fitted.kappa.value >= 0
    assert fitted.peak_count == peak


def test_the_curve_spans_what_was_measured_and_a_little_more() -> None:
    """From 1 to a quarter beyond the greatest N, each point within its interval."""
    fitted = usl.fit(COUNTS, noisy(COUNTS, (100.0, 0.1, 0.01), 0.02, 1))
    assert (fitted.curve[0].count, fitted.curve[-1].count) == (1.0, 20.0)
    for point in fitted.curve:
        assert point.low_rps <= point.throughput_rps
        assert point.high_rps is None or point.throughput_rps <= point.high_rps


@pytest.mark.parametrize(
    ("counts", "throughputs", "said"),
    [
        ([1, 2, 4, 4, 4], [1, 2, 3, 3, 3], "at least 4 different N, and there are 3"),
        ([1, 2, 4, 8], [1, 2, 0, 3], "a throughput of 0"),
        ([20, 40, 60, 80], [400, 100, 45, 25], "what one does alone"),
    ],
)
def test_what_cannot_be_fitted(counts: list[float], throughputs: list[float], said: str) -> None:
    """Three parameters go through any three points, nothing scales from nothing, and one has to be within reach."""
    with pytest.raises(ValueError, match=said):
        usl.fit(counts, throughputs)
