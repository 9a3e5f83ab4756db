"""The parts that every chart of the page is made of: frames, axes, lines, hover texts, marks of events.

Axes, grids and frames take their colours from the page's style sheet (Bokeh reads CSS variables); lines have colours
that can be told apart on white and on black. Legends are HTML: texts from outside never reach a canvas or a formatter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from bokeh.models.annotations import Span
from bokeh.models.axes import Axis, DatetimeAxis, LinearAxis, LogAxis
from bokeh.models.formatters import DatetimeTickFormatter, NumeralTickFormatter
from bokeh.models.glyphs import Line, Scatter, Step, VAreaStep, VBar, VSpan
from bokeh.models.grids import Grid
from bokeh.models.plots import Plot
from bokeh.models.ranges import Range1d
from bokeh.models.renderers import GlyphRenderer
from bokeh.models.scales import LinearScale, LogScale
from bokeh.models.sources import ColumnDataSource
from bokeh.models.tickers import BasicTicker, DatetimeTicker, FixedTicker
from bokeh.models.tools import BoxZoomTool, CrosshairTool, HoverTool, PanTool, Toolbar, WheelZoomTool
from numpy.typing import NDArray

from loadlab.analysis.recording import Event, EventKind
from loadlab.analysis.search import StepOutcome
from loadlab.report import words

BLUE, GREEN, VIOLET, RED = "#3b82f6", "#12a594", "#8e5cf0", "#e5484d"
AMBER, SLATE, CYAN, PINK = "#e08a0b", "#8a97a8", "#0ea5c6", "#d6409f"
PALETTE = (BLUE, GREEN, VIOLET, AMBER, CYAN, PINK, "#6b8e23", "#b5735a")
LEFT, RIGHT, SMALL_RIGHT = 56, 44, 14  # px beside the frame: charts that stand above one another are aligned
MOST_MARKS = 200
FIRST_REPORTS_S = 10.0
TROUBLE = {
    *(EventKind.WORKER_MISSING, EventKind.WORKER_SILENCED, EventKind.GAP, EventKind.LATE),
    *(EventKind.FAULT, EventKind.WARNING),
}
MENDED = {EventKind.WORKER_BACK, EventKind.LOAD_RESTORED, EventKind.RECOVERED}
EVERYDAY = {EventKind.RUN_STARTED, EventKind.RUN_ENDED}
STAGES = {EventKind.STAGE_STARTED, EventKind.STAGE_ENDED}
MARK_COLOURS = {"trouble": RED, "mended": GREEN, "plain": SLATE}
Values = NDArray[np.float64]


@dataclass
class LegendItem:
    """A line of a legend; `name` is of the renderer that a click on it hides, empty where there is none.

    `dash` is how its line is drawn: solid, dashed or dotted; of points their marker, of an area `band`.
    """

    label: str
    colour: str
    dash: str = "solid"
    name: str = ""


@dataclass
class Chart:
    """A plot with what the page writes around it. `root` is the id of the plot's place in the page."""

    key: str
    title: str
    unit: str
    plot: Plot
    bottom: float = 0.0  # where the y axis begins
    note: str = ""
    legend: list[LegendItem] = field(default_factory=list)

    @property
    def root(self) -> str:
        """Return the id of the element that the plot is drawn in."""
        return f"chart-{self.key}"

    def name(self, label: str, colour: str, dash: str = "solid") -> str:
        """Add a line to the legend and return the name that its renderer is to have."""
        name = f"{self.key}-{len(self.legend)}"
        self.legend.append(LegendItem(label, colour, dash, name))
        return name


@dataclass
class TimeAxis:
    """What all charts over time share: the range that is shown, the crosshair, and the marks of what happened."""

    t: Values  # starts of the steps, s
    step_s: float
    end_s: float
    events: Sequence[Event]
    range: Range1d = field(init=False)
    crosshair: Span = field(init=False)
    marks: ColumnDataSource = field(init=False)
    ticker: DatetimeTicker = field(init=False)
    formatter: DatetimeTickFormatter = field(init=False)
    clock: list[str] = field(init=False)

    def __post_init__(self) -> None:
        end = max(self.end_s, self.step_s) * 1000
        self.range = Range1d(start=0, end=end, reset_start=0, reset_end=end, bounds=(0, end), name="time")
        self.range.min_interval = min(end, 4000 * self.step_s)
        self.crosshair = Span(dimension="height", line_dash="solid", line_width=1, line_color=SLATE)
        self.marks = ColumnDataSource(_marks(self.events))
        self.ticker, self.formatter = DatetimeTicker(), _time_formatter(self.end_s)
        self.clock = [words.clock(t) for t in self.t]

    @property
    def middles_ms(self) -> Values:
        """Return the steps' middles, in the axis' unit."""
        return (self.t + self.step_s / 2) * 1000


