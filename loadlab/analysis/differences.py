"""One figure of two sides: how far apart, how sure, and what that is called."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import special

from loadlab.analysis.comparison import Change, Figure
from loadlab.analysis.histogram import RELATIVE_ERROR
from loadlab.analysis.sides import Estimate, Metric, ScopeKey
from loadlab.analysis.summary import Interval

CONFIDENCE = 0.99  # of all intervals together: of a hundred pairs of identical runs, one may be called different
RUN_DEVIATION = 0.015  # of what two runs of the same thing give, at least: see decision 10
MANY = 1e6  # degrees of freedom from which on Student's t is the normal distribution


class Pair(NamedTuple):
    """A figure of both sides, before it is judged."""

    key: ScopeKey
    metric: Metric
    a: Estimate
    b: Estimate

    @property
    def lacking(self) -> str:
        """What is missing to judge it; empty where nothing is."""
        told = [f"{name} {one.lacking}" for name, one in (("A", self.a), ("B", self.b)) if one.lacking]
        if not told and not math.isfinite(self.a.variance + self.b.variance):
            told = ["it scatters too much within the runs"]
        return "; ".join(told)


class Scatter(NamedTuple):
    """The variance of a difference, on the scale that it is judged on, and its degrees of freedom."""

    variance: float
    freedom: float

    def half_width(self, intervals: int) -> float:
        """Return half the length of one of so many intervals which together have the confidence (Bonferroni)."""
        tail = (1 - CONFIDENCE) / intervals / 2
        quantile = special.stdtrit(self.freedom, 1 - tail) if self.freedom < MANY else special.ndtri(1 - tail)
        return float(quantile) * math.sqrt(self.variance)


def figure(pair: Pair, judged: int, allow_percent: float) -> Figure:
    """Return a figure of two sides, one of `judged` that are looked at together."""
    (key, metric, a, b) = pair
    method, name = key or (None, None)
    known = a.value is not None and b.value is not None
    difference = b.value - a.value if known else None  # type: ignore[operator]
    made = Figure(
        method, name, metric.name, metric.unit, a.value, b.value, a.samples, b.samples, difference,
        change_percent=100 * difference / a.value if difference is not None and a.value else None, interval=None,
        interval_unit="%" if metric.is_ratio else "points", hidden_below=None, change=Change.UNKNOWN,
        beyond_allowed=False, reason=pair.lacking,
    )  # fmt: skip
    if pair.lacking or difference is None:
        return made
    half = scatter(pair).half_width(judged) + (2 * RELATIVE_ERROR if metric.rank is not None else 0.0)
    low, high, hidden = _ends(metric, a, b, half)
    change = Change.NONE
    if low > 0 or high < 0:
        change = Change.BETTER if (low > 0) == metric.more_is_better else Change.WORSE
    lost = math.inf if made.change_percent is None else abs(made.change_percent)
    return replace(
        made,
        interval=Interval(low, high, 100 * CONFIDENCE),
        hidden_below=hidden,
        change=change,
        beyond_allowed=change is Change.WORSE and lost > allow_percent,
    )


def _ends(metric: Metric, a: Estimate, b: Estimate, half: float) -> tuple[float, float, float]:
    """Return the interval of a change, and below which size it could not be seen: in %, or in points."""
    assert a.value is not None
    assert b.value is not None
    if not metric.is_ratio:
        return b.value - a.value - half, b.value - a.value + half, half
    middle = math.log(b.value / a.value)
    low, high, hidden = (100 * math.expm1(value) for value in (middle - half, middle + half, half))
    return low, high, hidden


def scatter(pair: Pair) -> Scatter:
    """Return how far the difference of a figure scatters: within the runs, and from run to run.

    The degrees of freedom of the sum are those of Welch (1947) and Satterthwaite (1946).
    """
    a, b = pair.a, pair.b
    parts = [(a.variance, a.freedom), (b.variance, b.freedom), between_runs(pair)]
    if pair.metric.name == "fail":
        parts.append((max(0.0, _of_chance(a, b) - sum(variance for variance, _ in parts)), math.inf))
    total = sum(variance for variance, _ in parts)
    weight = sum(variance**2 / freedom for variance, freedom in parts)
    return Scatter(total, total**2 / weight if weight > 0 else math.inf)


def between_runs(pair: Pair) -> tuple[float, float]:
    """Return the variance that a difference has because runs differ from one another, and its degrees of freedom.

    Two runs do not tell it. With more, it is what they differ by beyond what their own scatter explains, but never less
    than what is allowed for: few runs may agree by chance.
    """
    a, b = pair.a, pair.b
    share = 1 / len(a.by_run) + 1 / len(b.by_run)
    allowed = RUN_DEVIATION**2 if pair.metric.is_ratio else 0.0
    freedom = len(a.by_run) + len(b.by_run) - 2
    if freedom:
        squares = sum(float(np.var(one.by_run)) * len(one.by_run) for one in (a, b))
        explained = (a.variance * len(a.by_run) + b.variance * len(b.by_run)) / 2
        found = squares / freedom - explained
        if found > allowed:
            return found * share, float(freedom)
    return allowed * share, math.inf


def _of_chance(a: Estimate, b: Estimate) -> float:
    """Return the variance of a difference of shares in % if each request fails by chance: it is at least that.

    Where nothing failed, drawing seconds anew knows no scatter.
    """
    failed = ((a.value or 0.0) * a.samples + (b.value or 0.0) * b.samples) / 100
    share = failed / (a.samples + b.samples)
    return 10_000 * share * (1 - share) * (1 / a.samples + 1 / b.samples)
