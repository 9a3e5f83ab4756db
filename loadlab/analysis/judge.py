"""Judges promises: was each kept, on how many samples, how sure is the measured value?

A percentile is judged by the recorder's exact counters, a share of failures by counting, never by a rounded figure.
A promise is passed on enough samples only; it is failed on few ones when even they show it (see docs/metrics.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from loadlab.analysis import intervals
from loadlab.analysis.distribution import Distribution
from loadlab.analysis.histogram import RELATIVE_ERROR
from loadlab.analysis.loads import Tally
from loadlab.analysis.slo import Outcome, Slo
from loadlab.analysis.summary import Interval, SloResult
from loadlab.analysis.timeline import Counts, Key
from loadlab.analysis.wording import figure, listed, many, ms, percent

MEAN_SAMPLES = 30  # from here on, the mean of most distributions is near enough to normal for its interval
THROUGHPUT_SECONDS = 3  # below, a second more or less at the edge is most of the figure
LAG_RANK = Fraction(99, 100)  # what the promise on the generator's lag is about
ROUNDING = 1e-9  # a bound that is the limit itself is not beyond it, whatever its last digit
UNANSWERED_S = 1.0  # a request given up at the stop sooner says nothing of the target


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Requests that were given up when the users were stopped, and how long they had waited, added up."""

    count: int = 0
    waited_s: float = 0.0

    def at_least(self, wait_s: float) -> int:
        """Return how many of them, at most, can have waited so long."""
        return min(self.count, math.floor(self.waited_s / wait_s)) if wait_s > 0 else self.count


@dataclass(frozen=True, slots=True)
class Sample:
    """What promises are judged on: a stretch of a run. `named` are the endpoints that promises ask for.

    `answers` are all that were answered in each second, `lag` is the workers' event loops' in that stretch.
    """

    all: Tally
    answers: Counts
    named: dict[Key, tuple[Tally, Counts]]
    known: tuple[Key, ...]
    thresholds_us: tuple[int, ...]
    lag: Distribution
    unanswered: Unanswered = Unanswered()


@dataclass(frozen=True, slots=True)
class _Finding:
    """What was found, before it is put in words; as in SloResult. `reason` is said of any outcome but insufficient."""

    measured: float | None
    samples: int
    needed: int
    is_kept: bool
    is_shown_broken: bool
    may_be_broken: int  # by so many unanswered requests, 0: whatever they were, it is kept
    reason: str
    beyond: int | None = None
    interval: tuple[float | None, float | None] | None = None
    noun: str = "success"


def judge(slo: Slo, sample: Sample) -> SloResult:
    """Return how a promise was judged."""
    if slo.metric == "lost-writes":
        reason = "No audit of the writes was made, so that nothing is known of lost ones."
        return SloResult(slo.text, Outcome.INSUFFICIENT, slo.unit, slo.limit, None, None, 0, 1, None, reason)
    tally, answers = sample.all, sample.answers
    if slo.method is not None and slo.name is not None:
        found = sample.named.get((slo.method, slo.name))
        if found is None or not found[0].requests:
            reason = f"{slo.method} {slo.name} was never requested; what was: {_names(sample.known)}."
            return SloResult(slo.text, Outcome.INSUFFICIENT, slo.unit, slo.limit, None, None, 0, 1, None, reason)
        tally, answers = found
    return _told(slo, _find(slo, sample, tally, answers))


def _find(slo: Slo, sample: Sample, tally: Tally, answers: Counts) -> _Finding:
    if slo.rank is not None:
        return _percentile(slo, sample, tally)
    simple: dict[str, Callable[[], _Finding]] = {
        "max": lambda: _max(slo, tally, sample.unanswered),
        "mean": lambda: _mean(slo, tally),
        "rps": lambda: _throughput(slo, answers),
        "fail": lambda: _fail(slo, tally, sample.unanswered),
        "lag": lambda: _lag(slo, sample.lag),
    }
    return simple[slo.metric]()


