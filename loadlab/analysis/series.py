"""Lines over time, for charts: what was recorded second by second, put into at most 600 steps of one length.

Arrays have one value a step; NaN is where nothing is known, so that a gap in the recording is a gap in the line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from loadlab.analysis import capacity, distribution, stages, timeline
from loadlab.analysis.histogram import bounds_of
from loadlab.analysis.recording import Recording, TargetSecond, Times
from loadlab.analysis.timeline import Timeline

MOST_STEPS = 600
STEPS_S = (1, 2, 3, 5, 6, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
MOST_KINDS = 6  # of failures; the rarer ones are put together
MOST_LINES = 16  # of workers or instances; more than that are told as one
RANKS = (50.0, 95.0, 99.0)
OTHERS = "all others"
UPPER_US: NDArray[np.float64] = np.array([bounds_of(bucket)[1] for bucket in range(distribution.BUCKETS)], dtype=float)
FINEST = 1.04  # the ends of a bar of the distribution are at least this far apart, as a ratio
NARROWEST = 2.0  # the same of the whole
MOST_BARS = 120
Line: TypeAlias = NDArray[np.float64]
_Numbers: TypeAlias = NDArray[np.float64] | NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class WorkerLines:
    """One worker over time; `worker` is None where all of them are told as one: users together, CPU the mean."""

    worker: int | None
    users: Line
    cpu_percent: Line
    lag_p99_ms: Line
    lag_max_ms: Line


@dataclass(frozen=True, eq=False, slots=True)
class TargetLines:
    """One instance of the target over time; the limits are None where it does not tell."""

    instance: str
    cpu_cores: Line
    cpu_limit_cores: float | None
    memory_bytes: Line
    memory_limit_bytes: float | None
    throttled_percent: Line


@dataclass(frozen=True, eq=False, slots=True)
class Bars:
    """A distribution of response times on a logarithmic axis: edges in ms, one more than bars, and counts."""

    edges_ms: Line
    ok: Line
    failed: Line


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """A run over time, in steps of `step_s`; `t` are their starts in s, `end_s` is where the last second ends.

    `errors` is failures per second by kind. `percentiles_ms` is of the successes, shape (steps, RANKS); `bars` is of
    the measured window.
    """

    step_s: int
    end_s: int
    t: Line
    users: Line
    target_users: Line
    ok_rps: Line
    failed_rps: Line
    percentiles_ms: NDArray[np.float64]
    errors: dict[str, Line]
    workers: tuple[WorkerLines, ...]
    target: tuple[TargetLines, ...]
    bars: Bars | None


class _Steps:
    """Steps of a length that makes them at most 600, and how many of each one's seconds were recorded."""

    def __init__(self, whole: Timeline) -> None:
        fallback = STEPS_S[-1] * math.ceil(whole.length / MOST_STEPS / STEPS_S[-1])
        self.step_s = next((step for step in STEPS_S if whole.length / step <= MOST_STEPS), fallback)
        self.count = math.ceil(whole.length / self.step_s)
        self.length = whole.length
        known = np.ones(whole.length)
        known[whole.missing] = 0
        self.known = _or_nan(self.sums(known))

    def of(self, t: int) -> int:
        return t // self.step_s

    def sums(self, by_second: _Numbers) -> Line:
        """Add up what each second has."""
        padded = np.zeros(self.count * self.step_s)
        padded[: self.length] = by_second
        summed: Line = padded.reshape(self.count, self.step_s).sum(axis=1)
        return summed

    def highest(self, by_second: _Numbers) -> Line:
        """Return the highest of each step's seconds, NaN aside; NaN where there is nothing but NaN."""
        padded = np.full(self.count * self.step_s, np.nan)
        padded[: self.length] = by_second
        highest: Line = np.fmax.reduce(padded.reshape(self.count, self.step_s), axis=1)
        return highest


