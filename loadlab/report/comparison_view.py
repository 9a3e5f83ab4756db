"""What the page of a comparison says, as values that its template only has to place: words, tones, rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from loadlab.analysis import telling
from loadlab.analysis.comparison import Change, ComparedRun, Comparison, Figure, Method, Outcome
from loadlab.analysis.recording import Run
from loadlab.analysis.telling import WORDS, signed
from loadlab.report import view, words

OUTCOMES = {
    Outcome.BETTER: ("BETTER", "pass"),
    Outcome.WORSE: ("WORSE", "fail"),
    Outcome.MIXED: ("MIXED", "undecided"),
    Outcome.NONE: ("NO SIGNIFICANT DIFFERENCE", "plain"),
    Outcome.UNKNOWN: ("CANNOT BE SAID", "invalid"),
}
CHANGES = {
    Change.BETTER: ("better", "pass"),
    Change.WORSE: ("worse", "fail"),
    Change.NONE: ("no significant difference", "plain"),
    Change.UNKNOWN: ("cannot be said", "undecided"),
}
KEPT = {"pass": "pass", "fail": "fail"}
TERM = {"rps": "throughput", "fail": "failed", "mean": "mean"}
TILES = ("p50", "p95", "mean", "rps")
WIDEST, NARROWEST = 100.0, 10.0  # of the axis that intervals are drawn on, in % to either side


@dataclass(frozen=True)
class Bar:
    """An interval as it is drawn: where it begins and ends and where its middle is, from 0 to 1. `cut`: it goes on."""

    low: float
    high: float
    middle: float
    cut_low: bool
    cut_high: bool


def of(comparison: Comparison, a: Run, b: Run) -> dict[str, Any]:
    """Return the template's values that come from the comparison and from a run.json of each side."""
    word, tone = OUTCOMES[comparison.outcome]
    scale = _scale(comparison.figures)
    rows = [_row(one, scale) for one in comparison.figures]
    return {
        "w": words,
        "comparison": comparison,
        "title": " and ".join(_title(runs) for runs in (comparison.a, comparison.b)),
        "outcome": {"word": word, "tone": tone},
        "headline": words.headline(comparison.headline, word),
        "facts": [f"{side}: {_title(runs)}" for side, runs in (("A", comparison.a), ("B", comparison.b))],
        "warnings": list(_warnings(comparison)),
        "lacking": telling.lacking(comparison.figures),
        "tiles": [row for row in rows if row["name"] is None and row["metric"] in TILES],
        "slos": [_slo(slo, rows) for slo in comparison.slos],
        "scopes": [(name, list(some)) for name, some in groupby(rows, key=lambda row: row["scope"])],
        "ends": f"{scale:g}%",
        "runs": [_run(side, run) for side, runs in (("A", comparison.a), ("B", comparison.b)) for run in runs],
        "about": [
            {"title": f"{side}: {part['title']}", "rows": part["rows"]}
            for parts in zip(view.about(a), view.about(b), strict=True)
            for side, part in zip("AB", parts, strict=True)
            if part["title"] != "Run"
        ],
        "method": list(_method(comparison.method)) if comparison.method else [],
    }


def _title(runs: Sequence[ComparedRun]) -> str:
    first = words.plain(runs[0].name or runs[0].run)
    return first if len(runs) == 1 else f"{first} and {len(runs) - 1} more"


def _warnings(comparison: Comparison) -> Iterator[str]:
    for one in comparison.differs:
        yield f"Not run alike: {one.what} is {one.a} in A and {one.b} in B."
    yield from comparison.doubts


def _scale(figures: Sequence[Figure]) -> float:
    """Return how far the axis of the intervals goes, in % to either side."""
    shown = [one.interval for one in figures if one.interval is not None and one.interval_unit == "%"]
    ends = [abs(end) for interval in shown for end in (interval.low, interval.high) if end is not None]
    furthest = min(max([NARROWEST, *ends]), WIDEST)
    return next(step for step in (10, 20, 30, 50, 75, WIDEST) if step >= furthest)


def _row(one: Figure, scale: float) -> dict[str, Any]:
    word, tone = CHANGES[one.change]
    in_percent = one.interval_unit == "%"
    change = one.change_percent if in_percent else one.difference
    unit = "" if change is None else "%" if in_percent else " points"
    return {
        "name": one.name,
        "scope": "All requests" if one.name is None else f"{one.method} {one.name}",
        "metric": one.metric,
        "term": TERM.get(one.metric, "percentile"),
        "label": WORDS.get(one.metric, one.metric),
        "a": words.quantity(one.a, one.unit),
        "b": words.quantity(one.b, one.unit),
        "samples": f"{words.count(one.samples_a)} and {words.count(one.samples_b)}",
        "change": f"{signed(change)}{unit}",
        "interval": f"{signed(one.interval.low)} to {signed(one.interval.high)}" if one.interval else words.NOTHING,
        "hidden": f"± {signed(one.hidden_below).lstrip('+')}{unit}" if one.hidden_below is not None else words.NOTHING,
        "bar": _bar(one, scale),
        "word": word,
        "tone": tone,
        "beyond": one.beyond_allowed,
    }


def _bar(one: Figure, scale: float) -> Bar | None:
    if one.interval is None or one.interval_unit != "%" or one.change_percent is None:
        return None
    low, high = one.interval.low or 0.0, one.interval.high or 0.0
    left, right, middle = (min(max((value + scale) / 2 / scale, 0.0), 1.0) for value in (low, high, one.change_percent))
    return Bar(left, right, middle, cut_low=low < -scale, cut_high=high > scale)


def _slo(slo: Any, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "text": slo.text,
        "kept": [
            (side, outcome or "not promised", KEPT.get(outcome, "undecided"))
            for side, outcome in (("A", slo.a), ("B", slo.b))
        ],
        "row": rows[slo.figure] if slo.figure is not None else None,
    }


def _run(side: str, run: ComparedRun) -> dict[str, Any]:
    verdict = {"pass": "pass", "fail": "fail", "none": "invalid"}.get(run.verdict, "undecided")
    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.started)) if run.started else words.NOTHING
    return {"side": side, "run": run, "tone": verdict, "started": started}


def _method(method: Method) -> Iterator[tuple[str, str]]:
    yield "confidence", f"{method.confidence_percent:g}%, of all {method.figures} intervals together"
    yield "draws", f"{words.count(method.draws)} of each side, in blocks of {method.block_s} s"
    yield "blocks", f"{method.blocks_a} of A, {method.blocks_b} of B"
    what = "at least, else as they differ" if method.repeated else "allowed for; one run a side cannot tell"
    yield "run to run", f"{method.run_percent:g}% standard deviation, {what}"
