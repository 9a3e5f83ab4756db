"""From what a run recorded to what it means: puts the rooms of the analysis together."""

from __future__ import annotations

from collections.abc import Sequence

from loadlab.analysis import bottleneck, drift, health, reliability, stages, validity, verdict
from loadlab.analysis.distribution import Distribution
from loadlab.analysis.evidence import Evidence, read_lags
from loadlab.analysis.fleet import workers_most
from loadlab.analysis.judge import Sample, Unanswered, judge
from loadlab.analysis.loads import Loads, tallied
from loadlab.analysis.recording import Recording, Run
from loadlab.analysis.slo import Outcome, Slo, parse
from loadlab.analysis.stages import Held, Seconds
from loadlab.analysis.summary import SloResult, Stage, Summary
from loadlab.analysis.timeline import Key, Timeline, columns


def summarise(recording: Recording, slos: Sequence[str] | None = None) -> Summary:
    """Return what a recording means, judged by its own promises or by others. The same recording, the same summary.

    Raises:
        ValueError: a histogram in the recording is damaged.
        SloError: a promise cannot be read.
    """
    run = recording.run
    promises = tuple(parse(text) for text in (run.slo if slos is None else slos))
    timeline = columns(recording.seconds)
    held = stages.held(recording.events, timeline.length)
    window = stages.window(held, timeline.length)
    quarters = drift.quarters(held)
    loads = tallied(timeline, quarters or (), window, len(run.thresholds_us), _named(promises))
    whole = (range(timeline.length),)
    evidence = Evidence(recording, timeline, held, window, loads.all.over(whole))
    found = validity.check(evidence)
    results = _judged(promises, evidence, loads, window)
    reached = verdict.verdict(results, found, run)
    measured = loads.load(window)
    held_stages = _stages(promises, evidence, loads)
    return Summary(
        run=run.id,
        name=str(run.plan.get("name") or ""),
        status=str(run.status),
        partial=recording.partial,
        verdict=reached,
        exit_code=verdict.exit_code(reached, run),
        headline=verdict.headline(reached, run, results, found, verdict.load_line(measured, _users(held, timeline))),
        validity=found,
        slos=results,
        totals=loads.load(whole, _end_s(run, timeline.length)),
        window=measured,
        stages=held_stages,
        endpoints=loads.endpoints,
        reliability=reliability.reliability(timeline, evidence.totals, evidence.stop_s),
        workers=health.workers(evidence),
        target=health.target(evidence),
        drift=drift.drift(evidence, loads, quarters),
        users_max=int(timeline.users.max(initial=0)),
        workers_max=workers_most(evidence),
        bottleneck=bottleneck.find(evidence, loads, _hardest(held_stages, window), promises),
    )


def _hardest(held_stages: Sequence[Stage], window: Seconds) -> Seconds:
    """Return the seconds in which to look for a bottleneck: the first stage that broke a promise, else the largest."""
    if len(held_stages) < 2:
        return window
    broken = [one for one in held_stages if any(result.outcome == Outcome.FAIL for result in one.slos)]
    chosen = broken[0] if broken else max(held_stages, key=lambda one: one.users)
    return (range(int(chosen.load.start_s), int(chosen.load.end_s)),)


def _named(promises: Sequence[Slo]) -> set[Key]:
    """Return the endpoints that promises are about."""
    return {(slo.method, slo.name) for slo in promises if slo.method is not None and slo.name is not None}


def _users(held: Sequence[Held], timeline: Timeline) -> int:
    """Return the most users that were held, or at least ran."""
    return max((stage.users for stage in held), default=int(timeline.users.max(initial=0)))


def _end_s(run: Run, length: int) -> float:
    """Return when the run ended: within the last second that was recorded."""
    return min(float(length), max(run.duration_s, length - 1.0)) if run.duration_s is not None else float(length)


def _unanswered(run: Run) -> Unanswered:
    return Unanswered(sum(one.killed for one in run.counters), sum(one.killed_busy_s for one in run.counters))


def _judged(
    promises: Sequence[Slo], evidence: Evidence, loads: Loads, seconds: Seconds, *, is_last: bool = True
) -> tuple[SloResult, ...]:
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


def _stages(promises: Sequence[Slo], evidence: Evidence, loads: Loads) -> tuple[Stage, ...]:
    made = []
    for number, stage in enumerate(evidence.held, 1):
        seconds: Seconds = (stage.seconds,)
        is_last = number == len(evidence.held)  # what was unanswered at the stop was asked for in the last one
        results = _judged(promises, evidence, loads, seconds, is_last=is_last)
        made.append(Stage(number, stage.users, loads.load(seconds), results))
    return tuple(made)
