"""What a summary says between the lines, for text, page and JUnit alike."""

from __future__ import annotations

from loadlab.analysis.recording import Run, Status
from loadlab.analysis.summary import Endpoint, Level, Reason, Summary
from loadlab.plan import RunPlan
from loadlab.report import words

PARTIAL = "The recording is partial: its end is missing, or lines of it cannot be read."


def held_s(summary: Summary) -> float:
    """Return how long the measured window is: the stages without the ramps between them."""
    held = sum(stage.load.end_s - stage.load.start_s for stage in summary.stages)
    return held or summary.window.end_s - summary.window.start_s


def planned_s(run: Run) -> float | None:
    """Return how long the run was to take, ramps included; None where it was without end, or is not told."""
    try:
        return RunPlan.model_validate(run.plan).planned_s()
    except ValueError:
        return None


def ending(summary: Summary, run: Run) -> str | None:
    """Return how a run ended that did not reach its end, in a sentence; None of others."""
    if summary.status == Status.FINISHED:
        return None
    planned = planned_s(run)
    of = f" of {words.span(planned)} planned" if planned is not None else ""
    by = f" by {words.plain(run.stopped_by)}" if run.stopped_by else ""
    lasted = words.span(summary.totals.end_s - summary.totals.start_s)
    if summary.status in (Status.INTERRUPTED, Status.ABORTED):
        return f"The run was {summary.status}{by} after {lasted}{of}."
    return f"The run is recorded for {lasted}{of}, and not its end: it was {summary.status} then."


def doubts(summary: Summary) -> list[Reason]:
    """Return the reasons that take something from the measurement's validity, the worst first."""
    return [reason for reason in summary.validity.reasons if reason.level is not Level.VALID]


def busiest(summary: Summary) -> list[Endpoint]:
    """Return the endpoints, those with the most requests first."""
    return sorted(summary.endpoints, key=lambda one: (-one.load.requests, one.method, one.name))