def _told(slo: Slo, found: _Finding) -> SloResult:
    outcome, reason = Outcome.PASS if found.is_kept else Outcome.FAIL, found.reason
    if found.samples < found.needed and not found.is_shown_broken:
        outcome = Outcome.INSUFFICIENT
        have = many(found.samples, found.noun, {"success": "successes"}.get(found.noun, ""))
        reason = f"{have} cannot show it: at least {found.needed:,} are needed."
    elif found.is_kept and found.may_be_broken:
        outcome = Outcome.INSUFFICIENT
        reason += (
            f" But {many(found.may_be_broken, 'request')} had no answer yet when the users were stopped: "
            "had they been answered badly, it would be broken."
        )
    interval = Interval(*found.interval) if found.interval and found.samples else None
    measured = found.measured if found.samples else None
    return SloResult(
        slo.text,
        outcome,
        slo.unit,
        slo.limit,
        measured,
        interval,
        found.samples,
        found.needed,
        found.beyond,
        reason,
    )


def _percentile(slo: Slo, sample: Sample, tally: Tally) -> _Finding:
    assert slo.rank is not None
    assert slo.threshold_us is not None
    n, share, upper = tally.successes, Fraction(str(slo.rank)) / 100, slo.operator in ("<", "<=")
    slow, is_exact = _slow(slo.threshold_us, sample.thresholds_us, tally)
    # The value is beyond the threshold when fewer than ceil(share * n) values are below it.
    position = math.ceil(share * n)
    is_below = n - slow >= position
    bad, allowed = (slow, 1 - share) if upper else (n - slow, share)
    waiting = sample.unanswered.at_least(slo.limit / 1000) if upper else 0
    would_hold = n - slow >= math.ceil(share * (n + waiting))
    measured = _on_its_side(tally.ok.percentiles_us([slo.rank])[0], slo.threshold_us, is_below)
    low, high = intervals.quantile_positions(n, share) if n else (None, None)
    ends = tally.ok.at_us([low or 0, high or 0])
    return _Finding(
        measured=None if measured is None else measured / 1000,
        samples=n,
        needed=intervals.success_run(float(share)),
        is_kept=is_below == upper,
        is_shown_broken=n > 0 and intervals.proportion_low(bad, n) > float(allowed) + ROUNDING,
        may_be_broken=0 if would_hold else waiting,
        reason=_percentile_reason(slo, n, bad, allowed, is_exact),
        beyond=bad,
        interval=(None if ends[0] is None else ends[0] / 1000, None if ends[1] is None else ends[1] / 1000),
    )


def _percentile_reason(slo: Slo, n: int, bad: int, allowed: Fraction, is_exact: bool) -> str:
    word = {"<": "or more", "<=": "longer than", ">": "or less", ">=": "less than"}[slo.operator]
    limit = f"{ms(slo.limit)} {word}" if word.startswith("or") else f"{word} {ms(slo.limit)}"
    share = percent(100 * bad / n) if n else "none"
    reason = f"{bad:,} of {many(n, 'success', 'successes')} ({share}) took {limit}; "
    reason += f"{'at most' if slo.operator in ('<', '<=') else 'less than'} {percent(float(100 * allowed))} may."
    if not is_exact:
        off = percent(100 * RELATIVE_ERROR)
        reason += f" Judged from the histogram, up to {off} off: this run did not count against that limit."
    return reason


def _slow(threshold_us: int, thresholds_us: Sequence[int], tally: Tally) -> tuple[int, bool]:
    """Return how many successes took at least the threshold, and whether that was counted, not estimated."""
    if threshold_us in thresholds_us and tally.slow_counted == tally.successes:
        return int(tally.slow[thresholds_us.index(threshold_us)]), True
    return tally.ok.at_least(threshold_us), tally.successes == 0


def _on_its_side(value_us: float | None, threshold_us: int, is_below: bool) -> float | None:
    """Return a percentile from the histogram, moved within its error to the side of the threshold that was counted."""
    if value_us is None:
        return None
    return min(value_us, threshold_us - 1) if is_below else max(value_us, threshold_us)


