"""Many written-down histograms read at once: the counts of `histogram.Histogram` as one array over all buckets.

A run of an hour holds tens of thousands of histogram texts. Read one by one they cost most of a minute; here the
decoding, the running sums and the adding up are done on arrays. Figures are those that `Histogram` gives.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from loadlab.analysis.histogram import FRAME, LONGEST_US, bucket_of, middle_of
from loadlab.analysis.recording import Times

BUCKETS = bucket_of(LONGEST_US) + 1
MIDDLES_US: NDArray[np.float64] = np.array([middle_of(bucket) for bucket in range(BUCKETS)])
BATCH = 2048  # texts decoded at a time: bounds the memory

_ALPHABET = [base64.b85encode(number.to_bytes(4, "big"))[4:] for number in range(85)]
_DIGITS = np.full(256, 255, dtype=np.uint8)
_DIGITS[[ord(letter) for letter in _ALPHABET]] = np.arange(85)
_PLACES = np.array([85**4, 85**3, 85**2, 85, 1], dtype=np.uint64)
_FILL = ("", "~~~~", "~~~", "~~", "~")  # by the length's remainder: b85 pads with its last letter
_WIDTHS = [np.dtype(f"<u{width}") for width in (1, 2, 4, 8)]  # of histogram.WORDS
T = TypeVar("T")


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(BUCKETS, dtype=np.int64)


@dataclass(eq=False, slots=True)
class Distribution:
    """Counts by bucket, an array of int64, with the exact sum, least and greatest of the values in µs."""

    counts: NDArray[np.int64] = field(default_factory=_no_counts)
    sum_us: int = 0
    min_us: int | None = None
    max_us: int | None = None

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    @property
    def mean_us(self) -> float | None:
        """The exact mean in µs; None of nothing."""
        count = self.count
        return self.sum_us / count if count else None

    @property
    def deviation_us(self) -> float | None:
        """The standard deviation in µs of the buckets' middles, n - 1 in the denominator; None of fewer than two."""
        count = self.count
        if count < 2:
            return None
        mean = float(self.counts @ MIDDLES_US) / count
        return math.sqrt(float(self.counts @ (MIDDLES_US - mean) ** 2) / (count - 1))

    def add(self, other: Distribution) -> None:
        """Add all that another one holds."""
        self.counts += other.counts
        self._extend(other.sum_us, other.min_us, other.max_us)

    def add_times(self, many: Iterable[Times]) -> None:
        """Add what was recorded, sums and extremes included.

        Raises:
            ValueError: a text is damaged.
        """
        for batch in batches(many, BATCH):
            buckets, counts, _ = decode([times.histogram for times in batch])
            self.counts += _added(buckets, counts, BUCKETS)
            self._extend(
                sum(times.sum_us for times in batch),
                min(times.min_us for times in batch),
                max(times.max_us for times in batch),
            )

    def percentiles_us(self, ranks: Sequence[float]) -> list[float | None]:
        """Return the percentile in µs for each rank of 0-100, as `Histogram.percentiles_us` does. None of nothing."""
        count = self.count
        if not count:
            return [None for _ in ranks]
        return self.at_us([max(1, math.ceil(count * rank / 100 - 1e-9)) for rank in ranks])

    def at_us(self, positions: Sequence[int]) -> list[float | None]:
        """Return the values in µs at some positions of their order, from 1 to `count`; None outside of that."""
        sums = np.cumsum(self.counts)
        values = MIDDLES_US[np.minimum(np.searchsorted(sums, positions), BUCKETS - 1)]
        values = values.clip(self.min_us, self.max_us) if self.max_us is not None else values
        inside = [1 <= position <= int(sums[-1]) for position in positions]
        return [float(value) if there else None for value, there in zip(values, inside, strict=True)]

    def at_least(self, limit_us: int) -> int:
        """Return about how many values are of at least so many µs: those in buckets with such a middle."""
        if self.max_us is not None and self.max_us < limit_us:
            return 0
        return int(self.counts[np.searchsorted(MIDDLES_US, limit_us) :].sum())

    def _extend(self, sum_us: int, min_us: int | None, max_us: int | None) -> None:
        self.sum_us += sum_us
        self.min_us = min_us if self.min_us is None else self.min_us if min_us is None else min(self.min_us, min_us)
        self.max_us = max_us if self.max_us is None else self.max_us if max_us is None else max(self.max_us, max_us)


def of_times(many: Iterable[Times]) -> Distribution:
    """Return what was recorded, all together.

    Raises:
        ValueError: a text is damaged.
    """
    made = Distribution()
    made.add_times(many)
    return made


def of_texts(texts: Iterable[str]) -> Distribution:
    """Return histograms of which only the counts were recorded; sum and extremes are those of the buckets' middles.

    Raises:
        ValueError: a text is damaged.
    """
    made = Distribution()
    for batch in batches(texts, BATCH):
        buckets, counts, _ = decode(batch)
        made.counts += _added(buckets, counts, BUCKETS)
    filled = np.flatnonzero(made.counts)
    if len(filled):
        made.sum_us = round(float(made.counts @ MIDDLES_US))
        made.min_us, made.max_us = round(MIDDLES_US[filled[0]]), round(MIDDLES_US[filled[-1]])
    return made


