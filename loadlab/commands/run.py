"""`./lab run`: one run from its plan to its verdict, on the rig that is up or on one of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from loadlab.analysis.recording import Status
from loadlab.analysis.summary import Summary
from loadlab.commands import collecting, live, planning, reporting, rig
from loadlab.commands.following import End, Follower, How
from loadlab.commands.interrupts import Interrupts
from loadlab.commands.planning import Asked
from loadlab.commands.screen import aside, console
from loadlab.errors import Exit, LabError, UsageError
from loadlab.plan import RunPlan
from loadlab.rig import fleet
from loadlab.rig.engine import Engine, RigState, ui_url
from loadlab.rig.master import Master, RefusedError
from loadlab.rig.settings import load
from loadlab.runfolder import RunFolder

PROMPT_S = 4.0  # after its last word: by then whoever waits for a command is told that the master is dead


@dataclass(frozen=True)
class Place:
    """Where a run is to happen: a rig that is up; `is_ours`: this command brought it up."""

    engine: Engine
    ui: str
    workers: int
    stop_timeout_s: float
    is_ours: bool


@dataclass(frozen=True)
class Outcome:
    """What a run left: how it ended, its folder on this host, and its report where that is still being made."""

    run_id: str
    end: End
    folder: RunFolder | None
    making: reporting.Making | None


def start(asked: Asked) -> int:
    """Run what was asked for, show it, bring its folder here, print the verdict, and return the exit code."""
    out = aside if asked.as_json else console
    plan = planning.make(asked)
    collecting.check_room()
    place = find_place(asked, out)
    is_down = True
    try:
        outcome = lead(place, plan.model_copy(update={"workers": place.workers}), out)
    finally:
        if place.is_ours and not asked.keep:
            is_down = take_down(place.engine, out)
    if place.is_ours and asked.keep:
        out.print(f"The rig stays up: {place.ui}. './lab down' takes it down.")
    code = _tell(outcome, place, asked, out)
    return code if is_down else code or Exit.TOOL_ERROR


def find_place(asked: Asked, out: Console) -> Place:
    """Return a rig that is ready: the one that is up, with as many workers as are asked for, or a new one.

    Raises:
        LabError: there can be none, or a run is active on the one that is up.
    """
    settings = load({"workers": asked.workers})
    engine = rig.engine_for(asked.engine)
    planning.check_reachable(asked.host, engine.name, settings)
    state = engine.state()
    if state is None:
        fleet.check_api(settings)
        rig.bring_up(engine, settings, tied=not asked.keep, out=out)
        return Place(engine, ui_url(settings), settings.workers, settings.stop_timeout_s, is_ours=True)
    _check_idle(state)
    workers = state.count("worker")
    if asked.workers is not None and settings.workers != workers:
        workers = scale(engine, state, asked.workers, out)
    if not workers:
        raise LabError("No worker runs on the rig that is up: './lab run --workers 2' starts two.")
    return Place(engine, state.ui_url, workers, settings.stop_timeout_s, is_ours=False)


def scale(engine: Engine, state: RigState, workers: str, out: Console) -> int:
    """Give a rig that is up so many workers, all else as it is, wait until they are ready, and return how many."""
    as_it_is = {"api_replicas": state.count("api") or None, "lb": rig.balanced(state.count("lb") > 0)}
    settings = load({"workers": workers, **as_it_is})
    rig.bring_up(engine, settings, tied=False, out=out)
    return settings.workers


def _check_idle(state: RigState) -> None:
    """Refuse a rig on which a run is active, or whose master cannot run one."""
    try:
        active = Master(state.ui_url).runs()["active"]
    except RefusedError:
        raise LabError(
            "The rig that is up was started by another version of loadlab. Run './lab down' first."
        ) from None
    if active is not None:
        raise LabError(f"Run {active} is active on the rig that is up: wait for its end, or stop it at {state.ui_url}.")


def lead(place: Place, plan: RunPlan, out: Console) -> Outcome:
    """Start the run, follow it to its end, and bring here what it left."""
    master = Master(place.ui)
    collecting.acquaint(master)
    with Interrupts() as interrupts:
        run_id = _create(master, plan)
        out.print(f"Run {run_id}: {live.describe(plan)}", markup=False)
        with live.view(out) as view:
            end = Follower(place.engine, master, run_id, place.stop_timeout_s).follow(view, interrupts)
    if end.why:
        aside.print(f"The run was cut short: {end.why}", style="red", markup=False)
    folder = _bring(place.engine, master, run_id, end)
    # Beside the rig's going down: both take seconds.
    is_due = folder is not None and end.how is not How.GIVEN_UP and not folder.summary.exists()
    return Outcome(run_id, end, folder, reporting.Making(folder) if folder is not None and is_due else None)


def summary_of(outcome: Outcome) -> Summary | None:
    """Return what a run means, once its report is made; None when nothing is known of it."""
    if outcome.making is not None:
        return outcome.making.wait()
    return outcome.folder.read_summary() if outcome.folder is not None else None


def _create(master: Master, plan: RunPlan) -> str:
    try:
        return master.create(plan.model_dump(mode="json"))
    except RefusedError as error:
        raise (UsageError if error.status == 400 else LabError)(str(error)) from None


def _bring(engine: Engine, master: Master, run_id: str, end: End) -> RunFolder | None:
    """Copy the run's folder here, past a master that does not answer any more; None when there is nothing to be had."""
    if end.how in (How.REPORTED, How.UNREPORTED):
        try:
            return collecting.keep(run_id, lambda to: master.fetch(run_id, to))
        except LabError as error:
            aside.print(str(error), style="yellow", markup=False)
    try:
        return collecting.keep(run_id, lambda to: _salvage(engine, run_id, to))
    except LabError as error:
        aside.print(f"Nothing of the run could be copied: {error}", style="red", markup=False)
        return None


