"""What a summary says between the lines, for text, page and JUnit alike."""

from __future__ import annotations

from loadlab.analysis.recording import Run, Status
from loadlab.analysis.search import Ending
from loadlab.analysis.summary import Capacity, CapacityStep, Endpoint, Level, Reason, Summary
from loadlab.plan import RunPlan
from loadlab.report import words

# Why a search came to no capacity, beside the most users that held.
NO_CAPACITY = {
    Ending.TIME: "found before the time was up",
    Ending.GENERATOR: "more could not be measured",
    Ending.ALL_HELD: "the most that were to be tried",
    Ending.NONE_HELD: "with a single user a promise broke",
    Ending.NOT_RECOVERED: "found before it collapsed for good",
    Ending.FEW_SAMPLES: "too few answers came to judge more",
}
# Where none held there is no "more".
NONE_HELD = NO_CAPACITY | {
    Ending.GENERATOR: "none could be measured",
    Ending.FEW_SAMPLES: "too few answers came to judge any",
}
PARTIAL = "The recording is partial: its end is missing, or lines of it cannot be read."


def held_s(summary: Summary) -> float:
    """Return how long the measured window is: the stages without the ramps between them; of a search, one step."""
    if summary.capacity is not None:
        return summary.window.end_s - summary.window.start_s
    held = sum(stage.load.end_s - stage.load.start_s for stage in summary.stages)
    return held or summary.window.end_s - summary.window.start_s


def step(summary: Summary) -> CapacityStep | None:
    """Return the step of a search that its figures are of; None of other runs, and where no step was measured."""
    window = (summary.window.start_s, summary.window.end_s)
    steps = summary.capacity.steps if summary.capacity else ()
    return next((one for one in steps if (one.start_s, one.end_s) == window), None)


def stretch(summary: Summary) -> str | None:
    """Return what the figures of a search are of, in words; None of other runs: the measured window."""
    if summary.capacity is None:
        return None
    found = step(summary)
    return f"step {found.number} at {words.many(found.users, 'user')}" if found else "all steps"


def capacity(found: Capacity, summary: Summary) -> tuple[str, str]:
    """Return what a search came to, and how sure that is or why it is no more."""
    if found.users is not None:
        lasted = words.span(held_s(summary))
        sure = f"confirmed: held for {lasted}" if found.confirmed else f"unconfirmed: held for {lasted} only"
        return words.many(found.users, "user"), sure
    if summary.validity.level is Level.INVALID and found.ending != Ending.GENERATOR:
        return words.NOTHING, "the measurement is invalid"
    held = f"≥ {words.many(found.held_users, 'user')}" if found.held_users else "none"
    known = {str(ending): why for ending, why in (NO_CAPACITY if found.held_users else NONE_HELD).items()}
    return held, known.get(found.ending, "the search was cut short")


def phase(step: CapacityStep) -> str:
    """Return what a step is for, and whether it was tried before."""
    return f"{step.phase} again" if step.attempt > 1 else step.phase


def users(summary: Summary) -> int:
    """Return with how many users the window's figures came about: the most that ran; of a search, those of the step."""
    found = step(summary)
    return found.users if found else summary.users_max


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
