"""Stand-ins for what the generator's modules work with: a clock to turn, reports, a little world of time, a master."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import gevent
from gevent.pool import Group
from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]
from locust.env import Environment
from locust.rpc import Message
from locust.runners import (
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    WorkerNode,
    WorkerNodes,
)

from loadlab import plan as plans
from loadlab.plan import RunPlan


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time, in s."""
        return self.now


def modules_time(clock: Callable[[], float], *, unix: float = 0.0) -> Any:
    """Return what a module can take for `time`: all its clocks go by one, the time of day `unix` seconds ahead."""
    return SimpleNamespace(time=lambda: clock() + unix, perf_counter=clock, monotonic=clock)


def planned(**values: Any) -> RunPlan:
    """Return a plan; without a time it has no end."""
    return plans.make({"users": 1, "spawn_rate": 1, **values}, endless=True)


def sent(message: str, data: Any, sender: str = "worker") -> Message:
    """Return a message as it arrives: packed and unpacked, nothing in it shared with the sender."""
    return cast(Message, Message.unserialize(Message(message, data, sender).serialize()))


def cell(method: str = "GET", name: str = "/", *, ok: dict[int, int] | None = None, failed: int = 0) -> list[Any]:
    """Return an endpoint's tally as it is packed: successes by their µs (below 256, each its bucket), failures of 9."""
    times = [sum(us * n for us, n in ok.items()), min(ok), max(ok), dict(ok)] if ok else None
    wrong = [9 * failed, 9, 9, {9: failed}] if failed else None
    return [method, name, times, wrong, 0, [], {"HTTP 503": failed} if failed else {}]


def report(number: int, through: int, *seconds: list[Any], run: str = "run", **changes: Any) -> dict[str, Any]:
    """Return a worker's report: of 2 users and half a core for a second, unless said otherwise."""
    counters = {"started": 0, "answered": 0, "killed": 0, "in_flight": 0, "recorded": 0}
    health = {"lag": "", "lag_max_us": 0, "cpu_s": 0.5, "cpu_limit": 1.0, "periods": 0, "throttled": 0, "rss_bytes": 1}
    return {
        "run": run,
        "number": number,
        "final": False,
        "through": through,
        "seconds": [list(second) for second in seconds],
        "users": 2,
        "in_flight": 0.0,
        "health": health,
        "clock_offset_s": 0.0,
        "who": {"host": "here", "pid": 7, "booted": 5, "files_limit": 1024},
        "notes": [],
        "counters": {**counters, "busy_s": 0.0, "killed_busy_s": 0.0},
    } | changes


