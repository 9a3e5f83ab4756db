"""The dispatcher that notes what Locust's own forgets, and the greenlet that sees to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from gevent.pool import Group
from locust import User
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import MasterRunner, WorkerNode

from loadlab.generator import balance
from loadlab.generator.balance import Dispatcher

LOOK_S = 0.01


class Customer(User):
    """Somebody to dispatch."""


def node(number: int) -> WorkerNode:
    """Make a worker as the master knows it."""
    return WorkerNode(f"host_{number}")


def dispatched(dispatcher: UsersDispatcher, users: int) -> list[int]:
    """Dispatch so many users to the end, and return how many each worker has."""
    dispatcher.new_dispatch(users, users)
    *_, last = list(dispatcher)
    return sorted(sum(counts.values()) for counts in last.values())


def make(workers: int, users: int) -> Dispatcher:
    """Make a dispatcher that has shared out its users."""
    dispatcher = Dispatcher([node(number) for number in range(workers)], [Customer])
    assert sum(dispatched(dispatcher, users)) == users
    return dispatcher


def test_nothing_is_due_while_the_workers_stay() -> None:
    """All is shared out and nobody came or went: nothing to do."""
    dispatcher = make(2, 10)
    assert not dispatcher.is_due
    assert dispatcher.workers == 2


def test_a_worker_that_joins_gets_its_share() -> None:
    """It makes a dispatch due, after which the users are shared evenly and nothing is due any more."""
    dispatcher = make(2, 9)
    dispatcher.add_worker(node(2))
    assert dispatcher.is_due
    assert dispatched(dispatcher, 9) == [3, 3, 3]
    assert not dispatcher.is_due


def test_a_worker_that_leaves_is_replaced() -> None:
    """Those that stay take over its users."""
    dispatcher = make(3, 9)
    dispatcher.remove_worker(node(1))
    assert dispatcher.is_due
    assert dispatched(dispatcher, 9) == [4, 5]
    assert not dispatcher.is_due


def test_changes_are_seen_again_and_again() -> None:
    """The second change and the tenth are noticed as the first one is."""
    dispatcher = make(1, 12)
    for number in range(1, 6):
        dispatcher.add_worker(node(number))
        assert dispatcher.is_due
        assert sum(dispatched(dispatcher, 12)) == 12
        dispatcher.remove_worker(node(number - 1))
        assert dispatcher.is_due
        assert dispatched(dispatcher, 12) == [12]
    assert not dispatcher.is_due


def test_several_changes_need_one_dispatch() -> None:
    """Two that came and one that went between two looks are settled at once."""
    dispatcher = make(2, 12)
    dispatcher.add_worker(node(2))
    dispatcher.add_worker(node(3))
    dispatcher.remove_worker(node(0))
    assert dispatched(dispatcher, 12) == [4, 4, 4]
    assert not dispatcher.is_due


def test_the_last_worker_may_leave_and_another_come() -> None:
    """Without workers nothing can be dispatched; the first that comes gets all users."""
    dispatcher = make(1, 5)
    dispatcher.remove_worker(node(0))
    assert not dispatcher.is_due
    assert dispatcher.workers == 0
    dispatcher.add_worker(node(1))
    assert dispatcher.is_due
    assert dispatched(dispatcher, 5) == [5]


def test_a_change_while_users_are_being_started_goes_with_them() -> None:
    """Half way up, no dispatch of our own is due: the one under way reckons with the new worker."""
    dispatcher = Dispatcher([node(0)], [Customer])
    dispatcher.new_dispatch(4, 100)
    next(dispatcher)
    dispatcher.new_dispatch(10, 1)
    next(dispatcher)
    dispatcher.add_worker(node(1))
    assert not dispatcher.is_due
    dispatcher._wait_between_dispatch = 0
    *_, last = list(dispatcher)
    assert sorted(sum(counts.values()) for counts in last.values()) == [5, 5]
    assert not dispatcher.is_due


def test_a_worker_that_comes_back_is_counted_once() -> None:
    """A worker that is announced twice has one share of the users, not two."""
    dispatcher = make(2, 12)
    dispatcher.add_worker(node(1))
    assert dispatcher.workers == 2
    assert dispatched(dispatcher, 12) == [6, 6]


def test_the_dispatcher_meets_the_workers_that_are_there() -> None:
    """One that it was never told of is taken in, one that is gone is let go; meeting the same again changes nothing."""
    dispatcher = make(2, 12)
    dispatcher.meet([node(1), node(2), node(3)])
    assert dispatcher.is_due
    assert dispatched(dispatcher, 12) == [4, 4, 4]
    dispatcher.meet([node(1), node(2), node(3)])
    assert not dispatcher.is_due


def test_the_message_listener_never_dispatches() -> None:
    """Whatever happens, it is told that a dispatch is under way, so that it goes on hearing heartbeats."""
    dispatcher = make(1, 2)
    assert dispatcher.dispatch_in_progress
    dispatcher.add_worker(node(1))
    assert dispatcher.dispatch_in_progress


def test_why_locusts_own_dispatcher_does_not_do() -> None:
    """Locust's says for ever that a dispatch is under way after its first rebalance. Mended there, ours may go."""
    dispatcher = UsersDispatcher([node(0)], [Customer])
    dispatched(dispatcher, 4)
    assert not dispatcher.dispatch_in_progress
    dispatcher.add_worker(node(1))
    dispatched(dispatcher, 4)
    assert dispatcher.dispatch_in_progress


