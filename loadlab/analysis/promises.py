"""Judges promises on any stretch of a run."""

from __future__ import annotations

from collections.abc import Sequence

from loadlab.analysis import stages
from loadlab.analysis.distribution import Distribution
from loadlab.analysis.evidence import Evidence, read_lags
from loadlab.analysis.judge import Sample, Unanswered, judge
from loadlab.analysis.loads import Loads
from loadlab.analysis.recording import Run
from loadlab.analysis.slo import Slo
from loadlab.analysis.stages import Seconds
from loadlab.analysis.summary import SloResult
from loadlab.analysis.timeline import Key


def named(promises: Sequence[Slo]) -> set[Key]:
    """Return the endpoints that promises are about."""
    return {(slo.method, slo.name) for slo in promises if slo.method is not None and slo.name is not None}


def judged(
    promises: Sequence[Slo], evidence: Evidence, loads: Loads, seconds: Seconds, *, is_last: bool = True
) -> tuple[SloResult, ...]:
    """Judge promises on some seconds. `is_last`: what was unanswered when the users were stopped was asked in them."""
    places = stages.places(seconds)
    has_lag = any(slo.metric == "lag" for slo in promises)
    sample = Sample(
        all=loads.all.over(seconds),
        answers=loads.all.answers[places],
        named={key: (tallies.over(seconds), tallies.answers[places]) for key, tallies in loads.named.items()},
        known=tuple(evidence.timeline.cells),
        thresholds_us=evidence.run.thresholds_us,
        lag=read_lags(evidence.timeline, seconds).fleet if has_lag else Distribution(),
        unanswered=_unanswered(evidence.run) if is_last else Unanswered(),
    )
    return tuple(judge(slo, sample) for slo in promises)


def _unanswered(run: Run) -> Unanswered:
    return Unanswered(sum(one.killed for one in run.counters), sum(one.killed_busy_s for one in run.counters))
