"""The histogram: how far off it may be, and the laws that merging and writing it down obey."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.analysis.histogram import LONGEST_US, RELATIVE_ERROR, Histogram, bounds_of, bucket_of, middle_of

TIMES_US = st.integers(0, LONGEST_US)
MANY = st.lists(TIMES_US, min_size=1, max_size=200)


def histogram(values: list[int]) -> Histogram:
    """Return a histogram of some values in µs."""
    made = Histogram()
    for value in values:
        made.add(value)
    return made


def nearest_rank(values: list[int], rank: float) -> int:
    """Return the percentile as it is defined, from all the values."""
    return sorted(values)[max(1, math.ceil(len(values) * rank / 100 - 1e-9)) - 1]


@given(TIMES_US)
def test_a_bucket_holds_its_values_and_its_middle_is_near(value: int) -> None:
    """Each value lies within its bucket's bounds, and the bucket's middle is at most 0.4% from it."""
    low, high = bounds_of(bucket_of(value))
    assert low <= value < high
    assert abs(middle_of(bucket_of(value)) - value) <= value * RELATIVE_ERROR
    assert RELATIVE_ERROR <= 0.004


@given(TIMES_US, TIMES_US)
def test_buckets_keep_the_order(one: int, other: int) -> None:
    """A longer time is never in a lower bucket."""
    least, most = sorted((one, other))
    assert bucket_of(least) <= bucket_of(most)


def test_what_is_out_of_range_is_taken_for_the_nearest() -> None:
    """A negative time, from a clock that was set back, is 0; one of more than 50 days is 50 days."""
    assert bucket_of(-5) == bucket_of(0)
    assert bucket_of(LONGEST_US * 2) == bucket_of(LONGEST_US)


@given(MANY, st.sampled_from([50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0]))
def test_a_percentile_is_the_nearest_rank_within_the_error(values: list[int], rank: float) -> None:
    """The percentile differs from the exact one by 0.4% at most, whatever the values."""
    exact = nearest_rank(values, rank)
    reported = histogram(values).percentile_us(rank)
    assert reported is not None
    assert abs(reported - exact) <= exact * RELATIVE_ERROR


@given(MANY)
def test_count_mean_and_extremes_are_exact(values: list[int]) -> None:
    """They are kept beside the buckets."""
    made = histogram(values)
    assert made.count == len(values)
    assert made.mean_us == pytest.approx(sum(values) / len(values))
    assert (made.min_us, made.max_us) == (min(values), max(values))


@given(MANY, MANY, MANY)
def test_merging_is_adding_in_any_order(one: list[int], two: list[int], three: list[int]) -> None:
    """Merged in any order, histograms are the histogram of all values."""
    left, right = histogram(three), histogram(one)
    left.merge(histogram(two))
    left.merge(histogram(one))
    right.merge(histogram(two))
    right.merge(histogram(three))
    assert left == right == histogram(one + two + three)


@given(MANY)
def test_counts_survive_being_written_down(values: list[int]) -> None:
    """A text read back gives the same counts; read into others, it adds to them."""
    made, read = histogram(values), Histogram()
    read.add_text(made.to_text())
    assert read.counts == made.counts
    read.add_text(made.to_text())
    assert read.count == 2 * len(values)


def test_nothing_has_no_figures() -> None:
    """An empty histogram says None, not 0, and is written as nothing."""
    nothing = Histogram()
    assert nothing.percentiles_us([50, 99]) == [None, None]
    assert nothing.mean_us is None
    assert nothing.to_text() == ""
    nothing.add_text("")
    assert nothing.count == 0


def test_a_text_is_small() -> None:
    """A second of 1,000 answers in some 500 buckets takes about a byte for each bucket."""
    made = histogram([1_000 + 37 * number for number in range(1_000)])
    assert len(made.to_text()) < 1.5 * len(made.counts)


@pytest.mark.parametrize("damaged", ["nonsense", "~", "00000000"])
def test_a_damaged_text_is_refused(damaged: str) -> None:
    """A text that is no histogram is a ValueError, never other counts."""
    with pytest.raises(ValueError, match=r"."):
        Histogram().add_text(damaged)
