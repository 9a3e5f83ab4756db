"""`./lab sweep`: one run, or one search, on a fresh rig for each number of workers or replicas; one report of all."""

from __future__ import annotations

import time
from dataclasses import replace

from rich.console import Console

from loadlab import report
from loadlab.analysis import scaling
from loadlab.analysis.recording import Status
from loadlab.analysis.scaling_told import name as name_of
from loadlab.analysis.scaling_told import why_none
from loadlab.analysis.sweep import Point, State, Sweep, SweepStatus
from loadlab.analysis.used import used
from loadlab.commands import collecting, rig, run, sweep_planning
from loadlab.commands.following import End, How
from loadlab.commands.interrupts import Interrupts
from loadlab.commands.run import Outcome, Place
from loadlab.commands.screen import aside, console, escape
from loadlab.commands.sweep_planning import Job, SweepAsked
from loadlab.errors import InterruptedRunError, LabError
from loadlab.plan import RunPlan
from loadlab.report import words
from loadlab.rig.engine import Engine, ui_url
from loadlab.runfolder import SweepFolder

LONGEST_RUN_NAME = 60


def start(asked: SweepAsked) -> int:
    """Make a sweep, or go on with one, show what it means, and return the exit code."""
    out = aside if asked.run.as_json else console
    job = sweep_planning.resumed(asked) if asked.resume is not None else sweep_planning.new(asked)
    left = sum(point.state is not State.MEASURED for point in job.sweep.points)
    out.print(f"Sweep {escape(job.folder.id)}: {words.many(left, 'point')} to measure on engine {job.engine.name}.")
    job.folder.write_sweep(job.sweep)
    status = SweepStatus.INTERRUPTED
    try:
        if left:
            _empty(job, out)
        status = _measure_all(job, out)
    except (KeyboardInterrupt, InterruptedRunError):
        out.print("Interrupted.")
    finally:
        job.folder.write_sweep(replace(job.folder.read_sweep(), status=status, ended=time.time()))
    return show(job.folder, as_json=asked.run.as_json, out=out)


def show(folder: SweepFolder, *, as_json: bool, out: Console) -> int:
    """Make the report of a sweep from its folder, print what it means, and return its exit code."""
    from loadlab.report import sweep_text

    sweep = report.make_sweep(folder)
    if as_json:
        print(folder.sweep.read_text(), end="")
    else:
        out.print()
        if out.is_terminal:
            out.print(sweep_text.render(sweep), soft_wrap=False)
        else:
            out.print(sweep_text.plain(sweep), end="", markup=False)
    out.print(f"[dim]report[/dim]   {escape(collecting.shown(folder.html))}")
    if sweep.status is not SweepStatus.FINISHED or any(point.state is not State.MEASURED for point in sweep.points):
        out.print(f"'./lab sweep --resume {escape(sweep.id)}' goes on with what is not measured.")
    return sweep.exit_code


def _empty(job: Job, out: Console) -> None:
    """Throw away what an earlier rig stored, once its runs are brought here: every point begins with nothing."""
    if not job.engine.is_keeping():
        return
    rig.bring_home(job.engine, next(iter(job.settings.values())), out)
    if _take_down(job.engine):
        raise KeyboardInterrupt


def _measure_all(job: Job, out: Console) -> SweepStatus:
    """Measure the points that are not yet, one after the other; what becomes of each is written down at once."""
    points = list(job.sweep.points)
    for place, point in enumerate(points):
        if point.state is State.MEASURED:
            continue
        out.print(f"\n[bold]Point {place + 1} of {len(points)}: {name_of(job.sweep, point)}[/bold]")
        outcome, error = _run(job, point, out)
        try:
            is_interrupted = _take_down(job.engine)
        finally:  # else the next point would find a rig up: the sweep ends here, but not without this point
            points[place] = found = _point(job, point, outcome, error)
            job.folder.write_sweep(replace(job.sweep, points=tuple(points)))
            out.print(line(job.sweep, found), style="" if found.figures else "red", markup=False)
        if is_interrupted or found.state is State.INTERRUPTED:
            return SweepStatus.INTERRUPTED
    return SweepStatus.FINISHED


def _run(job: Job, point: Point, out: Console) -> tuple[Outcome | None, str]:
    """Bring up a fresh rig and run; without an outcome, the text tells why."""
    settings = job.settings[point.count]
    try:
        rig.bring_up(job.engine, settings, tied=True, out=out)
        place = Place(job.engine, ui_url(settings), settings.workers, settings.stop_timeout_s, is_ours=True)
        return _lead(place, job.plan_of(point, _run_name(job.sweep, point)), out), ""
    except (InterruptedRunError, KeyboardInterrupt):
        _take_down(job.engine)
        raise
    except LabError as trouble:
        return None, str(trouble)


def _lead(place: Place, plan: RunPlan, out: Console) -> Outcome:
    """Run; one that the user gives up even while it is brought here leaves nothing, and was begun all the same."""
    try:
        return run.lead(place, plan, out)
    except KeyboardInterrupt:
        return Outcome("", End(How.GIVEN_UP, interrupted=True), None, None)


def _point(job: Job, point: Point, outcome: Outcome | None, error: str) -> Point:
    """Return what became of a point."""
    if outcome is None:
        return replace(point, state=State.FAILED, error=error)
    summary, end = run.summary_of(outcome), outcome.end
    found = replace(point, run=outcome.folder.id if outcome.folder else None)
    if end.interrupted:
        return replace(found, state=State.INTERRUPTED)
    if end.why or summary is None or outcome.folder is None:
        return replace(found, state=State.FAILED, error=end.why or "Its run could not be reported.")
    if summary.status != Status.FINISHED:
        return replace(found, state=State.FAILED, error=summary.headline)
    try:
        cpu = used(outcome.folder.read())
    except LabError as trouble:
        return replace(found, state=State.FAILED, error=str(trouble))
    figures = scaling.figures(summary, cpu, replicas=job.settings[point.count].api_replicas)
    return replace(found, state=State.MEASURED, figures=figures)


def line(sweep: Sweep, point: Point) -> str:
    """Return what a point gave, in a line."""
    given = point.figures
    if given is None:
        return f"{name_of(sweep, point)}: {point.state}. {point.error}".strip()
    if given.search and given.search.users is None:
        none = f"no capacity was found: {why_none(given)} ({given.verdict}, measurement {given.validity})"
        return words.plain(f"{name_of(sweep, point)}: {none}")
    parts = [
        *([f"capacity {words.many(given.search.users, 'user')}"] if given.search and given.search.users else []),
        f"{words.number(given.throughput_rps)} requests/s",
        f"p95 {words.milliseconds(given.p95_ms)}",
        f"{words.percent(given.fail_percent)} failed",
        f"{given.verdict}, measurement {given.validity}",
    ]
    return words.plain(f"{name_of(sweep, point)}: {', '.join(parts)}")


def _run_name(sweep: Sweep, point: Point) -> str:
    again = f" run {point.repeat}" if sweep.repeats > 1 else ""
    return f"{sweep.name or 'sweep'} {point.count} {sweep.axis}{again}"[:LONGEST_RUN_NAME]


def _take_down(engine: Engine) -> bool:
    """Take the rig down with all that it stored, whatever happens, and tell whether Ctrl-C came meanwhile.

    Raises:
        LabError: it cannot be taken down, and the next point would find it up.
    """
    with Interrupts() as interrupts:
        while True:
            before = interrupts.count
            try:
                engine.down(volumes=True)
            except LabError:
                if interrupts.count == before:  # else it was Ctrl-C that ended the engine's own command
                    raise
            else:
                return interrupts.count > 0
