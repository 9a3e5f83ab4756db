"""What is mended in Locust 2.47.0's own runners, each with its cause. Gone upstream, it may go here."""

from __future__ import annotations

import functools
import logging
import math
import os
import socket
from typing import Any

import gevent
from gevent import Greenlet, GreenletExit
from locust import User, argument_parser
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerRunner
from locust.user.task import LOCUST_STATE_WAITING

logger = logging.getLogger(__name__)

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


def remember_default_options() -> None:
    """Have Locust work out its default options once.

    A worker does so anew for each single option at each order to start users, one a second during a ramp: tenths of a
    second of CPU, in which it does nothing else. Eight workers on two cores stood still for more than a second.
    """
    argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)


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


def survive_garbage(runner: MasterRunner) -> None:
    """Drop a message that cannot be read or makes no sense: Locust's listener would end, every worker go missing."""
    receive, handle = runner.server.recv_from_client, runner.handle_message

    def recv_from_client() -> tuple[str, Message]:
        while True:
            try:
                return receive()  # type: ignore[no-any-return]
            except RPCError:
                raise  # these Locust knows
            except Exception as error:  # whatever a parser may raise
                logger.warning("Dropped a message that is not Locust's: %r", error)

    def handle_message(client_id: str, message: Message) -> None:
        try:
            handle(client_id, message)
        except Exception:  # whatever the data of a stranger may lead to
            logger.exception("Dropped a message of %r", client_id)

    runner.server.recv_from_client = recv_from_client  # type: ignore[method-assign]
    runner.handle_message = handle_message  # type: ignore[assignment]


class StoppedStartError(GreenletExit):  # type: ignore[misc]
    """Ends a start of users that is under way. Never seen outside of `end_starts_at_a_stop`."""


def end_starts_at_a_stop(environment: Environment, runner: MasterRunner) -> None:
    """Let a stop end whatever still starts users: a ramp, or the sharing out anew after a worker was lost.

    Locust's own page does so with the start that it made itself. Any other goes on: all users would be started and run
    on after the test, and the master take itself for running.
    """
    start = runner.start
    starting: set[Greenlet[..., Any]] = set()

    def start_users(*arguments: Any, **options: Any) -> None:
        me = gevent.getcurrent()
        starting.add(me)
        try:
            start(*arguments, **options)
        except StoppedStartError:
            logger.info("Stopped while users were being started")
        finally:
            starting.discard(me)

    def end(**_: Any) -> None:
        for greenlet in starting - {gevent.getcurrent()}:
            greenlet.kill(StoppedStartError, block=False)

    runner.start = start_users  # type: ignore[method-assign]
    environment.events.test_stopping.add_listener(end)


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


def start_nothing_once_killed() -> None:
    """Mark a user that Locust kills, so that `flow` lets it start no request any more.

    A stop kills users that wait between two tasks. A kill comes into effect one turn of the event loop later: one whose
    wait is over in that turn (and a stop blocks the loop for a tenth of a second) would send a request first, which the
    target serves and nobody records.
    """
    stop = User.stop

    def stop_user(user: User, force: bool = False) -> bool:
        if force or user._state in (None, LOCUST_STATE_WAITING):
            user.lab_is_killed = True  # type: ignore[attr-defined]
        return bool(stop(user, force))

    User.stop = stop_user  # type: ignore[method-assign, assignment]


def be_ready_at_once(environment: Environment) -> None:
    """Let a worker be ready for the next test when its users have stopped.

    It sleeps for the whole stop timeout after they have, and is no worker for the master meanwhile. The one way to
    shorten that is a variable meant to lengthen it, which is read at each stop.
    """

    def shorten(**_: Any) -> None:
        os.environ[EXTRA_WAIT] = str(-math.ceil(environment.stop_timeout))

    environment.events.test_start.add_listener(shorten)
