"""The charts of a sweep's page: throughput, response times and cores against the number of workers or replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bokeh.models.glyphs import Line, Scatter, VArea, VBar
from bokeh.models.sources import ColumnDataSource

from loadlab.analysis import scaling, slo
from loadlab.analysis.sweep import Axis, Figures, Row, Scaling, Spread, Sweep
from loadlab.analysis.usl import REACH
from loadlab.report import plots, words
from loadlab.report.plots import Chart

RANKS = (("p50", plots.GREEN), ("p95", plots.BLUE), ("p99", plots.VIOLET))
HEADROOM = 1.12
Columns = Mapping[str, Sequence[Any]]
NO_END = 10.0  # times the chart's top: where a band without an upper end is cut off, out of sight


def of(sweep: Sweep, promises: Sequence[slo.Slo]) -> list[Chart]:
    """Return the charts of a sweep that was analysed; those that have nothing to show are left out."""
    assert sweep.scaling is not None
    rows = [row for row in sweep.scaling.rows if row.throughput_rps is not None]
    if not rows:
        return []
    every = [_throughput(sweep, sweep.scaling, rows), _users(sweep, rows), _latency(sweep, rows, promises)]
    return [chart for chart in [*every, _cores(sweep, rows)] if chart]


def _throughput(sweep: Sweep, made: Scaling, rows: Sequence[Row]) -> Chart:
    runs = _runs(sweep)
    top = HEADROOM * max(given.throughput_rps for _, given in runs)
    reach = max(sweep.counts) * (REACH if made.usl else 1.1)
    title = "Throughput at the capacity" if sweep.is_search else "Throughput"
    chart = plots.over_counts("throughput", title, "requests/s", sweep.counts, reach=reach, top=top)
    _add_curve(chart, made, top)
    base = rows[0]
    each = _value(base.throughput_rps) / base.count
    label = f"in proportion to {base.count}"
    _add_line(chart, label, plots.SLATE, [0, reach], [0, each * reach], dash="dashed")
    _add_line(chart, "mean", plots.GREEN, [r.count for r in rows], [_value(r.throughput_rps) for r in rows])
    counted = {id(p.figures) for p in sweep.points if scaling.counts(sweep, p)}
    good, bad = ("searches", "without a capacity") if sweep.is_search else ("runs", "runs that cannot be believed")
    _add_runs(chart, good, plots.GREEN, [pair for pair in runs if id(pair[1]) in counted])
    _add_runs(chart, bad, plots.RED, [pair for pair in runs if id(pair[1]) not in counted])
    columns: Columns = {
        "x": [row.count for row in rows],
        "y": [_value(row.throughput_rps) for row in rows],
        "rps": [_said(row.throughput_rps, words.number) for row in rows],
        "growth": [words.NOTHING if row.growth is None else f"{row.growth:.2f} x" for row in rows],
        "efficiency": [words.NOTHING if row.efficiency is None else f"{100 * row.efficiency:.0f}%" for row in rows],
    }
    told = [("requests/s", "@rps"), ("of the one before", "@growth"), ("efficiency", "@efficiency")]
    plots.add_telling(chart, columns, [(_noun(sweep), "@x"), *told])
    return chart


def _add_curve(chart: Chart, made: Scaling, top: float) -> None:
    if made.usl is None:
        return
    x = [point.count for point in made.usl.curve]
    high = [min(NO_END * top, NO_END * top if p.high_rps is None else p.high_rps) for p in made.usl.curve]
    columns = {"x": x, "low": [point.low_rps for point in made.usl.curve], "high": high}
    band = VArea(x="x", y1="low", y2="high", fill_color=plots.BLUE, fill_alpha=0.16)
    chart.plot.add_glyph(ColumnDataSource(columns), band, name=chart.name("95% of the fit", plots.BLUE, "band"))
    _add_line(chart, "Universal Scalability Law", plots.BLUE, x, [point.throughput_rps for point in made.usl.curve])


def _users(sweep: Sweep, rows: Sequence[Row]) -> Chart | None:
    """Return the users that hold the SLOs; None of a sweep that did not search for them, or found none."""
    known = [(row.count, row.capacity_users) for row in rows if row.capacity_users is not None]
    if not known:
        return None
    top, reach = HEADROOM * max(spread.high for _, spread in known), max(sweep.counts) * 1.1
    chart = plots.over_counts("users", "Users that hold the SLOs", "users", sweep.counts, reach=reach, top=top)
    x, y = [count for count, _ in known], [spread.value for _, spread in known]
    name = _add_line(chart, "capacity", plots.GREEN, x, y)
    dots = Scatter(x="x", y="y", size=7, fill_color=plots.GREEN, line_color=None)
    chart.plot.add_glyph(ColumnDataSource({"x": x, "y": y}), dots, name=name)
    columns: Columns = {"x": x, "y": y, "users": [_said(spread, words.count) for _, spread in known]}
    plots.add_telling(chart, columns, [(_noun(sweep), "@x"), ("users", "@users")])
    return chart


def _latency(sweep: Sweep, rows: Sequence[Row], promises: Sequence[slo.Slo]) -> Chart | None:
    known = {rank: [(row, spread) for row in rows if (spread := _rank(row, rank)) is not None] for rank, _ in RANKS}
    values = [spread.high for pairs in known.values() for _, spread in pairs]
    if not values:
        return None
    limits = [one for one in promises if one.kind == "time" and one.method is None and one.limit < 3 * max(values)]
    top = HEADROOM * max([*values, *(limit.limit for limit in limits)])
    reach = max(sweep.counts) * 1.1
    chart = plots.over_counts("latency", "Response times of successes", "ms", sweep.counts, reach=reach, top=top)
    for rank, colour in RANKS:
        x, y = [row.count for row, _ in known[rank]], [spread.value for _, spread in known[rank]]
        name = _add_line(chart, rank, colour, x, y)
        dots = Scatter(x="x", y="y", size=7, fill_color=colour, line_color=None)
        chart.plot.add_glyph(ColumnDataSource({"x": x, "y": y}), dots, name=name)
    for limit in limits:
        plots.add_limit(chart, limit.limit, f"SLO {words.plain(limit.text)}")
    columns: Columns = {"x": [row.count for row in rows], "y": [0.0 for _ in rows]}
    told: Columns = {rank: [_said(_rank(row, rank), words.milliseconds) for row in rows] for rank, _ in RANKS}
    plots.add_telling(chart, {**columns, **told}, [(_noun(sweep), "@x"), *((rank, f"@{rank}") for rank, _ in RANKS)])
    return chart


def _cores(sweep: Sweep, rows: Sequence[Row]) -> Chart | None:
    """Return who had the machine's cores; None where that is not known, or they are not shared."""
    known = [row for row in rows if row.generator_cores is not None and row.target_cores is not None]
    if not known or not sweep.is_shared:
        return None
    width = _bar_width(sweep.counts)
    reach = max(max(sweep.counts) * 1.1, max(sweep.counts) + width)
    title = f"Who has the {words.many(sweep.cores, 'core')} of this machine"
    chart = plots.over_counts("cores", title, "cores", sweep.counts, reach=reach, top=sweep.cores * HEADROOM)
    below = [0.0 for _ in known]
    parts = {
        "workers": (plots.VIOLET, [row.generator_cores or 0.0 for row in known]),
        "API": (plots.CYAN, [row.target_cores or 0.0 for row in known]),
        "all else": (plots.SLATE, [_rest(row, sweep.cores) for row in known]),
    }
    for label, (colour, values) in parts.items():
        above = [low + value for low, value in zip(below, values, strict=True)]
        columns = {"x": [row.count for row in known], "low": below, "high": above}
        bar = VBar(x="x", bottom="low", top="high", width=width, fill_color=colour, line_color=None, fill_alpha=0.8)
        chart.plot.add_glyph(ColumnDataSource(columns), bar, name=chart.name(label, colour))
        below = above
    plots.add_limit(chart, sweep.cores, f"all {sweep.cores}")
    told: Columns = {f"c{n}": [f"{value:.2f}" for value in values] for n, (_, values) in enumerate(parts.values())}
    anchors: Columns = {"x": [row.count for row in known], "y": [0.0 for _ in known]}
    rows_ = [(label, f"@c{n}") for n, label in enumerate(parts)]
    plots.add_telling(chart, {**anchors, **told}, [(_noun(sweep), "@x"), *rows_])
    return chart


