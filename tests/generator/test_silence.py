"""A worker that hears nothing from its master stops its users, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from gevent.pool import Group
from locust.env import Environment
from locust.event import EventHook
from locust.runners import STATE_RUNNING, STATE_STOPPED, WorkerRunner

from loadlab.generator import silence
from loadlab.generator.reporting import Reporter

LOOK_S = 0.005
TURNS = 4


class Worker:
    """As much of a worker's runner as is watched."""

    def __init__(self) -> None:
        self.greenlet = Group()
        self.state = STATE_RUNNING
        self.user_classes_count = {"A": 2, "B": 1}
        self.spawning_greenlet: Any = None
        self.stopped: list[dict[str, int]] = []

    @property
    def user_count(self) -> int:
        """Return how many users run."""
        return sum(self.user_classes_count.values())

    def stop_users(self, counts: dict[str, int]) -> None:
        """Stop some users, as Locust does: the counts change meanwhile."""
        for name, count in counts.items():
            self.user_classes_count[name] -= count
        self.stopped.append(counts)


class Watched:
    """A worker that is watched, what it would report, and its master's answers."""

    def __init__(self) -> None:
        self.worker = Worker()
        self.reporter = SimpleNamespace(notes=[])
        self._answers = EventHook()
        environment = SimpleNamespace(events=SimpleNamespace(heartbeat_received=self._answers))
        silence.attach(cast(Environment, environment), cast(WorkerRunner, self.worker), cast(Reporter, self.reporter))

    def hear(self) -> None:
        """Have the master answer a heartbeat."""
        self._answers.fire(client_id="me", timestamp=0.0)

    def until_stopped(self) -> None:
        """Wait until users were stopped."""
        with gevent.Timeout(10):
            while not self.worker.stopped:
                gevent.sleep(LOOK_S)

    def looks(self, count: int) -> None:
        """Let the watch look at least so many times."""
        gevent.sleep(0)
        for _ in range(count):
            gevent.sleep(LOOK_S * 1.1)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Watched]]:
    """Return a function that gives a worker that is watched, much faster than in earnest."""
    monkeypatch.setattr(silence, "LOOK_EVERY_S", LOOK_S)
    monkeypatch.setattr(silence, "SILENT_S", LOOK_S * TURNS)
    made: list[Watched] = []

    def make() -> Watched:
        made.append(Watched())
        return made[-1]

    yield make
    for watched in made:
        watched.worker.greenlet.kill()


def test_silence_stops_all_users_and_is_told(watch: Callable[[], Watched]) -> None:
    """Every user of every class, once, with a note in the next report that names their number."""
    watched = watch()
    watched.until_stopped()
    watched.looks(2 * TURNS)
    assert watched.worker.stopped == [{"A": 2, "B": 1}]
    assert len(watched.reporter.notes) == 1
    assert "3 users" in watched.reporter.notes[0]


def test_a_master_that_answers_is_not_silent(watch: Callable[[], Watched]) -> None:
    """However long the run: each answer makes the count begin anew."""
    watched = watch()
    for _ in range(4 * TURNS):
        watched.hear()
        watched.looks(1)
    assert watched.worker.stopped == []
    watched.until_stopped()


def test_short_silences_do_not_add_up(watch: Callable[[], Watched]) -> None:
    """A look fewer than it takes, an answer, and so again: nothing is stopped."""
    watched = watch()
    for _ in range(4):
        watched.hear()
        watched.looks(TURNS - 2)
    assert watched.worker.stopped == []


def test_an_order_under_way_is_dropped_first(watch: Callable[[], Watched]) -> None:
    """Users that are being started meanwhile are not started after the others were stopped."""
    watched = watch()
    started: list[str] = []
    watched.worker.spawning_greenlet = gevent.spawn_later(TURNS * LOOK_S * 3, started.append, "late")
    watched.until_stopped()
    assert watched.worker.spawning_greenlet.ready()
    watched.looks(4 * TURNS)
    assert started == []


@pytest.mark.parametrize("state", [STATE_STOPPED, "ready"])
def test_without_a_run_nothing_is_stopped(state: str, watch: Callable[[], Watched]) -> None:
    """An idle worker may wait for its master for as long as it likes."""
    watched = watch()
    watched.worker.state = state
    watched.looks(3 * TURNS)
    assert (watched.worker.stopped, watched.reporter.notes) == ([], [])


def test_users_that_come_while_it_is_silent_are_stopped_too(watch: Callable[[], Watched]) -> None:
    """None to begin with: nothing to stop, nothing to tell; those that come later are."""
    watched = watch()
    watched.worker.user_classes_count = {"A": 0}
    watched.looks(2 * TURNS)
    assert (watched.worker.stopped, watched.reporter.notes) == ([], [])
    watched.worker.user_classes_count = {"A": 5}
    watched.until_stopped()
    assert watched.worker.stopped == [{"A": 5}]


def test_the_worker_waits_longer_than_the_master_does() -> None:
    """The master takes a worker for missing after some 4 s; a worker that gave up first would shed load for nothing."""
    assert silence.SILENT_S >= 4
    assert silence.SILENT_S % silence.LOOK_EVERY_S == 0