def percentiles_us(groups: Sequence[Sequence[Times]], ranks: Sequence[float]) -> NDArray[np.float64]:
    """Return the percentiles in µs of each group, such as all that was recorded in one second; NaN of nothing.

    Shape: (groups, ranks). For a line over time, this is many times faster than a Distribution for each second.

    Raises:
        ValueError: a text is damaged.
    """
    found = np.full((len(groups), len(ranks)), np.nan)
    for start in range(0, len(groups), 256):
        some = groups[start : start + 256]
        found[start : start + 256] = percentiles_of(counts_of(some), some, ranks)
    return found


def counts_of(groups: Sequence[Sequence[Times]]) -> NDArray[np.int64]:
    """Return the counts by bucket of each group, shape (groups, BUCKETS).

    Raises:
        ValueError: a text is damaged.
    """
    made = np.zeros((len(groups), BUCKETS), dtype=np.int64)
    for start in range(0, len(groups), 256):
        some = groups[start : start + 256]
        owners = [number for number, group in enumerate(some) for _ in group]
        buckets, counts, places = decode([times.histogram for group in some for times in group])
        flat = buckets + BUCKETS * np.asarray(owners, dtype=np.int64)[places]
        made[start : start + 256] = _added(flat, counts, BUCKETS * len(some)).reshape(len(some), BUCKETS)
    return made


def percentiles_of(
    counts: NDArray[np.int64], groups: Sequence[Sequence[Times]], ranks: Sequence[float]
) -> NDArray[np.float64]:
    """Return the percentiles in µs, shape (groups, ranks), of groups with such counts; NaN of nothing."""
    found = np.full((len(groups), len(ranks)), np.nan)
    for number, (group, sums) in enumerate(zip(groups, counts.cumsum(axis=1), strict=True)):
        if group and sums[-1]:
            wanted = [max(1, math.ceil(int(sums[-1]) * rank / 100 - 1e-9)) for rank in ranks]
            middles = MIDDLES_US[np.searchsorted(sums, wanted)]
            low, high = min(times.min_us for times in group), max(times.max_us for times in group)
            found[number] = middles.clip(low, high)
    return found


def decode(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Read texts that `Histogram.to_text` made.

    Returns:
        The filled buckets of all texts one after another, the count in each, and the number of the text it is from.

    Raises:
        ValueError: a text is damaged.
    """
    gaps: list[NDArray[np.unsignedinteger]] = []
    counts: list[NDArray[np.unsignedinteger]] = []
    lengths = np.zeros(len(texts), dtype=np.int64)
    for number, packed in _unpacked(texts):
        one, other = _words(packed)
        gaps.append(one)
        counts.append(other)
        lengths[number] = len(one)
    if not gaps:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing
    sums = np.cumsum(np.concatenate(gaps), dtype=np.int64)
    before = np.concatenate([[0], sums])[np.cumsum(lengths) - lengths]
    buckets = sums - np.repeat(before, lengths)
    if buckets.max(initial=0) >= BUCKETS:
        raise ValueError("not a histogram: there is no such bucket")
    places = np.repeat(np.arange(len(texts)), lengths)
    return buckets, np.concatenate(counts).astype(np.int64), places


def _unpacked(texts: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each text that is not empty, and the bytes it stands for."""
    letters = "".join([text + _FILL[len(text) % 5] for text in texts]).encode("ascii", "replace")
    digits = _DIGITS[np.frombuffer(letters, dtype=np.uint8)]
    if digits.max(initial=0) == 255:
        raise ValueError("not a histogram: not base 85")
    words = digits.reshape(-1, 5) @ _PLACES
    if words.max(initial=0) >= 1 << 32:
        raise ValueError("not a histogram: not base 85")
    content = words.astype(">u4").tobytes()
    start = 0
    for number, text in enumerate(texts):
        padding = -len(text) % 5
        end = start + (len(text) + padding) // 5 * 4
        if text:
            try:
                yield number, zlib.decompress(content[start : end - padding], FRAME)
            except zlib.error as error:
                raise ValueError(f"not a histogram: {error}") from None
        start = end


def _words(packed: bytes) -> tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]:
    try:
        gaps, counts = _WIDTHS[packed[0] >> 4], _WIDTHS[packed[0] & 15]
    except IndexError as error:
        raise ValueError(f"not a histogram: {error}") from None
    number, rest = divmod(len(packed) - 1, gaps.itemsize + counts.itemsize)
    if rest:
        raise ValueError("not a histogram: the lengths differ")
    middle = 1 + number * gaps.itemsize
    return np.frombuffer(packed, gaps, number, 1), np.frombuffer(packed, counts, number, middle)


def _added(buckets: NDArray[np.int64], counts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Add up the counts of each bucket. The sums are exact up to 2^53."""
    return np.bincount(buckets, weights=counts, minlength=length).astype(np.int64)


def batches(many: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield up to `size` of them at a time."""
    rest = iter(many)
    while batch := list(islice(rest, size)):
        yield batch
