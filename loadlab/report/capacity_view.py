"""What the page says of a search for the capacity: its tiles and its steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loadlab.analysis.capacity import HEADROOM
from loadlab.analysis.search import RECOVERY_PATIENCE_S, Ending, StepOutcome
from loadlab.analysis.summary import Capacity, CapacityStep, Summary
from loadlab.report import reading, words
from loadlab.report.view import Tile

OUTCOMES = {
    StepOutcome.PASS: ("pass", "pass"),
    StepOutcome.FAIL: ("fail", "fail"),
    StepOutcome.COLLAPSED: ("collapsed", "fail"),
    StepOutcome.INVALID: ("invalid", "invalid"),
    StepOutcome.INSUFFICIENT: ("too few samples", "undecided"),
}


def of(summary: Summary) -> dict[str, Any] | None:
    """Return the values of the page's section; None of a run that was no search."""
    found = summary.capacity
    if found is None:
        return None
    about = reading.step(summary)
    return {
        "tiles": list(_tiles(found, summary)),
        "steps": [_step(step, step is about) for step in found.steps],
    }


def _tiles(found: Capacity, summary: Summary) -> Iterator[Tile]:
    yield Tile("capacity", "Capacity", *reading.capacity(found, summary))
    rps = words.NOTHING if found.throughput_rps is None else f"{words.number(found.throughput_rps)}/s"
    yield Tile("throughput", "Throughput", rps, "at the capacity")
    held = words.count(found.held_users) if found.held_users else "none"
    yield Tile("bracket", "Held", held, "users, with every promise kept")
    broke = words.count(found.broke_users) if found.broke_users else "none"
    yield Tile(
        "bracket", "Broke", broke, f"users: {words.plain(found.limiting)}" if found.limiting else "of those tried"
    )
    recommended = words.many(found.recommended_users, "user") if found.recommended_users else words.NOTHING
    at = f"{words.number(found.recommended_rps)}/s, " if found.recommended_rps else ""
    yield Tile("recommended", "Recommended", recommended, f"{at}{HEADROOM:.0%} of the capacity")
    knee = words.many(found.knee_users, "user") if found.knee_users else words.NOTHING
    yield Tile("knee", "Knee", knee, "most throughput by response time" if found.knee_users else "not seen")
    yield _recovery(found)
    tried = len({step.users for step in found.steps})
    yield Tile("step", "Steps", words.count(len(found.steps)), f"of {words.many(tried, 'number')} of users")


def _recovery(found: Capacity) -> Tile:
    collapses = sum(step.outcome == StepOutcome.COLLAPSED for step in found.steps)
    if found.ending == Ending.NOT_RECOVERED:
        under = f"in {words.span(RECOVERY_PATIENCE_S)} after the load was taken away"
        return Tile("recovery", "Recovery", "none", under, bad=True)
    if not found.recoveries_s:
        return Tile("recovery", "Recovery", words.NOTHING, "it never collapsed" if not collapses else "not seen")
    at_most = "after its collapse" if collapses == 1 else f"at most, after {words.many(collapses, 'collapse')}"
    return Tile("recovery", "Recovery", words.span(max(found.recoveries_s)), at_most)


def _step(step: CapacityStep, is_about: bool) -> dict[str, Any]:
    word, tone = OUTCOMES[StepOutcome(step.outcome)]
    is_there = step.start_s is not None and step.end_s is not None
    return {
        "number": step.number,
        "phase": reading.phase(step),
        "users": step.users,
        "word": word,
        "tone": tone,
        "span": f"{words.clock(step.start_s)} - {words.clock(step.end_s)}" if is_there else words.NOTHING,  # type: ignore[arg-type]
        "throughput": words.number(step.throughput_rps),
        "failed": words.percent(step.fail_percent),
        "has_failed": bool(step.fail_percent),
        "p50": words.number(step.p50_ms),
        "p95": words.number(step.p95_ms),
        "p99": words.number(step.p99_ms),
        "reason": step.reason,
        "is_about": is_about,
    }