class World:
    """Greenlets and happenings in the order of a time of their own, which takes no real time to pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], Any]]] = []
        self._numbers = itertools.count()

    def at(self, delay: float, happening: Callable[[], Any]) -> None:
        """Have something happen so many seconds from now."""
        heapq.heappush(self._due, (self.now + delay, next(self._numbers), happening))

    def spawn(self, function: Callable[[], Any]) -> None:
        """Run a function that sleeps by `sleep` beside all else."""
        self.at(0, greenlet(function).switch)

    def sleep(self, seconds: float) -> None:
        """Let this greenlet wait."""
        me = getcurrent()
        self.at(seconds, me.switch)
        assert me.parent is not None
        me.parent.switch()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, happening = heapq.heappop(self._due)
            happening()
        self.now = end

    def flag(self) -> WorldFlag:
        """Make what gevent calls an Event."""
        return WorldFlag(self)


class WorldFlag:
    """An event of gevent's in a world's own time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._is_set = False
        self._waiting: Callable[[], Any] | None = None

    def set(self) -> None:
        """Set it, and wake who waits."""
        self._is_set = True
        if self._waiting is not None:
            self._world.at(0, self._wake(self._waiting))

    def clear(self) -> None:
        """Unset it."""
        self._is_set = False

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, and tell whether it is."""
        me = getcurrent()
        waiting = self._waiting = me.switch
        self._world.at(0 if self._is_set else timeout, self._wake(waiting))
        assert me.parent is not None
        me.parent.switch()
        return self._is_set

    def _wake(self, waiting: Callable[[], Any]) -> Callable[[], None]:
        def wake() -> None:
            if self._waiting is waiting:
                self._waiting = None
                waiting()

        return wake


class Master:
    """As much of a master's runner as leading a run needs, with the order of events of Locust's own.

    Its workers have the users that are ordered at once. What it sends to them is kept in `sent`.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        environment.runner = cast(Any, self)
        self.greenlet = Group()
        self.clients = WorkerNodes()
        self.state = STATE_INIT
        self.target_user_count = 0
        self.spawn_rate = 0.0
        self.shape_greenlet: Any = None
        self._users_dispatcher: Any = None
        self.starts: list[tuple[int, float]] = []
        self.sent: list[Message] = []
        self.server = SimpleNamespace(send_to_client=self.sent.append)
        self.listeners: dict[str, Any] = {}
        self.worker_indexes: dict[str, int] = {}

    @property
    def worker_count(self) -> int:
        """Return how many workers are there."""
        return len(self.clients.ready + self.clients.spawning + self.clients.running)

    @property
    def user_count(self) -> int:
        """Return how many users run."""
        return sum(client.user_count for client in self.clients.values())

    def get_worker_index(self, client_id: str) -> int:
        """Return a worker's number, from 0."""
        return self.worker_indexes.setdefault(client_id, len(self.worker_indexes))

    def register_message(self, kind: str, listener: Any) -> None:
        """Note who listens to a message."""
        self.listeners[kind] = listener

    def join(self, *names: str) -> None:
        """Have workers connect."""
        for name in names:
            self.get_worker_index(name)
            self.clients[name] = WorkerNode(name)
            self.environment.events.worker_connect.fire(client_id=name)

    def miss(self, name: str) -> None:
        """Miss a worker; when it was the last one, stop."""
        self.clients[name].state = STATE_MISSING
        self.clients[name].user_classes_count = {}
        if not self.worker_count:
            self.stop()

    def start(self, users: int, spawn_rate: float) -> None:
        """Start users, or change their number."""
        self.target_user_count = users
        if not self.worker_count:
            return
        self.spawn_rate = spawn_rate
        self.starts.append((users, spawn_rate))
        if self.state not in (STATE_RUNNING, STATE_SPAWNING):
            self.environment.events.test_start.fire(environment=self.environment)
            if self.environment.shape_class:
                self.environment.shape_class.reset_time()
        self.state = STATE_SPAWNING
        self.share_out()
        self.state = STATE_RUNNING

    def share_out(self) -> None:
        """Give the users that are wanted to the workers that are there."""
        there = [client for client in self.clients.values() if client.state != STATE_MISSING]
        for index, client in enumerate(there):
            client.state = STATE_RUNNING
            count = self.target_user_count // len(there) + (index < self.target_user_count % len(there))
            client.user_classes_count = {"User": count}

    def start_shape(self) -> None:
        """Ask the shape every now and then until it has no more to order."""
        assert self.environment.shape_class is not None
        self.state = STATE_INIT
        self.shape_greenlet = self.greenlet.spawn(self._follow_shape)
        self.environment.shape_class.reset_time()

    def _follow_shape(self) -> None:
        last: Any = None
        while self.state in (STATE_INIT, STATE_SPAWNING, STATE_RUNNING):
            order: Any = self.environment.shape_class.tick() if self.environment.shape_class else None
            if order is None:
                self.stop()
                self.shape_greenlet = None
                return
            if order != last:
                self.start(*order[:2])
                last = order
            gevent.sleep(0.002)

    def stop(self) -> None:
        """Tell all workers to stop their users."""
        if self.state in (STATE_INIT, STATE_STOPPED, STATE_STOPPING):
            return
        self.environment.events.test_stopping.fire(environment=self.environment)
        self.state = STATE_STOPPING
        if self.shape_greenlet is not None and self.shape_greenlet is not gevent.getcurrent():
            self.shape_greenlet.kill(block=True)
            self.shape_greenlet = None
        for client in self.clients.values():
            client.user_classes_count = {}
            if client.state != STATE_MISSING:
                client.state = STATE_INIT
        self.state = STATE_STOPPED
        self.environment.events.test_stop.fire(environment=self.environment)
