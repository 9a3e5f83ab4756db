"""`./lab up`, `down`, `status` and `logs`: a rig from its start to its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.table import Table

from loadlab.analysis.wording import many
from loadlab.commands import collecting
from loadlab.commands.screen import aside, console
from loadlab.errors import Exit, InterruptedRunError, LabError
from loadlab.rig import fleet, revision
from loadlab.rig.engine import (
    Engine,
    RigState,
    api_urls,
    ask_workers,
    is_ready,
    lb_stats_url,
    lb_url,
    ui_url,
)
from loadlab.rig.master import Master, SilentError
from loadlab.rig.processes import ProcessEngine
from loadlab.rig.settings import ROOT, RigSettings, load

WATCH_EVERY_S = 3.0


def up(*, workers: str | None, api: str | None, lb: bool | None, engine_name: str, detach: bool) -> None:
    """Bring the rig up and wait for it; attached, show its logs until Ctrl-C and take it down."""
    settings = load({"workers": workers, "api_replicas": api, "lb": balanced(lb)})
    fleet.check_api(settings)
    engine = engine_for(engine_name)
    bring_up(engine, settings, tied=not detach)
    _print_urls(settings, detach=detach)
    if not detach:
        _stay(engine, ui_url(settings))


def balanced(wanted: bool | None) -> str | None:
    """Return the value of the knob LB that a flag asks for; None: what .env says."""
    return None if wanted is None else "lb" if wanted else ""


def down(*, volumes: bool) -> None:
    """Take down whatever is up, on any engine, once its runs are copied; with `volumes` throw away what is stored."""
    found = fleet.find()
    is_copied = found is not None and _copy_runs(found[1].ui_url)
    # Each engine, found or not: a rig whose parent was killed is not up, but something of it may be left.
    engines = fleet.usable()
    for engine in engines:
        engine.down(volumes=volumes and is_copied and found is not None and found[0].name == engine.name)
    console.print("The rig is down." if found else "Nothing is up.")
    for engine in engines:
        if volumes and engine.is_keeping():
            _throw_away(engine)


def _throw_away(engine: Engine) -> None:
    """Throw away what a rig stored that is not up, once its runs are here.

    Raises:
        LabError: they cannot be copied; nothing was thrown away.
    """
    try:
        bring_home(engine, load({}))
    except LabError as error:
        remedy = f"rm -r {engine.folder.path}" if isinstance(engine, ProcessEngine) else "docker compose down --volumes"
        raise LabError(
            f"{error}\nSo the runs that an earlier rig stored could not be copied, and nothing was thrown away. "
            f"'{remedy}' does it whatever is there."
        ) from None
    take_down(engine, volumes=True)
    console.print("What was stored is thrown away.")


def status(*, as_json: bool) -> int:
    """Show what is up, and return 0, or 1 when nothing is."""
    found = fleet.find()
    if found is None:
        print(json.dumps({"up": False})) if as_json else console.print("Nothing is up. './lab up' changes that.")
        return Exit.TOOL_ERROR
    document = _status(found[1])
    if as_json:
        print(json.dumps(document))
        return Exit.OK
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("engine", document["engine"])
    table.add_row("test", f"{document['test']}, {many(document['users'], 'user')}")
    table.add_row("workers", f"{document['workers_ready']} ready of {document['workers_running']} running")
    table.add_row("master", document["ui_url"])
    for replica in document["api"]:
        table.add_row("api", f"{replica['url']} ({'ready' if replica['ready'] else 'not ready'})")
    if document["lb_url"]:
        table.add_row("lb", document["lb_url"])
    console.print(table)
    for failure in found[1].failures:
        console.print(f"[red]{failure.part} has ended.[/red]")
        console.print(str(failure), markup=False)
    return Exit.OK


def logs(services: list[str], *, follow: bool) -> int:
    """Print the logs of the rig that is up, or of the last one of processes."""
    found = fleet.find()
    engine = found[0] if found else fleet.choose("processes")
    with suppress(KeyboardInterrupt):
        return engine.logs(services, follow=follow)
    return Exit.OK


def engine_for(name: str) -> Engine:
    """Return the engine to use: the one that has a rig up, unless another is asked for by name.

    Raises:
        LabError: a rig is up on another engine than the one asked for.
        UsageError: there is no engine of that name.
    """
    fleet.check_name(name)
    found = fleet.find()
    if found is None:
        return fleet.choose(name)
    engine = found[0]
    if name not in ("auto", engine.name):
        raise LabError(f"A rig is up on the engine {engine.name}: run './lab down' before one on {name}.")
    return engine


def bring_up(engine: Engine, settings: RigSettings, *, tied: bool, out: Console = console) -> None:
    """Bring a rig up, or scale the one that is up, and wait until it is ready; what fails to start is taken down.

    Raises:
        InterruptedRunError: by Ctrl-C, before it was ready.
    """
    existed = engine.state() is not None
    started = time.monotonic()
    try:
        engine.up(settings, tied=tied)
        _wait(engine, settings, started, out)
        runs = {"revision": revision.current()} if engine.renews or not existed else {}  # else what it began with
        collecting.acquaint(Master(ui_url(settings)), **runs)
    except (LabError, KeyboardInterrupt) as error:
        if not existed:  # what was up before this command is not ours to take down
            take_down(engine, out)
        if isinstance(error, KeyboardInterrupt):
            raise InterruptedRunError("Interrupted before the rig was ready.") from None
        raise


def bring_home(engine: Engine, settings: RigSettings, out: Console = console) -> None:
    """Bring a rig up, to copy the runs that an earlier one stored and whose master is gone. It stays up.

    Raises:
        LabError: it does not come up; nothing of it is left up.
    """
    out.print(f"An earlier rig stored something on engine {engine.name}: one is brought up, to copy its runs.")
    bring_up(engine, settings, tied=True, out=out)
    try:
        collecting.bring_all(Master(ui_url(settings)), out)
    except BaseException:  # Ctrl-C, for one
        take_down(engine, out)
        raise


def take_down(engine: Engine, out: Console = console, *, volumes: bool = False) -> None:
    """Take the rig down whatever happens: a second Ctrl-C does not leave half of it."""
    interrupted = False
    while True:
        with suppress(KeyboardInterrupt):
            if interrupted:
                out.print("Still taking everything down ...")
            interrupted = True
            engine.down(volumes=volumes)
            return


def _wait(engine: Engine, settings: RigSettings, started: float, out: Console) -> None:
    with out.status("Starting ...") as spinner:

        def report(replicas: int, workers: int) -> None:
            spinner.update(
                f"Ready: {workers} of {many(settings.workers, 'worker')}, {replicas} of {settings.api_replicas} API"
                f"  ({time.monotonic() - started:.0f} s)"
            )

        fleet.wait_ready(engine, settings, report)
    out.print(
        f"[green]Ready[/green] on engine {engine.name}: {many(settings.workers, 'worker')}, "
        f"{settings.api_replicas} API, {time.monotonic() - started:.1f} s."
    )


def _print_urls(settings: RigSettings, *, detach: bool) -> None:
    console.print(f"  UI      {ui_url(settings)}")
    console.print("\n".join(f"  API     {url}/tests" for url in api_urls(settings)))
    if settings.lb:
        console.print(f"  LB      {lb_url(settings)}/tests   {lb_stats_url(settings)}/stats")
    console.print("'./lab down' takes it down." if detach else "Ctrl-C takes everything down.")


def _stay(engine: Engine, ui: str) -> None:
    """Show the logs until Ctrl-C, then take everything down; a master that ends ends the rig."""
    command = [sys.executable, "-m", "loadlab", "logs", "--follow"]
    follower = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        _watch(engine)
    except KeyboardInterrupt:
        console.print("Taking everything down ...")
        _copy_runs(ui)
    finally:
        follower.terminate()
        take_down(engine)
        follower.wait()


def _watch(engine: Engine) -> None:
    """Copy each run that finishes, and tell of each part that ends by itself, once.

    Raises:
        LabError: the master has ended, or the rig was taken down from elsewhere.
    """
    told: set[str] = set()
    while True:
        time.sleep(WATCH_EVERY_S)
        state = engine.state()
        if state is None:
            console.print("The rig was taken down from elsewhere.")
            return
        for failure in state.failures:
            if failure.part.startswith("master"):
                raise LabError(str(failure))
            if failure.part not in told:
                console.print(str(failure), style="red", markup=False)
                told.add(failure.part)
        collecting.tell(collecting.collect(state.ui_url), console)


def _copy_runs(ui: str) -> bool:
    """Copy the runs of a rig that is about to go, an active one too once it was stopped; Ctrl-C skips it.

    False: not all of them are here.
    """
    try:
        collecting.settle(ui, console)
    except SilentError:  # a master that is dead has nothing to say
        return False
    except LabError as error:
        aside.print(str(error), style="yellow", markup=False)
        return False
    except KeyboardInterrupt:
        return False
    return True


def _status(state: RigState) -> dict[str, Any]:
    answer = ask_workers(state.ui_url) or {"state": "no answer from the master", "users": 0, "ready": 0}
    return {
        "up": True,
        "engine": state.engine,
        "test": answer["state"],
        "users": answer["users"],
        "workers_ready": answer["ready"],
        "workers_running": state.count("worker"),
        "ui_url": state.ui_url,
        "lb_url": state.lb_url,
        "api": [{"url": url, "ready": is_ready(url)} for url in state.api_urls],
        "failures": [str(failure) for failure in state.failures],
    }
