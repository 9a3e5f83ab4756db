"""Users that wait between their tasks, and users in a calibration, who do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from locust import TaskSet, User, constant, constant_pacing, task
from locust.env import Environment

from loadlab.generator import pauses
from loadlab.generator.http import LeanHttpUser


class Pausing(User):
    """A user with long pauses, and a task in which it sleeps for a moment."""

    abstract = True
    wait_time = constant(60)
    done = 0

    @task
    def work(self) -> None:
        gevent.sleep(0.001)
        type(self).done += 1
        if self.done == 3:
            self.wait()  # one of its own accord, in a task


class Paced(User):
    """A user whose tasks pause by a wait time of their own."""

    abstract = True
    wait_time = constant_pacing(60)
    done = 0

    @task
    class Inner(TaskSet):
        wait_time = constant(60)

        @task
        def work(self) -> None:
            self.kind.done += 1

        @property
        def kind(self) -> Any:
            """Return the user's class."""
            return type(self.user)


class Lean(LeanHttpUser, Pausing):
    """One whose tasks are done in a shorter way than Locust's."""

    abstract = True
    host = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Leave no other test without pauses."""
    yield
    pauses.keep(wanted=True)


def done_in_a_second(kind: type[User], enough: int) -> int:
    """Return how many tasks a new user did by the time that it had done enough, or a second was over."""
    own: Any = type("Own", (kind,), {"abstract": False, "done": 0})
    running = gevent.spawn(own(Environment()).run)
    with gevent.Timeout(1, False):
        while own.done < enough:
            gevent.sleep(0.001)
    running.kill()
    return int(own.done)


@pytest.mark.parametrize("kind", [Pausing, Paced, Lean])
def test_users_do_not_pause_in_a_calibration_only(kind: type[User]) -> None:
    """With pauses a second is enough for one task; without, for many; and then there are pauses again."""
    for wanted, least, most in ((True, 1, 1), (False, 20, 10**9), (True, 1, 1)):
        pauses.keep(wanted=wanted)
        assert least <= done_in_a_second(kind, max(least, 2)) <= most


def test_others_have_their_turn() -> None:
    """A user that does not pause still lets go: a worker has more than one, and a master to answer."""
    pauses.keep(wanted=False)
    turns = 0

    def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    beside = gevent.spawn(other)
    assert done_in_a_second(Paced, 100) >= 100
    beside.kill()
    assert turns > 50
