"""Was the load what was asked for? Workers that went away, users that were missing, reports and clocks amiss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loadlab.analysis.accounting import lost_at_most
from loadlab.analysis.evidence import Absence, Evidence, degraded, invalid, note
from loadlab.analysis.recording import ENDS, EventKind, Status
from loadlab.analysis.stages import SHORTEST_S
from loadlab.analysis.summary import Reason
from loadlab.analysis.wording import figure, listed, many, moments, ms, percent, seconds

# Users are given to other workers within 10 s of a loss; a stop that comes sooner leaves no time for it.
RESTORE_S = 10.0
# Throughput falls short by as much as the users do. Up to a tenth is stated; more is another test than was asked for.
USERS_OFF_MOST = 0.10
USERS_OFF_NOTABLE = 0.01
# Answers are counted in the second in which they came: a clock that is off moves one in twenty to its neighbour.
CLOCK_OFF_MOST_S = 0.05


def reasons(evidence: Evidence) -> Iterator[Reason]:
    """Yield how the load and its record were not what was asked for."""
    yield from _ended(evidence)
    yield from _absences(evidence)
    yield from _users(evidence)
    yield from _never_held(evidence)
    yield from _short_stages(evidence)
    yield from _few_workers(evidence)
    yield from _silenced(evidence)
    yield from _incomplete(evidence)
    yield from _clocks(evidence)


def _ended(evidence: Evidence) -> Iterator[Reason]:
    run = evidence.run
    if run.status is Status.ABORTED:
        why = "all workers were gone" if run.stopped_by == "no-workers" else "it ended by itself"
        yield invalid("aborted", f"The run was aborted after {seconds(evidence.timeline.length)}: {why}.")
    elif run.status is Status.INTERRUPTED:
        by = f" by {run.stopped_by}" if run.stopped_by else ""
        yield note("interrupted", f"The run was stopped{by} at {seconds(round(evidence.stop_s))}, before its end.")
    elif run.status not in ENDS:
        length = evidence.timeline.length
        yield degraded(
            "cut-short", f"The recording breaks off after {seconds(length)}: the master did not end the run."
        )


def _absences(evidence: Evidence) -> Iterator[Reason]:
    lost = [one for one in evidence.absences if not one.has_left and one.end_s is None]
    for one in lost:
        if one.restored_s is None and evidence.stop_s - one.start_s >= RESTORE_S:
            text = f"Worker {one.worker} was lost at {_at(one.start_s)} and its load was not restored."
            yield invalid("load-not-restored", text)
        else:
            yield degraded("worker-lost", _lost(evidence, one))
    for one in evidence.absences:
        if one.end_s is not None:
            away = seconds(round(one.end_s - one.start_s, 1))
            text = f"Worker {one.worker} did not answer for {away} from {_at(one.start_s)} on"
            is_whole = any(counters.final for counters in evidence.run.counters if counters.worker == one.worker)
            yield degraded("worker-away", f"{text}; it came back{' with all its reports' if is_whole else ''}.")
        elif one.has_left:
            text = f"Worker {one.worker} left at {_at(one.start_s)}, before the run's end"
            yield degraded("worker-left", f"{text}; its last report is in.")
    told = {one.worker for one in lost}
    late = [one.worker for one in evidence.run.counters if not one.final and one.worker not in told]
    if late and evidence.run.duration_s is not None:
        number = sum(lost_at_most(evidence, one) for one in evidence.run.counters if one.worker in late)
        who = listed([f"worker {worker}" for worker in late])
        text = f"The last report of {who} did not come: at most {many(number, 'request')} more are in no figure."
        yield degraded("no-last-report", text)


def _lost(evidence: Evidence, lost: Absence) -> str:
    number = sum(lost_at_most(evidence, one) for one in evidence.run.counters if one.worker == lost.worker)
    text = f"Worker {lost.worker} was lost at {_at(lost.start_s)} (last heard of at {lost.told_s} s): "
    if lost.restored_s is not None:
        text += f"all users ran again at {_at(lost.restored_s)}, "
    else:
        text += "the run was stopped before its users could run elsewhere, "
    return text + f"and at most {many(number, 'request')} that it made are in no figure."


def _users(evidence: Evidence) -> Iterator[Reason]:
    """Compare the users that ran with those that were ordered, in the stages: added up over their seconds."""
    if not evidence.held:
        return
    wanted = evidence.timeline.target_users[evidence.window_places]
    ran = evidence.timeline.users[evidence.window_places]
    told = wanted > 0
    total = int(wanted[told].sum())
    if not total:
        return
    short = int(np.maximum(0, wanted - ran)[told].sum()) / total
    over = int(np.maximum(0, ran - wanted)[told].sum()) / total
    if short > USERS_OFF_NOTABLE:
        text = f"The load was {percent(100 * short)} below what was asked for, in users over the measured time"
        is_bad = short > USERS_OFF_MOST
        yield invalid("users-short", f"{text}.") if is_bad else degraded("users-short", f"{text}.")
    if over > USERS_OFF_NOTABLE:
        text = f"The load was {percent(100 * over)} above what was asked for, in users over the measured time."
        yield degraded("users-over", text)


def _never_held(evidence: Evidence) -> Iterator[Reason]:
    if not evidence.held and evidence.timeline.length:
        most = int(evidence.timeline.users.max(initial=0))
        yield degraded(
            "never-held",
            f"The planned number of users was never held for long enough to be measured ({many(most, 'user')} at "
            "most): all of the run is measured, its ramp included.",
        )


def _short_stages(evidence: Evidence) -> Iterator[Reason]:
    dropped = len(evidence.of_kind(EventKind.STAGE_STARTED)) - len(evidence.held)
    if evidence.held and dropped > 0:
        text = f"Left out, because they lasted fewer than {SHORTEST_S} whole seconds: {many(dropped, 'stage')}."
        yield degraded("short-stage", text)


def _few_workers(evidence: Evidence) -> Iterator[Reason]:
    present = workers_most(evidence)
    if 0 < present < evidence.run.expected_workers:
        of = many(evidence.run.expected_workers, "worker")
        yield degraded("few-workers", f"Only {present} of the {of} that were asked for took part.")


def workers_most(evidence: Evidence) -> int:
    """Return how many workers took part in the run at the same time, at most."""
    columns = [column.present for column in evidence.timeline.workers.values()]
    return int(np.sum(columns, axis=0).max()) if columns and evidence.timeline.length else 0


def _silenced(evidence: Evidence) -> Iterator[Reason]:
    who = [f"worker {event.worker} at {_at(event.t)}" for event in evidence.of_kind(EventKind.WORKER_SILENCED)]
    if who:
        text = f"Cut off from the master and stopped by themselves: {listed(who)}."
        yield degraded("silenced", text)


def _incomplete(evidence: Evidence) -> Iterator[Reason]:
    missing = [int(t) for t in evidence.timeline.missing]
    if missing:
        text = f"There is no record of {many(len(missing), 'second')} of the run: {moments(missing)}."
        yield degraded("gaps", text)
    bad = evidence.recording.unreadable_lines
    if bad:
        yield degraded("unreadable", f"Left out, because they cannot be read: {many(bad, 'line')} of the run's files.")
    late = [t for event in evidence.of_kind(EventKind.LATE) for t in _late_seconds(event.data.get("seconds"))]
    if late:
        text = f"Reports of {many(len(set(late)), 'second')} came late ({moments(late)}); they are counted."
        yield degraded("late", text)


def _late_seconds(told: object) -> list[int]:
    return [t for t in told if isinstance(t, int)] if isinstance(told, list) else []


def _clocks(evidence: Evidence) -> Iterator[Reason]:
    off = {worker: float(np.abs(one.clock_offset_s).max()) for worker, one in evidence.timeline.workers.items()}
    wrong = [worker for worker in sorted(off) if off[worker] > CLOCK_OFF_MOST_S]
    if wrong:
        who = listed([f"worker {worker} by {ms(1000 * off[worker])}" for worker in wrong])
        text = f"Clocks differ from the master's: {who}; what came there may be counted in the second beside its own."
        yield degraded("clock", text)


def _at(t: float) -> str:
    return f"{figure(round(t, 1))} s"
