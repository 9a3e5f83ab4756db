"""The charts of the page, from a run's lines over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from bokeh.models.glyphs import Quad
from bokeh.models.sources import ColumnDataSource
from bokeh.models.tools import HoverTool
from numpy.typing import NDArray

from loadlab.analysis import saturation, series, slo
from loadlab.analysis.series import Series
from loadlab.analysis.summary import Summary
from loadlab.report import plots, reading, words
from loadlab.report.plots import Chart, TimeAxis, Values

LOG_FROM_RATIO = 12  # of the highest to the lowest value: what is more apart is shown on a logarithmic axis
RANK_COLOURS = {50.0: plots.GREEN, 95.0: plots.BLUE, 99.0: plots.VIOLET}
FAILURE_COLOURS = (plots.RED, plots.AMBER, plots.PINK, plots.VIOLET, plots.CYAN, "#b5735a", plots.SLATE)
MIB = 1 << 20
MOST_ROWS = 4  # of a hover text


def load_charts(lines: Series, axis: TimeAxis, promises: Sequence[slo.Slo]) -> list[Chart]:
    """Return throughput and users, response times against the promises, and failures where there were any."""
    charts = [_throughput(lines, axis, promises), _latency(lines, axis, promises)]
    return [chart for chart in (*charts, _failures(lines, axis)) if chart]


def _throughput(lines: Series, axis: TimeAxis, promises: Sequence[slo.Slo]) -> Chart:
    limits = [promise for promise in promises if promise.metric == "rps" and promise.method is None]
    top = _top([lines.ok_rps + lines.failed_rps, *(np.array([limit.limit]) for limit in limits)])
    chart = plots.over_time("throughput", "Throughput and users", "requests/s", axis, top=top)
    plots.add_users(chart, axis, lines.users)
    plots.add_lines(chart, axis, {"successes": (lines.ok_rps, plots.BLUE)})
    if np.nansum(lines.failed_rps) > 0:
        plots.add_lines(chart, axis, {"failures": (lines.failed_rps, plots.RED)})
    for limit in limits:
        plots.add_limit(chart, limit.limit, f"SLO {words.plain(limit.text)}")
    rows = {"users": (lines.users, words.count), "successes/s": (lines.ok_rps, words.number)}
    rows["failures/s"] = (lines.failed_rps, words.number)
    plots.add_hover(chart, axis, {label: _said(values, say) for label, (values, say) in rows.items()})
    return chart


def _latency(lines: Series, axis: TimeAxis, promises: Sequence[slo.Slo]) -> Chart:
    limits = [promise for promise in promises if promise.kind == "time" and _is_of_all(promise)]
    values = lines.percentiles_ms
    known = [*values[np.isfinite(values) & (values > 0)], *(limit.limit for limit in limits if limit.limit > 0)]
    low, high = min(known, default=1.0), max(known, default=10.0)
    log_from = low / 1.5 if high / low > LOG_FROM_RATIO else None
    top = high * (1.5 if log_from else 1.1)
    chart = plots.over_time("latency", "Response times of successes", "ms", axis, top=top, log_from=log_from)
    chart.note = "logarithmic axis" if log_from else ""
    labelled = {f"p{rank:g}": (values[:, place], RANK_COLOURS[rank]) for place, rank in enumerate(series.RANKS)}
    plots.add_lines(chart, axis, labelled)
    for limit in limits:
        colour = RANK_COLOURS.get(limit.rank or 0.0, plots.RED)
        plots.add_limit(chart, limit.limit, f"SLO {words.plain(limit.text)}", colour=colour)
    plots.add_hover(chart, axis, {label: _said(line, words.milliseconds) for label, (line, _) in labelled.items()})
    return chart


def _is_of_all(promise: slo.Slo) -> bool:
    return promise.method is None and promise.metric != "lag"


def _failures(lines: Series, axis: TimeAxis) -> Chart | None:
    if not lines.errors:
        return None
    total = np.sum(list(lines.errors.values()), axis=0)
    chart = plots.over_time("failures", "Failures by kind", "failures/s", axis, top=_top([total]))
    colours = dict(zip(lines.errors, FAILURE_COLOURS, strict=False))
    layers = {words.plain(kind): (line, colours[kind]) for kind, line in lines.errors.items()}
    plots.add_stack(chart, axis, layers)
    plots.add_hover(chart, axis, {kind: _said(line, words.number) for kind, (line, _) in layers.items()})
    return chart


def distribution(lines: Series, summary: Summary, promises: Sequence[slo.Slo]) -> Chart | None:
    """Return how response times were spread in the measured window; None where nothing was answered."""
    bars = lines.bars
    if bars is None or not (bars.ok.sum() or bars.failed.sum()):
        return None
    share = 100 / (bars.ok.sum() + bars.failed.sum())
    edges = bars.edges_ms
    limits = [promise for promise in promises if promise.rank is not None and _is_of_all(promise)]
    near = [limit.limit for limit in limits if edges[0] / 5 < limit.limit < edges[-1] * 20]
    low, high = min([edges[0], *near]) / 1.05, max([edges[-1], *near]) * 1.05
    chart = plots.over_latency(
        "distribution", "Distribution of response times", "% of requests", low_ms=low, high_ms=high,
        top=float((bars.ok + bars.failed).max()) * share * 1.08,
    )  # fmt: skip
    chart.note = f"logarithmic axis, {reading.stretch(summary) or 'measured window'}"
    below = np.zeros(len(bars.ok))
    for label, counts, colour in (("successes", bars.ok, plots.BLUE), ("failures", bars.failed, plots.RED)):
        if counts.sum():
            _add_bars(chart, label, colour, edges=edges, below=below * share, counts=counts, share=share)
            below = below + counts
    percentiles = summary.window.ok.percentiles_ms if summary.window.ok else {}
    for rank in series.RANKS:
        if f"p{rank:g}" in percentiles:
            value = percentiles[f"p{rank:g}"]
            said = f"p{rank:g} {words.milliseconds(value)}"
            plots.add_limit(chart, value, said, colour=RANK_COLOURS[rank], vertical=True, dash="dotted")
    for limit in limits:
        if limit.limit in near:
            colour = RANK_COLOURS.get(limit.rank or 0.0, plots.RED)
            plots.add_limit(chart, limit.limit, f"SLO {words.plain(limit.text)}", colour=colour, vertical=True)
    return chart


def _add_bars(
    chart: Chart, label: str, colour: str, *, edges: Values, below: Values, counts: Values, share: float
) -> None:
    there = np.flatnonzero(counts)
    spans = [f"{words.number(edges[n])} to {words.milliseconds(edges[n + 1])}" for n in there]
    columns = {
        "left": edges[there],
        "right": edges[there + 1],
        "bottom": below[there],
        "top": below[there] + counts[there] * share,
        "span": spans,
        "said": [f"{words.count(counts[n])} ({words.percent(counts[n] * share)})" for n in there],
    }
    quad = Quad(left="left", right="right", bottom="bottom", top="top", fill_color=colour, fill_alpha=0.75)
    quad.line_color = None
    drawn = chart.plot.add_glyph(ColumnDataSource(columns), quad, name=chart.name(label, colour))
    rows = [("time", "@span"), (label, "@said")]
    chart.plot.add_tools(HoverTool(renderers=[drawn], tooltips=rows, show_arrow=False, point_policy="follow_mouse"))


def worker_charts(lines: Series, axis: TimeAxis) -> list[Chart]:
    """Return users, CPU and event loop lag of the workers, with the limits of validity."""
    workers = lines.workers
    if not workers:
        return []
    cpu_most = 100 * saturation.CPU_MOST
    names = ["all workers" if one.worker is None else f"worker {one.worker}" for one in workers]
    users = _Lines(names, [one.users for one in workers], words.count)
    cpu = _Lines(names, [one.cpu_percent for one in workers], words.percent)
    lag = _Lines(names, [one.lag_p99_ms for one in workers], words.milliseconds)
    lag_most = saturation.LAG_MOST_MS
    whose = "of all together" if workers[0].worker is None else "of each worker"
    return [
        _many("worker-users", "Users", whose, axis, users),
        _many("worker-cpu", "CPU", "% of what it may use", axis, cpu, limit=(cpu_most, f"limit {cpu_most:g}%")),
        _many("worker-lag", "Event loop lag, p99", "ms", axis, lag, limit=(lag_most, f"limit {lag_most:g} ms")),
    ]


def target_charts(lines: Series, axis: TimeAxis) -> list[Chart]:
    """Return CPU, memory and throttling of the target's instances, as far as they tell."""
    target = lines.target
    names = [words.plain(one.instance) for one in target]
    cores = next((one.cpu_limit_cores for one in target if one.cpu_limit_cores), None)
    memory = next((one.memory_limit_bytes for one in target if one.memory_limit_bytes), None)
    cpu = _Lines(names, [one.cpu_cores for one in target], words.number, "instance")
    used = _Lines(names, [one.memory_bytes / MIB for one in target], lambda mib: f"{words.number(mib)} MiB", "instance")
    throttled = _Lines(names, [one.throttled_percent for one in target], words.percent, "instance")
    cpu_limit = (cores, f"limit {words.limit(cores)}") if cores else None
    memory_limit = (memory / MIB, f"limit {words.size(memory)}") if memory else None
    charts = [
        _many("target-cpu", "CPU", "cores", axis, cpu, limit=cpu_limit) if cpu.are_told else None,
        _many("target-memory", "Memory", "MiB", axis, used, limit=memory_limit) if used.are_told else None,
        _many("target-throttled", "Throttling", "% of periods", axis, throttled) if throttled.are_told else None,
    ]
    return [chart for chart in charts if chart]