def _max(slo: Slo, tally: Tally, unanswered: Unanswered) -> _Finding:
    n, longest = tally.successes, (tally.ok.max_us or 0) / 1000
    is_kept = slo.holds_for(longest)
    waiting = unanswered.at_least(slo.limit / 1000) if slo.operator in ("<", "<=") else 0
    reason = f"The longest of {many(n, 'success', 'successes')} took {ms(longest)}."
    return _Finding(longest, n, 1, is_kept, not is_kept, waiting, reason)


def _mean(slo: Slo, tally: Tally) -> _Finding:
    n, average, deviation = tally.successes, tally.ok.mean_us, tally.ok.deviation_us
    if average is None:
        return _Finding(None, 0, MEAN_SAMPLES, False, False, 0, "")
    ends = intervals.mean(average / 1000, deviation / 1000, n) if deviation is not None else None
    reason = f"{many(n, 'success', 'successes')} took {ms(average / 1000)} on average."
    return _Finding(average / 1000, n, MEAN_SAMPLES, slo.holds_for(average / 1000), False, 0, reason, None, ends)


def _throughput(slo: Slo, answers: Counts) -> _Finding:
    n = len(answers)
    if not n:
        return _Finding(None, 0, THROUGHPUT_SECONDS, False, False, 0, "", noun="second")
    average = float(answers.mean())
    ends = intervals.mean(average, float(np.std(answers, ddof=1)), n) if n > 1 else None
    reason = f"{many(int(answers.sum()), 'request')} in {many(n, 'second')} are {figure(average)} per second."
    kept = slo.holds_for(average)
    return _Finding(average, n, THROUGHPUT_SECONDS, kept, False, 0, reason, None, ends, noun="second")


def _fail(slo: Slo, tally: Tally, unanswered: Unanswered) -> _Finding:
    n, failures = tally.requests, tally.failures
    limit = Fraction(str(slo.limit))
    waiting = unanswered.at_least(UNANSWERED_S) if slo.operator in ("<", "<=") else 0
    low, high = intervals.proportion(failures, n) if n else (0.0, 1.0)

    def holds(bad: int, total: int) -> bool:
        # By fractions: 3 of 300 is 1%, whatever a float makes of it.
        left, right = Fraction(100 * bad), limit * total
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[slo.operator]

    share = 100 * failures / n if n else 0.0
    upper = slo.operator in ("<", "<=")
    shown = 100 * (intervals.proportion_low(failures, n) - ROUNDING) > slo.limit if n and upper else False
    return _Finding(
        measured=share,
        samples=n,
        needed=_requests_needed(slo.limit),
        is_kept=holds(failures, n),
        is_shown_broken=shown or (upper and slo.limit == 0 and failures > 0),
        may_be_broken=0 if holds(failures + waiting, n + waiting) else waiting,
        reason=f"{failures:,} of {many(n, 'request')} failed ({percent(share)}).",
        beyond=failures,
        interval=(100 * low, 100 * high),
        noun="request",
    )


def _requests_needed(limit_percent: float) -> int:
    """Return how many requests, none of them failed, show a share of failures below the limit (the rule of three).

    No number shows that nothing ever fails: a limit of 0% is taken as a promise on these requests alone.
    """
    return intervals.success_run(1 - limit_percent / 100) if limit_percent > 0 else 1


def _lag(slo: Slo, lag: Distribution) -> _Finding:
    n = lag.count
    position = math.ceil(LAG_RANK * n)
    low, high = intervals.quantile_positions(n, LAG_RANK) if n else (None, None)
    values = lag.at_us([position, low or 0, high or 0])
    measured, *ends = (None if value is None else value / 1000 for value in values)
    reason = f"In 99% of {many(n, 'probe')} the workers' event loops were at most {ms(measured or 0)} late."
    kept = measured is not None and slo.holds_for(measured)
    needed = intervals.success_run(float(LAG_RANK))
    return _Finding(measured, n, needed, kept, False, 0, reason, None, (ends[0], ends[1]), noun="probe")


def _names(known: Sequence[Key]) -> str:
    return listed([f"{method} {name}" for method, name in known], most=10) or "nothing"
