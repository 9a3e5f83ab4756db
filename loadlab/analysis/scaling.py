"""How throughput grows along a sweep, and what it can be trusted to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, median

from loadlab.analysis import scaling_told as told
from loadlab.analysis import usl
from loadlab.analysis.scaling_told import SATURATED_PERCENT
from loadlab.analysis.summary import Capacity, Level, Load, Summary, Verdict
from loadlab.analysis.sweep import (
    Axis,
    Figures,
    Point,
    Row,
    Scaling,
    Searched,
    Spread,
    State,
    Sweep,
    SweepStatus,
    Usl,
)
from loadlab.analysis.used import Used

# Users who wait for an answer in less than a tenth of their time would ask for less than a ninth more of a target that
# answers at once: the throughput is theirs.
PACED_SHARE = 0.10
# The workers had no CPU left: their times are wrong, but the requests that they made are counted all the same.
GENERATOR_LIMITED = frozenset({"throttled", "cpu", "lag", "blocked"})
# A search ended for a step that could not be measured: what made it so is told by the others.
SEARCH_ENDED = "generator-limited"
INTERRUPTED, INVALID, FAILED, TOOL_ERROR = 97, 98, 99, 1  # exit codes, see errors.py


def figures(summary: Summary, cpu: Used, *, replicas: int) -> Figures:
    """Return what a run gives for its point, by its summary and the CPU that was used in its measured window."""
    window = summary.window
    percentiles = window.ok.percentiles_ms if window.ok else {}
    target = [one.cpu_mean_cores for one in summary.target if one.cpu_mean_cores is not None]
    return Figures(
        users=_users_of(summary.capacity, window) if summary.capacity else summary.users_max,
        throughput_rps=window.throughput_rps,
        p50_ms=percentiles.get("p50"),
        p95_ms=percentiles.get("p95"),
        p99_ms=percentiles.get("p99"),
        fail_percent=window.fail_percent,
        in_flight=window.in_flight,
        verdict=summary.verdict,
        validity=summary.validity.level,
        doubts=tuple(reason for reason in summary.validity.reasons if reason.level is not Level.VALID),
        exit_code=summary.exit_code,
        headline=summary.headline,
        generator_cores=cpu.generator_cores,
        target_cores=sum(target) if target else None,
        machine_percent=cpu.machine_percent,
        balance=_balance([one.requests for one in summary.target if one.requests is not None], replicas),
        limit=summary.bottleneck.sentence if summary.bottleneck and summary.bottleneck.first else None,
        search=_searched(summary.capacity) if summary.capacity else None,
    )


def _users_of(found: Capacity, window: Load) -> int:
    """Return the users of the step that a search's figures are of: not those that held, where it found no capacity."""
    at = (step.users for step in found.steps if (step.start_s, step.end_s) == (window.start_s, window.end_s))
    return next(at, found.held_users)


def _searched(found: Capacity) -> Searched:
    return Searched(
        ending=found.ending,
        users=found.users,
        confirmed=found.confirmed,
        held_users=found.held_users,
        broke_users=found.broke_users,
        limiting=found.limiting,
        sentence=found.sentence,
    )


def _balance(served: Sequence[int], replicas: int) -> float | None:
    """Return how evenly the replicas served; one that did not tell served nothing. None where none told."""
    return jain([*served, *[0] * (replicas - len(served))]) if replicas > 1 else None


def jain(amounts: Sequence[float]) -> float | None:
    """Return Jain's fairness index: 1 where all have the same, 1/n where one has all; None where there is nothing.

    (R. Jain, D. Chiu, W. Hawe: DEC Research Report TR-301, 1984.)
    """
    total = sum(amounts)
    return total**2 / (len(amounts) * sum(amount**2 for amount in amounts)) if total else None


def scale(sweep: Sweep) -> Scaling:
    """Return what a sweep means, as far as it went."""
    rows = _grown([_row(sweep, count) for count in sorted(sweep.counts)])
    fitted, refusal = _fit(sweep, rows)
    return Scaling(
        headline=told.headline(sweep, rows),
        rows=tuple(rows),
        usl=fitted,
        refusal=refusal,
        notes=tuple(told.notes(sweep, rows, fitted, _without_capacity(sweep))),
    )


def counts(sweep: Sweep, point: Point) -> bool:
    """Tell whether a point's throughput is to be believed.

    That of a search is, when it found a capacity. Where the number of workers is swept, what the workers can make is
    the question: it is believed of a run, or a search, that is invalid because they had no CPU left. Of a sweep of
    replicas such a run says nothing.
    """
    given = point.figures
    if point.state is not State.MEASURED or given is None:
        return False
    if given.search.users is not None if given.search else given.validity is not Level.INVALID:
        return True
    return sweep.axis is Axis.WORKERS and is_generator_limited(given)


def _without_capacity(sweep: Sweep) -> list[Point]:
    """Return the points whose searches were to no avail."""
    return [one for one in sweep.points if one.figures and one.figures.search and not counts(sweep, one)]


def is_generator_limited(given: Figures) -> bool:
    """Tell whether nothing but the workers' want of CPU makes a measurement invalid."""
    codes = {reason.code for reason in given.doubts if reason.level is Level.INVALID} - {SEARCH_ENDED}
    return bool(codes) and codes <= GENERATOR_LIMITED