def _salvage(engine: Engine, run_id: str, to: Path) -> None:
    if not engine.salvage(run_id, to):
        raise LabError(f"the rig has no folder of run {run_id}, or it cannot be reached.")


def take_down(engine: Engine, out: Console) -> bool:
    """Take the rig down, and tell whether that went well: the verdict is to be seen either way."""
    out.print("Taking the rig down ...")
    try:
        rig.take_down(engine, out)
    except LabError as error:
        aside.print(str(error), style="red", markup=False)
        return False
    return True


def _tell(outcome: Outcome, place: Place, asked: Asked, out: Console) -> int:
    """Print what the run came to, and return its exit code."""
    folder, end, making = outcome.folder, outcome.end, outcome.making
    if folder is None:
        return Exit.INTERRUPTED
    if making and end.how is How.LOST and not place.is_ours and not making.is_made_by(end.heard_at + PROMPT_S):
        out.print(f"Its report is still being made: {collecting.shown(folder.html)}", markup=False)
        return Exit.INTERRUPTED
    summary = summary_of(outcome)
    if summary is None or end.how is How.GIVEN_UP:
        path = collecting.shown(folder.path)
        out.print(f"What was written of the run is in {path}: './lab report {folder.id}' reports it.", markup=False)
    elif asked.as_json:
        out.print(f"{summary.headline} ({collecting.shown(folder.html)})", markup=False)
        reporting.print_json(folder.summary)
    else:
        out.print()
        reporting.show(folder, summary, collecting.shown(folder.html), out)
    return _exit_code(summary, end)


def _exit_code(summary: Summary | None, end: End) -> int:
    """Return the verdict's exit code, unless the run was not what was planned, or there is no verdict."""
    if end.how in (How.LOST, How.GIVEN_UP):
        return Exit.INTERRUPTED
    if summary is None:
        return Exit.TOOL_ERROR
    if end.interrupted and summary.status != Status.FINISHED:
        return Exit.INTERRUPTED
    return summary.exit_code
