"""Where the client goes a shorter way than Locust's, it does the same."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import gevent
import pytest
from locust import TaskSet, constant, task
from locust.env import Environment
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, DefaultTaskSet

from loadlab.generator.http import LeanHttpSession, LeanHttpUser, head
from loadlab.generator.http.head import head_of
from loadlab.generator.http.tasks import Tasks
from tests.generator.http.conftest import Be, Serve
from tests.generator.http.scripted import ok

ONCE = b"HTTP/1.1 200 OK\r\nServer: a"


class Heard:
    """A recorder's listener, and what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[tuple[Any, ...]] = []
        monkeypatch.setattr(LeanHttpSession, "listeners", [self.listen])

    def listen(  # noqa: PLR0917
        self,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        exception: Any = None,
        response: Any = None,
        **_: Any,
    ) -> None:
        """Note what came."""
        self.told.append((request_type, name, response_time, response_length, exception, response))


def test_the_recorder_alone_is_told_the_same(serve: Serve, be: Be, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told directly or by the event, of a success, of a failure, and of what a user judges."""
    heard, someone = Heard(monkeypatch), be(serve(ok(b"no", status=b"404 Not Found")).url)
    event = someone.client.request_event
    others = list(event._handlers)
    for handlers in ([heard.listen], [*others, heard.listen]):
        event._handlers[:] = handlers
        response = someone.client.get("/a", name="A")
        assert heard.told[-1][:2] == ("GET", "A")
        assert heard.told[-1][2] == pytest.approx((response.ended - response.began - response.connect_s) * 1000)
        assert heard.told[-1][3:] == (2, response.error, response)
        with someone.client.get("/a", catch_response=True) as judged:
            judged.success()
        assert heard.told[-1][3:] == (2, None, judged)
    assert len(heard.told) == 4
    assert len(someone.told) == 2  # the others are told only where they listen


def test_nobody_listens(serve: Serve, be: Be) -> None:
    """Then nobody is told."""
    someone = be(serve(ok()).url)
    someone.client.request_event._handlers.clear()
    assert someone.client.get("/").status_code == 200
    assert someone.told == []


def test_a_response_is_gone_when_nobody_has_it(serve: Serve, be: Be) -> None:
    """It holds itself in no ring: the collector would have to look for it."""
    someone = be(serve(ok()).url)
    gc.disable()
    try:
        response = someone.client.get("/")
        someone.told.clear()
        seen = weakref.ref(response)
        del response
        assert seen() is None
    finally:
        gc.enable()


def test_heads_are_known_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes are looked through once; not more of them are kept than is worth it."""
    monkeypatch.setattr(head, "_known", {})
    first = head_of(ONCE)
    assert head_of(bytes(bytearray(ONCE))) is first
    assert head_of(ONCE + b"\r\nSet-Cookie: a=b").sets_cookies
    assert not first.sets_cookies
    for number in range(3 * head.MOST_KNOWN):
        assert head_of(b"%b%d" % (ONCE, number)).raw == b"%b%d" % (ONCE, number)
    assert len(head._known) <= head.MOST_KNOWN
    long = head_of(ONCE + b"x" * head.MOST_KNOWN_BYTES)
    assert long.raw not in head._known


class Inner(TaskSet):
    """Asks once, and is left."""

    @task
    def inside(self) -> None:
        """Count."""
        self.user.count["inside"] += 1  # type: ignore[attr-defined]
        self.interrupt()


class Worker(LeanHttpUser):
    """Counts what it is given to do, and goes after a thousand."""

    host = "http://127.0.0.1:1"
    wait_time = constant(0)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.count: Counter[str] = Counter()

    @task(3)
    def often(self) -> None:
        """Count."""
        self._note("often")

    @task(1)
    def seldom(self) -> None:
        """Count."""
        self._note("seldom")

    def _note(self, name: str) -> None:
        self.count[name] += 1
        if self.count.total() >= 4000:
            raise StopUser


def test_tasks_are_done_by_their_weights() -> None:
    """Three to one, sets of tasks among them."""
    user = Worker(Environment())
    user.run()
    assert type(user._taskset_instance) is Tasks
    assert 0.70 < user.count["often"] / user.count.total() < 0.80


def test_sets_of_tasks_are_run() -> None:
    """One among six tasks, with those that are inherited, until it is left."""
    user = type("Both", (Worker,), {"tasks": [Inner, Worker.often]})(Environment())
    user.run()
    assert 0.13 < user.count["inside"] / user.count.total() < 0.20


def test_no_tasks_are_complained_of() -> None:
    """As Locust does."""
    tasks = Tasks(type("Idle", (LeanHttpUser,), {"host": "http://127.0.0.1:1", "tasks": []})(Environment()))
    with pytest.raises(Exception, match="No tasks defined on Idle"):
        tasks.get_next_task()


def test_a_set_of_tasks_of_ones_own_is_kept() -> None:
    """What is no DefaultTaskSet is not replaced."""
    user = Worker(Environment())
    own = Inner(user)
    user._taskset_instance = own
    assert user._taskset_instance is own
    user._taskset_instance = DefaultTaskSet(user)
    assert type(user._taskset_instance) is Tasks


def test_a_user_killed_in_its_turn_waits_undisturbed() -> None:
    """What was to wake it from its wait of no time does not wake it from the next."""
    user = Worker(Environment())
    tasks, lasted = Tasks(user), []
    user._state = LOCUST_STATE_RUNNING

    def live() -> None:
        try:
            tasks._sleep(0)
        except gevent.GreenletExit:
            began = gevent.get_hub().loop.now()
            gevent.sleep(0.05)
            gevent.get_hub().loop.update_now()
            lasted.append(gevent.get_hub().loop.now() - began)

    greenlet = gevent.spawn(live)
    gevent.get_hub().loop.run_callback(greenlet.throw, gevent.GreenletExit)  # before its turn comes
    greenlet.join()
    assert lasted[0] >= 0.049
