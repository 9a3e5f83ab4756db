"""`./lab calibrate`: the generator's own ceiling, by a run of the user's scenario against a null target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadlab import calibrations
from loadlab.analysis.recording import Calibration, Status
from loadlab.analysis.summary import Summary
from loadlab.commands import collecting, planning, reporting, run
from loadlab.commands.following import How
from loadlab.commands.interrupts import Interrupts
from loadlab.commands.planning import Asked
from loadlab.commands.run import Outcome, Place
from loadlab.commands.screen import aside, console
from loadlab.errors import Exit, LabError
from loadlab.plan import RunPlan
from loadlab.report import words
from loadlab.rig import fleet
from loadlab.rig.engine import Engine, RigState
from loadlab.rig.settings import load
from loadlab.runfolder import CALIBRATION, CALIBRATION_FILE

USERS_EACH = 64  # of a worker: connections enough to keep it busy, few enough for short queues
TIME = "20s"
MOST_USERS_PER_S = 10_000.0
RAMP_S = 2.0
NAME = "calibration"


def start(asked: Asked) -> int:
    """Measure the ceiling, keep it for the reports to come, print it, and return the exit code."""
    out = aside if asked.as_json else console
    as_run = replace(asked, time=asked.time or TIME, spawn_rate=f"{MOST_USERS_PER_S:g}", name=NAME)
    plan = planning.make(as_run).model_copy(update={"slos": ()})
    collecting.check_room()
    with _workers_given_back(asked, out):
        place = run.find_place(asked, out)
        is_down = True
        try:
            outcome = _measure(asked, place, plan, out)
        finally:
            if place.is_ours:
                is_down = run.take_down(place.engine, out)
    code = _tell(outcome, asked, out)
    return code if is_down else code or Exit.TOOL_ERROR


@contextmanager
def _workers_given_back(asked: Asked, out: Console) -> Iterator[None]:
    """Leave a rig that was up with as many workers as it had, however the measurement with another number ends."""
    found = fleet.find() if asked.workers is not None else None
    try:
        yield
    finally:
        if found is not None:
            _give_back(*found, out)


def _give_back(engine: Engine, before: RigState, out: Console) -> None:
    workers = before.count("worker")
    with Interrupts():  # one more Ctrl-C does not leave the rig with what was only borrowed
        try:
            state = engine.state()
            if state is not None and workers and state.count("worker") != workers:
                out.print(f"The rig gets its {words.many(workers, 'worker')} back ...")
                run.scale(engine, before, str(workers), out)
        except LabError as error:
            told = f"It could not get its {words.many(workers, 'worker')} back: {error}"
            aside.print(told, style="red", markup=False)


def _measure(asked: Asked, place: Place, plan: RunPlan, out: Console) -> Outcome:
    """Run the scenario against a null target that is there for so long only."""
    settings = load({"workers": str(place.workers)})
    if asked.host is not None:
        settings = settings.model_copy(update={"target_host": asked.host})
    users = plan.users if asked.users is not None else USERS_EACH * place.workers
    try:
        null = place.engine.start_null_target(settings)
        target = {"host": null.url, "calibrates": null.target}
        load_ = {"workers": place.workers, "users": users, "spawn_rate": min(MOST_USERS_PER_S, users / RAMP_S)}
        return run.lead(place, plan.model_copy(update=target | load_), out)
    finally:
        if not place.is_ours:  # else all of it is taken down
            with suppress(LabError):  # the rig is gone, and the null target with it
                place.engine.stop_null_target()


def _tell(outcome: Outcome, asked: Asked, out: Console) -> int:
    """Print what the run showed, keep it, and return the exit code."""
    folder, making = outcome.folder, outcome.making
    summary = (making.wait() if making else folder.read_summary()) if folder else None
    if folder is None or summary is None or outcome.end.how is How.GIVEN_UP:
        return Exit.INTERRUPTED if outcome.end.how in (How.LOST, How.GIVEN_UP) else Exit.TOOL_ERROR
    if summary.status != Status.FINISHED or outcome.end.how is How.LOST:
        reporting.show(folder, summary, collecting.shown(folder.html), out)
        return Exit.INTERRUPTED
    kept = _keep(summary)
    if kept is None:
        reporting.show(folder, summary, collecting.shown(folder.html), out)
        return Exit.INVALID_MEASUREMENT
    if asked.as_json:
        print(CALIBRATION.dump(kept).decode())
    else:
        _show(kept, collecting.shown(folder.html))
    return Exit.OK


def _keep(summary: Summary) -> Calibration | None:
    try:
        return calibrations.keep(collecting.results(), summary)
    except OSError as error:
        raise LabError(f"The ceiling cannot be kept in {collecting.results()}: {error.strerror}.") from None


def _show(given: Calibration, page: str) -> None:
    console.print(Text.assemble(("CEILING", "bold green"), "  ", (given.sentence, "bold")), soft_wrap=False)
    for reservation in given.reservations:
        console.print(Text.assemble(("  ! ", "yellow"), words.plain(reservation)), soft_wrap=False)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    kept = collecting.shown(collecting.results() / CALIBRATION_FILE)
    for name, told in (
        ("workers", f"{given.workers}, {words.many(given.users, 'user')}, {_each(given)} requests/s each"),
        ("scenario", f"{given.scenario}, with the answers of {given.target}"),
        ("machine", ", ".join(_machine(given))),
        ("kept in", f"{kept}; reports of runs of this kind state their headroom from now on"),
        ("report", page),
    ):
        grid.add_row(name, Text(words.plain(told)))
    console.print(grid, soft_wrap=False)


def _each(given: Calibration) -> str:
    slowest, fastest = (words.number(rate) for rate in (given.worker_rps[0], given.worker_rps[-1]))
    return slowest if given.workers == 1 else f"{slowest} to {fastest}"


def _machine(given: Calibration) -> list[str]:
    number = given.machine.get("cores")
    cores = words.many(number, "core") if isinstance(number, int) else None
    told = [given.machine.get("cpu"), cores, given.machine.get("engine")]
    return [str(word) for word in told if word]
