"""The charts of a comparison: both sides over time, one over the other, and how their response times were spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from bokeh.models.glyphs import Line, Quad
from bokeh.models.sources import ColumnDataSource

from loadlab.analysis import series, sides
from loadlab.analysis.likeness import Measured
from loadlab.analysis.series import Series
from loadlab.report import plots, words
from loadlab.report.charts import LOG_FROM_RATIO
from loadlab.report.plots import Chart, TimeAxis, Values

A_COLOUR, B_COLOUR = plots.BLUE, plots.AMBER
COLOURS = {"A": A_COLOUR, "B": B_COLOUR}
SMALL_HEIGHT = 200


@dataclass(frozen=True)
class Lines:
    """The runs of a side over time."""

    name: str
    runs: Sequence[Series]

    def on(self, axis: TimeAxis, choose: Callable[[Series], Values]) -> list[Values]:
        """Return a line of each run at the steps of the axis, NaN where a run has none."""
        return [_on(axis, run, choose(run)) for run in self.runs]


def _on(axis: TimeAxis, run: Series, values: Values) -> Values:
    places = (axis.t // run.step_s).astype(np.int64)
    known = places < len(values)
    found = np.full(len(axis.t), np.nan)
    found[known] = values[places[known]]
    return found


class Kind(NamedTuple):
    """A chart over time: what it shows of a run, and how a value of it is said."""

    key: str
    title: str
    unit: str
    choose: Callable[[Series], Values]
    say: Callable[[float | None], str]


def over_time(a: Sequence[Measured], b: Sequence[Measured]) -> list[Chart]:
    """Return percentiles and throughput over time, both sides in each chart.

    Raises:
        ValueError: a histogram is damaged.
    """
    both = [Lines(name, [series.of(one.recording) for one in runs]) for name, runs in (("A", a), ("B", b))]
    longest = max((run for side in both for run in side.runs), key=lambda run: run.end_s)
    axis = TimeAxis(longest.t, longest.step_s, max(longest.end_s, 1), [])
    kinds = [Kind(f"p{rank:g}", f"p{rank:g}", "ms", _percentile(rank), words.milliseconds) for rank in series.RANKS]
    kinds.append(Kind("rps", "Throughput", "requests/s", lambda run: run.ok_rps + run.failed_rps, words.number))
    return [_chart(kind, axis, both) for kind in kinds]


def _percentile(rank: float) -> Callable[[Series], Values]:
    place = series.RANKS.index(rank)
    return lambda run: run.percentiles_ms[:, place]


def _chart(kind: Kind, axis: TimeAxis, both: Sequence[Lines]) -> Chart:
    lines = {side.name: side.on(axis, kind.choose) for side in both}
    low, high = _extremes(line for some in lines.values() for line in some)
    log_from = low / 1.5 if kind.unit == "ms" and low > 0 and high / low > LOG_FROM_RATIO else None
    top = high * (1.5 if log_from else 1.1)
    chart = plots.over_time(kind.key, kind.title, kind.unit, axis, top=top, log_from=log_from)
    chart.plot.update(height=SMALL_HEIGHT, min_border_right=plots.SMALL_RIGHT)
    chart.note = "logarithmic axis" if log_from else ""
    for name, some in lines.items():
        _add(chart, axis, name, some)
    plots.add_hover(
        chart,
        axis,
        {
            name if len(some) == 1 else f"{name}{number}": [_said(value, kind.say) for value in line]
            for name, some in lines.items()
            for number, line in enumerate(some, 1)
        },
    )
    return chart


def _said(value: float, say: Callable[[float | None], str]) -> str:
    return say(float(value)) if np.isfinite(value) else words.NOTHING


def _add(chart: Chart, axis: TimeAxis, name: str, lines: Sequence[Values]) -> None:
    """Add the lines of a side: of several runs thinner ones, which the legend tells as one."""
    colour = COLOURS[name]
    label = name if len(lines) == 1 else f"{name}, {len(lines)} runs"
    renderer = chart.name(label, colour)
    for values in lines:
        source = ColumnDataSource({"x": axis.middles_ms, "y": values.astype(np.float32)})
        width = 2.0 if len(lines) == 1 else 1.2
        line = Line(x="x", y="y", line_color=colour, line_width=width, line_alpha=0.9, line_join="round")
        chart.plot.add_glyph(source, line, name=renderer)


def _extremes(lines: Iterable[Values]) -> tuple[float, float]:
    known = [line[np.isfinite(line) & (line > 0)] for line in lines]
    every = np.concatenate(known) if known else np.zeros(0)
    return (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)


def distribution(a: Sequence[Measured], b: Sequence[Measured]) -> Chart | None:
    """Return how the successes' times of both sides were spread in their windows; None where one has none.

    Raises:
        ValueError: a histogram is damaged.
    """
    one, other = (sides.side([each.recording for each in runs]).scopes[None].times for runs in (a, b))
    bars = series.bars(one, other)
    if bars is None or not one.count or not other.count:
        return None
    shares = {"A": 100 * bars.ok / one.count, "B": 100 * bars.failed / other.count}
    top = max(float(share.max()) for share in shares.values()) * 1.08
    low, high = bars.edges_ms[0] / 1.05, bars.edges_ms[-1] * 1.05
    chart = plots.over_latency(
        "distribution", "Distribution of response times", "% of successes", low_ms=low, high_ms=high, top=top
    )
    chart.note = "logarithmic axis, measured windows"
    for name, share in shares.items():
        _add_bars(chart, name, bars.edges_ms, share)
    for name, times, dash in (("A", one, "dashed"), ("B", other, "dotted")):
        value = times.percentiles_us([95.0])[0]
        assert value is not None
        said = f"p95 of {name} {words.milliseconds(value / 1000)}"
        plots.add_limit(chart, value / 1000, said, colour=COLOURS[name], vertical=True, dash=dash)
    return chart


def _add_bars(chart: Chart, name: str, edges: Values, share: Values) -> None:
    there = np.flatnonzero(share)
    columns = {"left": edges[there], "right": edges[there + 1], "top": share[there]}
    quad = Quad(left="left", right="right", bottom=0, top="top", fill_color=COLOURS[name], fill_alpha=0.4)
    quad.line_color = None
    chart.plot.add_glyph(ColumnDataSource(columns), quad, name=chart.name(name, COLOURS[name]))
