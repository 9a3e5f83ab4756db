"""`./lab`: parse, call, exit. What a command does lives in `commands`, the rooms below do the work."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from loadlab import __version__, commands
from loadlab.errors import Exit, LabError

CONTEXT = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="lab",
    help="A load-testing lab: brings up an API, a Locust master and workers, and takes them down again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)
errors = Console(stderr=True, soft_wrap=True, highlight=False)

Workers = Annotated[int | None, Option("--workers", "-w", help="Workers, 1-200. Default: WORKERS of .env.")]
Replicas = Annotated[int | None, Option("--api", help="Replicas of the API, 1-20. Default: API_REPLICAS of .env.")]
EngineName = Annotated[str, Option("--engine", "-e", help="auto, compose or processes.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"loadlab {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def up(
    workers: Workers = None,
    api: Replicas = None,
    engine: EngineName = "auto",
    detach: Annotated[bool, Option("--detach", "-d", help="Return when the rig is ready, and leave it up.")] = False,
) -> None:
    """Bring the rig up, or scale the one that is up, and wait until exactly so many workers are ready."""
    commands.up(workers=workers, api=api, engine_name=engine, detach=detach)


@app.command()
def down(
    volumes: Annotated[bool, Option("--volumes", "-v", help="Throw away the stored data too.")] = False,
) -> None:
    """Take the rig down: no process, container, network or port is left."""
    commands.down(volumes=volumes)


@app.command()
def status(
    as_json: Annotated[bool, Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show what is up, and where. Exits with 1 when nothing is."""
    raise typer.Exit(commands.status(as_json=as_json))


@app.command()
def logs(
    services: Annotated[list[str] | None, Argument(metavar="[SERVICE]...", help="api, master, worker.")] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with what is logged from now on.")] = False,
) -> None:
    """Print the logs of the rig's parts."""
    raise typer.Exit(commands.logs(services or [], follow=follow))


@app.command()
def doctor() -> None:
    """Look at this machine: what a rig needs, what is there, how to mend the rest. Exits with 1 if a rig cannot run."""
    raise typer.Exit(commands.doctor())


@app.command("test", context_settings={**CONTEXT, "allow_extra_args": True, "ignore_unknown_options": True})
def check(
    context: typer.Context,
    everything: Annotated[
        bool, Option("--all", help="The stack tests too: they want a Docker Engine, a browser and PostgreSQL.")
    ] = False,
) -> None:
    """Run the checks and tests of the project itself; what follows goes to pytest."""
    raise typer.Exit(commands.check(everything=everything, arguments=context.args))


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
        return end.code if isinstance(end.code, int) else Exit.TOOL_ERROR
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
    return Exit.OK


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