@dataclass(frozen=True)
class _Lines:
    """Lines of several of one kind, each with its name, and how a value of them is said."""

    names: Sequence[str]
    values: Sequence[Values]
    say: Callable[[float | None], str]
    noun: str = "worker"

    @property
    def are_told(self) -> bool:
        return any(np.isfinite(line).any() for line in self.values)

    def texts(self) -> dict[str, list[str]]:
        """Return what is said at each step: each value of a few; of many the highest and the lowest, and whose."""
        if len(self.names) <= MOST_ROWS:
            return {name: _said(line, self.say) for name, line in zip(self.names, self.values, strict=True)}
        columns = np.array(self.values).T
        highest = np.argmax(np.nan_to_num(columns, nan=-np.inf), axis=1)
        lowest = np.argmin(np.nan_to_num(columns, nan=np.inf), axis=1)
        return {"highest": self._named(columns, highest), "lowest": self._named(columns, lowest)}

    def _named(self, columns: Values, places: NDArray[np.intp]) -> list[str]:
        chosen = [
            (float(column[int(place)]), self.names[int(place)]) for column, place in zip(columns, places, strict=True)
        ]
        return [f"{self.say(value)} ({name})" if np.isfinite(value) else words.NOTHING for value, name in chosen]


def _many(
    key: str, title: str, unit: str, axis: TimeAxis, lines: _Lines, *, limit: tuple[float, str] | None = None
) -> Chart:
    """Return a small chart with a line for each of several.

    A limit far above them is told, not drawn; one far below makes the axis logarithmic, so that both can be seen.
    """
    highest = _top(lines.values)
    near = limit is not None and limit[0] < 2.5 * highest
    top = max(highest, limit[0] * 1.1) if limit and near else highest
    log_from = _lowest(lines.values) if limit and limit[0] * LOG_FROM_RATIO < highest else None
    chart = plots.over_time(key, title, unit, axis, top=top, log_from=log_from)
    chart.plot.update(height=170, min_border_right=plots.SMALL_RIGHT, min_border_left=46)
    if len(lines.names) <= MOST_ROWS:
        each = zip(lines.names, lines.values, plots.PALETTE, strict=False)
        plots.add_lines(chart, axis, {name: (line, colour) for name, line, colour in each}, width=1.5)
    else:
        plots.add_bundle(chart, axis, f"each {lines.noun}", lines.values)
        plots.add_lines(chart, axis, {"highest": (np.fmax.reduce(lines.values), plots.BLUE)}, width=1.5)
    if limit and near:
        plots.add_limit(chart, *limit)
    elif limit:
        chart.note = limit[1]
    plots.add_hover(chart, axis, lines.texts())
    return chart


def _lowest(lines: Iterable[Values]) -> float | None:
    """Return where a logarithmic axis shall begin; None where there is nothing above 0."""
    above = [float(line[line > 0].min()) for line in lines if (line > 0).any()]
    return min(above) / 1.3 if above else None


def _said(values: Iterable[float], say: Callable[[float | None], str]) -> list[str]:
    return [say(float(value)) if np.isfinite(value) else words.NOTHING for value in values]


def _top(lines: Iterable[Values]) -> float:
    """Return where the axis of some lines from 0 shall end."""
    highest = max((float(np.nanmax(line, initial=0)) for line in lines), default=0.0)
    return highest * 1.12 if highest > 0 else 1.0