def _bar_width(counts: Sequence[int]) -> float:
    """Return how wide a bar may be that touches neither the next one nor the left edge."""
    return 0.6 * min(after - before for before, after in pairwise([0, *sorted(counts)]))


def _rest(row: Row, cores: int) -> float:
    busy = 0.0 if row.busy_percent is None else row.busy_percent / 100 * cores
    return max(0.0, busy - (row.generator_cores or 0.0) - (row.target_cores or 0.0))


def _runs(sweep: Sweep) -> list[tuple[int, Figures]]:
    return [(point.count, point.figures) for point in sweep.points if point.figures is not None]


def _add_runs(chart: Chart, label: str, colour: str, runs: Sequence[tuple[int, Figures]]) -> None:
    if not runs:
        return
    columns = {"x": [count for count, _ in runs], "y": [given.throughput_rps for _, given in runs]}
    dots = Scatter(x="x", y="y", size=8, line_color=colour, line_width=2, fill_color=colour, fill_alpha=0.25)
    chart.plot.add_glyph(ColumnDataSource(columns), dots, name=chart.name(label, colour, "circle"))


def _add_line(
    chart: Chart, label: str, colour: str, x: Sequence[float], y: Sequence[float], *, dash: str = "solid"
) -> str:
    name = chart.name(label, colour, dash)
    line = Line(x="x", y="y", line_color=colour, line_width=2, line_dash=dash, line_join="round")
    chart.plot.add_glyph(ColumnDataSource({"x": list(x), "y": list(y)}), line, name=name)
    return name


def _rank(row: Row, rank: str) -> Spread | None:
    return {"p50": row.p50_ms, "p95": row.p95_ms, "p99": row.p99_ms}[rank]


def _value(spread: Spread | None) -> float:
    return spread.value if spread else 0.0


def _said(spread: Spread | None, say: Callable[[float | None], str]) -> str:
    if spread is None:
        return words.NOTHING
    value = say(spread.value)
    return value if spread.low == spread.high else f"{value} ({words.number(spread.low)}-{words.number(spread.high)})"


def _noun(sweep: Sweep) -> str:
    return "workers" if sweep.axis is Axis.WORKERS else "replicas"
