"""What is mended in Locust's runners."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
import zmq.green as zmq
from locust import User, argument_parser, constant, task
from locust.argument_parser import LocustArgumentParser, get_empty_argument_parser
from locust.env import Environment
from locust.event import EventHook
from locust.exception import RPCError
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


class Port:
    """The port of a real master for its workers, and a socket that sends to it under a name."""

    def __init__(self) -> None:
        self.master = Environment().create_master_runner("127.0.0.1", 0)
        mends.survive_garbage(self.master)
        self.heard: list[str] = []
        self.master.register_message("word", lambda msg, **_: self.heard.append(msg.data))
        self._context = zmq.Context()

    def connect(self, name: str) -> Any:
        """Connect as somebody."""
        made = self._context.socket(zmq.DEALER)
        made.setsockopt(zmq.IDENTITY, name.encode())
        made.connect(f"tcp://127.0.0.1:{self.master.server.port}")
        return made

    def hear(self, word: str) -> None:
        """Wait until the master has heard a word."""
        with gevent.Timeout(10):
            while word not in self.heard:
                gevent.sleep(0.002)

    def close(self) -> None:
        """End all that runs."""
        self.master.greenlet.kill()
        self.master.server.close(linger=0)
        self._context.destroy(linger=0)


@pytest.fixture
def port() -> Iterator[Port]:
    """A master's port."""
    made = Port()
    yield made
    made.close()


def packed(kind: Any, data: Any = None, name: Any = "stranger") -> bytes:
    """Return a message as it is sent."""
    return cast(bytes, Message(kind, data, name).serialize())


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xc1",
        b"",
        b"\x93\x01",
        b"\x91\xa1x",
        b"\x00",
        b"\xff\xff",
        b"\x81\xac__datetime__\x01",
        b"GET / HTTP/1.1\r\n",
        packed("word", "again") + b"more",
        packed("client_ready", 5),
        packed("exception"),
        packed("locustfile"),
        packed("heartbeat", None, "known"),
        packed("heartbeat", None, ["no name"]),
        packed("logs", 5),
        packed("stats", 5),
        packed(["no kind"]),
        packed("spawning_complete", None, "known"),
        packed("quit", None, {}),
    ],
)
@pytest.mark.parametrize("sender", ["stranger", "known"])
def test_garbage_is_dropped(garbage: bytes, sender: str, port: Port) -> None:
    """Whatever comes in, of a stranger or of a worker: the master goes on listening, and hears no word twice."""
    worker = port.connect("known")
    worker.send(packed("client_ready", "2.47.0", "known"))
    worker.send(packed("word", "first", "known"))
    port.hear("first")
    other = worker if sender == "known" else port.connect(sender)
    other.send(garbage)
    other.send(packed("word", "last"))
    port.hear("last")
    assert port.heard == ["first", "last"]
    assert list(port.master.clients) == ["known"]


def test_a_broken_connection_is_locusts_own_affair() -> None:
    """Only what cannot be read is dropped: Locust opens its port anew when the network is broken, and is killed."""
    told = iter([ValueError("garbage"), RPCError("ZMQ network broken"), gevent.GreenletExit()])

    def receive() -> None:
        raise next(told)

    runner: Any = SimpleNamespace(server=SimpleNamespace(recv_from_client=receive), handle_message=None)
    mends.survive_garbage(cast(MasterRunner, runner))
    with pytest.raises(RPCError):
        runner.server.recv_from_client()
    with pytest.raises(gevent.GreenletExit):
        runner.server.recv_from_client()


class Starter:
    """As much of a master's runner as starts users and is stopped: a start takes until it is told to end."""

    def __init__(self) -> None:
        self.events = SimpleNamespace(test_stopping=EventHook())
        self.ended: list[str] = []
        mends.end_starts_at_a_stop(cast(Environment, self), cast(MasterRunner, self))

    def start(self, name: str, *, seconds: float = 60) -> None:
        """Start users for so long."""
        gevent.sleep(seconds)
        self.ended.append(name)

    def spawn(self, name: str, seconds: float = 60) -> gevent.Greenlet[..., Any]:
        """Start users in a greenlet of its own, which goes on afterwards."""

        def run() -> None:
            self.start(name, seconds=seconds)
            self.ended.append(f"after {name}")

        greenlet = gevent.spawn(run)
        gevent.sleep(0)
        return greenlet

    def stop(self) -> None:
        """Stop, as Locust does: the event comes first."""
        self.events.test_stopping.fire(environment=self)


def test_a_stop_ends_every_start_that_is_under_way() -> None:
    """Those who wanted users started go on, as if that had ended; a start that ended before is not ended again."""
    starter = Starter()
    one, other = starter.spawn("one"), starter.spawn("other")
    starter.spawn("short", seconds=0).join()
    starter.stop()
    gevent.joinall([one, other], timeout=5)
    assert starter.ended[:2] == ["short", "after short"]
    assert sorted(starter.ended[2:]) == ["after one", "after other"]
    later = starter.spawn("later", seconds=0.01)
    gevent.sleep(0)
    later.join()
    assert starter.ended[4:] == ["later", "after later"]


def test_a_start_that_stops_the_test_itself_goes_on() -> None:
    """It cannot end itself: a listener to the start may have had enough."""
    ended: list[str] = []
    runner: Any = SimpleNamespace(events=SimpleNamespace(test_stopping=EventHook()))

    def start() -> None:
        runner.events.test_stopping.fire(environment=runner)
        gevent.sleep(0.01)
        ended.append("it")

    runner.start = start
    mends.end_starts_at_a_stop(cast(Environment, runner), cast(MasterRunner, runner))
    gevent.spawn(runner.start).join()
    assert ended == ["it"]


def test_a_greenlet_that_is_killed_in_a_start_ends() -> None:
    """Locust's own page kills the start that it made, and the end of the master kills everything."""
    starter = Starter()
    greenlet = starter.spawn("one")
    greenlet.kill()
    assert greenlet.dead
    assert starter.ended == []
    starter.stop()


def test_a_user_that_is_killed_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits, or is stopped by force: `flow` lets it send nothing. One in the midst of a task ends it first."""
    monkeypatch.setattr(User, "stop", User.stop)
    mends.start_nothing_once_killed()

    began: list[str] = []

    class Waiter(User):
        wait_time = constant(60)

        @task
        def nothing(self) -> None:
            began.append("task")

    class Worker(User):
        wait_time = constant(60)

        @task
        def nothing(self) -> None:
            began.append("task")
            gevent.sleep(60)

    marks = []
    for kind, force in ((Waiter, False), (Worker, False), (Worker, True)):
        user: Any = kind(Environment())
        user.start(gevent.pool.Group())
        with gevent.Timeout(10):
            while not began:
                gevent.sleep(0.001)
        began.clear()
        ended = user.stop(force)
        marks.append((getattr(user, "lab_is_killed", False), ended))
        user.greenlet.kill()
    assert marks == [(True, True), (False, False), (True, True)]


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


def test_the_default_options_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are Locust's own, and asked for again they cost nothing: a worker asks at each order, for each option."""
    truly = argument_parser.default_args_dict()
    monkeypatch.setattr(argument_parser, "default_args_dict", argument_parser.default_args_dict)
    mends.remember_default_options()
    first = argument_parser.default_args_dict()
    assert first == truly
    assert argument_parser.default_args_dict() is first