def exit_code(sweep: Sweep) -> int:
    """Return what `./lab sweep` ends with: the first of 97, 1 (a point failed), 98 and 99 that holds, else 0."""
    found = [point.figures for point in sweep.points if point.figures is not None]
    if sweep.status is not SweepStatus.FINISHED:
        return INTERRUPTED
    if any(point.state is not State.MEASURED for point in sweep.points):
        return TOOL_ERROR
    if any(one.validity is Level.INVALID or one.verdict in (Verdict.NONE, Verdict.UNDECIDED) for one in found):
        return INVALID
    return FAILED if any(one.verdict is Verdict.FAIL for one in found) else 0


def _row(sweep: Sweep, count: int) -> Row:
    measured = [point for point in sweep.points if point.count == count and point.figures is not None]
    found = [point.figures for point in measured if point.figures is not None and counts(sweep, point)]
    every = [point.figures for point in measured if point.figures is not None]
    worst = _worst(every)
    if not found:
        return Row(count, 0, validity=worst, is_generator_limited=any(map(is_generator_limited, every)))
    busy = _mean(_busy(one, sweep.cores) for one in found)
    waiting = _mean(_waiting(one) for one in found)
    return Row(
        count=count,
        runs=len(found),
        throughput_rps=_spread([one.throughput_rps for one in found], fmean),
        users=fmean(one.users for one in found),
        capacity_users=_spread([one.search.users for one in found if one.search], fmean),
        p50_ms=_spread([one.p50_ms for one in found], median),
        p95_ms=_spread([one.p95_ms for one in found], median),
        p99_ms=_spread([one.p99_ms for one in found], median),
        fail_percent=max(one.fail_percent for one in found),
        validity=worst,
        busy_percent=busy,
        waiting_percent=waiting,
        generator_cores=_mean(one.generator_cores for one in found),
        target_cores=_mean(one.target_cores for one in found),
        balance=min((one.balance for one in found if one.balance is not None), default=None),
        limit=next((one.limit for one in found if one.limit), None),
        is_paced=_is_paced(found, waiting),
        is_saturated=sweep.is_shared and busy is not None and busy >= SATURATED_PERCENT,
        is_generator_limited=any(map(is_generator_limited, found)),
    )


def _worst(found: Sequence[Figures]) -> Level | None:
    levels = [one.validity for one in found]
    return max(levels, key=[Level.VALID, Level.DEGRADED, Level.INVALID].index, default=None)


def _busy(given: Figures, cores: int) -> float | None:
    """Return how busy the machine was, in %: as it was measured, else what workers and target used at least."""
    if given.machine_percent is not None:
        return given.machine_percent
    if given.generator_cores is None or given.target_cores is None:
        return None
    return 100 * (given.generator_cores + given.target_cores) / cores


def _waiting(given: Figures) -> float | None:
    """Return in which part of their time users waited for an answer, in %."""
    return None if given.in_flight is None or not given.users else 100 * given.in_flight / given.users


def _is_paced(found: Sequence[Figures], waiting_percent: float | None) -> bool:
    """Tell whether users who pause set the throughput; a search has as many as there can be: what they wait is no hint.

    A target of fast answers reaches its limit with users who hardly wait at all.
    """
    if waiting_percent is None or any(one.search for one in found):
        return False
    return waiting_percent < 100 * PACED_SHARE


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _spread(values: Sequence[float | None], middle: Callable[[list[float]], float]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(middle(known), min(known), max(known)) if known else None


def _grown(rows: list[Row]) -> list[Row]:
    """Return the rows, each with what its throughput is of the row's before, and of proportional growth."""
    told_of = [row for row in rows if row.throughput_rps and row.throughput_rps.value > 0]
    if not told_of:
        return rows
    base, base_rps = told_of[0].count, _rps(told_of[0])
    growth = {after.count: _rps(after) / _rps(before) for before, after in pairwise(told_of)}
    efficiency = {row.count: _rps(row) * base / (base_rps * row.count) for row in told_of}
    return [replace(row, growth=growth.get(row.count), efficiency=efficiency.get(row.count)) for row in rows]


def _rps(row: Row) -> float:
    return row.throughput_rps.value if row.throughput_rps else 0.0


def _fit(sweep: Sweep, rows: Sequence[Row]) -> tuple[Usl | None, str]:
    """Return the fit, or None and why there is none."""
    with_figures = [row for row in rows if row.runs]
    if len(with_figures) < usl.LEAST_COUNTS:
        return None, told.too_few(sweep, len(with_figures), usl.LEAST_COUNTS)
    if paced := [row for row in with_figures if row.is_paced]:
        return None, told.paced(sweep, paced)
    if saturated := [row for row in with_figures if row.is_saturated]:
        return None, told.saturated(sweep, saturated)
    pairs = [
        (float(point.count), point.figures.throughput_rps)
        for point in sweep.points
        if point.figures is not None and counts(sweep, point)
    ]
    try:
        return usl.fit([count for count, _ in pairs], [rps for _, rps in pairs]), ""
    except ValueError as error:
        return None, f"{told.NOT_FITTED}: {error}."
