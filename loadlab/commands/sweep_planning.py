"""What the flags of `./lab sweep` say, made into a sweep: checked whole, for each of its points, before any starts."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, fields, replace
from typing import Any

from loadlab import __version__
from loadlab import plan as plans
from loadlab.analysis.sweep import Axis, Point, State, Sweep, SweepStatus, order
from loadlab.commands import collecting, planning, rig
from loadlab.commands.planning import Asked
from loadlab.errors import LabError, UsageError
from loadlab.plan import RunPlan
from loadlab.rig import balancer, fleet, revision
from loadlab.rig.engine import Engine
from loadlab.rig.settings import RigSettings, environment, known_names, load
from loadlab.runfolder import SweepFolder, create_sweep, find_sweep

MOST_POINTS = 100
MOST_REPEATS = 20
LONGEST_NAME = 40  # of a sweep: its runs' names are longer
# Knobs that say nothing of what is measured, or are in the plan or the sweep itself, or hold a password.
ASIDE = {
    *("WORKERS", "API_REPLICAS", "LB", "USERS", "SPAWN_RATE", "SCENARIO", "SLO", "TARGET_HOST", "DATABASE_URL"),
    *("API_PORT", "UI_PORT", "LB_PORT", "LB_STATS_PORT", "BIND_ADDRESS", "UI_NAME", "LOCUST_LOGLEVEL"),
}


@dataclass(frozen=True)
class SweepAsked:
    """The flags as they were typed; `run` has those that `./lab run` has too, `workers` aside."""

    run: Asked
    workers: str | None = None
    api: str | None = None
    lb: bool | None = None
    repeats: str | None = None
    resume: str | None = None
    capacity: bool = False


@dataclass(frozen=True)
class Job:
    """A sweep to be made, or gone on with: where, and the rig's knobs and the plan of each of its points."""

    sweep: Sweep
    folder: SweepFolder
    engine: Engine
    settings: dict[int, RigSettings]
    plan: RunPlan

    def plan_of(self, point: Point, name: str) -> RunPlan:
        """Return the plan of a point's run."""
        return self.plan.model_copy(update={"workers": self.settings[point.count].workers, "name": name})


def new(asked: SweepAsked) -> Job:
    """Return the sweep that is asked for, with a folder of its own.

    Raises:
        UsageError: names each bad flag or knob, what is allowed and what to do.
        LabError: a rig is up, or what is needed is not there.
    """
    axis, counts, others = _axis(asked)
    lb = True if axis is Axis.API and asked.lb is None else asked.lb
    settings = {count: _settings(axis, count, others, lb) for count in counts}
    first = settings[counts[0]]
    plan = planning.make(replace(_load(asked), workers=str(first.workers)))
    _check_plan(axis, plan)
    engine = _engine(asked.run.engine)
    _check_place(engine, settings, plan)
    name, repeats = plan.name, _repeats(asked.repeats, counts)
    created = time.time()
    folder = create_sweep(collecting.results(), name or "sweep", at=created)
    sweep = Sweep(
        id=folder.id,
        name=name,
        axis=axis,
        counts=counts,
        repeats=repeats,
        others=first.api_replicas if axis is Axis.WORKERS else first.workers,
        plan=plan.model_dump(mode="json", exclude={"workers", "name"}),
        engine=engine.name,
        balancer="lb" if first.lb else "dns" if engine.name == "compose" else "kernel",
        cores=os.cpu_count() or 1,
        is_shared=plan.host is None,
        created=created,
        status=SweepStatus.RUNNING,
        points=order(counts, repeats),
        knobs=_knobs(first),
        notes=_notes(first, plan),
        revision=revision.current(),
        version=__version__,
    )
    return Job(sweep, folder, engine, settings, plan)


def resumed(asked: SweepAsked) -> Job:
    """Return a sweep that was cut short, with the points that are not measured yet to be measured.

    Raises:
        UsageError: other flags were given, or the knobs are not what they were.
        LabError: there is no such sweep, a rig is up, or what is needed is not there.
    """
    _check_alone(asked)
    folder = find_sweep(collecting.results(), asked.resume or "")
    sweep = folder.read_sweep()
    lb = sweep.balancer == "lb"
    settings = {count: _settings(sweep.axis, count, sweep.others, lb) for count in sweep.counts}
    first = settings[sweep.counts[0]]
    _check_same(sweep, _knobs(first))
    plan = plans.make({**sweep.plan, "workers": first.workers, "name": sweep.name})
    engine = _engine(sweep.engine)
    _check_place(engine, settings, plan)
    points = tuple(p if p.state is State.MEASURED else Point(p.count, p.repeat) for p in sweep.points)
    now, notes = revision.current(), sweep.notes
    if now != sweep.revision:
        other = f"The sweep was begun with revision {sweep.revision or 'unknown'} and gone on with {now or 'unknown'}."
        notes = tuple(dict.fromkeys((*notes, other)))
    going_on = replace(sweep, status=SweepStatus.RUNNING, points=points, notes=notes, scaling=None, ended=None)
    return Job(going_on, folder, engine, settings, plan)


def counts_of(text: str | None, flag: str, most: int) -> tuple[int, ...]:
    """Return the numbers of a list such as 1,2,4,8; none where none was given.

    Raises:
        UsageError: names the flag and what is wrong.
    """
    if text is None:
        return ()
    numbers = [item.strip() for item in text.split(",")]
    allowed = f"whole numbers from 1 to {most}, separated by commas, each once, such as 1,2,4,8"
    if not all(number.isascii() and number.isdigit() and 1 <= int(number) <= most for number in numbers):
        raise UsageError(f"{flag} {text} is not allowed. Allowed: {allowed}.")
    found = tuple(map(int, numbers))
    if len(set(found)) != len(found):
        raise UsageError(f"{flag} {text} has a number twice. Allowed: {allowed}; --repeats measures each again.")
    return found


