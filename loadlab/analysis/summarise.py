"""From what a run recorded to what it means: puts the rooms of the analysis together."""

from __future__ import annotations

from collections.abc import Sequence

from loadlab.analysis import bottleneck as bottlenecks
from loadlab.analysis import capacity as capacities
from loadlab.analysis import ceiling, drift, headroom, health, reliability, stages, validity, verdict
from loadlab.analysis import promises as promised
from loadlab.analysis.evidence import Evidence
from loadlab.analysis.fleet import workers_most
from loadlab.analysis.loads import Loads, tallied
from loadlab.analysis.recording import Recording, Run
from loadlab.analysis.slo import Outcome, Slo, parse
from loadlab.analysis.stages import Held, Seconds
from loadlab.analysis.summary import Level, Load, Stage, Summary
from loadlab.analysis.timeline import Timeline, columns


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
    search = capacities.found(recording.events, timeline.length)
    window = capacities.window(search, held, timeline.length)
    quarters = None if search else drift.quarters(held)
    spans = (*(quarters or ()), *(stage.seconds for stage in held), *capacities.spans(search, timeline.length))
    loads = tallied(timeline, spans, window, len(run.thresholds_us), promised.named(promises))
    whole = (range(timeline.length),)
    evidence = Evidence(recording, timeline, held, window, loads.all.over(whole))
    found = validity.check(evidence, [*capacities.doubts(search), *ceiling.doubts(evidence)])
    # What a search leaves unanswered is of users that were too many, not of the step that is judged.
    results = promised.judged(promises, evidence, loads, window, is_last=search is None)
    reached = capacities.verdict(search, verdict.verdict(results, found, run))
    measured = loads.load(window)
    answer = capacities.capacity(search, loads, promises, is_believed=found.level is not Level.INVALID)
    calibration = ceiling.measure(evidence, measured)
    judged_stages = _stages(promises, evidence, loads, is_search=search is not None)
    line = calibration.sentence.rstrip(".") if calibration else _load_line(measured, held, timeline)
    broke = capacities.first_broken(search, timeline.length)
    hardest = (broke,) if broke else window if search else _hardest(judged_stages, window)
    limiting = bottlenecks.find(evidence, loads, hardest, promises)
    answer = capacities.with_cause(answer, limiting)
    sentence = answer.sentence if answer else None
    return Summary(
        run=run.id,
        name=str(run.plan.get("name") or ""),
        status=str(run.status),
        partial=recording.partial,
        verdict=reached,
        exit_code=verdict.exit_code(reached, run),
        headline=verdict.headline(reached, run, results, found, line, sentence),
        validity=found,
        slos=results,
        totals=loads.load(whole, _end_s(run, timeline.length)),
        window=measured,
        stages=judged_stages,
        endpoints=loads.endpoints,
        reliability=reliability.reliability(timeline, evidence.totals, evidence.stop_s),
        workers=health.workers(evidence),
        target=health.target(evidence),
        drift=drift.drift(evidence, loads, quarters),
        users_max=int(timeline.users.max(initial=0)),
        workers_max=workers_most(evidence),
        capacity=answer,
        calibration=calibration,
        headroom=headroom.headroom(run, [one.load for one in judged_stages] or [measured], ceiling.rates_of(evidence)),
        bottleneck=limiting,
    )


def _hardest(held_stages: Sequence[Stage], window: Seconds) -> Seconds:
    """Return the seconds in which to look for a bottleneck: the first stage that broke a promise, else the largest."""
    if len(held_stages) < 2:
        return window
    broken = [one for one in held_stages if any(result.outcome == Outcome.FAIL for result in one.slos)]
    chosen = broken[0] if broken else max(held_stages, key=lambda one: one.users)
    return (range(int(chosen.load.start_s), int(chosen.load.end_s)),)


def _load_line(measured: Load, held: Sequence[Held], timeline: Timeline) -> str:
    """Return what the load was, by the users that were held, or at least ran: its figures are means of all stages."""
    users = max((stage.users for stage in held), default=int(timeline.users.max(initial=0)))
    return verdict.load_line(measured, users, is_even=len({stage.users for stage in held}) <= 1)


def _end_s(run: Run, length: int) -> float:
    """Return when the run ended: within the last second that was recorded."""
    return min(float(length), max(run.duration_s, length - 1.0)) if run.duration_s is not None else float(length)


def _stages(promises: Sequence[Slo], evidence: Evidence, loads: Loads, *, is_search: bool) -> tuple[Stage, ...]:
    made = []
    for number, stage in enumerate(evidence.held, 1):
        seconds: Seconds = (stage.seconds,)
        # What was unanswered at the stop was asked for in the last one.
        is_last = number == len(evidence.held) and not is_search
        results = promised.judged(promises, evidence, loads, seconds, is_last=is_last)
        made.append(Stage(number, stage.users, loads.load(seconds), results))
    return tuple(made)
