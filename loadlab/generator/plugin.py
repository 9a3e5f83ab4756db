"""Wires loadlab into Locust's processes. Only wiring: what is wired lives in the modules beside this one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locust import events, runners
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadlab.generator import (
    alive,
    balance,
    descriptors,
    locust_stats,
    mends,
    reporting,
    scenarios,
    silence,
    start_form,
)

REPORT_INTERVAL_S = 1.0
NEVER_S = -(10**9)


def install() -> None:
    """Set Locust's intervals and hang our listeners on its events."""
    descriptors.raise_limit()
    # Workers report each second instead of every three: the interval is read at each use.
    runners.WORKER_REPORT_INTERVAL = REPORT_INTERVAL_S
    # A missing worker is dropped after 60 s by rebuilding the dispatcher, which stops and respawns every user.
    # Rebalancing has long given its users to others by then, so that is put off for ever.
    runners.HEARTBEAT_DEAD_INTERNAL = NEVER_S
    mends.remember_default_options()
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(attach)


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Add our fields to Locust's command line and to the start form of its UI."""
    scenarios.add_option(parser)
    start_form.add_options(parser)
    mends.listen_on_control_network_only(parser)


def attach(environment: Environment, **_: Any) -> None:
    """Attach to the runner that Locust has just made."""
    if isinstance(environment.runner, MasterRunner):
        attach_to_master(environment, environment.runner)
    elif isinstance(environment.runner, WorkerRunner):
        attach_to_worker(environment, environment.runner)


def attach_to_master(environment: Environment, runner: MasterRunner) -> None:
    """Lead runs, keep the load shared out, and answer over HTTP."""
    from loadlab.generator import conductor, web  # not on workers: what checks plans and summaries costs 14 MB

    scenarios.select(environment)
    balance.attach(environment, runner)
    mends.forgive_late_messages(runner)
    mends.survive_garbage(runner)
    mends.end_starts_at_a_stop(environment, runner)
    leader = conductor.attach(environment, runner, Path(os.environ.get("RESULTS_DIR") or "results"))
    say_last_word_first(environment, leader.leave)
    if environment.web_ui is not None:
        web.attach(environment, leader)


def attach_to_worker(environment: Environment, runner: WorkerRunner) -> None:
    """Record what the users do, and report it."""
    alive.attach(environment)
    mends.stop_what_has_not_begun(runner)
    mends.start_nothing_once_killed()
    mends.be_ready_at_once(environment)
    reporter = reporting.attach(environment, runner)
    locust_stats.attach(environment, runner, reporter.recorder)
    silence.attach(environment, runner, reporter)
    say_last_word_first(environment, reporter.leave)


def say_last_word_first(environment: Environment, leave: Callable[[], None]) -> None:
    """Have what is on said to its end before Locust ends this process: the last to listen is the first to be told."""
    environment.events.quitting.add_listener(lambda **_: leave())


install()
