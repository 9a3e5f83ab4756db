"""A worker that hears nothing from its master stops its users.

The master, if it lives, has given them to other workers by then; if it is dead, nobody would stop them: Locust's own
workers fire on for a minute. When the master is heard again it finds this worker idle, and gives it a share.
"""

from __future__ import annotations

import logging

import gevent
from locust.env import Environment
from locust.runners import STATE_RUNNING, WorkerRunner

from loadlab.analysis.wording import many
from loadlab.generator.reporting import Reporter

LOOK_EVERY_S = 0.5
SILENT_S = 5.0  # the master takes a silent worker for missing after some 4 s

logger = logging.getLogger(__name__)


def attach(environment: Environment, runner: WorkerRunner, reporter: Reporter) -> None:
    """Watch for the master's answers to the heartbeats, for as long as the worker lives."""
    heard = [True]
    environment.events.heartbeat_received.add_listener(lambda **_: heard.__setitem__(0, True))
    runner.greenlet.spawn(_watch, runner, reporter, heard)


def _watch(runner: WorkerRunner, reporter: Reporter, heard: list[bool]) -> None:
    # By turns, not by the clock: a worker that was frozen itself has to hear its master first.
    turns = 0
    while True:
        gevent.sleep(LOOK_EVERY_S)
        turns = 0 if heard[0] else turns + 1
        heard[0] = False
        if turns * LOOK_EVERY_S >= SILENT_S and runner.state == STATE_RUNNING and runner.user_count:
            _stop_users(runner, reporter)


def _stop_users(runner: WorkerRunner, reporter: Reporter) -> None:
    count = runner.user_count
    logger.error("No word from the master for %g s: stopping the %s of this worker", SILENT_S, many(count, "user"))
    reporter.notes.append(f"heard nothing from the master for {SILENT_S:g} s and stopped its {many(count, 'user')}")
    if runner.spawning_greenlet is not None:
        runner.spawning_greenlet.kill(block=True)
    runner.stop_users(dict(runner.user_classes_count))
