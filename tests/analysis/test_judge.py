"""Promises judged on samples whose truth is known: the exact boundary, too few samples, each metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.analysis import intervals
from loadlab.analysis.distribution import Distribution, of_times
from loadlab.analysis.judge import Sample, Unanswered, judge
from loadlab.analysis.loads import Tally
from loadlab.analysis.slo import Outcome, parse
from loadlab.analysis.summary import Interval, SloResult
from tests.recordings import cell, times

PASS, FAIL, INSUFFICIENT = Outcome.PASS, Outcome.FAIL, Outcome.INSUFFICIENT


def tally(values_us: Sequence[int], failed: int = 0, thresholds: Sequence[int] = ()) -> Tally:
    """Return the tally of some successes and of so many failures, which took 1 ms each."""
    made = Tally(np.zeros(len(thresholds), dtype=np.int64))
    made.add_cells([cell(values_us, thresholds, [1_000] * failed)])
    return made


def judged(
    text: str,
    values_us: Sequence[int],
    failed: int = 0,
    *,
    counted: bool = True,
    unanswered: Unanswered = Unanswered(),  # noqa: B008 - frozen
    answers: Sequence[int] = (1, 2, 3),
) -> SloResult:
    """Return how a promise is judged on some answers."""
    slo = parse(text)
    thresholds = (1, slo.threshold_us) if slo.threshold_us is not None and counted else (1,)
    own = tally(values_us, failed, thresholds)
    per_second = np.array(answers, dtype=np.int64)
    named = {("GET", "/tests"): (own, per_second)}
    return judge(
        slo, Sample(own, per_second, named, (("GET", "/tests"),), thresholds, Distribution(), unanswered=unanswered)
    )


@settings(max_examples=50)
@given(
    st.lists(st.integers(400_000, 500_000), min_size=59, max_size=150),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.sampled_from([50, 90, 95]),
)
def test_a_percentile_is_judged_by_its_nearest_rank_exactly(values: list[int], operator: str, rank: int) -> None:
    """Whatever the values, the outcome is that of the exact percentile, though the histogram cannot tell them apart."""
    exact_ms = sorted(values)[math.ceil(Fraction(rank, 100) * len(values)) - 1] / 1000
    slo = parse(f"p{rank}{operator}450ms")
    result = judged(slo.text, values)
    assert result.outcome == (PASS if slo.holds_for(exact_ms) else FAIL)
    assert result.measured is not None
    assert slo.holds_for(result.measured) is slo.holds_for(exact_ms)  # the figure shown is on the same side
    assert result.measured == pytest.approx(exact_ms, rel=0.004)


@pytest.mark.parametrize(
    ("slow", "outcome"),
    [(5, PASS), (6, FAIL)],  # of 100, 95 must be good: exactly so many, and one fewer
)
def test_the_boundary_is_the_nearest_rank(slow: int, outcome: Outcome) -> None:
    """Of 100 successes, ceil(0.95 x 100) = 95 must be below the limit."""
    result = judged("p95<450ms", [449_999] * (100 - slow) + [450_000] * slow)
    assert (result.outcome, result.beyond, result.samples) == (outcome, slow, 100)


@pytest.mark.parametrize(("slow", "outcome"), [(5, PASS), (6, FAIL)])
def test_a_rank_that_is_no_whole_number_is_rounded_up(slow: int, outcome: Outcome) -> None:
    """Of 119, ceil(113.05) = 114 must be good: 5 may be slow, not 6."""
    assert judged("p95<450ms", [1_000] * (119 - slow) + [450_000] * slow).outcome == outcome


@pytest.mark.parametrize(
    ("metric", "needed"), [("p50<450ms", 5), ("p95<450ms", 59), ("p99<450ms", 299), ("p99.9<450ms", 2995)]
)
def test_a_percentile_wants_enough_samples(metric: str, needed: int) -> None:
    """One fewer than the success-run minimum, all good, does not show it; the minimum does."""
    short = judged(metric, [1_000] * (needed - 1))
    assert (short.outcome, short.samples, short.samples_needed) == (INSUFFICIENT, needed - 1, needed)
    assert f"{needed:,}" in short.reason
    assert judged(metric, [1_000] * needed).outcome == PASS


@pytest.mark.parametrize(
    ("slow", "of", "outcome"),
    [(1, 1, INSUFFICIENT), (1, 2, INSUFFICIENT), (2, 2, FAIL), (2, 7, FAIL), (2, 8, INSUFFICIENT), (20, 20, FAIL)],
)
def test_few_samples_may_show_a_broken_promise(slow: int, of: int, outcome: Outcome) -> None:
    """A p95 is broken for certain as soon as the 95% lower bound of the slow share is over 5%: 2 of 7, not 2 of 8.

    One of one slow has a bound of exactly 5%, which shows nothing.
    """
    assert judged("p95<450ms", [1_000] * (of - slow) + [900_000] * slow).outcome == outcome


def test_no_success_is_no_sample() -> None:
    """With only failures, a promise on times says so, and has no measured value."""
    result = judged("p95<450ms", [], failed=100)
    assert (result.outcome, result.measured, result.samples, result.interval) == (INSUFFICIENT, None, 0, None)


def test_fast_failures_do_not_improve_a_percentile() -> None:
    """Times are of successes only: 900 failures of 1 ms leave the p95 of 100 slow successes as it is."""
    result = judged("p95<450ms", [500_000] * 100, failed=900)
    assert result.outcome == FAIL
    assert result.measured == pytest.approx(500, rel=0.004)


def test_a_limit_that_was_not_counted_is_judged_from_the_histogram() -> None:
    """Judged again with another promise, the run has no counter for it: the histogram serves, and that is said."""
    good, bad = judged("p95<300ms", [200_000] * 100, counted=False), judged("p95<300ms", [400_000] * 100, counted=False)
    assert (good.outcome, bad.outcome) == (PASS, FAIL)
    assert "histogram" in good.reason
    assert "histogram" not in judged("p95<300ms", [200_000] * 100).reason


def test_counters_that_do_not_cover_all_successes_are_not_used() -> None:
    """Seconds without counters, of a recorder that counted other limits, make the counters useless."""
    slo = parse("p95<450ms")
    own = tally([900_000] * 50, 0, [450_000])
    own.add_cells([cell([900_000] * 50)])
    answers = np.array([100], dtype=np.int64)
    result = judge(slo, Sample(own, answers, {}, (), (450_000,), Distribution()))
    assert result.outcome == FAIL
    assert result.beyond == 100
    assert "histogram" in result.reason


def test_a_percentiles_interval_is_of_the_ordered_values() -> None:
    """For 100 values the p50 lies between the 40th and the 61st: textbooks' table of order statistics."""
    result = judged("p50<450ms", [1_000 * number for number in range(1, 101)])
    assert result.interval is not None
    assert result.interval.low == pytest.approx(40, rel=0.004)
    assert result.interval.high == pytest.approx(61, rel=0.004)


