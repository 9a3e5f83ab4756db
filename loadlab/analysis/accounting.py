"""Where every request went: the workers' own counters against each other and against what was written down."""

from __future__ import annotations

import math
from collections.abc import Iterator

from loadlab.analysis.evidence import REPORT_S, Evidence, degraded, invalid, last_throughput_rps, note
from loadlab.analysis.recording import EventKind, WorkerCounters
from loadlab.analysis.summary import Accounting, Reason
from loadlab.analysis.wording import many, percent

# Fewer than so many requests missing from the figures cannot move a share of failures of 1% to the other side of it by
# themselves; more can, and what is missing is not a fair sample.
MISSING_MOST = 0.01


def account(evidence: Evidence, served: int | None) -> Accounting:
    """Return where every request went. `served` is what the target counted."""
    counters = evidence.run.counters
    return Accounting(
        started=sum(one.started for one in counters),
        answered=sum(one.answered for one in counters),
        killed=sum(one.killed for one in counters),
        in_flight=sum(one.in_flight for one in counters),
        recorded=evidence.totals.requests,
        unjudged=sum(max(0, one.answered - one.recorded) for one in counters),
        lost_at_most=sum(lost_at_most(evidence, one) for one in counters),
        served=served,
    )


def lost_at_most(evidence: Evidence, counters: WorkerCounters) -> int:
    """Return how many requests a worker that did not say its last word can have made that are in no figure.

    Those on their way at its last report, those that the report counted but did not yet tell of, and as many as it
    made in one report's time before.
    """
    if counters.final or not _is_over(evidence):
        return 0
    known = [absence.throughput_rps for absence in evidence.absences if absence.worker == counters.worker]
    throughput_rps = known[-1] if known else last_throughput_rps(evidence.timeline, counters.worker)
    untold = max(0, counters.recorded - _told(evidence, counters.worker))
    return counters.in_flight + untold + math.ceil(throughput_rps * REPORT_S)


def reasons(evidence: Evidence) -> Iterator[Reason]:
    """Yield what does not add up."""
    if not evidence.totals.requests:
        yield invalid("no-requests", "Not a single request was recorded.")
    yield from _identity(evidence)
    yield from _written_down(evidence)
    yield from _unjudged(evidence)


def _is_over(evidence: Evidence) -> bool:
    """Tell whether the counters are those of the end: a run cut short by a crash has none."""
    return evidence.run.duration_s is not None


def _told(evidence: Evidence, worker: int) -> int:
    column = evidence.timeline.workers.get(worker)
    return int(column.requests.sum()) if column else 0


def _identity(evidence: Evidence) -> Iterator[Reason]:
    off = {
        one.worker: one.started - one.answered - one.killed - one.in_flight
        for one in evidence.run.counters
        if one.started != one.answered + one.killed + one.in_flight
    }
    if off:
        worst = max(off, key=lambda worker: abs(off[worker]))
        total = sum(abs(number) for number in off.values())
        yield invalid(
            "accounting",
            f"{many(total, 'request')} started by the workers cannot be accounted for: neither answered, killed nor "
            f"on their way (worker {worst}: {off[worst]:+,}).",
        )


def _written_down(evidence: Evidence) -> Iterator[Reason]:
    if not _is_over(evidence):
        return
    missing = extra = 0
    for one in evidence.run.counters:
        difference = one.recorded - _told(evidence, one.worker)
        extra += max(0, -difference)
        missing += max(0, difference) if one.final else 0  # the lost ones' are among `lost_at_most`
    in_cells = evidence.totals.requests - sum(_told(evidence, worker) for worker in evidence.timeline.workers)
    extra, missing = extra + max(0, in_cells), missing + max(0, -in_cells)
    if extra:
        text = f"{many(extra, 'request')} more were written down than the workers counted: some were counted twice."
        yield invalid("doubled", text)
    if missing:
        yield _missing(evidence, missing)


def _missing(evidence: Evidence, missing: int) -> Reason:
    share = missing / max(1, sum(one.recorded for one in evidence.run.counters))
    lost = f"{many(missing, 'request')} ({percent(100 * share)}) that the workers recorded are in no figure"
    gaps = evidence.of_kind(EventKind.GAP)
    if gaps or evidence.recording.unreadable_lines:
        cause = f"{many(len(gaps), 'stretch', 'stretches')} of reports never came" if gaps else "lines are unreadable"
        if share <= MISSING_MOST:
            return degraded("reports-lost", f"{lost}: {cause}.")
        return invalid("reports-lost", f"{lost}, more than {percent(100 * MISSING_MOST)}: {cause}.")
    return invalid("records-lost", f"{lost}, and no lost report explains it.")


def _unjudged(evidence: Evidence) -> Iterator[Reason]:
    unjudged = sum(max(0, one.answered - one.recorded) for one in evidence.run.counters if one.final)
    if unjudged:
        yield degraded(
            "unjudged",
            f"{many(unjudged, 'answer')} came that the locustfile's own code dropped before they were judged: "
            "they are in no figure.",
        )
    own = sum(max(0, one.recorded - one.answered) for one in evidence.run.counters)
    if own:
        yield note(
            "own-events", f"{many(own, 'request')} were told by the locustfile itself, not seen by the recorder."
        )
