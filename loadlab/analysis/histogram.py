"""A log-linear histogram of times: mergeable, at most 0.4% off, from 1 µs to hours, and small when written down.

Values are whole microseconds. Below 256 µs each has a bucket of its own; above, every doubling is cut into 128 buckets
of one width, so that a bucket's middle is at most 1/256 = 0.39% from any value in it. (The scheme of HdrHistogram,
http://hdrhistogram.org, with 7 bits of precision.)
"""

from __future__ import annotations

import base64
import math
import zlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

PRECISION_BITS = 7
EXACT_BELOW = 1 << (PRECISION_BITS + 1)
RELATIVE_ERROR = 1 / EXACT_BELOW
LONGEST_US = (1 << 42) - 1  # 50 days: anything longer is taken for that
WORDS = ("B", "H", "I", "Q")  # array's unsigned types, from 1 to 8 bytes
FRAME = zlib.MAX_WBITS  # with a checksum: a damaged text is refused
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)  # short ones repeat themselves, long ones hardly


def bucket_of(value_us: int) -> int:
    """Return the bucket of a value in µs: monotone in it. Negative ones are taken for 0."""
    if value_us < EXACT_BELOW:
        return max(value_us, 0)
    value_us = min(value_us, LONGEST_US)
    shift = value_us.bit_length() - PRECISION_BITS - 1
    return (shift << PRECISION_BITS) + (value_us >> shift)


def bounds_of(bucket: int) -> tuple[int, int]:
    """Return the least value in µs of a bucket, and the least of the next."""
    if bucket < EXACT_BELOW:
        return bucket, bucket + 1
    shift = (bucket >> PRECISION_BITS) - 1
    low = (bucket - (shift << PRECISION_BITS)) << shift
    return low, low + (1 << shift)


def middle_of(bucket: int) -> float:
    """Return the value in µs that stands for a bucket."""
    low, high = bounds_of(bucket)
    return (low + high - 1) / 2


@dataclass
class Histogram:
    """Counts by bucket, with the exact sum, least and greatest of the values in µs."""

    counts: dict[int, int] = field(default_factory=dict)
    sum_us: int = 0
    min_us: int | None = None
    max_us: int | None = None

    @property
    def count(self) -> int:
        """How many values were added."""
        return sum(self.counts.values())

    @property
    def mean_us(self) -> float | None:
        """The exact mean in µs; None of nothing."""
        count = self.count
        return self.sum_us / count if count else None

    def add(self, value_us: int, times: int = 1) -> None:
        """Add a value in µs."""
        bucket = bucket_of(value_us)
        self.counts[bucket] = self.counts.get(bucket, 0) + times
        self.sum_us += value_us * times
        self.min_us = value_us if self.min_us is None else min(self.min_us, value_us)
        self.max_us = value_us if self.max_us is None else max(self.max_us, value_us)

    def merge(self, other: Histogram) -> None:
        """Add all that another histogram holds. Commutative and associative: the order of merging changes nothing."""
        counts = self.counts
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        self.sum_us += other.sum_us
        self.min_us = _extreme(min, self.min_us, other.min_us)
        self.max_us = _extreme(max, self.max_us, other.max_us)

    def percentiles_us(self, ranks: Iterable[float]) -> list[float | None]:
        """Return the percentile in µs for each rank of 0-100: the nearest-rank value, at most 0.4% off.

        That is the least value which at least `rank` % of the values do not exceed. None of nothing.
        """
        count = self.count
        if not count:
            return [None for _ in ranks]
        buckets = sorted(self.counts)
        return [self._at(buckets, max(1, math.ceil(count * rank / 100 - 1e-9))) for rank in ranks]

    def percentile_us(self, rank: float) -> float | None:
        """Return one percentile in µs, as `percentiles_us` does."""
        return self.percentiles_us([rank])[0]

    def _at(self, buckets: list[int], position: int) -> float:
        assert self.min_us is not None
        assert self.max_us is not None
        seen = 0
        for bucket in buckets:
            seen += self.counts[bucket]
            if seen >= position:
                break
        return min(max(middle_of(bucket), self.min_us), self.max_us)

    def to_text(self) -> str:
        """Return the counts as a short text: their buckets' distances and the counts, packed; '' of nothing."""
        if not self.counts:
            return ""
        buckets = sorted(self.counts)
        gaps = [bucket - before for bucket, before in zip(buckets, [0, *buckets], strict=False)]
        packed = _pack(gaps, [self.counts[bucket] for bucket in buckets])
        return base64.b85encode(min((_deflate(packed, strategy) for strategy in STRATEGIES), key=len)).decode()

    def add_text(self, text: str) -> None:
        """Add the counts of a text that `to_text` made. The sum and the extremes travel beside it.

        Raises:
            ValueError: the text is damaged.
        """
        if not text:
            return
        try:
            gaps, counts = _unpack(zlib.decompress(base64.b85decode(text), FRAME))
        except (zlib.error, IndexError) as error:
            raise ValueError(f"not a histogram: {error}") from None
        bucket = 0
        own = self.counts
        for gap, count in zip(gaps, counts, strict=True):
            bucket += gap
            own[bucket] = own.get(bucket, 0) + count


def _extreme(choose: Callable[[int, int], int], one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return choose(one, other)


def _deflate(packed: bytes, strategy: int) -> bytes:
    deflater = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, FRAME, strategy=strategy)
    return deflater.compress(packed) + deflater.flush()


def _pack(gaps: list[int], counts: list[int]) -> bytes:
    """Return a byte for the widths of both kinds of words, half a byte each, then the words, little-endian."""
    codes = [
        next(index for index, code in enumerate(WORDS) if max(values) < 1 << (8 * array(code).itemsize))
        for values in (gaps, counts)
    ]
    words = [array(WORDS[code], values).tobytes() for code, values in zip(codes, (gaps, counts), strict=True)]
    return bytes([codes[0] << 4 | codes[1]]) + b"".join(words)


def _unpack(packed: bytes) -> tuple[array[int], array[int]]:
    gaps, counts = array(WORDS[packed[0] >> 4]), array(WORDS[packed[0] & 15])
    number, rest = divmod(len(packed) - 1, gaps.itemsize + counts.itemsize)
    if rest:
        raise ValueError("not a histogram: the lengths differ")
    middle = 1 + number * gaps.itemsize
    gaps.frombytes(packed[1:middle])
    counts.frombytes(packed[middle:])
    return gaps, counts