def test_a_high_percentile_of_few_values_has_no_upper_end() -> None:
    """Of 59 values the greatest may well be below the true p95: the interval is open."""
    result = judged("p95<450ms", [1_000] * 59)
    assert result.interval is not None
    assert result.interval.low is not None
    assert result.interval.high is None


@pytest.mark.parametrize(
    ("text", "failed", "of", "outcome"),
    [
        ("fail<1%", 0, 20, INSUFFICIENT),
        ("fail<1%", 0, 298, INSUFFICIENT),
        ("fail<1%", 0, 299, PASS),
        ("fail<1%", 2, 299, PASS),
        ("fail<1%", 3, 299, FAIL),
        ("fail<1%", 3, 300, FAIL),  # exactly 1%
        ("fail<=1%", 3, 300, PASS),
        ("fail<1%", 20, 20, FAIL),  # few, but enough to show it
        ("fail<1%", 1, 20, INSUFFICIENT),  # 5%, but a true 1% gives that in 18 of 100 such samples
        ("fail<=0%", 0, 5, PASS),
        ("fail<=0%", 1, 5, FAIL),
        ("fail<0.1%", 0, 2994, INSUFFICIENT),
        ("fail<0.1%", 2, 2995, PASS),
        ("fail<50%", 0, 4, INSUFFICIENT),
        ("fail<50%", 0, 5, PASS),
        ("fail>10%", 30, 100, PASS),
        ("fail>10%", 10, 100, FAIL),
        ("fail>=10%", 10, 100, PASS),
    ],
)
def test_a_share_of_failures_is_counted(text: str, failed: int, of: int, outcome: Outcome) -> None:
    """By whole numbers at the limit itself, and on enough requests."""
    result = judged(text, [1_000] * (of - failed), failed)
    assert (result.outcome, result.samples, result.beyond) == (outcome, of, failed)
    assert result.measured == pytest.approx(100 * failed / of)
    low, high = intervals.proportion(failed, of)
    assert result.interval == Interval(100 * low, 100 * high)


