"""Requests on their way: every one that started is answered, killed or still under way, at any moment."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult
from hypothesis import given, settings
from hypothesis import strategies as st
from locust import FastHttpUser, HttpUser
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment

from loadlab.generator.flow import Flow
from tests.generator.fakes import Clock


def sessions(flow: Flow) -> Any:
    """Return a session class that is watched: its requests answer what is put into the result that they are given."""

    class Session:
        user: Any = None

        def request(self, method: str, result: AsyncResult[Any], name: str = "") -> Any:
            return method, name, result.get()

    flow.watch(Session)
    return Session


class Traffic:
    """Requests that are answered, fail or are killed when the test says so, and what must be counted of them."""

    def __init__(self) -> None:
        self.clock = Clock(50.0)
        self.flow = Flow(self.clock)
        self._session = sessions(self.flow)()
        self._open: list[tuple[gevent.Greenlet[..., Any], AsyncResult[Any], float]] = []
        self.started = self.answered = self.killed = 0
        self.busy_s = self.killed_busy_s = 0.0

    def do(self, what: str, number: int) -> None:
        """Let time pass, start a request, or end one of those that are open."""
        if what == "pass":
            self.clock.now += number / 4
            self.busy_s += number / 4 * len(self._open)
        elif what == "start":
            result: AsyncResult[Any] = AsyncResult()
            self._open.append((gevent.spawn(self._session.request, "GET", result, name="n"), result, self.clock.now))
            gevent.sleep(0)
            self.started += 1
        elif self._open:
            self._end(what, *self._open.pop(number % len(self._open)))

    def _end(self, what: str, user: Any, result: AsyncResult[Any], began: float) -> None:
        if what == "answer":
            result.set("yes")
            assert user.get() == ("GET", "n", "yes")
            self.answered += 1
            return
        self.killed += 1
        self.killed_busy_s += self.clock.now - began
        if what == "kill":
            user.kill(block=True)
        else:
            result.set_exception(OSError("no"))
            with pytest.raises(OSError, match="no"):
                user.get()

    def check(self) -> None:
        """Compare all that is counted."""
        flow = self.flow
        assert (flow.started, flow.answered, flow.killed) == (self.started, self.answered, self.killed)
        assert flow.in_flight == len(self._open) == flow.started - flow.answered - flow.killed
        assert flow.killed_busy_s == self.killed_busy_s


STEP = st.tuples(st.sampled_from(["start", "start", "pass", "answer", "kill", "raise"]), st.integers(0, 9))
STEPS = st.lists(STEP, min_size=10, max_size=60)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The greenlets that end in an error do so on purpose: gevent need not print it."""
    monkeypatch.setattr(gevent.get_hub(), "print_exception", lambda *_: None)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sets(st.integers(0, 40)))
def test_whatever_becomes_of_requests_they_are_accounted_for(steps: list[tuple[str, int]], looks: set[int]) -> None:
    """started = answered + killed + in flight after each step, and their time on the way is the integral of it."""
    traffic = Traffic()
    for index, (what, number) in enumerate(steps):
        traffic.do(what, number)
        traffic.check()
        if index in looks:
            assert traffic.flow.busy_s() == traffic.busy_s
    assert traffic.flow.busy_s() == traffic.busy_s


@pytest.mark.parametrize("end", ["kill", "raise"])
def test_the_time_of_those_that_were_killed_is_known(end: str) -> None:
    """It is part of the time on the way: Little's law is judged without it, as there is no answer."""
    traffic = Traffic()
    for what, number in (("start", 0), ("pass", 4), ("start", 0), ("pass", 8), (end, 0), ("pass", 2), ("answer", 0)):
        traffic.do(what, number)
    assert (traffic.flow.killed_busy_s, traffic.flow.busy_s()) == (3.0, 5.5)


def test_counting_anew_keeps_what_is_on_its_way() -> None:
    """It counts as started in the new run, whose time on the way begins at nothing."""
    traffic = Traffic()
    for what, number in (("start", 0), ("start", 0), ("pass", 8), ("answer", 0)):
        traffic.do(what, number)
    traffic.clock.now += 4
    traffic.flow.begin()
    flow = traffic.flow
    assert (flow.started, flow.answered, flow.killed, flow.in_flight) == (1, 0, 0, 1)
    assert flow.busy_s() == 0.0
    traffic.clock.now += 3
    assert flow.busy_s() == 3.0
    traffic.do("answer", 0)
    assert (flow.started, flow.answered, flow.in_flight) == (1, 1, 0)


def test_a_killed_user_starts_nothing() -> None:
    """What a user sends between Locust's kill and its effect is neither sent nor counted."""
    flow = Flow(Clock())
    session = sessions(flow)()
    session.user = type("Killed", (), {"lab_is_killed": True})()
    result: AsyncResult[Any] = AsyncResult()
    result.set("served")
    with pytest.raises(gevent.GreenletExit):
        session.request("GET", result)
    assert (flow.started, flow.answered, flow.killed, flow.in_flight) == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", [HttpSession, FastHttpSession])
def test_every_way_to_send_goes_through_what_is_watched(kind: Any) -> None:
    """Each verb of Locust's own clients counts one request, and so does the event: one of a dead server too."""
    flow = Flow()
    watched = type("Watched", (kind,), {})
    flow.watch(watched)
    environment = Environment(user_classes=[HttpUser, FastHttpUser])
    seen: list[str] = []
    environment.events.request.add_listener(lambda request_type, **_: seen.append(request_type))
    session = watched("http://127.0.0.1:1", environment.events.request, None)
    for verb in ("get", "post", "put", "patch", "delete", "head", "options"):
        getattr(session, verb)("/")
    assert seen == ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    assert (flow.started, flow.answered, flow.killed, flow.in_flight) == (7, 7, 0, 0)