class Runner:
    """As much of a master's runner as is looked after: it counts the dispatches that are asked of it."""

    def __init__(self, dispatcher: UsersDispatcher | None) -> None:
        self._users_dispatcher = dispatcher
        self.greenlet = Group()
        self.away: set[str] = set()
        self.state = "running"
        self.target_user_count = 12
        self.spawn_rate = 12.0
        self.dispatches = 0

    @property
    def clients(self) -> dict[str, WorkerNode]:
        """Return the workers that the master hears: all that the dispatcher knows, unless they are away."""
        nodes = self._users_dispatcher._worker_nodes if self._users_dispatcher else []
        return {node.id: node for node in nodes if node.id not in self.away}

    def start(self, users: int, _spawn_rate: float) -> None:
        """Dispatch to the end, as the real one does."""
        self.dispatches += 1
        assert self._users_dispatcher is not None
        dispatched(self._users_dispatcher, users)


@pytest.fixture
def look_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[UsersDispatcher | None], Runner]]:
    """Return a function that has a dispatcher looked after."""
    monkeypatch.setattr(balance, "LOOK_EVERY_S", LOOK_S)
    runners: list[Runner] = []

    def attach(dispatcher: UsersDispatcher | None) -> Runner:
        runner = Runner(dispatcher)
        runners.append(runner)
        environment: Any = SimpleNamespace()
        balance.attach(cast(Environment, environment), cast(MasterRunner, runner))
        assert environment.dispatcher_class is Dispatcher
        return runner

    yield attach
    for runner in runners:
        runner.greenlet.kill()


def looks(count: int) -> None:
    """Let the greenlet look so many times."""
    gevent.sleep(LOOK_S * (count + 0.5))


def test_a_due_dispatch_is_made_once(look_after: Callable[[UsersDispatcher | None], Runner]) -> None:
    """Two workers that join together cost one dispatch; when nothing changes, none is made."""
    dispatcher = make(2, 12)
    runner = look_after(dispatcher)
    looks(4)
    assert runner.dispatches == 0
    dispatcher.add_worker(node(2))
    dispatcher.add_worker(node(3))
    looks(6)
    assert runner.dispatches == 1
    dispatcher.remove_worker(node(2))
    looks(6)
    assert runner.dispatches == 2


def test_workers_that_still_come_are_waited_for(look_after: Callable[[UsersDispatcher | None], Runner]) -> None:
    """As long as their number changes from look to look, nothing is dispatched."""
    dispatcher = make(1, 12)
    runner = look_after(dispatcher)
    for number in range(1, 5):
        dispatcher.add_worker(node(number))
        gevent.sleep(LOOK_S)
    assert runner.dispatches == 0
    looks(6)
    assert runner.dispatches == 1


@pytest.mark.parametrize("state", ["ready", "stopping", "stopped"])
def test_workers_that_join_start_no_test(state: str, look_after: Callable[[UsersDispatcher | None], Runner]) -> None:
    """A start that was killed as it began leaves a dispatcher, whose users nobody wants any more."""
    dispatcher = make(2, 12)
    runner = look_after(dispatcher)
    runner.state = state
    dispatcher.add_worker(node(2))
    looks(6)
    assert runner.dispatches == 0


@pytest.mark.parametrize("dispatcher", [None, UsersDispatcher([node(0)], [Customer])])
def test_a_master_before_its_first_test_is_let_be(
    dispatcher: UsersDispatcher | None, look_after: Callable[[UsersDispatcher | None], Runner]
) -> None:
    """Without a dispatcher, or with one of another kind, there is nothing to look after, and no error."""
    runner = look_after(dispatcher)
    looks(3)
    assert runner.dispatches == 0
    assert len(runner.greenlet) == 1


@pytest.mark.parametrize(
    ("state", "clients", "has_stopped"),
    [
        ("stopping", ["ready", "ready"], True),
        ("stopping", ["ready", "missing"], True),
        ("stopping", ["ready", "running"], False),
        ("stopping", ["missing"], False),
        ("stopping", [], False),
        ("running", ["ready", "missing"], False),
        ("stopped", ["ready"], False),
    ],
)
def test_a_dead_worker_is_not_waited_for_at_a_stop(state: str, clients: list[str], has_stopped: bool) -> None:
    """A test that is being stopped has stopped when all workers that are heard are idle, whoever is missing."""
    runner: Any = SimpleNamespace(
        state=state, clients={str(n): SimpleNamespace(state=client) for n, client in enumerate(clients)}
    )
    assert balance.has_stopped(runner) is has_stopped
