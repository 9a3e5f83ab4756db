"""What is mended in Locust 2.47.0's own runners, each with its cause. Gone upstream, it may go here."""

from __future__ import annotations

import math
import os
import socket
from typing import Any

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerRunner

LATE = ("spawning", "spawning_complete")
EXTRA_WAIT = "LOCUST_WORKER_ADDITIONAL_WAIT_BEFORE_READY_AFTER_STOP"


def listen_on_control_network_only(parser: LocustArgumentParser) -> None:
    """Bind the master's port for workers to the address that $CONTROL_NAME stands for, where that is set.

    The port asks for no password, and the master's container has other networks, which the target is on. Locust takes
    an address only, which a container learns when it starts.
    """
    name = os.environ.get("CONTROL_NAME")
    if name:
        parser.set_defaults(master_bind_host=socket.gethostbyname(name))


def forgive_late_messages(runner: MasterRunner) -> None:
    """Drop what a worker of ours said of its users before it heard "stop", but which arrives after it has stopped.

    For that the master would tell it to quit: a stop within a moment of a start ended every worker.
    """
    handle = runner.handle_message

    def handle_message(client_id: str, message: Message) -> None:
        if message.type in LATE and client_id not in runner.clients and client_id in runner.worker_indexes:
            return
        handle(client_id, message)

    runner.handle_message = handle_message  # type: ignore[assignment]


def stop_what_has_not_begun(runner: WorkerRunner) -> None:
    """Let a worker that is told to stop drop an order to start users that it has received but not begun with.

    From its second test on it believes itself stopped until the first user starts, does nothing, and then starts the
    users, which nobody wants any more and nobody stops.
    """
    stop = runner.stop

    def stop_all() -> None:
        if runner.spawning_greenlet is not None:
            runner.spawning_greenlet.kill(block=True)
        stop()

    runner.stop = stop_all  # type: ignore[method-assign]


def be_ready_at_once(environment: Environment) -> None:
    """Let a worker be ready for the next test when its users have stopped.

    It sleeps for the whole stop timeout after they have, and is no worker for the master meanwhile. The one way to
    shorten that is a variable meant to lengthen it, which is read at each stop.
    """

    def shorten(**_: Any) -> None:
        os.environ[EXTRA_WAIT] = str(-math.ceil(environment.stop_timeout))

    environment.events.test_start.add_listener(shorten)