def of(recording: Recording) -> Series:
    """Return a run over time.

    Raises:
        ValueError: a histogram's text is damaged.
    """
    whole = timeline.columns(recording.seconds)
    steps = _Steps(whole)
    search, held = capacity.found(recording.events, whole.length), stages.held(recording.events, whole.length)
    window = capacity.window(search, held, whole.length)
    percentiles_ms, spread = _answers(whole, steps, window)
    return Series(
        step_s=steps.step_s,
        end_s=steps.length,
        t=np.arange(steps.count, dtype=float) * steps.step_s,
        users=steps.sums(whole.users) / steps.known,
        target_users=steps.sums(whole.target_users) / steps.known,
        ok_rps=steps.sums(whole.answers - whole.failures) / steps.known,
        failed_rps=steps.sums(whole.failures) / steps.known,
        percentiles_ms=percentiles_ms,
        errors=_errors(whole, steps),
        workers=_workers(whole, steps),
        target=_target(whole, steps),
        bars=spread,
    )


def bars(ok: distribution.Distribution, failed: distribution.Distribution) -> Bars | None:
    """Return two distributions on the same bars; None where both are empty.

    A bucket that a bar's edge cuts is shared out by length, so that no comb shows where bars are as fine as buckets.
    """
    low = min((one.min_us for one in (ok, failed) if one.min_us is not None), default=None)
    if low is None:
        return None
    high = max(one.max_us for one in (ok, failed) if one.max_us is not None)
    low, high = max(low, 1), max(high, 1)
    # A wide frame for what is narrow: times that hardly differ shall look so.
    half = math.sqrt(max(high / low * FINEST, NARROWEST))
    middle = math.sqrt(low * high)
    count = min(MOST_BARS, int(math.log(half * half) / math.log(FINEST)))
    edges = np.geomspace(middle / half, middle * half, count + 1)
    return Bars(edges / 1000, _between(ok, edges), _between(failed, edges))


def _between(one: distribution.Distribution, edges_us: Line) -> Line:
    below = np.interp(edges_us, UPPER_US, np.cumsum(one.counts))
    below[0], below[-1] = 0, one.count
    return np.diff(below)


def _answers(whole: Timeline, steps: _Steps, window: stages.Seconds) -> tuple[NDArray[np.float64], Bars | None]:
    """Return the percentiles of each step's successes in ms, and the bars of the window: each text is read once."""
    inside = np.zeros(whole.length, dtype=np.bool_)
    for stretch in window:
        inside[stretch.start : stretch.stop] = True
    within: list[list[Times]] = [[] for _ in range(steps.count)]
    beside: list[list[Times]] = [[] for _ in range(steps.count)]
    failed: list[Times] = []
    for told in whole.cells.values():
        for t, cell in told:
            if cell.ok:
                (within if inside[t] else beside)[steps.of(t)].append(cell.ok)
            if cell.failed and inside[t]:
                failed.append(cell.failed)
    counts = distribution.counts_of(within)
    together = [one + other for one, other in zip(within, beside, strict=True)]
    percentiles = distribution.percentiles_of(counts + distribution.counts_of(beside), together, RANKS)
    return percentiles / 1000, bars(_summed(counts, within), distribution.of_times(failed))


def _summed(counts: NDArray[np.int64], groups: list[list[Times]]) -> distribution.Distribution:
    every = [times for group in groups for times in group]
    return distribution.Distribution(
        counts=counts.sum(axis=0),
        sum_us=sum(times.sum_us for times in every),
        min_us=min((times.min_us for times in every), default=None),
        max_us=max((times.max_us for times in every), default=None),
    )


