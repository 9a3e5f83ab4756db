"""Histograms read by the array: they must say exactly what those read one by one say."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.analysis import distribution
from loadlab.analysis.distribution import Distribution, decode, of_texts, of_times
from loadlab.analysis.histogram import LONGEST_US, Histogram, bucket_of
from loadlab.analysis.recording import Times
from tests.recordings import times

VALUES = st.lists(st.integers(0, LONGEST_US) | st.integers(0, 3_000), min_size=1, max_size=80)
GROUPS = st.lists(VALUES, max_size=8)
RANKS = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)


def recorded(values: list[int]) -> Times:
    """Return some values as they are recorded."""
    made = times(values)
    assert made is not None
    return made


def reference(groups: list[list[int]]) -> Histogram:
    """Return the histogram that all the values of all groups make, one by one."""
    made = Histogram()
    for group in groups:
        for value in group:
            made.add(value)
    return made


@given(GROUPS)
def test_merged_texts_are_the_histogram_of_all_values(groups: list[list[int]]) -> None:
    """Counts, sum, extremes and every percentile are those of the one histogram, to the last bit."""
    merged, wanted = of_times(recorded(group) for group in groups), reference(groups)
    assert {int(b): int(merged.counts[b]) for b in np.flatnonzero(merged.counts)} == wanted.counts
    assert (merged.count, merged.sum_us, merged.min_us, merged.max_us) == (
        wanted.count,
        wanted.sum_us,
        wanted.min_us,
        wanted.max_us,
    )
    assert merged.mean_us == wanted.mean_us
    assert merged.percentiles_us(RANKS) == wanted.percentiles_us(RANKS)


@given(st.lists(GROUPS, max_size=5))
def test_lines_over_time_are_the_percentiles_of_each_group(groups: list[list[list[int]]]) -> None:
    """Read for many seconds at once, each second's percentiles are those of its own values; NaN without any."""
    found = distribution.percentiles_us([[recorded(values) for values in group] for group in groups], RANKS)
    assert found.shape == (len(groups), len(RANKS))
    for line, group in zip(found, groups, strict=True):
        wanted = reference(group).percentiles_us(RANKS)
        assert [None if np.isnan(value) else value for value in line] == wanted


def test_more_texts_than_a_batch_are_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut into batches comes to the same, also where the last batch is a short one."""
    chance = random.Random(5)
    groups = [[chance.randrange(100_000) for _ in range(20)] for _ in range(30)]
    monkeypatch.setattr(distribution, "BATCH", 7)
    assert of_times(map(recorded, groups)).percentiles_us(RANKS) == reference(groups).percentiles_us(RANKS)
    lines = distribution.percentiles_us([[recorded(group)] for group in groups * 20], [95])
    assert lines[:, 0].tolist() == [reference([group]).percentile_us(95) for group in groups * 20]


@given(st.lists(st.tuples(st.integers(0, LONGEST_US), st.integers(1, 1 << 40)), min_size=1, max_size=10))
def test_words_of_every_width_are_read(entries: list[tuple[int, int]]) -> None:
    """Counts and distances between buckets may take 1, 2, 4 or 8 bytes."""
    made = Histogram()
    for value, count in entries:
        made.add(value, count)
    buckets, counts, owners = decode(["", made.to_text(), "", made.to_text()])
    half = len(buckets) // 2
    assert dict(zip(buckets[:half].tolist(), counts[:half].tolist(), strict=True)) == made.counts
    assert buckets[:half].tolist() == buckets[half:].tolist()
    assert set(owners.tolist()) == {1, 3}


def test_counts_alone_have_the_extremes_of_their_buckets() -> None:
    """Of the event loop's lag only counts are written: the rest is read off the buckets."""
    made = reference([[120, 130, 7_001]])
    alone = of_texts([made.to_text()])
    assert alone.percentiles_us([50]) == [130]
    assert alone.min_us == 120
    assert alone.max_us == pytest.approx(7_001, rel=0.004)
    assert of_texts([""]).percentiles_us([50]) == [None]


def test_positions_are_of_the_ordered_values() -> None:
    """Position 1 is the least, `count` the greatest; outside of that there is none."""
    one = of_times([recorded([30, 10, 20])])
    assert one.at_us([0, 1, 2, 3, 4]) == [None, 10, 20, 30, None]


def test_values_beyond_a_limit_are_counted_by_buckets() -> None:
    """Exact below 256 µs; above, a bucket belongs to the side of its middle; nothing lies beyond the greatest."""
    assert of_times([recorded([10, 20, 30])]).at_least(20) == 2
    assert of_times([recorded([449_999])]).at_least(450_000) == 0
    assert of_times([recorded([440_000, 460_000])]).at_least(450_000) == 1


def test_the_deviation_is_that_of_the_values() -> None:
    """Sample standard deviation, within the histogram's error; none of fewer than two."""
    values = [1_000 * number for number in range(1, 101)]
    assert of_times([recorded(values)]).deviation_us == pytest.approx(float(np.std(values, ddof=1)), rel=0.004)
    assert of_times([recorded([5])]).deviation_us is None


def test_nothing_has_no_figures() -> None:
    """An empty distribution says None, not 0."""
    nothing = Distribution()
    assert (nothing.count, nothing.mean_us, nothing.percentiles_us([50])) == (0, None, [None])


def test_the_longest_time_has_a_bucket() -> None:
    """The array holds every bucket that a histogram can fill."""
    assert bucket_of(LONGEST_US) + 1 == distribution.BUCKETS
    assert of_times([recorded([LONGEST_US])]).percentiles_us([50]) == [LONGEST_US]


@pytest.mark.parametrize("damaged", ["nonsense", "~", "~~~~~", "00000000", "c%1E?", "ü", "0\n000", '"'])
def test_a_damaged_text_is_refused(damaged: str) -> None:
    """A text that is no histogram is a ValueError, never other counts."""
    with pytest.raises(ValueError, match="not a histogram"):
        decode([damaged])


@given(st.integers(0, 10_000), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_letter_is_refused_or_harmless(place: int, letter: str) -> None:
    """A checksum stands behind the texts: one changed letter never makes other counts."""
    text = reference([[1_000, 2_000, 50_000]]).to_text()
    place %= len(text)
    changed = text[:place] + letter + text[place + 1 :]
    try:
        buckets, counts, _ = decode([changed])
    except ValueError:
        return
    same_buckets, same_counts, _ = decode([text])
    assert (buckets.tolist(), counts.tolist()) == (same_buckets.tolist(), same_counts.tolist())