@pytest.mark.parametrize(("text", "outcome"), [("max<250ms", PASS), ("max<200ms", FAIL), ("max<=200ms", PASS)])
def test_the_longest_time_is_exact(text: str, outcome: Outcome) -> None:
    """The greatest success, as recorded to the µs."""
    result = judged(text, [1_000, 200_000])
    assert (result.outcome, result.measured) == (outcome, 200)


@pytest.mark.parametrize(("count", "outcome"), [(29, INSUFFICIENT), (30, PASS)])
def test_a_mean_wants_thirty(count: int, outcome: Outcome) -> None:
    """The exact mean, its interval by the normal approximation."""
    result = judged("mean<101ms", [90_000, 110_000] * 15 if count == 30 else [100_000] * count)
    assert result.outcome == outcome
    assert result.measured == 100
    if count == 30:
        assert result.reason == "30 successes took 100 ms on average."
        assert result.interval is not None
        half = 1.95996 * 10 * math.sqrt(30 / 29) / math.sqrt(30)
        assert result.interval.low == pytest.approx(100 - half, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "answers", "outcome"),
    [
        ("rps>=10", [10, 10, 10], PASS),
        ("rps>10", [10, 10, 10], FAIL),
        ("rps>10", [20, 20], INSUFFICIENT),
        ("rps>10", [0, 0, 40, 0], FAIL),
    ],
)
def test_throughput_is_over_all_seconds(text: str, answers: list[int], outcome: Outcome) -> None:
    """Seconds without an answer count; samples are seconds."""
    result = judged(text, [1_000] * sum(answers), answers=answers)
    assert (result.outcome, result.samples) == (outcome, len(answers))
    assert result.measured == pytest.approx(sum(answers) / len(answers))


@pytest.mark.parametrize(
    ("text", "late", "of", "outcome"),
    [("lag<10ms", 3, 300, PASS), ("lag<10ms", 4, 300, FAIL), ("lag<10ms", 0, 298, INSUFFICIENT)],
)
def test_lag_is_the_p99_of_the_generators_loops(text: str, late: int, of: int, outcome: Outcome) -> None:
    """Of 300 probes, 297 must be below the limit."""
    probes = times([1_000] * (of - late) + [50_000] * late)
    assert probes is not None
    own = tally([1_000])
    answers = np.array([1], dtype=np.int64)
    result = judge(parse(text), Sample(own, answers, {}, (), (), of_times([probes])))
    assert (result.outcome, result.samples) == (outcome, of)


def test_lost_writes_are_not_known_without_an_audit() -> None:
    """Nothing is claimed, and the reason says why."""
    result = judged("lost-writes<=0", [1_000] * 100)
    assert result.outcome == INSUFFICIENT
    assert "audit" in result.reason


def test_a_promise_on_an_endpoint_is_judged_on_it_alone() -> None:
    """What is not there is said, with what is."""
    assert judged("GET /tests: p95<450ms", [1_000] * 100).outcome == PASS
    missing = judged("POST /test: p95<450ms", [1_000] * 100)
    assert missing.outcome == INSUFFICIENT
    assert "POST /test was never requested" in missing.reason
    assert "GET /tests" in missing.reason


@pytest.mark.parametrize(
    ("text", "unanswered", "outcome"),
    [
        ("p95<450ms", Unanswered(), PASS),
        ("p95<450ms", Unanswered(5, 60.0), PASS),  # 105, of which 100 good: ceil(99.75) are wanted
        ("p95<450ms", Unanswered(6, 60.0), INSUFFICIENT),
        ("p95<450ms", Unanswered(6, 0.3), PASS),  # none of them can have waited 450 ms
        ("p95<450ms", Unanswered(60, 2.7), INSUFFICIENT),  # six of them can have
        ("max<450ms", Unanswered(1, 1.0), INSUFFICIENT),
        ("fail<5%", Unanswered(5, 60.0), PASS),
        ("fail<5%", Unanswered(6, 60.0), INSUFFICIENT),
        ("fail<5%", Unanswered(6, 5.9), PASS),  # at most five waited a second
        ("p95>0.5ms", Unanswered(60, 600.0), PASS),  # slow ones would not break it
    ],
)
def test_what_was_unanswered_at_the_stop_may_leave_it_open(text: str, unanswered: Unanswered, outcome: Outcome) -> None:
    """A target that hangs answers nothing: no pass that rests on what it did not answer."""
    assert judged(text, [1_000] * 100, unanswered=unanswered).outcome == outcome


def test_a_broken_promise_stays_broken_whatever_was_unanswered() -> None:
    """Open answers do not turn a fail into a doubt."""
    assert judged("p95<450ms", [900_000] * 100, unanswered=Unanswered(50, 500.0)).outcome == FAIL