def _load(asked: SweepAsked) -> Asked:
    """Return the flags of each point's run; those of a search are as `./lab capacity` takes them.

    Raises:
        UsageError: some of them do not go together.
    """
    run = asked.run
    if asked.capacity:
        if run.shape not in (None, "capacity"):
            raise UsageError(f"--capacity and --shape {run.shape} are two kinds of load: leave out one of them.")
        return replace(run, shape="capacity", users=run.users or planning.MOST_USERS)
    lone = [_flag(name) for name in ("start_users", "precision") if getattr(run, name) is not None]
    if lone and run.shape != "capacity":
        verb = "tells" if len(lone) == 1 else "tell"
        raise UsageError(f"{' and '.join(lone)} {verb} how to search for the capacity: add --capacity.")
    return run


def _axis(asked: SweepAsked) -> tuple[Axis, tuple[int, ...], str | None]:
    """Return what is swept, over which numbers, and the one number of the other, as it was typed."""
    workers, api = counts_of(asked.workers, "--workers", 200), counts_of(asked.api, "--api", 20)
    if len(workers) > 1 and len(api) > 1:
        raise UsageError("--workers and --api both have several numbers: only one can be swept at a time.")
    if len(workers) <= 1 and len(api) <= 1:
        raise UsageError("Nothing to sweep: give several numbers, such as --workers 1,2,4,8 or --api 1,2,4.")
    if len(api) > 1:
        return Axis.API, api, asked.workers
    return Axis.WORKERS, workers, asked.api


def _settings(axis: Axis, count: int, others: str | int | None, lb: bool | None) -> RigSettings:
    """Return the rig's knobs for one point; `others` is how many there are of what is not swept."""
    rest = None if others is None else str(others)
    pair = (str(count), rest) if axis is Axis.WORKERS else (rest, str(count))
    return load({"workers": pair[0], "api_replicas": pair[1], "lb": rig.balanced(lb)})


def _repeats(text: str | None, counts: tuple[int, ...]) -> int:
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_REPEATS):
        raise UsageError(f"--repeats {text} is not allowed. Allowed: a whole number, 1-{MOST_REPEATS}.")
    if int(text) * len(counts) > MOST_POINTS:
        points = int(text) * len(counts)
        raise UsageError(f"{points} points are more than the {MOST_POINTS} that are allowed: lower --repeats.")
    return int(text)


def _check_plan(axis: Axis, plan: RunPlan) -> None:
    if len(plan.name) > LONGEST_NAME:
        raise UsageError(f"--name {plan.name} is too long for a sweep. Allowed: up to {LONGEST_NAME} characters.")
    if axis is Axis.API and plan.host is not None:
        raise UsageError(
            f"--api sweeps the replicas of this rig's API, and the target is {plan.host}: leave out --host, or unset "
            "TARGET_HOST."
        )


def _engine(name: str) -> Engine:
    found = fleet.find()
    if found is not None:
        raise LabError(
            f"A rig is up on the engine {found[0].name}, and a sweep brings up its own: run './lab down' first."
        )
    return fleet.choose(name)


def _check_place(engine: Engine, settings: dict[int, RigSettings], plan: RunPlan) -> None:
    some = next(iter(settings.values()))
    if engine.name == "processes" and some.lb:
        balancer.executable()
    planning.check_reachable(plan.host, engine.name, some)
    fleet.check_api(some)
    collecting.check_room()


def _knobs(settings: RigSettings) -> dict[str, str]:
    """Return the knobs that may make one sweep another, as they are set."""
    told = environment(settings)
    return {name: told[name] for name in sorted(known_names() - ASIDE) if told.get(name)}


def _notes(settings: RigSettings, plan: RunPlan) -> tuple[str, ...]:
    """Return what should be known of all points."""
    if plan.host is not None:
        return ("The target is no part of the rig: it was the same one for all points, with whatever it stored.",)
    if environment(settings).get("DATABASE_URL"):
        return ("DATABASE_URL names a store outside of the rig: it was not emptied between the points.",)
    return ()


def _check_alone(asked: SweepAsked) -> None:
    given = {field.name for field in fields(Asked) if getattr(asked.run, field.name) != field.default}
    given |= {name for name in ("workers", "api", "lb", "repeats") if getattr(asked, name) is not None}
    given |= {"capacity"} if asked.capacity else set()
    others = sorted(given - {"as_json"})
    if others:
        flags = ", ".join(_flag(name) for name in others)
        raise UsageError(f"--resume goes on with the sweep as it was planned: leave out {flags}.")


def _flag(name: str) -> str:
    return "--" + {"slos": "slo", "spawn_rate": "spawn-rate", "start_users": "from"}.get(name, name)


def _check_same(sweep: Sweep, knobs: dict[str, Any]) -> None:
    """Refuse to go on with other knobs than the first points were measured with."""
    changed = sorted(name for name in {*sweep.knobs, *knobs} if sweep.knobs.get(name) != knobs.get(name))
    if changed:
        before = ", ".join(f"{name}={sweep.knobs.get(name, '')}" for name in changed)
        raise UsageError(f"The sweep was begun with other knobs: {before}. Set them so again, or begin a new one.")
