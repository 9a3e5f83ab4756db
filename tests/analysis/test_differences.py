"""How far apart two figures are, how sure that is, and what it is called."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from loadlab.analysis import differences
from loadlab.analysis.comparison import Change, Figure
from loadlab.analysis.differences import Pair
from loadlab.analysis.sides import METRICS, Estimate

P95, RPS, FAIL = (next(metric for metric in METRICS if metric.name == name) for name in ("p95", "rps", "fail"))


def estimate(value: float, deviation: float = 0.01, *runs: float, samples: int = 3000) -> Estimate:
    """Return a figure with a relative deviation within its runs, which by themselves had the given values."""
    return Estimate(value, samples, deviation**2, 16.5, tuple(math.log(run) for run in runs or (value,)))


def share(percent: float, deviation: float, samples: int = 3000) -> Estimate:
    """Return a share of failures."""
    return Estimate(percent, samples, deviation**2, 16.5, (percent,))


def judged(pair: Pair, allow: float = 0.0, judged: int = 18) -> Figure:
    """Return what comes of a pair."""
    return differences.figure(pair, judged, allow)


@pytest.mark.parametrize(
    ("metric", "a", "b", "change"),
    [
        (P95, 100.0, 120.0, Change.WORSE),
        (P95, 100.0, 80.0, Change.BETTER),
        (P95, 100.0, 103.0, Change.NONE),
        (RPS, 100.0, 120.0, Change.BETTER),
        (RPS, 100.0, 80.0, Change.WORSE),
    ],
)
def test_a_difference_has_a_direction(metric: object, a: float, b: float, change: Change) -> None:
    """Less time is better, more throughput is; what lies within the interval is none."""
    found = judged(Pair(None, metric, estimate(a), estimate(b)))  # type: ignore[arg-type]
    assert found.change is change
    assert found.change_percent == pytest.approx(100 * (b / a - 1))
    assert found.interval is not None
    assert found.interval.low is not None
    assert found.interval.high is not None
    assert found.interval.low < (found.change_percent or 0) < found.interval.high


def test_the_interval_is_students_with_all_that_is_known() -> None:
    """Of the variances within both sides and of that between runs, with Welch's degrees of freedom, for all figures."""
    pair = Pair(None, RPS, estimate(100.0, 0.02), estimate(110.0, 0.03))
    parts = (0.02**2, 0.03**2, 2 * differences.RUN_DEVIATION**2)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 16.5 + parts[1] ** 2 / 16.5)
    half = stats.t.ppf(1 - 0.01 / 18 / 2, freedom) * math.sqrt(sum(parts))
    found = judged(pair)
    assert found.interval is not None
    assert found.interval.high == pytest.approx(100 * (1.1 * math.exp(half) - 1))
    assert found.hidden_below == pytest.approx(100 * math.expm1(half))


def test_a_percentile_has_the_error_of_its_histogram_besides() -> None:
    """Two values of up to 0.39% off each may be 0.78% apart for nothing."""
    wide, narrow = (judged(Pair(None, metric, estimate(100.0), estimate(100.0))) for metric in (P95, RPS))
    assert wide.hidden_below is not None
    assert narrow.hidden_below is not None
    assert math.log1p(wide.hidden_below / 100) - math.log1p(narrow.hidden_below / 100) == pytest.approx(2 / 256)


def test_more_figures_have_wider_intervals() -> None:
    """Who looks at a hundred figures finds one that differs by chance."""
    pair = Pair(None, P95, estimate(100.0, 0.02), estimate(112.0, 0.02))
    assert judged(pair, judged=1).change is Change.WORSE
    assert judged(pair, judged=500).change is Change.NONE


def test_figures_without_scatter_still_differ_from_run_to_run() -> None:
    """A target that always takes 20 ms may take 20.6 ms in the next run."""
    assert judged(Pair(None, P95, estimate(20.0, 0.0), estimate(20.6, 0.0))).change is Change.NONE
    assert judged(Pair(None, P95, estimate(20.0, 0.0), estimate(24.0, 0.0))).change is Change.WORSE


