"""The shape of a plan: every step is held for its whole time, from the moment that its users are there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locust import LoadTestShape
from locust.util.load_locustfile import is_shape_class

from loadlab import plan as plans
from loadlab.generator.load_shape import MOST_WAIT_S, PlanShape
from loadlab.plan import RunPlan
from tests.generator.fakes import Clock, planned

SHAPES = st.sampled_from(plans.SHAPES)


class Drive:
    """What Locust does with a shape: it asks once a second, and stands still while it starts or stops users."""

    def __init__(self, plan: RunPlan, *, most: int = 10**9) -> None:
        self.clock = Clock(1000.0)
        self.shape = PlanShape(plan, self.clock)
        self.users = 0
        self.most = most  # that can be started
        self.shape.runner = self  # type: ignore[assignment]
        self.orders: list[tuple[int, float]] = []
        self.held: list[tuple[int, float]] = []  # users, and for how long there was that number
        self._there_at = self.clock.now

    @property
    def user_count(self) -> int:
        """Return how many users run: the shape asks its runner for it."""
        return self.users

    def run(self) -> None:
        """Drive the shape to its end."""
        self.clock.now += 7  # from the making of a shape to the start of its run
        self.shape.reset_time()
        self._there_at = self.clock.now
        for _ in range(20_000):
            order = self.shape.tick()
            if order is None:
                self._note()
                return
            if not self.orders or order != self.orders[-1]:
                self._note()
                self._go_to(*order)
            self.clock.now += 1
        raise AssertionError("the shape does not end")

    def _go_to(self, users: int, spawn_rate: float) -> None:
        self.orders.append((users, spawn_rate))
        self.clock.now += abs(users - self.users) / spawn_rate
        self.users = min(users, self.most)
        self._there_at = self.clock.now

    def _note(self) -> None:
        if self.orders:
            self.held.append((self.orders[-1][0], self.clock.now - self._there_at))


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(1, 400), st.sampled_from([0.5, 3, 25, 1000]), st.sampled_from([1, 20, 90.5, 300]))
def test_no_step_is_skipped_or_cut_short(shape: Any, users: int, spawn_rate: float, time_s: float) -> None:
    """However long the ramps: the steps of the plan in their order, each for its time and at most 2 s more."""
    plan = planned(users=users, spawn_rate=spawn_rate, time_s=time_s, shape=shape)
    drive = Drive(plan)
    drive.run()
    merged: list[tuple[int, float, int]] = []  # steps of one user count are one order: Locust sees no difference
    for step in plan.steps():
        if merged and merged[-1][0] == step.users:
            merged[-1] = (step.users, merged[-1][1] + (step.hold_s or 0), merged[-1][2] + 1)
        else:
            merged.append((step.users, step.hold_s or 0, 1))
    assert drive.orders == [(count, spawn_rate) for count, *_ in merged]
    for (count, held_s), (wanted, hold_s, steps) in zip(drive.held, merged, strict=True):
        assert count == wanted
        assert hold_s <= held_s <= hold_s + 2 * steps + 1
    assert drive.shape.is_over
    assert drive.shape.tick() is None


def test_a_step_begins_when_its_users_are_there() -> None:
    """Not when they were ordered: as long as they are not all there, the time is not counted."""
    clock = Clock()
    shape = PlanShape(planned(users=10, spawn_rate=1, time_s=5), clock)
    runner: Any = SimpleNamespace(user_count=0)
    shape.runner = runner
    ticks = []
    for second in range(40):
        clock.now = float(second)
        runner.user_count = min(10, second // 2)  # half as fast as was asked for
        ticks.append(shape.tick())
    assert ticks == [(10, 1)] * 25 + [None] * 15


def test_users_that_cannot_be_started_do_not_hold_it_up_for_ever() -> None:
    """After the ramp's own time and half a minute more, the step is held without them."""
    clock = Clock()
    shape = PlanShape(planned(users=10, spawn_rate=1, time_s=5), clock)
    runner: Any = SimpleNamespace(user_count=9)
    shape.runner = runner
    last = 10 + MOST_WAIT_S
    clock.now = last
    assert shape.tick() == (10, 1)
    clock.now = last + 5.5  # overdue only from now on
    assert shape.tick() == (10, 1)
    clock.now += 4.9
    assert shape.tick() == (10, 1)
    clock.now += 0.1
    assert shape.tick() is None


def test_users_lost_in_the_midst_of_a_step_do_not_prolong_it() -> None:
    """Its time goes on while a worker's users are being made good."""
    clock = Clock()
    shape = PlanShape(planned(users=10, spawn_rate=10, time_s=5), clock)
    runner: Any = SimpleNamespace(user_count=10)
    shape.runner = runner
    assert shape.tick() == (10, 10)
    runner.user_count = 5
    clock.now = 5.0
    assert shape.tick() is None


def test_a_start_begins_anew() -> None:
    """A shape that is over, or half way, starts from its first step again."""
    drive = Drive(planned(users=10, spawn_rate=10, time_s=10, shape="steps"))
    drive.run()
    first = list(drive.orders)
    drive.orders.clear()
    drive.held.clear()
    drive.users = 0
    drive.run()
    assert drive.orders == first == [(2, 10), (4, 10), (6, 10), (8, 10), (10, 10)]


def test_a_step_without_an_end_is_held_until_someone_stops_it() -> None:
    """A plan without a time goes on."""
    clock = Clock()
    shape = PlanShape(planned(users=1, spawn_rate=1), clock)
    shape.runner = SimpleNamespace(user_count=1)  # type: ignore[assignment]
    for now in (0.0, 1.0, 1e9):
        clock.now = now
        assert shape.tick() == (1, 1)


def test_locust_takes_it_for_a_shape_but_never_for_the_users() -> None:
    """It is an instance that Locust accepts, keeps the form's fields, and is not found in a locustfile."""
    shape = PlanShape(planned(users=1, spawn_rate=1, time_s=5))
    assert isinstance(shape, LoadTestShape)
    assert shape.use_common_options is True
    assert not is_shape_class(PlanShape)


@pytest.mark.parametrize("shape", [shape for shape in plans.SHAPES if shape != "capacity"])
def test_the_planned_time_is_what_it_takes(shape: Any) -> None:
    """From the start to the end, within the seconds that it takes to notice."""
    plan = planned(users=50, spawn_rate=5, time_s=100, shape=shape)
    drive = Drive(plan)
    drive.run()
    took_s = drive.clock.now - 1007
    planned_s = plan.planned_s()
    assert planned_s is not None
    assert planned_s <= took_s <= planned_s + 2 * len(plan.steps())
