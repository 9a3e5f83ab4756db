"""What is mended in Locust's runners."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from locust.argument_parser import LocustArgumentParser, get_empty_argument_parser
from locust.env import Environment
from locust.event import EventHook
from locust.rpc import Message
from locust.runners import MasterRunner

from loadlab.generator import mends


class Master:
    """As much of a master's runner as the messages need: it keeps what is handed on to it."""

    def __init__(self) -> None:
        self.clients = {"here": object()}
        self.worker_indexes = {"here": 0, "stopped": 1}
        self.handled: list[tuple[str, str]] = []

    def handle_message(self, client_id: str, message: Message) -> None:
        """Note a message."""
        self.handled.append((client_id, message.type))


@pytest.mark.parametrize(
    ("client", "kind", "is_handled"),
    [
        ("here", "spawning", True),
        ("here", "spawning_complete", True),
        ("stopped", "spawning", False),
        ("stopped", "spawning_complete", False),
        ("stopped", "client_ready", True),
        ("stopped", "heartbeat", True),
        ("stranger", "spawning", True),
    ],
)
def test_late_messages_are_dropped(client: str, kind: str, is_handled: bool) -> None:
    """Only what a worker that has stopped said of its users before is dropped; a stranger is dealt with as ever."""
    master = Master()
    mends.forgive_late_messages(cast(MasterRunner, master))
    master.handle_message(client, Message(kind, None, client))
    assert master.handled == ([(client, kind)] if is_handled else [])


def test_a_stop_drops_an_order_that_has_not_begun() -> None:
    """Users that a worker was told to start, and has not, are never started; the stop goes its way."""
    started: list[str] = []
    worker: Any = SimpleNamespace(stop=lambda: started.append("stopped"), spawning_greenlet=None)
    mends.stop_what_has_not_begun(worker)
    worker.stop()
    worker.spawning_greenlet = gevent.spawn(started.append, "users")
    worker.stop()
    gevent.sleep(0.01)
    assert started == ["stopped", "stopped"]


@pytest.mark.parametrize(("stop_timeout", "extra"), [(10.0, "-10"), (2.5, "-3"), (0.0, "0")])
def test_a_worker_is_ready_when_its_users_have_stopped(
    stop_timeout: float, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait after a stop, the timeout and what the variable adds, comes to nothing."""
    monkeypatch.setenv(mends.EXTRA_WAIT, "7")
    environment: Any = SimpleNamespace(stop_timeout=stop_timeout, events=SimpleNamespace(test_start=EventHook()))
    mends.be_ready_at_once(cast(Environment, environment))
    environment.events.test_start.fire(environment=environment)
    assert os.environ[mends.EXTRA_WAIT] == extra
    assert stop_timeout + int(extra) <= 0


def parser() -> LocustArgumentParser:
    """Make a parser that knows the one option."""
    made = get_empty_argument_parser()
    made.add_argument("--master-bind-host", default="*")
    return made


def test_the_master_listens_on_the_control_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CONTROL_NAME set, the address of that name is the one to listen on."""
    monkeypatch.setenv("CONTROL_NAME", "localhost")
    made = parser()
    mends.listen_on_control_network_only(made)
    assert made.parse_args([]).master_bind_host == socket.gethostbyname("localhost")


def test_the_master_listens_everywhere_without_a_control_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable Locust's own default holds, and an option given by hand too."""
    monkeypatch.delenv("CONTROL_NAME", raising=False)
    made = parser()
    mends.listen_on_control_network_only(made)
    assert made.parse_args([]).master_bind_host == "*"
    assert made.parse_args(["--master-bind-host", "127.0.0.1"]).master_bind_host == "127.0.0.1"
