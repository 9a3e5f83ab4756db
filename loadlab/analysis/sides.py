"""One side of a comparison: what its runs recorded in their windows, unit of time by unit of time, ready to be drawn.

Units are seconds; of a long run, a few of them together, so that an hour costs no more than four minutes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadlab.analysis import distribution, resampling, stages
from loadlab.analysis.distribution import BUCKETS, MIDDLES_US, Distribution
from loadlab.analysis.recording import Cell, Recording, Times
from loadlab.analysis.resampling import Draws
from loadlab.analysis.timeline import Counts, Floats, Key, Timeline, columns

MOST_UNITS = 240
FEWEST_BEYOND = 10  # successes beyond a percentile: of fewer, the next run has others
MEAN_SAMPLES = 30

ScopeKey = Key | None  # an endpoint, or all of them together


class Metric(NamedTuple):
    """A figure that is compared, named as an SLO names it. `rank` is a percentile's."""

    name: str
    rank: float | None = None

    @property
    def unit(self) -> str:
        """The unit of its values."""
        return {"rps": "/s", "fail": "%"}.get(self.name, "ms")

    @property
    def is_ratio(self) -> bool:
        """Tell whether a change is told as a share of what was; of a share of failures, points are told."""
        return self.name != "fail"

    @property
    def more_is_better(self) -> bool:
        """Tell which direction is the good one."""
        return self.name == "rps"


METRICS = (Metric("p50", 50.0), Metric("p95", 95.0), Metric("p99", 99.0), Metric("mean"), Metric("rps"), Metric("fail"))


class Tallied(NamedTuple):
    """What adds up, with any axes in front: counts of successes by bucket, the sum of their times, and so on."""

    counts: NDArray[Any]
    sum_us: NDArray[Any]
    requests: NDArray[Any]
    failures: NDArray[Any]
    seconds: NDArray[Any]


@dataclass(eq=False, slots=True)
class Scope:
    """An endpoint of a side, or all of them together: what each unit of time has. `times` are all successes."""

    by_unit: Tallied
    times: Distribution

    def add(self, other: Scope) -> None:
        """Add another endpoint's to it, of the same seconds."""
        for own, its in zip(self.by_unit[:-1], other.by_unit[:-1], strict=True):
            np.add(own, its, out=own)
        self.times.add(other.times)

    def over(self, units: slice) -> Tallied:
        """Return what some units have together."""
        return Tallied._make(part[units].sum(axis=0) for part in self.by_unit)


@dataclass(eq=False, slots=True)
class Side:
    """The runs of a side. `edges` are the first units of each run, and the end; `draws` is None of too few seconds."""

    scopes: dict[ScopeKey, Scope]
    edges: list[int]
    draws: Draws | None

    @property
    def runs(self) -> Iterator[slice]:
        """The units of each run."""
        return (slice(first, last) for first, last in pairwise(self.edges))


class Estimate(NamedTuple):
    """A figure of a side, and how far it scatters: on a scale which is its logarithm where changes are told in %.

    `variance` is that within runs, for as long as these were, and has `freedom`; `by_run` is each run's by itself, on
    the scale. `lacking` says what it would take to know them.
    """

    value: float | None
    samples: int
    variance: float = math.inf
    freedom: float = 0.0
    by_run: tuple[float, ...] = ()
    lacking: str = ""


def side(recordings: Sequence[Recording]) -> Side:
    """Return a side.

    Raises:
        ValueError: a histogram is damaged.
    """
    parts = [_run(recording) for recording in recordings]
    keys = sorted({key for part in parts for key in part.scopes if key is not None})
    scopes = {key: _joined([part.scopes.get(key) or _nothing(part) for part in parts]) for key in [None, *keys]}
    edges = [0, *np.cumsum([part.edges[-1] for part in parts]).tolist()]
    drawn = [part.draws for part in parts if part.draws is not None]
    return Side(scopes, edges, resampling.joined(drawn) if len(drawn) == len(parts) else None)


def estimates(side: Side, key: ScopeKey, metrics: Sequence[Metric]) -> list[Estimate]:
    """Return figures of a side and how far they scatter."""
    scope = side.scopes[key]
    filled = np.flatnonzero(scope.times.counts)
    narrow = scope.by_unit._replace(counts=scope.by_unit.counts[:, filled])
    drawn = Tallied._make(map(side.draws.sums, narrow)) if side.draws else None
    return [_estimate(metric, scope, drawn, MIDDLES_US[filled], side) for metric in metrics]


def _estimate(metric: Metric, scope: Scope, drawn: Tallied | None, middles_us: Floats, side: Side) -> Estimate:
    whole = scope.over(slice(None))
    value = _shown(metric, scope, whole)
    samples, lacking = _samples(metric, whole, value)
    if lacking or drawn is None or side.draws is None:
        short = f"was measured for less than {resampling.SHORTEST_S} s"
        return Estimate(value, samples, lacking=lacking or short)
    by_run = tuple(float(_scale(metric, _values(metric, scope.over(units), MIDDLES_US))) for units in side.runs)
    if not all(map(math.isfinite, by_run)):
        return Estimate(value, samples, lacking="has a run without any")
    variance = side.draws.variance(_scale(metric, _values(metric, drawn, middles_us)))
    return Estimate(value, samples, variance, side.draws.freedom, by_run)


