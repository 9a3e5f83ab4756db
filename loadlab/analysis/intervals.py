"""Confidence intervals, each with its method and source; docs/metrics.md says which figure has which.

All of them take the confidence as a share (0.95) and are two-sided unless they say otherwise.
"""

from __future__ import annotations

import math
from fractions import Fraction

from scipy import special

CONFIDENCE = 0.95


def proportion(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact interval of a proportion by Clopper and Pearson (Biometrika 26, 1934)."""
    tail = (1 - confidence) / 2
    return proportion_low(successes, trials, 1 - tail), proportion_high(successes, trials, 1 - tail)


def proportion_low(successes: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided lower bound of a proportion, after Clopper and Pearson."""
    if successes == 0:
        return 0.0
    return float(special.betaincinv(successes, trials - successes + 1, 1 - confidence))


def proportion_high(successes: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided upper bound of a proportion, after Clopper and Pearson."""
    if successes == trials:
        return 1.0
    return float(special.betaincinv(successes + 1, trials - successes, confidence))


def success_run(share: float, confidence: float = CONFIDENCE) -> int:
    """Return the fewest trials that, all good, show with this confidence that more than `share` are good.

    (The success-run theorem: share^n <= 1 - confidence.) 59 for 0.95, 299 for 0.99, 2995 for 0.999.
    """
    if share <= 0:
        return 1
    return max(1, math.ceil(math.log(1 - confidence) / math.log(share) - 1e-9))


def quantile_positions(trials: int, share: Fraction, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """Return between which of the ordered values a quantile lies: positions from 1; None where no value bounds it.

    By order statistics, free of any assumption on the distribution (Hahn and Meeker, Statistical Intervals, 5.2):
    the number of values up to the quantile is binomial.
    """
    tail, p = (1 - confidence) / 2, float(share)
    low = _least_reaching(tail, trials, p)
    high = _least_reaching(1 - tail, trials, p) + 1
    return (low if low >= 1 else None), (high if high <= trials else None)


def _least_reaching(probability: float, trials: int, p: float) -> int:
    """Return the least k whose cumulative binomial probability is at least so much."""
    k = max(0, math.ceil(float(special.bdtrik(probability, trials, p)) - 1))
    while k > 0 and special.bdtr(k - 1, trials, p) >= probability:
        k -= 1
    while k < trials and special.bdtr(k, trials, p) < probability:
        k += 1
    return k


def mean(average: float, deviation: float, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of a mean by the normal approximation."""
    half = float(special.ndtri((1 + confidence) / 2)) * deviation / math.sqrt(count)
    return average - half, average + half


def chi_square(share: float, freedom: int) -> float:
    """Return the value that a chi-square of so many degrees of freedom stays below with this probability."""
    return 2 * float(special.gammaincinv(freedom / 2, share))


def mean_time(
    total: float, ends: int, *, truncated: bool = True, confidence: float = CONFIDENCE
) -> tuple[float, float | None]:
    """Return the interval of the mean of exponential times: `total` of them all, of which so many came to an end.

    `truncated`: the watch ended at a time of its own, not with one of the ends. Without an end there is only a lower
    bound, one-sided. (MIL-HDBK-338B, 8.3.2.5.2; Epstein 1960.)
    """
    if ends == 0:
        return 2 * total / chi_square(confidence, 2), None
    tail = (1 - confidence) / 2
    low = 2 * total / chi_square(1 - tail, 2 * ends + (2 if truncated else 0))
    return low, 2 * total / chi_square(tail, 2 * ends)


def availability(
    up: float, ups: int, down: float, downs: int, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """Return the interval of the share of time up, from so many exponential times up and down; None of none.

    The ratio of the means follows an F distribution (Thompson, IEEE Transactions on Reliability R-15, 1966).
    """
    if not ups or not downs or up <= 0 or down <= 0:
        return None
    ratio = (down / downs) / (up / ups)
    tail = (1 - confidence) / 2
    high = ratio / float(special.fdtri(2 * downs, 2 * ups, tail))
    low = ratio / float(special.fdtri(2 * downs, 2 * ups, 1 - tail))
    return 1 / (1 + high), 1 / (1 + low)
