"""What a comparison says to people: its headline, and what has to be known besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadlab.analysis import resampling
from loadlab.analysis.comparison import Change, Figure, Method, Outcome
from loadlab.analysis.slo import Slo
from loadlab.analysis.timeline import Key
from loadlab.analysis.wording import figure, listed, many, ms, percent

TOLD_FIRST = ("p95", "mean", "p50", "p99", "rps", "fail")  # of several figures of the same kind
WORDS = {"rps": "throughput", "fail": "failures"}
DECIDING = {Outcome.WORSE: Change.WORSE, Outcome.MIXED: Change.WORSE, Outcome.BETTER: Change.BETTER}
MOST_NAMES = 5


def headline(figures: Sequence[Figure], outcome: Outcome) -> str:
    """Return the result in one line: what, the figure that tells it best, and how many more there are."""
    told = sorted((one for one in figures if one.change is DECIDING.get(outcome, Change.NONE)), key=_place)
    if not told:
        why = next((one.reason for one in figures if one.reason), "nothing was recorded")
        return f"{outcome.upper()}: {why}"
    line = f"{outcome.upper()}: {changed(told[0])}"
    if outcome is Outcome.NONE:
        return line
    return f"{line}; {_counts(figures)}"


def changed(one: Figure) -> str:
    """Return how a figure changed: p95 from 36.5 ms to 44.6 ms, +22.1% (+15.0 to +29.6)."""
    assert one.interval is not None
    unit = "%" if one.interval_unit == "%" else " points"
    change = one.change_percent if one.interval_unit == "%" else one.difference
    within = f"{signed(one.interval.low)} to {signed(one.interval.high)}"
    values = f"from {_value(one.a, one.unit)} to {_value(one.b, one.unit)}"
    return f"{title(one)} {values}, {signed(change)}{unit} ({within})"


def title(one: Figure) -> str:
    """Return what a figure is: p95, throughput of GET /tests."""
    word = WORDS.get(one.metric, one.metric)
    return word if one.name is None else f"{word} of {one.method} {one.name}"


def signed(value: float | None) -> str:
    """Return a change: +22.1, -0.32, 0; from 1,000 on without digits."""
    if value is None:
        return "-"
    if abs(value) < 0.005:
        return "0"
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 1 else 2
    return f"{value:+,.{digits}f}"


def lacking(figures: Sequence[Figure]) -> list[str]:
    """Return what could not be judged and why, a sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for one in figures:
        if one.reason:
            by_reason.setdefault(one.reason, []).append(title(one))
    return [f"{listed(titles, MOST_NAMES)}: {reason}." for reason, titles in by_reason.items()]


def notes(
    figures: Sequence[Figure], alone: Sequence[Key], promises: Sequence[Slo], method: Method | None
) -> Iterator[str]:
    """Yield what a reader has to know besides."""
    if method is None:
        yield f"At least {resampling.SHORTEST_S} s have to be measured in each run, to know how its figures scatter."
    elif not method.repeated:
        yield (
            "There is one run a side: what identical runs differ by cannot be told from them. A standard deviation "
            f"of {method.run_percent:g}% is allowed for, too little on a noisy machine; several runs a side show it."
        )
    if any(one.metric == "rps" and one.change in (Change.BETTER, Change.WORSE) for one in figures):
        yield (
            "Users wait for their answers before they ask again (a closed model): throughput follows the response "
            "times, and is not what the target could take."
        )
    if alone:
        names = listed([f"{method_} {name}" for method_, name in alone], MOST_NAMES)
        yield f"Not compared, for only one side asked for it: {names}."
    left_out = [promise.text for promise in promises if promise.metric in ("max", "lag", "lost-writes")]
    if left_out:
        yield f"Not compared, for it is a single value or not the target's: {listed(left_out, MOST_NAMES)}."


def _place(one: Figure) -> tuple[bool, int]:
    return one.name is not None, TOLD_FIRST.index(one.metric) if one.metric in TOLD_FIRST else len(TOLD_FIRST)


def _counts(figures: Sequence[Figure]) -> str:
    judged = sum(one.change is not Change.UNKNOWN for one in figures)
    counts = {word: sum(one.change is word for one in figures) for word in (Change.WORSE, Change.BETTER)}
    told = " and ".join(f"{count:,} {'is' if count == 1 else 'are'} {word}" for word, count in counts.items() if count)
    return f"of {many(judged, 'figure')}, {told}"


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "ms":
        return ms(value)
    return percent(value) if unit == "%" else f"{figure(value)}{unit}"
