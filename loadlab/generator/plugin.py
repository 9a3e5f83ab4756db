"""Wires loadlab into Locust's processes. Only wiring: what is wired lives in the modules beside this one."""

from __future__ import annotations

from typing import Any

from locust import events, runners
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadlab.generator import alive, balance, descriptors, mends, scenarios, web

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
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(attach)


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Add our fields to Locust's command line and to the start form of its UI."""
    scenarios.add_option(parser)
    mends.listen_on_control_network_only(parser)


def attach(environment: Environment, **_: Any) -> None:
    """Attach to the runner that Locust has just made."""
    if isinstance(environment.runner, MasterRunner):
        scenarios.select(environment)
        balance.attach(environment, environment.runner)
        mends.forgive_late_messages(environment.runner)
        if environment.web_ui is not None:
            web.attach(environment)
    elif isinstance(environment.runner, WorkerRunner):
        alive.attach(environment)
        mends.stop_what_has_not_begun(environment.runner)
        mends.be_ready_at_once(environment)


install()
