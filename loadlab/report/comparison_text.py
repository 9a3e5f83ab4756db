"""A comparison in a terminal: the answer in the first line, then each figure, on 80 columns, with or without colour."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadlab.analysis import telling
from loadlab.analysis.comparison import Change, ComparedRun, ComparedSlo, Comparison, Figure, Outcome
from loadlab.analysis.telling import WORDS, signed
from loadlab.report import words
from loadlab.report.terminal import PLAIN_WIDTH, item, plain_text, short, table

OUTCOMES = {
    Outcome.BETTER: ("BETTER", "bold green"),
    Outcome.WORSE: ("WORSE", "bold red"),
    Outcome.MIXED: ("MIXED", "bold yellow"),
    Outcome.NONE: ("NO SIGNIFICANT DIFFERENCE", "bold"),
    Outcome.UNKNOWN: ("CANNOT BE SAID", "bold yellow"),
}
CHANGES = {
    Change.BETTER: ("better", "green"),
    Change.WORSE: ("WORSE", "bold red"),
    Change.NONE: ("not significant", "dim"),
    Change.UNKNOWN: ("cannot be said", "yellow"),
}
MOST_ENDPOINTS = 10
COLUMNS = (10, 9, 9, 8, 15, 15)  # widths


def render(comparison: Comparison) -> RenderableType:
    """Return what a terminal shows of a comparison."""
    word, style = OUTCOMES[comparison.outcome]
    parts: list[RenderableType] = [
        Text.assemble((word, style), "  ", (words.headline(comparison.headline, word), "bold")),
        *_warnings(comparison),
        Text(),
        _runs(comparison),
    ]
    if comparison.slos:
        parts += [Text(), _slos(comparison.slos)]
    parts += _figures(comparison)
    parts += [Text(), *(item("?", "yellow", sentence) for sentence in telling.lacking(comparison.figures))]
    parts += [item("·", "dim", note) for note in comparison.notes]
    return Group(*parts)


def plain(comparison: Comparison) -> str:
    """Return the same as plain text without colour."""
    return plain_text(render(comparison))


def _warnings(comparison: Comparison) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for one in comparison.differs:
        told = f"Not run alike: {one.what} is {one.a} in A and {one.b} in B"
        lines.append(item("!", "yellow", told))
    return lines + [item("!", "yellow", doubt) for doubt in comparison.doubts]


def _runs(comparison: Comparison) -> Table:
    grid = table("", "run", "verdict", ">requests", ">measured", "revision")
    for side, runs in (("A", comparison.a), ("B", comparison.b)):
        for run in runs:
            grid.add_row(side, *_run(run))
    return grid


def _run(run: ComparedRun) -> list[Text]:
    verdict = run.validity if run.verdict == "none" else run.verdict
    told = [run.run, verdict, words.count(run.requests), words.span(run.window_s), (run.revision or words.NOTHING)[:20]]
    return [Text(words.plain(each)) for each in told]


def _slos(slos: Sequence[ComparedSlo]) -> Table:
    grid = table("SLO", "in A", "in B")
    for slo in slos:
        style = "bold red" if (slo.a, slo.b) == ("pass", "fail") else ""
        told = (slo.text, slo.a or words.NOTHING, slo.b or words.NOTHING)
        grid.add_row(*(Text(words.plain(each)) for each in told), style=style)
    return grid


def _figures(comparison: Comparison) -> list[RenderableType]:
    scopes = [list(some) for _, some in groupby(comparison.figures, key=lambda one: (one.method, one.name))]
    parts: list[RenderableType] = []
    for some in scopes[: MOST_ENDPOINTS + 1]:
        name = "All requests" if some[0].name is None else f"{some[0].method} {some[0].name}"
        parts += [Text(), Text(short(words.plain(name), PLAIN_WIDTH), "bold"), _scope(some, comparison)]
    if len(scopes) > MOST_ENDPOINTS + 1:
        parts.append(Text(f"and {len(scopes) - MOST_ENDPOINTS - 1} more endpoints, see the page", "dim"))
    return parts


def _scope(figures: Sequence[Figure], comparison: Comparison) -> Table:
    confidence = comparison.method.confidence_percent if comparison.method else 0
    grid = table("", ">A", ">B", ">change", f">{confidence:g}% interval" if confidence else ">interval", "")
    for column, width in zip(grid.columns, COLUMNS, strict=True):
        column.min_width = width  # so that the tables of all endpoints are aligned
    for one in figures:
        grid.add_row(*_row(one))
    return grid


def _row(one: Figure) -> list[Text]:
    word, style = CHANGES[one.change]
    change = one.change_percent if one.interval_unit == "%" else one.difference
    interval = f"{signed(one.interval.low)} to {signed(one.interval.high)}" if one.interval else words.NOTHING
    unit = "" if change is None else "%" if one.interval_unit == "%" else " pt"
    told = [WORDS.get(one.metric, one.metric), words.quantity(one.a, one.unit), words.quantity(one.b, one.unit)]
    return [*map(Text, told), Text(f"{signed(change)}{unit}"), Text(interval), Text(word, style)]