def _errors(whole: Timeline, steps: _Steps) -> dict[str, Line]:
    """Return failures per second by kind, the commonest first."""
    by_kind: dict[str, Line] = {}
    for told in whole.cells.values():
        for t, cell in told:
            for kind, count in cell.errors.items():
                by_kind.setdefault(kind, np.zeros(steps.count))[steps.of(t)] += count
    ranked = sorted(by_kind, key=lambda kind: (-by_kind[kind].sum(), kind))
    lines = {kind: by_kind[kind] / steps.known for kind in ranked[:MOST_KINDS]}
    if len(ranked) > MOST_KINDS:
        lines[OTHERS] = np.sum([by_kind[kind] for kind in ranked[MOST_KINDS:]], axis=0) / steps.known
    return lines


def _workers(whole: Timeline, steps: _Steps) -> tuple[WorkerLines, ...]:
    own = [whole.workers[number] for number in sorted(whole.workers)]
    if len(own) <= MOST_LINES:
        return tuple(_worker_lines(one.worker, [one], steps) for one in own)
    return (_worker_lines(None, own, steps),)


def _worker_lines(number: int | None, columns: list[timeline.WorkerColumns], steps: _Steps) -> WorkerLines:
    present = steps.sums(np.sum([one.present for one in columns], axis=0))
    share = np.sum([one.cpu_s / np.where(one.cpu_limit > 0, one.cpu_limit, np.nan) for one in columns], axis=0)
    lags: list[list[Times]] = [[] for _ in range(steps.count)]
    for one in columns:
        for t, text in one.lags:
            lags[steps.of(t)].append(Times(0, 0, 0, int(one.lag_max_us[t]), text))
    longest = np.max([np.where(one.present, one.lag_max_us, np.nan) for one in columns], axis=0)
    users = steps.sums(np.sum([one.users for one in columns], axis=0))
    return WorkerLines(
        worker=number,
        users=users / (steps.known if number is None else _or_nan(present)),
        cpu_percent=100 * steps.sums(np.nan_to_num(share)) / _or_nan(present),
        lag_p99_ms=distribution.percentiles_us(lags, [99.0])[:, 0] / 1000,
        lag_max_ms=steps.highest(longest) / 1000,
    )


def _target(whole: Timeline, steps: _Steps) -> tuple[TargetLines, ...]:
    longest = sorted(whole.target, key=lambda name: (-len(whole.target[name]), name))[:MOST_LINES]
    return tuple(_instance(name, whole.target[name], steps) for name in sorted(longest))


def _instance(name: str, told: list[tuple[int, TargetSecond]], steps: _Steps) -> TargetLines:
    memory = np.full(steps.length, np.nan)
    for t, one in told:
        if 0 <= t < steps.length and one.memory_bytes is not None:
            memory[t] = one.memory_bytes
    held = _growth(told, steps, lambda one: one.throttled)
    periods = _growth(told, steps, lambda one: one.periods)
    return TargetLines(
        instance=name,
        cpu_cores=_growth(told, steps, lambda one: one.cpu_s),
        cpu_limit_cores=_last(one.cpu_limit for _, one in told),
        memory_bytes=steps.highest(memory),
        memory_limit_bytes=_last(one.memory_limit_bytes for _, one in told),
        throttled_percent=100 * held / _or_nan(periods),
    )


def _growth(
    told: list[tuple[int, TargetSecond]], steps: _Steps, counter: Callable[[TargetSecond], float | None]
) -> Line:
    """Return how much a counter grew per second; one that fell was begun anew at 0."""
    grown, spans = np.zeros(steps.count), np.zeros(steps.count)
    before: tuple[int, float] | None = None
    for t, one in told:
        value = counter(one)
        if value is None or t >= steps.length:
            continue
        if before is not None and t >= 0:
            grown[steps.of(t)] += value - before[1] if value >= before[1] else value
            spans[steps.of(t)] += t - before[0]
        before = (t, value)
    return grown / _or_nan(spans)


def _or_nan(divisor: Line) -> Line:
    return np.where(divisor > 0, divisor, np.nan)


def _last(values: Iterable[float | None]) -> float | None:
    found = None
    for value in values:
        found = value if value is not None else found
    return found