def _samples(metric: Metric, whole: Tallied, value: float | None) -> tuple[int, str]:
    """Return on how many samples a figure stands, and what it lacks to be compared; empty where it lacks nothing."""
    successes, requests = int(whole.counts.sum()), int(whole.requests)
    if not requests:
        return 0, "was never requested"
    if metric.name in ("rps", "fail"):
        return requests, ""
    needed = MEAN_SAMPLES
    if metric.rank is not None:
        needed = math.ceil(FEWEST_BEYOND / min(1 - metric.rank / 100, metric.rank / 100) - 1e-9)
    if successes < needed:
        return successes, f"has {successes:,} of the {needed:,} successes that are needed"
    return successes, "" if value else "is 0"


def _shown(metric: Metric, scope: Scope, whole: Tallied) -> float | None:
    """Return the value that a report of the same seconds shows."""
    if metric.rank is not None or metric.name == "mean":
        value = scope.times.mean_us if metric.rank is None else scope.times.percentiles_us([metric.rank])[0]
        return None if value is None else value / 1000
    value = float(_values(metric, whole, MIDDLES_US))
    return value if math.isfinite(value) else None


def _values(metric: Metric, tallied: Tallied, middles_us: Floats) -> Floats:
    """Return the figure of each of many tallies, in its unit; NaN of nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric.rank is not None:
            return _percentiles(tallied.counts, metric.rank, middles_us) / 1000
        if metric.name == "mean":
            return np.asarray(tallied.sum_us / tallied.counts.sum(axis=-1) / 1000)
        if metric.name == "rps":
            return np.asarray(tallied.requests / tallied.seconds)
        return np.asarray(100 * tallied.failures / tallied.requests)


def _percentiles(counts: NDArray[Any], rank: float, middles_us: Floats) -> Floats:
    """Return the nearest-rank percentile in µs of counts by bucket, the last axis."""
    sums = np.cumsum(counts, axis=-1, dtype=np.float64)
    totals = sums[..., -1:] if sums.shape[-1] else np.zeros((*sums.shape[:-1], 1))
    positions = np.maximum(1, np.ceil(totals * rank / 100 - 1e-9))
    places = np.minimum((sums < positions).sum(axis=-1), max(0, len(middles_us) - 1))
    return np.where(totals[..., 0] > 0, middles_us[places] if len(middles_us) else np.nan, np.nan)


def _scale(metric: Metric, values: Floats) -> Floats:
    if not metric.is_ratio:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)


def _run(recording: Recording) -> Side:
    whole = columns(recording.seconds)
    window = stages.window(stages.held(recording.events, whole.length), whole.length)
    units = _Units(whole, window)
    everything = units.nothing()
    scopes: dict[ScopeKey, Scope] = {None: everything}
    for key, told in sorted(whole.cells.items()):
        own = units.scope(told)
        if own.by_unit.requests.any():
            everything.add(own)
            scopes[key] = own
    drawn = resampling.draws(units.lengths, recording.run.id, units.unit_s)
    return Side(scopes, [0, sum(units.lengths)], drawn)


class _Units:
    """The seconds of a window put into units of one length, stage by stage."""

    def __init__(self, whole: Timeline, window: stages.Seconds) -> None:
        self.unit_s = max(1, math.ceil(stages.count(window) / MOST_UNITS))
        self.lengths = [math.ceil(len(stretch) / self.unit_s) for stretch in window]
        self.of: Counts = np.full(whole.length, -1, dtype=np.int64)
        first = 0
        for stretch, length in zip(window, self.lengths, strict=True):
            self.of[stretch.start : stretch.stop] = first + np.arange(len(stretch)) // self.unit_s
            first += length
        self.seconds: Counts = np.bincount(self.of[self.of >= 0], minlength=first)

    def nothing(self) -> Scope:
        """Return a scope without a request."""
        length = len(self.seconds)
        counts = np.zeros((length, BUCKETS), dtype=np.int32)
        numbers = [np.zeros(length, dtype=np.int64) for _ in range(3)]
        return Scope(Tallied._make([counts, *numbers, self.seconds]), Distribution())

    def scope(self, told: Sequence[tuple[int, Cell]]) -> Scope:
        """Return what an endpoint has in each unit."""
        made = self.nothing()
        groups: list[list[Times]] = [[] for _ in self.seconds]
        for t, cell in told:
            unit = int(self.of[t])
            if unit < 0:
                continue
            ok, failed = cell.ok.n if cell.ok else 0, cell.failed.n if cell.failed else 0
            made.by_unit.requests[unit] += ok + failed
            made.by_unit.failures[unit] += failed
            if cell.ok:
                made.by_unit.sum_us[unit] += cell.ok.sum_us
                groups[unit].append(cell.ok)
        made.by_unit.counts[:] = distribution.counts_of(groups)
        every = [times for group in groups for times in group]
        extremes = (min(one.min_us for one in every), max(one.max_us for one in every)) if every else (None, None)
        made.times = Distribution(made.by_unit.counts.sum(axis=0), int(made.by_unit.sum_us.sum()), *extremes)
        return made


def _nothing(part: Side) -> Scope:
    """Return an endpoint that a run never asked."""
    everything = part.scopes[None].by_unit
    return Scope(Tallied._make([*map(np.zeros_like, everything[:-1]), everything.seconds]), Distribution())


def _joined(scopes: Sequence[Scope]) -> Scope:
    parts = zip(*(scope.by_unit for scope in scopes), strict=True)
    times = Distribution()
    for scope in scopes:
        times.add(scope.times)
    return Scope(Tallied._make(map(np.concatenate, parts)), times)
