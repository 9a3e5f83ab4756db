"""The Universal Scalability Law: how throughput grows with the number of those who do the work, and what holds it back.

    X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))

lambda is what one does alone (requests/s), sigma the share of the work that only one can do at a time (contention),
kappa the cost of keeping two in agreement (coherency); N is a number of workers or replicas. N. J. Gunther: Guerrilla
Capacity Planning (2007), chapters 4 to 6.

N / X(N) is linear in a = 1/lambda, b = sigma a and c = kappa a, so that the best fit with none of them negative is a
non-negative least-squares problem: it has one solution, whatever one begins with. What is made least is the sum of the
squares of the points' relative deviations from the curve. Intervals are of the profile: all values that some fit holds
to whose sum of squares is at most 1 + F(0.95; 1, n - 3) / (n - 3) times the least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from loadlab.analysis.intervals import CONFIDENCE
from loadlab.analysis.sweep import CurvePoint, Estimate, Usl

PARAMETERS = 3
LEAST_COUNTS = 4  # different N: three parameters go through any three points
CURVE_POINTS = 48
REACH = 1.25  # how far beyond the greatest N the curve is told
FIRM = 1e6  # the weight of a condition among residuals of about 1
LARGEST = 1e6  # where the search for an interval's end gives up: no end
LEAST_TIME = 1e-6  # of 1/lambda, in units of the fastest point's
EXACT = 1e-18  # a sum of squares that is rounding alone
STEPS = 60  # of bisection
Floats = NDArray[np.float64]


def fit(counts: Sequence[float], throughputs_rps: Sequence[float]) -> Usl:
    """Return the fit of some points: N and requests/s of each, which may be several for one N.

    Raises:
        ValueError: fewer than LEAST_COUNTS different N, a throughput that is not above 0, or points that do not tell
            what one does alone.
    """
    if len(set(counts)) < LEAST_COUNTS:
        raise ValueError(f"a fit wants at least {LEAST_COUNTS} different N, and there are {len(set(counts))}")
    if not all(value > 0 for value in throughputs_rps):
        raise ValueError("a throughput of 0 has no scaling")
    problem = _Problem(np.array(counts, dtype=float), np.array(throughputs_rps, dtype=float))
    if problem.best[0] < LEAST_TIME:
        raise ValueError("the points do not tell what one does alone")
    sigma, kappa = problem.ratio(1), problem.ratio(2)
    peak = _peak(sigma.value, kappa.value)
    return Usl(
        lambda_rps=problem.lambda_rps(),
        sigma=sigma,
        kappa=kappa,
        peak_count=peak,
        peak_rps=None if peak is None else problem.throughput_rps(peak),
        off_percent=100 * math.sqrt(problem.least / len(counts)),
        points=len(counts),
        curve=tuple(problem.at(n) for n in np.linspace(1, REACH * max(counts), CURVE_POINTS)),
    )


def _peak(sigma: float, kappa: float) -> float | None:
    """Return the N from which on throughput falls; None where it never does."""
    if sigma >= 1:
        return 1.0 if sigma > 1 or kappa > 0 else None
    return max(1.0, math.sqrt((1 - sigma) / kappa)) if kappa > 0 else None


class _Problem:
    """The linear problem: rows of N, in units of `scale` requests/s, which make its values about 1."""

    def __init__(self, counts: Floats, throughputs: Floats) -> None:
        self.scale = float((throughputs / counts).max())
        weights = throughputs / self.scale / counts
        self.rows = _columns(counts) * weights[:, None]
        self.best, norm = optimize.nnls(self.rows, np.ones(len(counts)))
        self.least = float(norm) ** 2
        self.most = self.least * (1 + _f_quantile(len(counts) - PARAMETERS)) + EXACT

    def throughput_rps(self, count: float) -> float:
        """Return the fitted throughput at N."""
        return float(self.scale * count / (_columns(np.array([count]))[0] @ self.best))

    def lambda_rps(self) -> Estimate:
        """Return lambda: what is low in 1/lambda is high in it."""
        slowest, fastest = self._interval(lambda value: (np.array([1.0, 0, 0]), value), float(self.best[0]))
        low = 0.0 if fastest is None else self.scale / fastest
        return Estimate(self.scale / float(self.best[0]), low, self.scale / slowest if slowest > 0 else None)

    def ratio(self, column: int) -> Estimate:
        """Return sigma (1) or kappa (2): a column's coefficient by the first one's."""

        def condition(value: float) -> tuple[Floats, float]:
            row = np.zeros(PARAMETERS)
            row[0], row[column] = -value, 1
            return row, 0.0

        value = float(self.best[column] / self.best[0])
        low, high = self._interval(condition, value)
        return Estimate(value, low, high)

    def at(self, count: float) -> CurvePoint:
        """Return the curve at N, with its interval."""
        row = _columns(np.array([count]))[0]
        slowest, fastest = self._interval(lambda value: (row, value), float(row @ self.best))
        rate = self.scale * float(count)
        low, high = 0.0 if fastest is None else rate / fastest, rate / slowest if slowest > 0 else None
        return CurvePoint(float(count), self.throughput_rps(count), low, high)

    def _interval(self, condition: Callable[[float], tuple[Floats, float]], value: float) -> tuple[float, float | None]:
        """Return the least and the greatest value that a fit can hold to; None without an upper end."""

        def holds(other: float) -> bool:
            row, wanted = condition(other)
            size = float(np.abs(row).max())
            rows = np.vstack([self.rows, FIRM * row / size])
            aims = np.append(np.ones(len(self.rows)), FIRM * wanted / size)
            found, _ = optimize.nnls(rows, aims)
            return float(((self.rows @ found - 1) ** 2).sum()) <= self.most

        low = 0.0 if holds(0.0) else _edge(holds, value, 0.0)
        beyond = max(2 * value, 1e-3)
        while holds(beyond):
            if beyond > LARGEST:
                return low, None
            beyond *= 2
        return low, _edge(holds, value, beyond)


def _columns(counts: Floats) -> Floats:
    columns: Floats = np.column_stack([np.ones_like(counts), counts - 1, counts * (counts - 1)])
    return columns


def _edge(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return where something ceases to hold between a value of which it does and one of which it does not."""
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
        if abs(outside - inside) <= 1e-6 * abs(inside):
            break
    return inside


def _f_quantile(freedom: int) -> float:
    """Return F(0.95; 1, freedom) / freedom: by how much of itself the least sum of squares may be exceeded."""
    return float(special.fdtri(1, freedom, CONFIDENCE)) / freedom
