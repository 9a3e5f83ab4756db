"""`./lab`: parse, call, exit. What a command does lives in `commands`, the rooms below do the work."""

from __future__ import annotations

import errno
import os
import signal
import sys
from functools import partial
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from loadlab import __version__
from loadlab.commands import calibrate, checks, comparing, planning, rig, run, runs, sweep
from loadlab.commands.helping import Command, Group
from loadlab.commands.planning import Asked
from loadlab.commands.sweep_planning import SweepAsked
from loadlab.errors import Exit, LabError

CONTEXT = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="lab",
    cls=Group,
    help="A load-testing lab: loads an API from many processes, and says whether it keeps what you promise.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)
command = partial(app.command, cls=Command)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
CTRL_C = 130  # what typer exits with when nobody else took care of Ctrl-C
errors = Console(stderr=True, soft_wrap=True, highlight=False)

# Numbers are taken as text: our own checks name the value and say what is allowed.
Workers = Annotated[
    str | None, Option("--workers", "-w", metavar="N", help="Workers, 1-200. Default: WORKERS of .env.")
]
AsJson = Annotated[bool, Option("--json", help="As JSON, for programs.")]
Replicas = Annotated[
    str | None, Option("--api", metavar="N", help="Replicas of the API, 1-20. Default: API_REPLICAS of .env.")
]
Balanced = Annotated[
    bool | None,
    Option("--lb/--no-lb", help="Reach the API by way of a load balancer, HAProxy, or not. Default: LB of .env."),
]
Users = Annotated[str | None, Option("--users", "-u", metavar="N", help="Users at the peak. Default: USERS of .env.")]
SpawnRate = Annotated[
    str | None,
    Option("--spawn-rate", "-r", metavar="N", help="Users started per second. Default: SPAWN_RATE of .env."),
]
Time = Annotated[
    str | None,
    Option(
        "--time",
        "-t",
        metavar="TIME",
        help="How long the load is held, ramps on top: 90s, 2m, 1h30m. "
        "Default: steady 1m, steps 2m30s, spike 2m, soak 30m, capacity 6m.",
    ),
]
Shape = Annotated[
    str | None, Option("--shape", metavar="SHAPE", help="steady (the default), steps, spike, soak or capacity.")
]
Promises = Annotated[
    list[str] | None,
    Option("--slo", metavar="SLO", help="A promise such as 'p95<450ms'; repeatable. Default: SLO of .env."),
]
Scenario = Annotated[str | None, Option("--scenario", metavar="NAME", help="Which users. Default: SCENARIO of .env.")]
Name = Annotated[str | None, Option("--name", metavar="TEXT", help="A name for the run, to find it again.")]
StartUsers = Annotated[str | None, Option("--from", metavar="N", help="Users of a search's first step. Default: 10.")]
Precision = Annotated[
    str | None,
    Option("--precision", metavar="PERCENT", help="How near what held and what broke are to be. Default: 3."),
]
Host = Annotated[str | None, Option("--host", metavar="URL", help="Another target. Default: TARGET_HOST of .env.")]
AsSummary = Annotated[bool, Option("--json", help="Print the summary as JSON, and nothing else, to stdout.")]
Keep = Annotated[bool, Option("--keep", help="Leave the rig up that this run brought up.")]
EngineName = Annotated[str, Option("--engine", "-e", metavar="NAME", help="auto, compose or processes.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"loadlab {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@command()
def up(
    workers: Workers = None,
    api: Replicas = None,
    lb: Balanced = None,
    engine: EngineName = "auto",
    detach: Annotated[bool, Option("--detach", "-d", help="Return when the rig is ready, and leave it up.")] = False,
) -> None:
    """Bring the rig up, or scale the one that is up, and wait until exactly so many workers are ready."""
    rig.up(workers=workers, api=api, lb=lb, engine_name=engine, detach=detach)


@command("run")
def run_one(
    *,
    workers: Workers = None,
    users: Users = None,
    spawn_rate: SpawnRate = None,
    time: Time = None,
    shape: Shape = None,
    slo: Promises = None,
    scenario: Scenario = None,
    name: Name = None,
    host: Host = None,
    engine: EngineName = "auto",
    as_json: AsSummary = False,
    keep: Keep = False,
) -> None:
    """Run a load test and say whether the SLOs hold: exits with 0 pass, 99 fail, 98 invalid, 97 interrupted.

    Uses the rig that is up; with none, brings one up for this run.
    """
    asked = Asked(
        workers=workers,
        users=users,
        spawn_rate=spawn_rate,
        time=time,
        shape=shape,
        slos=tuple(slo or ()),
        scenario=scenario,
        name=name,
        host=host,
        engine=engine,
        as_json=as_json,
        keep=keep,
    )
    raise typer.Exit(run.start(asked))


@command()
def capacity(
    *,
    workers: Workers = None,
    slo: Promises = None,
    users: Annotated[str, Option("--users", "-u", metavar="N", help="The most users to try.")] = planning.MOST_USERS,
    start_users: StartUsers = None,
    precision: Precision = None,
    time: Annotated[
        str | None, Option("--time", "-t", metavar="TIME", help="The most that the search may take. Default: 6m.")
    ] = None,
    spawn_rate: Annotated[
        str | None,
        Option(
            "--spawn-rate", "-r", metavar="N", help="The least users started per second. Default: SPAWN_RATE of .env."
        ),
    ] = None,
    scenario: Scenario = None,
    name: Name = None,
    host: Host = None,
    engine: EngineName = "auto",
    as_json: AsSummary = False,
    keep: Keep = False,
) -> None:
    """Search for the most users that hold the SLOs, and their throughput: exits as run does.

    Doubles the users until an SLO breaks, halves the gap, then holds both its ends for longer.
    """
    asked = Asked(
        workers=workers,
        users=users,
        spawn_rate=spawn_rate,
        time=time,
        shape="capacity",
        slos=tuple(slo or ()),
        scenario=scenario,
        name=name,
        host=host,
        start_users=start_users,
        precision=precision,
        engine=engine,
        as_json=as_json,
        keep=keep,
    )
    raise typer.Exit(run.start(asked))


@command("calibrate")
def measure_ceiling(
    *,
    workers: Workers = None,
    users: Annotated[
        str | None, Option("--users", "-u", metavar="N", help="Users in all. Default: 64 for each worker.")
    ] = None,
    time: Annotated[str | None, Option("--time", "-t", metavar="TIME", help="How long. Default: 20s.")] = None,
    scenario: Annotated[
        str | None, Option("--scenario", metavar="NAME", help="Whose tasks. Default: SCENARIO of .env.")
    ] = None,
    host: Annotated[
        str | None,
        Option("--host", metavar="URL", help="Whose answers to give. Default: TARGET_HOST of .env, else the API."),
    ] = None,
    engine: EngineName = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure the generator's own ceiling: the requests/s that its workers can make of a scenario, without pauses.

    A null target gives the target's answers from memory meanwhile. Reports then state the headroom of a run.
    Uses the rig that is up; with none, brings one up. Exits with 98 when the measurement is invalid.
    """
    asked = Asked(workers=workers, users=users, time=time, scenario=scenario, host=host, engine=engine, as_json=as_json)
    raise typer.Exit(calibrate.start(asked))


@command("sweep")
def run_many(
    *,
    workers: Annotated[
        str | None, Option("--workers", "-w", metavar="N,N,...", help="Numbers of workers; with --api, one of them.")
    ] = None,
    api: Annotated[
        str | None, Option("--api", metavar="N,N,...", help="Numbers of replicas of the API; with --workers, one.")
    ] = None,
    repeats: Annotated[
        str | None, Option("--repeats", metavar="N", help="How often each is measured, in turn. Default: 1.")
    ] = None,
    resume: Annotated[
        str | None, Option("--resume", metavar="SWEEP", help="Go on with one that was cut short: its id, or latest.")
    ] = None,
    lb: Annotated[
        bool | None,
        Option("--lb/--no-lb", help="Reach the API by way of HAProxy, or not. Default: with --api, else LB of .env."),
    ] = None,
    capacity: Annotated[
        bool, Option("--capacity", help="Search for the capacity at each number, instead of the same run.")
    ] = False,
    users: Annotated[
        str | None,
        Option(
            "--users",
            "-u",
            metavar="N",
            help="Users at the peak; of a search the most to try. Default: USERS of .env; of a search 10000.",
        ),
    ] = None,
    start_users: StartUsers = None,
    precision: Precision = None,
    spawn_rate: SpawnRate = None,
    time: Time = None,
    shape: Shape = None,
    slo: Promises = None,
    scenario: Scenario = None,
    name: Annotated[str | None, Option("--name", metavar="TEXT", help="A name for the sweep and its runs.")] = None,
    host: Host = None,
    engine: EngineName = "auto",
    as_json: Annotated[bool, Option("--json", help="Print sweep.json, and nothing else, to stdout.")] = False,
) -> None:
    """Make the same run, or search for the capacity, with several numbers of workers or of replicas: how does it grow?

    Each on a fresh rig with an empty store. Exits with 0, 99 when an SLO was broken in any of them, 98 when any is
    invalid, 1 when any could not be made, 97 when interrupted.
    """
    asked = Asked(
        users=users,
        spawn_rate=spawn_rate,
        time=time,
        shape=shape,
        slos=tuple(slo or ()),
        scenario=scenario,
        name=name,
        host=host,
        start_users=start_users,
        precision=precision,
        engine=engine,
        as_json=as_json,
    )
    raise typer.Exit(sweep.start(SweepAsked(asked, workers, api, lb, repeats, resume, capacity)))


@command("runs")
def list_runs(as_json: AsJson = False) -> None:
    """List the runs that were made, the newest first."""
    runs.table(as_json=as_json)


@command()
def report(
    wanted: Annotated[
        str, Argument(metavar="RUN", help="Its id (or a sweep's), the beginning of it, its name, a path, or latest.")
    ],
    as_json: AsJson = False,
) -> None:
    """Make the report of a run anew from what it recorded, and print its verdict."""
    runs.report(wanted, as_json=as_json)


@command()
def compare(
    a: Annotated[
        str, Argument(metavar="A", help="What was: a run as for report, or several of one plan, with commas between.")
    ],
    b: Annotated[str, Argument(metavar="B", help="What is: likewise.")],
    *,
    allow: Annotated[
        str, Option("--allow", metavar="PERCENT", help="By how much a figure may be worse. Default: not at all.")
    ] = "0",
    html: Annotated[
        str | None, Option("--html", metavar="FILE", help="Where the page goes. Default: results/comparisons/.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Also what was not run alike, or did not measure validly.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether B is better than A, worse, or not significantly different: exits with 99 when it is worse.

    With 98 when a run is invalid or nothing can be said, with 2 when the runs differ in plan, machine or versions.
    """
    raise typer.Exit(comparing.compare(comparing.Wanted(a, b, allow, html, force, as_json)))


@command()
def down(
    volumes: Annotated[bool, Option("--volumes", "-v", help="Throw away the stored data too.")] = False,
) -> None:
    """Copy the rig's runs to results/ and take it down: no process, container, network or port is left."""
    rig.down(volumes=volumes)


@command()
def status(as_json: AsJson = False) -> None:
    """Show what is up, and where. Exits with 1 when nothing is."""
    raise typer.Exit(rig.status(as_json=as_json))


@command()
def logs(
    services: Annotated[list[str] | None, Argument(metavar="SERVICE", help="api, lb, master, worker.")] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with what is logged from now on.")] = False,
) -> None:
    """Print the logs of the rig's parts."""
    raise typer.Exit(rig.logs(services or [], follow=follow))


@command()
def doctor() -> None:
    """Look at this machine: what a rig needs, what is there, how to mend the rest. Exits with 1 if a rig cannot run."""
    raise typer.Exit(checks.doctor())


@command("test", context_settings={**CONTEXT, "allow_extra_args": True, "ignore_unknown_options": True})
def check(
    context: typer.Context,
    everything: Annotated[
        bool,
        Option("--all", help="The slow ones too, of which the stack's want a Docker Engine, a browser and PostgreSQL."),
    ] = False,
) -> None:
    """Run the project's own checks and fast tests; what follows goes to pytest."""
    raise typer.Exit(checks.check(everything=everything, arguments=context.args))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the command line and return its exit code; the only place that turns errors into text and a status."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup's wish is respected
        signal.signal(signal.SIGHUP, _interrupt)
    try:
        app(prog_name="lab")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else Exit.TOOL_ERROR
        return Exit.INTERRUPTED if code == CTRL_C else code
    except LabError as error:
        errors.print(f"[red]Error:[/red] {_plain(str(error))}")
        return error.exit_code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one more would be a traceback
        errors.print("Interrupted.")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nobody is left to tell
        return Exit.TOOL_ERROR
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of the output could not be written either
        where = error.filename or "what this command prints to"
        errors.print(f"[red]Error:[/red] {_plain(str(where))} cannot be written: {error.strerror}.")
        return Exit.TOOL_ERROR
    return Exit.OK


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
