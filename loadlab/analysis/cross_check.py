"""What the workers counted against what the target counted of itself, where its routes have the endpoints' names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from loadlab.analysis.evidence import Evidence, degraded, invalid, note
from loadlab.analysis.recording import Cell, TargetSecond
from loadlab.analysis.summary import Accounting, Reason
from loadlab.analysis.wording import many, percent

# A difference of more than this share could move a share of failures of 1%; one of less than the other cannot move
# any figure. One or two requests are what a person with a browser makes.
DIFFERENCE_MOST = 0.01
DIFFERENCE_NOTABLE = 0.001
DIFFERENCE_FEW = 2
# A page that goes backwards again and again is that of several instances in turn, behind one address.
RESTARTS_MOST = 2
# A worker that is cut off stops its users within so many seconds; until then, the target serves what nobody tells of.
CUT_OFF_S = 10.0


@dataclass
class Served:
    """What the target counted between the first and the last look at it, by "METHOD ROUTE".

    `first` and `last` are the seconds of these looks. `is_whole` says that nothing it served in between is missing.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    is_whole: bool = True


def served(target: dict[str, list[tuple[int, TargetSecond]]]) -> Served | None:
    """Add up what all instances counted; None where none counts by method and route, or it makes no sense."""
    looks = {name: counted(told) for name, told in target.items()}
    looks = {name: told for name, told in looks.items() if len(told) > 1}
    if not looks:
        return None
    made = Served(first=min(told[0][0] for told in looks.values()), last=max(told[-1][0] for told in looks.values()))
    for told in looks.values():
        restarts = _add(made.counts, [counts for _, counts in told])
        if restarts > RESTARTS_MOST:
            return None
        at_the_ends = told[0][0] <= made.first + 1 and told[-1][0] >= made.last - 1
        made.is_whole = made.is_whole and not restarts and at_the_ends
    return made


def counted(told: Sequence[tuple[int, TargetSecond]]) -> list[tuple[int, dict[str, int]]]:
    """Return what one instance counted at each look; nothing when it never counts.

    A counter with labels is not on the page before it first counts: until then it stands at 0.
    """
    if all(one.requests is None for _, one in told):
        return []
    return [(t, one.requests or {}) for t, one in told]


def matched(evidence: Evidence, found: Served | None) -> set[str]:
    """Return those "METHOD ROUTE" of the target that are an endpoint's method and name, without its query."""
    return {_key(*key) for key in evidence.timeline.cells} & set(found.counts) if found else set()


def total_served(evidence: Evidence) -> int | None:
    """Return how many requests the target counted for the endpoints that it knows by name; None where none."""
    found = served(evidence.timeline.target)
    keys = matched(evidence, found)
    return sum(found.counts[key] for key in keys) if found and keys else None


def reasons(evidence: Evidence, accounting: Accounting) -> Iterator[Reason]:
    """Yield where both disagree by more than requests that were lost or on their way can explain."""
    found = served(evidence.timeline.target)
    keys = matched(evidence, found)
    if found is None or not keys:
        yield note("target-silent", "The target does not count these requests itself: both sides were not compared.")
        return
    total = sum(found.counts[key] for key in keys)
    least, most = _bounds(evidence, found, keys, accounting)
    if total > most:
        yield _differ("served-more", total, most, "at most", "hidden retries, redirects or other traffic")
    elif total < least and found.is_whole:
        cause = "some answers came from elsewhere, or from an instance that was not asked"
        yield _differ("served-less", total, least, "at least", cause)


def _differ(code: str, total: int, bound: int, word: str, cause: str) -> Reason:
    difference = abs(total - bound)
    share = difference / max(1, bound) if difference > DIFFERENCE_FEW else 0.0
    text = f"The target counted {many(total, 'request')} where the workers made {word} {bound:,}"
    if share > DIFFERENCE_MOST:
        return invalid(code, f"{text} ({percent(100 * share)} off): {cause}.")
    if share > DIFFERENCE_NOTABLE:
        return degraded(code, f"{text} ({percent(100 * share)} off): {cause}.")
    return note(code, f"{text}.")


def _bounds(evidence: Evidence, found: Served, keys: set[str], accounting: Accounting) -> tuple[int, int]:
    """Return how many requests the target must have served between the two looks, and how many it can have.

    A look is at some moment of its second, hence a second on either side. Successes were served for certain;
    failures, killed requests and those of lost workers may or may not have reached it, as may what has another name.
    """
    least = most = 0
    methods = {key.split(" ", 1)[0] for key in keys}
    sure_from = 0 if found.first < 0 else found.first + 2
    sure_to = evidence.timeline.length if found.last >= evidence.timeline.length else found.last - 1
    for (method, name), cells in evidence.timeline.cells.items():
        is_matched = _key(method, name) in keys
        for t, cell in cells:
            if found.first - 1 <= t <= found.last + 1 and (is_matched or method in methods):
                most += _count(cell)
            if is_matched and sure_from <= t < sure_to and cell.ok:
                least += cell.ok.n
    cut_off = sum(absence.throughput_rps * CUT_OFF_S for absence in evidence.absences if not absence.has_left)
    unknown = accounting.killed + accounting.in_flight + accounting.unjudged + accounting.lost_at_most
    return least, most + unknown + math.ceil(cut_off)


def _add(counts: dict[str, int], looks: Sequence[dict[str, int]]) -> int:
    """Add what one instance counted between looks, and return how often it began anew: at 0, thus all is new."""
    restarts = 0
    for old, new in pairwise(looks):
        restarted = any(number < old.get(key, 0) for key, number in new.items())
        restarts += restarted
        for key, number in new.items():
            counts[key] = counts.get(key, 0) + number - (0 if restarted else old.get(key, 0))
    return restarts


def _count(cell: Cell) -> int:
    return (cell.ok.n if cell.ok else 0) + (cell.failed.n if cell.failed else 0)


def _key(method: str, name: str) -> str:
    return f"{method} {name.partition('?')[0]}"