def mark_kind(kind: EventKind) -> str:
    """Return how an event is marked: trouble, mended or plain."""
    return "trouble" if kind in TROUBLE else "mended" if kind in MENDED else "plain"


def _marks(events: Sequence[Event]) -> dict[str, list[Any]]:
    shown = [event for event in _telling(events) if event.kind not in EVERYDAY and not is_first_join(event)]
    # Where there are too many, trouble is what people look for.
    shown = sorted(shown, key=lambda event: (event.kind not in TROUBLE, event.t))[:MOST_MARKS]
    shown.sort(key=lambda event: event.t)
    return {
        "x": [event.t * 1000 for event in shown],
        "text": [words.plain(f"{words.clock(event.t)}  {event.text}") for event in shown],
        "colour": [MARK_COLOURS[mark_kind(event.kind)] for event in shown],
        "alpha": [0.45 if mark_kind(event.kind) == "plain" else 0.9 for event in shown],
    }


def _telling(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events without those of a search, often thirty, of which nobody learns: steps begin, end and pass."""
    if not any(event.kind is EventKind.STEP for event in events):
        return events
    return [event for event in events if event.kind not in STAGES and event.data.get("outcome") != StepOutcome.PASS]


def is_first_join(event: Event) -> bool:
    """Tell whether a worker took part from the start: it is told with its first report."""
    return event.kind is EventKind.WORKER_JOINED and event.t < FIRST_REPORTS_S


def over_time(key: str, title: str, unit: str, axis: TimeAxis, *, top: float, log_from: float | None = None) -> Chart:
    """Return an empty chart over time; its y axis goes to `top`, from 0 or, logarithmic, from `log_from`."""
    frame = _frame(axis.range, _y_range(top, log_from), log=log_from is not None)
    chart = Chart(key, title, unit, frame, bottom=log_from or 0.0)
    plot = chart.plot
    _add_axis(plot, DatetimeAxis(ticker=axis.ticker, formatter=axis.formatter), "below")
    _add_y_axis(plot, top, log_from)
    mark = VSpan(x="x", line_color="colour", line_width=1.5, line_alpha="alpha", line_dash="4 3")
    # Nobody hits a line of a pixel: what is pointed at is a wide one that is not seen.
    wide = plot.add_glyph(axis.marks, VSpan(x="x", line_width=9, line_alpha=0))
    plot.add_glyph(axis.marks, mark)
    told = HoverTool(renderers=[wide], tooltips=[("", "@text")], attachment="above", show_arrow=False)
    plot.add_tools(CrosshairTool(overlay=axis.crosshair), told)
    return chart


def over_latency(key: str, title: str, unit: str, *, low_ms: float, high_ms: float, top: float) -> Chart:
    """Return an empty chart over response times in ms, on a logarithmic axis."""
    frame = _frame(Range1d(start=low_ms, end=high_ms), _y_range(top, None), log_x=True, zoom=False)
    _add_axis(frame, _log_axis(low_ms, high_ms), "below")
    _add_y_axis(frame, top, None)
    return Chart(key, title, unit, frame)


def over_users(key: str, title: str, unit: str, users: Range1d, *, top: float, log_from: float | None = None) -> Chart:
    """Return an empty chart over numbers of users, whose range it shares; its y axis is as in `over_time`."""
    frame = _frame(users, _y_range(top, log_from), log=log_from is not None, zoom=False)
    _add_axis(frame, _linear_axis(LinearAxis(), "0,0"), "below")
    _add_y_axis(frame, top, log_from)
    return Chart(key, title, unit, frame, bottom=log_from or 0.0)


def over_counts(key: str, title: str, unit: str, counts: Sequence[int], *, reach: float, top: float) -> Chart:
    """Return an empty chart over numbers of workers or replicas, from 0 to `reach`, with a tick at each that was."""
    frame = _frame(Range1d(start=0, end=reach), _y_range(top, None), zoom=False)
    ticker = cast(Any, FixedTicker(ticks=list(counts)))
    axis = LinearAxis(ticker=ticker)
    axis.minor_tick_line_color = None
    _add_axis(frame, axis, "below")
    _add_y_axis(frame, top, None)
    return Chart(key, title, unit, frame)


def add_telling(chart: Chart, columns: Mapping[str, Sequence[Any]], rows: list[tuple[str, str]]) -> None:
    """Add what is read when pointing near x; `columns` has x, y and the texts that `rows` name."""
    anchor = chart.plot.add_glyph(ColumnDataSource(dict(columns)), Line(x="x", y="y", line_alpha=0))
    chart.plot.add_tools(_hover(anchor, rows))


def _frame(x_range: Range1d, y_range: Range1d, *, log: bool = False, log_x: bool = False, zoom: bool = True) -> Plot:
    toolbar = Toolbar(logo=None, active_drag=None, active_scroll=None)
    plot = Plot(
        x_range=x_range,
        y_range=y_range,
        x_scale=LogScale() if log_x else LinearScale(),
        y_scale=LogScale() if log else LinearScale(),
        toolbar=toolbar,
        toolbar_location=None,
        height=240,
        sizing_mode="stretch_width",
        min_border_left=LEFT,
        min_border_right=RIGHT,
        min_border_top=10,
        min_border_bottom=28,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    if zoom:
        box = BoxZoomTool(dimensions="width")
        wheel = WheelZoomTool(dimensions="width", modifiers={"ctrl": True})
        plot.add_tools(box, PanTool(dimensions="width"), wheel)
        toolbar.active_drag = box
        toolbar.active_scroll = wheel
    return plot


def _y_range(top: float, log_from: float | None) -> Range1d:
    return Range1d(start=log_from or 0, end=top if top > 0 else 1)


def _time_formatter(end_s: float) -> DatetimeTickFormatter:
    # Axes count from 0 as if it were 1970: hours go past 24 only in words.
    fine = "%H:%M:%S" if end_s >= 3600 else "%M:%S"
    is_long = end_s > 86_400
    coarse, days = ("day %j %H:%M", "day %j") if is_long else (fine, fine)
    return DatetimeTickFormatter(
        microseconds=fine, milliseconds=fine, seconds=fine, minsec=fine, minutes=coarse, hourmin=coarse, hours=coarse,
        days=days, months=days, years=days,
    )  # fmt: skip


def _add_y_axis(plot: Plot, top: float, log_from: float | None) -> None:
    if log_from is not None:
        _add_axis(plot, _log_axis(log_from, top), "left")
    else:
        _add_axis(plot, _linear_axis(LinearAxis(), "0,0.[00]" if top < 20 else "0,0"), "left")


def _log_axis(low_ms: float, high_ms: float) -> Axis:
    ticks = log_ticks(low_ms, high_ms)
    labels: dict[Any, Any] = dict(ticks)
    return LogAxis(ticker=cast(Any, FixedTicker(ticks=list(ticks))), major_label_overrides=labels)


def _linear_axis(axis: LinearAxis, numbers: str) -> Axis:
    axis.update(formatter=NumeralTickFormatter(format=numbers), ticker=BasicTicker(desired_num_ticks=5))
    axis.minor_tick_line_color = None
    return axis


def _add_axis(plot: Plot, axis: Axis, place: Literal["below", "left"]) -> None:
    plot.add_layout(axis, place)
    plot.add_layout(Grid(dimension=0 if place == "below" else 1, axis=axis), "center")


def add_users(chart: Chart, axis: TimeAxis, users: Values) -> None:
    """Add the number of users as a grey area, with an axis of its own to the right."""
    top = max(1.0, float(np.nanmax(users, initial=0))) * 1.15
    chart.plot.extra_y_ranges = {"users": Range1d(start=0, end=top)}
    chart.plot.add_layout(_linear_axis(LinearAxis(y_range_name="users"), "0,0"), "right")
    source = ColumnDataSource({"x": axis.middles_ms, "y": np.nan_to_num(users), "zero": np.zeros(len(users))})
    area = VAreaStep(x="x", y1="zero", y2="y", step_mode="center", fill_color=SLATE, fill_alpha=0.16)
    line = Step(x="x", y="y", mode="center", line_color=SLATE, line_width=1.5)
    name = chart.name("users (right axis)", SLATE)
    for glyph in (area, line):
        chart.plot.add_glyph(source, glyph, y_range_name="users", name=name)


def add_lines(chart: Chart, axis: TimeAxis, lines: Mapping[str, tuple[Values, str]], *, width: float = 2) -> None:
    """Add lines over time: by label, the values and the colour. A lone point between gaps is drawn as a dash."""
    for label, (values, colour) in lines.items():
        source = ColumnDataSource({"x": axis.middles_ms, "y": _fine(values)})
        line = Line(x="x", y="y", line_color=colour, line_width=width, line_join="round")
        chart.plot.add_glyph(source, line, name=chart.name(label, colour))


def add_bundle(chart: Chart, axis: TimeAxis, label: str, lines: Sequence[Values]) -> None:
    """Add many lines over time as one bundle, thin and pale."""
    name = chart.name(label, SLATE)
    for values in lines:
        source = ColumnDataSource({"x": axis.middles_ms, "y": _fine(values)})
        chart.plot.add_glyph(source, Line(x="x", y="y", line_color=SLATE, line_alpha=0.5), name=name)


def add_stack(chart: Chart, axis: TimeAxis, layers: Mapping[str, tuple[Values, str]]) -> None:
    """Add stacked bars over time: by label, the values and the colour."""
    below = np.zeros(len(axis.t))
    for label, (values, colour) in layers.items():
        there = np.flatnonzero(np.nan_to_num(values) > 0)
        above = below + np.nan_to_num(values)
        columns = {"x": axis.middles_ms[there], "low": _fine(below[there]), "high": _fine(above[there])}
        bar = VBar(x="x", bottom="low", top="high", width=axis.step_s * 900, fill_color=colour, line_color=None)
        chart.plot.add_glyph(ColumnDataSource(columns), bar, name=chart.name(label, colour))
        below = above


def add_curve(chart: Chart, label: str, colour: str, x: Sequence[float], y: Sequence[float]) -> None:
    """Add a line through points, from left to right."""
    source = ColumnDataSource({"x": list(x), "y": list(y)})
    line = Line(x="x", y="y", line_color=colour, line_width=2, line_join="round", line_alpha=0.8)
    chart.plot.add_glyph(source, line, name=chart.name(label, colour))


def add_points(
    chart: Chart, item: LegendItem, points: Sequence[tuple[float, float]], told: Mapping[str, Sequence[str]]
) -> None:
    """Add points of the item's marker, with what is read when pointing at one: by label, a text for each."""
    names = {f"c{number}": row for number, row in enumerate(told)}
    data: dict[str, Any] = {"x": [x for x, _ in points], "y": [y for _, y in points]}
    data |= {name: list(told[row]) for name, row in names.items()}
    glyph = Scatter(x="x", y="y", marker=cast(Any, item.dash), size=10, line_width=2.5)
    glyph.update(line_color=item.colour, fill_color=item.colour)
    name = chart.name(item.label, item.colour, item.dash)
    drawn = chart.plot.add_glyph(ColumnDataSource(data), glyph, name=name)
    rows = [(row, f"@{name}") for name, row in names.items()]
    chart.plot.add_tools(HoverTool(renderers=[drawn], tooltips=rows, show_arrow=False))


def add_limit(
    chart: Chart, value: float, label: str, *, colour: str = RED, vertical: bool = False, dash: str = "dashed"
) -> None:
    """Add a line at a value, across the chart; its dash is `dashed`, or `dotted` for what is no limit."""
    dimension: Literal["width", "height"] = "height" if vertical else "width"
    name = chart.name(label, colour, dash)
    chart.plot.add_layout(
        Span(location=value, dimension=dimension, line_color=colour, line_width=1.5, line_dash=dash, name=name)
    )


def add_hover(chart: Chart, axis: TimeAxis, columns: Mapping[str, Sequence[str]]) -> None:
    """Add what is read when pointing at a step: a text for each step, by label."""
    names = {f"c{number}": label for number, label in enumerate(columns)}
    data: dict[str, Any] = {"x": axis.middles_ms, "y": np.full(len(axis.t), chart.bottom), "clock": axis.clock}
    data |= {name: list(columns[label]) for name, label in names.items()}
    anchor = Line(x="x", y="y", line_alpha=0)
    renderer = chart.plot.add_glyph(ColumnDataSource(data), anchor)
    rows = [("time", "@clock"), *((label, f"@{name}") for name, label in names.items())]
    chart.plot.add_tools(_hover(renderer, rows))


def _hover(renderer: GlyphRenderer[Line], rows: list[tuple[str, str]]) -> HoverTool:
    return HoverTool(
        renderers=[renderer],
        tooltips=rows,
        mode="vline",
        point_policy="follow_mouse",
        line_policy="nearest",
        attachment="horizontal",
        show_arrow=False,
    )


def _fine(values: Values) -> NDArray[np.float32]:
    return values.astype(np.float32)


def log_ticks(low: float, high: float) -> dict[float, str]:
    """Return ticks of a logarithmic axis of ms, with their labels: 1, 2, 5 where few decades are shown, else 1 only."""
    decades = math.log10(high / low)
    digits = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3.5 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    return {tick: _tick_label(tick) for tick in ticks if low <= tick <= high}


def _tick_label(ms: float) -> str:
    if ms >= 1000:
        return f"{ms / 1000:,g} s"
    return f"{ms:g} ms" if ms >= 0.1 else f"{ms * 1000:g} µs"