def test_repeated_runs_tell_what_identical_ones_differ_by() -> None:
    """Three runs a side that agree make a small difference seen, three that differ hide a large one."""
    agreeing = Pair(None, RPS, estimate(100.0, 0.004, 100.0, 100.3, 99.8), estimate(93.0, 0.004, 93.0, 93.2, 92.9))
    assert judged(agreeing).change is Change.WORSE
    assert judged(Pair(None, RPS, estimate(100.0, 0.004), estimate(93.0, 0.004))).change is Change.NONE
    differing = Pair(None, RPS, estimate(100.0, 0.004, 90.0, 112.0, 99.0), estimate(80.0, 0.004, 70.0, 91.0, 80.0))
    assert judged(differing).change is Change.NONE


def test_what_scatters_within_runs_is_not_counted_again_between_them() -> None:
    """Runs that differ as much as their own scatter explains leave what is allowed for."""
    pair = Pair(None, RPS, estimate(100.0, 0.03, 98.0, 102.0), estimate(100.0, 0.03, 97.0, 103.0))
    assert differences.between_runs(pair) == (differences.RUN_DEVIATION**2, math.inf)


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        (share(0.0, 0.0), share(0.0, 0.0), Change.NONE),
        (share(0.0, 0.0), share(0.1, 0.03), Change.NONE),
        (share(0.0, 0.0), share(5.0, 0.4), Change.WORSE),
        (share(5.0, 0.4), share(0.0, 0.0), Change.BETTER),
        (share(0.0, 0.0), share(5.0, 5.0), Change.NONE),  # all of them in one second
        (share(0.0, 0.0, 40), share(5.0, 0.0, 40), Change.NONE),  # two of 40
    ],
)
def test_shares_of_failures_are_compared_in_points(a: Estimate, b: Estimate, change: Change) -> None:
    """In percentage points, with no less scatter than chance alone has."""
    found = judged(Pair(None, FAIL, a, b))
    assert (found.change, found.interval_unit) == (change, "points")


@pytest.mark.parametrize(("allow", "beyond"), [(0.0, True), (19.0, True), (21.0, False)])
def test_a_regression_may_be_allowed(allow: float, beyond: bool) -> None:
    """It is worse all the same, but not beyond what is allowed."""
    found = judged(Pair(None, P95, estimate(100.0), estimate(120.0)), allow)
    assert (found.change, found.beyond_allowed) == (Change.WORSE, beyond)


def test_nothing_worse_is_allowed_of_what_was_nothing() -> None:
    """From no failure at all to some is more than any percentage."""
    assert judged(Pair(None, FAIL, share(0.0, 0.0), share(5.0, 0.4)), allow=1000).beyond_allowed
    assert not judged(Pair(None, FAIL, share(4.0, 0.1), share(6.0, 0.1)), allow=60).beyond_allowed


def test_what_is_better_is_never_beyond() -> None:
    """However much better it is."""
    assert not judged(Pair(None, P95, estimate(100.0), estimate(50.0))).beyond_allowed


def test_what_is_lacking_is_the_reason() -> None:
    """A figure that one side cannot give is shown, and not judged."""
    lacking = Estimate(75.5, 590, lacking="has 590 of the 1,000 successes that are needed")
    found = judged(Pair(("GET", "/x"), P95, lacking, estimate(80.0)))
    assert (found.change, found.interval, found.a, found.b) == (Change.UNKNOWN, None, 75.5, 80.0)
    assert found.reason == "A has 590 of the 1,000 successes that are needed"
    endless = Estimate(75.5, 1590, math.inf, 16.5, (4.3,))
    assert judged(Pair(None, P95, endless, estimate(80.0))).reason == "it scatters too much within the runs"
