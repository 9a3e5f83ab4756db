"""Chooses an engine, and waits for a rig to be ready: what the commands share whatever the engine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

from loadlab.analysis.wording import many
from loadlab.errors import LabError, UsageError
from loadlab.rig import balancer, compose
from loadlab.rig.compose import ComposeEngine
from loadlab.rig.engine import (
    Engine,
    RigState,
    api_urls,
    ask_workers,
    is_ready,
    lb_stats_url,
    ui_url,
    why_not_ready,
)
from loadlab.rig.processes import ProcessEngine
from loadlab.rig.settings import ROOT, RigSettings, environment

ENGINES = ("auto", "compose", "processes")
READY_TIMEOUT_S = 120.0
TICK_S = 0.1
STATE_EVERY_S = 2.0  # asking Compose costs a fraction of a second of CPU


def choose(name: str) -> Engine:
    """Return the engine of that name; `auto` takes Compose where an engine answers, else processes.

    Raises:
        LabError: Compose was asked for by name and cannot be used; says why and what to do.
        UsageError: there is no engine of that name.
    """
    check_name(name)
    if name == "processes":
        return ProcessEngine()
    trouble = compose.why_unusable()
    if trouble is None:
        return ComposeEngine()
    if name == "compose":
        raise LabError(f"{trouble} Or use '--engine processes', which needs no containers.")
    return ProcessEngine()


def check_name(name: str) -> None:
    """Check the name of an engine.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}: choose {', '.join(ENGINES)}.")


def usable() -> list[Engine]:
    """Return every engine that can be used here."""
    engines: list[Engine] = [ProcessEngine()]
    return engines if compose.why_unusable() else [*engines, ComposeEngine()]


def find() -> tuple[Engine, RigState] | None:
    """Return the engine that has a rig up, with its state; None when nothing is up."""
    for engine in usable():
        state = engine.state()
        if state is not None:
            return engine, state
    return None


def check_api(settings: RigSettings) -> None:
    """Let the API check its own knobs before anything starts.

    Raises:
        UsageError: in the API's own words.
    """
    done = subprocess.run(
        [sys.executable, "-m", "api.settings"],
        cwd=ROOT,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UsageError((done.stderr or done.stdout).strip())


def wait_ready(engine: Engine, settings: RigSettings, report: Callable[[int, int], None]) -> None:
    """Wait until exactly the wanted workers and all replicas are ready, telling `report` how many are.

    Raises:
        LabError: a part ended by itself, with its last log lines, or the time is over.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    look_at_parts = time.monotonic() + STATE_EVERY_S
    while True:
        answering = sum(is_ready(url) for url in api_urls(settings))
        replicas = balancer.ready_replicas(settings, lb_stats_url(settings), answering)
        answer = ask_workers(ui_url(settings))
        ready = answer["ready"] if answer else 0
        report(replicas, ready)
        if (replicas, ready) == (settings.api_replicas, settings.workers):
            return
        if time.monotonic() > look_at_parts:
            check_parts(engine)
            look_at_parts = time.monotonic() + STATE_EVERY_S
        if time.monotonic() > deadline:
            reasons = [f"{api}: {reason}" for api in api_urls(settings) if (reason := why_not_ready(api))]
            raise LabError(
                f"Not ready within {READY_TIMEOUT_S:g} s: {ready} of {many(settings.workers, 'worker')}, "
                f"{replicas} of {many(settings.api_replicas, 'replica')} of the API. " + " ".join(reasons)
            )
        time.sleep(TICK_S)


def check_parts(engine: Engine) -> None:
    """Look for parts that ended by themselves.

    Raises:
        LabError: names each with its last log lines.
    """
    state = engine.state()
    if state is None:
        raise LabError("The rig is gone: something took it down.")
    if state.failures:
        raise LabError("\n".join(str(failure) for failure in state.failures))
