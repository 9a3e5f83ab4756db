"""Judges the window of a step of the search for the capacity: do the promises hold, and can that be believed?"""

from __future__ import annotations

from collections.abc import Sequence

from loadlab.analysis import promises as promised
from loadlab.analysis import saturation
from loadlab.analysis.evidence import Evidence
from loadlab.analysis.loads import Loads, tallied
from loadlab.analysis.recording import Recording, Run, Second
from loadlab.analysis.search import Judgement, StepOutcome
from loadlab.analysis.slo import Outcome, Slo
from loadlab.analysis.stages import Held
from loadlab.analysis.summary import Level, SloResult
from loadlab.analysis.timeline import columns
from loadlab.analysis.wording import many


def judge(run: Run, promises: Sequence[Slo], window: Sequence[Second], users: int) -> Judgement:
    """Return what the seconds of a window say of so many users.

    It is clear when both halves of the window say the same of every promise as the whole, and the interval of the whole
    lies on one side of the limit: neighbouring seconds are alike, so that the interval alone would be too sure.

    Raises:
        ValueError: a histogram is damaged.
    """
    span = range(window[0].t, window[-1].t + 1)
    middle = len(span) // 2
    halves = span[:middle], span[middle:]
    timeline = columns(window)
    loads = tallied(timeline, halves, (span,), len(run.thresholds_us), promised.named(promises))
    evidence = Evidence(
        Recording(run, list(window), []), timeline, [Held(users, span)], (span,), loads.all.over((span,))
    )
    if doubt := _doubt(evidence, users):
        return Judgement(StepOutcome.INVALID, doubt, True, False)
    results = promised.judged(promises, evidence, loads, (span,), is_last=False)
    broken = tuple(result.text for result in results if result.outcome == Outcome.FAIL)
    holds = all(_holds(slo, result) for slo, result in zip(promises, results, strict=True))
    is_clear = _agree(promises, evidence, loads, halves, results) and all(map(_is_aside, promises, results))
    if broken:
        reason = next(result.reason for result in results if result.outcome == Outcome.FAIL)
        return Judgement(StepOutcome.FAIL, f"{broken[0]}: {reason}", is_clear, False, broken)
    few = [result for result in results if result.outcome == Outcome.INSUFFICIENT]
    if few:
        return Judgement(StepOutcome.INSUFFICIENT, f"{few[0].text}: {few[0].reason}", False, holds)
    return Judgement(StepOutcome.PASS, _kept(results), is_clear, True)


def _doubt(evidence: Evidence, users: int) -> str | None:
    """Return why the window cannot be believed; None when it can."""
    for reason in saturation.reasons(evidence):
        if reason.level is Level.INVALID:
            return reason.text
    ran = evidence.timeline.users[evidence.window_places]
    fewest = int(ran.min(initial=users))
    return f"only {fewest} of {many(users, 'user')} ran" if fewest < users else None


def _agree(
    promises: Sequence[Slo],
    evidence: Evidence,
    loads: Loads,
    halves: tuple[range, range],
    whole: Sequence[SloResult],
) -> bool:
    for half in halves:
        results = promised.judged(promises, evidence, loads, (half,), is_last=False)
        if any(_holds(slo, a) != _holds(slo, b) for slo, a, b in zip(promises, results, whole, strict=True)):
            return False
    return True


def _holds(slo: Slo, result: SloResult) -> bool:
    """Tell whether what was measured holds, on however few samples; what was not measured may."""
    return result.measured is None or slo.holds_for(result.measured)


def _is_aside(slo: Slo, result: SloResult) -> bool:
    """Tell whether all of the interval lies on one side of the limit."""
    if result.interval is None:
        return True
    ends = (result.interval.low, result.interval.high)
    if None in ends:  # open to the side that is not known
        return False
    return len({slo.holds_for(end) for end in ends if end is not None}) == 1


def _kept(results: Sequence[SloResult]) -> str:
    told = [f"{result.text}: {result.reason}" for result in results]
    return told[0] if told else "nothing was promised"
