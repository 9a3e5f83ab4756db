"""The charts of a search for the capacity: what each number of users that was tried came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bokeh.models.ranges import Range1d

from loadlab.analysis import slo
from loadlab.analysis.search import StepOutcome
from loadlab.analysis.summary import Capacity, CapacityStep
from loadlab.report import plots, words
from loadlab.report.charts import LOG_FROM_RATIO, RANK_COLOURS
from loadlab.report.plots import Chart, LegendItem

MARKS = {
    StepOutcome.PASS: ("circle", plots.GREEN),
    StepOutcome.FAIL: ("x", plots.RED),
    StepOutcome.COLLAPSED: ("inverted_triangle", plots.RED),
    StepOutcome.INVALID: ("diamond", plots.AMBER),
    StepOutcome.INSUFFICIENT: ("square", plots.SLATE),
}
SHOWN_RANK = 95.0  # where no percentile is promised
Measure = Callable[[CapacityStep], float | None]
# The percentiles that a step has.
RANKS: dict[float, Measure] = {
    50.0: lambda step: step.p50_ms,
    95.0: lambda step: step.p95_ms,
    99.0: lambda step: step.p99_ms,
}


def of(found: Capacity, promises: Sequence[slo.Slo]) -> list[Chart]:
    """Return response times, throughput and, where there were any, failures against the users of the steps."""
    if not found.steps:
        return []
    users = Range1d(start=0, end=1.06 * max(step.users for step in found.steps))
    charts = [_latency(found, users, promises), _throughput(found, users, promises), _failed(found, users, promises)]
    for chart in charts:
        if chart:
            _add_marks(chart, found)
    return [chart for chart in charts if chart]


def _latency(found: Capacity, users: Range1d, promises: Sequence[slo.Slo]) -> Chart:
    limits = [(one.rank, one) for one in _of_all(promises) if one.rank is not None and one.rank in RANKS]
    measures = {rank: RANKS[rank] for rank, _ in limits} or {SHOWN_RANK: RANKS[SHOWN_RANK]}
    values = [value for measure in measures.values() for value in _values(found, measure)]
    known = [value for value in (*values, *(one.limit for _, one in limits)) if value > 0] or [1.0, 10.0]
    low, high = min(known), max(known)
    log_from = low / 1.5 if high / low > LOG_FROM_RATIO else None
    top = high * (1.5 if log_from else 1.12)
    chart = plots.over_users("capacity-latency", "Response times by users", "ms", users, top=top, log_from=log_from)
    chart.note = "logarithmic axis" if log_from else ""
    for rank, measure in measures.items():
        _add_curve(chart, f"p{rank:g}", RANK_COLOURS[rank], found, measure)
    for rank, limit in limits:
        plots.add_limit(chart, limit.limit, f"SLO {words.plain(limit.text)}", colour=RANK_COLOURS[rank])
    # A target that broke down before its window began has no time: it stands at the upper edge.
    _add_points(chart, found, list(measures.values()), edge=top / 1.1 if log_from else 0.95 * top)
    return chart


def _throughput(found: Capacity, users: Range1d, promises: Sequence[slo.Slo]) -> Chart:
    limits = [one for one in _of_all(promises) if one.metric == "rps"]
    top = _top([*_values(found, _rps), *(one.limit for one in limits)])
    chart = plots.over_users("capacity-throughput", "Throughput by users", "requests/s", users, top=top)
    _add_curve(chart, "throughput", plots.BLUE, found, _rps)
    for limit in limits:
        plots.add_limit(chart, limit.limit, f"SLO {words.plain(limit.text)}")
    _add_points(chart, found, [_rps], edge=0)
    return chart


def _failed(found: Capacity, users: Range1d, promises: Sequence[slo.Slo]) -> Chart | None:
    values = _values(found, _fail)
    if not any(values):
        return None
    limits = [one for one in _of_all(promises) if one.metric == "fail"]
    top = _top([*values, *(one.limit for one in limits)])
    chart = plots.over_users("capacity-failed", "Failures by users", "% of requests", users, top=top)
    _add_curve(chart, "failed", plots.BLUE, found, _fail)
    for limit in limits:
        plots.add_limit(chart, limit.limit, f"SLO {words.plain(limit.text)}")
    _add_points(chart, found, [_fail], edge=None)
    return chart


def _of_all(promises: Iterable[slo.Slo]) -> list[slo.Slo]:
    return [promise for promise in promises if promise.method is None]


def _rps(step: CapacityStep) -> float | None:
    return step.throughput_rps


def _fail(step: CapacityStep) -> float | None:
    return step.fail_percent


def _values(found: Capacity, measure: Measure) -> list[float]:
    return [value for step in found.steps if (value := measure(step)) is not None]


def _top(values: Sequence[float]) -> float:
    return 1.12 * max(values, default=0.0) or 1.0


def _add_curve(chart: Chart, label: str, colour: str, found: Capacity, measure: Measure) -> None:
    """Add the line through the steps that count; of users that were tried again, the last word."""
    counted = [step for step in found.steps if step.outcome in (StepOutcome.PASS, StepOutcome.FAIL)]
    last = {step.users: value for step in counted if (value := measure(step)) is not None}
    points = sorted(last.items())
    plots.add_curve(chart, label, colour, [x for x, _ in points], [y for _, y in points])


def _add_points(chart: Chart, found: Capacity, measures: Sequence[Measure], *, edge: float | None) -> None:
    """Add each step as a point of its outcome; `edge` is where one stands that has no figure, None: nowhere."""
    for outcome, (marker, colour) in MARKS.items():
        placed = []
        for step in found.steps:
            if step.outcome == outcome:
                there = [value for measure in measures if (value := measure(step)) is not None]
                placed += [(step, value) for value in there or ([edge] if edge is not None else [])]
        if placed:
            points = [(float(step.users), value) for step, value in placed]
            plots.add_points(chart, LegendItem(outcome, colour, marker), points, _told([step for step, _ in placed]))


def _told(steps: Sequence[CapacityStep]) -> dict[str, list[str]]:
    return {
        "step": [f"{step.number}, {step.phase}" for step in steps],
        "users": [words.count(step.users) for step in steps],
        "outcome": [step.outcome for step in steps],
        "throughput": [f"{words.number(step.throughput_rps)}/s" if step.throughput_rps else "-" for step in steps],
        "p50": [words.milliseconds(step.p50_ms) for step in steps],
        "p95": [words.milliseconds(step.p95_ms) for step in steps],
        "p99": [words.milliseconds(step.p99_ms) for step in steps],
        "failed": [words.percent(step.fail_percent) for step in steps],
    }


def _add_marks(chart: Chart, found: Capacity) -> None:
    """Mark the numbers of users that the search came to."""
    for noun, users, colour, dash in (
        ("capacity", found.users, plots.GREEN, "solid"),
        ("recommended", found.recommended_users, plots.SLATE, "dashed"),
        ("knee", found.knee_users, plots.SLATE, "dotted"),
    ):
        if users:
            label = f"{noun} {words.many(users, 'user')}"
            plots.add_limit(chart, float(users), label, colour=colour, vertical=True, dash=dash)
