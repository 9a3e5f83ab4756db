"""How long the truth server takes for each answer: distributions, dealt out so evenly that every stretch has its share.

Values are dealt by the multiples of the golden ratio, modulo 1, through the distribution's quantile function: any n
answers in a row have each percentile of the distribution to within a few n-ths, where random draws would scatter by
1/sqrt(n). So a true p95 of 446 ms is one after 2,000 answers already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

GOLDEN = (math.sqrt(5) - 1) / 2
SILVER = math.sqrt(2) - 1  # another irrational: which answers fail has nothing to do with which are slow
NORMAL = NormalDist()

Quantile = Callable[[float], float]  # from 0-1, both excluded, to ms


def spread(number: int, step: float = GOLDEN) -> float:
    """Return the place of the n-th answer, n from 0, in a distribution: above 0, below 1."""
    return (0.5 + number * step) % 1 or step


def instant() -> Quantile:
    """Return at once."""
    return lambda _place: 0.0


def fixed(ms: float) -> Quantile:
    """Take so many ms each time."""
    return lambda _place: ms


def lognormal(p50_ms: float, p95_ms: float) -> Quantile:
    """Take a log-normally distributed time with this median and this 95th percentile, at most 10 times the latter."""
    sigma = math.log(p95_ms / p50_ms) / NORMAL.inv_cdf(0.95)
    return lambda place: min(p50_ms * math.exp(sigma * NORMAL.inv_cdf(place)), 10 * p95_ms)


def exponential(ms: float) -> Quantile:
    """Take an exponentially distributed time with this mean."""
    return lambda place: -ms * math.log(1 - place)


def two_peaks(low_ms: float, high_ms: float, high_percent: float, width_percent: float = 10.0) -> Quantile:
    """Take about `low_ms`, or about `high_ms` in so many percent of all; each peak is uniform and that wide in all."""
    share = 1 - high_percent / 100

    def quantile(place: float) -> float:
        middle, within = (low_ms, place / share) if place < share else (high_ms, (place - share) / (1 - share))
        return middle * (1 + (within - 0.5) * width_percent / 100)

    return quantile


def of_list(ms: list[float]) -> Quantile:
    """Take each of the listed times equally often."""
    ordered = sorted(ms)
    return lambda place: ordered[int(place * len(ordered))]


KINDS: dict[str, Callable[..., Quantile]] = {
    "instant": instant,
    "fixed": fixed,
    "lognormal": lognormal,
    "exponential": exponential,
    "two-peaks": two_peaks,
    "list": of_list,
}


def make(asked: Mapping[str, Any]) -> Quantile:
    """Make a distribution of {"kind": one of KINDS, its arguments...}.

    Raises:
        KeyError: no such kind. TypeError: not its arguments.
    """
    return KINDS[asked["kind"]](**{name: value for name, value in asked.items() if name != "kind"})
