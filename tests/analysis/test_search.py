"""The search for the capacity, on targets of a few lines and on queues whose capacity is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from loadlab.analysis import slo
from loadlab.analysis.recording import Event, EventKind, Run, Second, Status, WorkerSecond
from loadlab.analysis.search import (
    CONFIRM_S,
    PASS_AFTER_S,
    SETTLE_S,
    Ending,
    Goal,
    Judgement,
    Phase,
    Search,
    Step,
    StepOutcome,
)
from loadlab.analysis.steps import judge
from tests.queues import Queue
from tests.recordings import cell

MOST_S = 1000
Says = Callable[[int, Sequence[Second]], Judgement]

PASSES = Judgement(StepOutcome.PASS, "fine", is_clear=True, holds=True)
FAILS = Judgement(StepOutcome.FAIL, "slow", is_clear=True, holds=False, broken=("p95<450ms",))
INVALID = Judgement(StepOutcome.INVALID, "no CPU left", is_clear=True, holds=False)


def up_to(most: int) -> Says:
    """Return a target that holds up to so many users."""
    return lambda users, _: PASSES if users <= most else FAILS


@dataclass
class Bench:
    """A search whose users come and go at once, on a target that is as `says` has it."""

    says: Says
    goal: Goal = field(default_factory=lambda: Goal(10, 10_000, 0.03, 360.0, 50.0))
    fails: Callable[[int], float] = lambda _users: 0.0
    lags_s: int = 0  # how long a change of users takes

    def run(self) -> Bench:
        """Search to the end."""
        self.search = Search(self.goal, lambda window, users: self.says(users, window))
        self.events: list[Event] = []
        self.users_by_second: list[int] = []
        users, wait = 0, 0
        for t in range(MOST_S):
            order = self.search.order
            if order is None:
                return self
            if order[0] != users:
                users, wait = (order[0], 0) if wait >= self.lags_s else (users, wait + 1)
            self.users_by_second.append(users)
            failed = round(10 * self.fails(users))
            cells = [cell([20_000] * (10 - failed), failed_us=[1000] * failed)]
            second = Second(t, users, order[0], cells, [WorkerSecond(1, users, 10, in_flight=2.0)])
            self.events += self.search.add(second)
        raise AssertionError(f"the search never ended: {self.search.steps}")

    @property
    def tried(self) -> list[tuple[str, int]]:
        """Return the steps: what for, and how many users."""
        return [(str(step.phase), step.users) for step in self.search.steps]


def test_grow_bisect_confirm() -> None:
    """Doubles until it breaks, halves the gap until it is narrow, confirms the lower end."""
    done = Bench(up_to(117)).run()
    assert done.tried == [
        *(("grow", users) for users in (10, 20, 40, 80, 160)),
        *(("bisect", users) for users in (120, 100, 110, 115, 117)),
        ("confirm", 117),
    ]
    assert (done.search.low, done.search.high, done.search.ending) == (117, 120, Ending.FOUND)


@pytest.mark.parametrize("most", [1, 2, 9, 10, 11, 39, 40, 41, 350, 1234, 9_999])
def test_the_bracket_is_narrow(most: int) -> None:
    """It holds the capacity, and is within the precision."""
    search = Bench(up_to(most)).run().search
    assert search.high is not None
    assert search.low <= most < search.high
    assert search.high - search.low <= max(1, 0.03 * search.high)
    assert search.ending is Ending.FOUND


def test_nothing_breaks() -> None:
    """The most users that may be tried hold: that is no capacity, but a lower bound."""
    done = Bench(up_to(10**6), Goal(10, 100, 0.03, 360.0, 50.0)).run()
    assert done.tried[-1] == ("grow", 100)
    assert (done.search.low, done.search.high, done.search.ending) == (100, None, Ending.ALL_HELD)


def test_nothing_holds() -> None:
    """One user is too many."""
    search = Bench(up_to(0)).run().search
    assert (search.low, search.high, search.ending) == (0, 1, Ending.NONE_HELD)


def test_a_step_settles_before_it_is_measured() -> None:
    """What comes before its users are there, and just after, is in no window."""
    done = Bench(up_to(117), lags_s=3).run()
    for step in done.search.steps:
        assert step.start_s is not None
        assert step.end_s is not None
        before = done.users_by_second[step.start_s - SETTLE_S : step.end_s]
        assert set(before) == {step.users}
        assert step.end_s - step.start_s >= PASS_AFTER_S[Phase.GROW]
    confirmed = done.search.steps[-1]
    assert confirmed.end_s is not None
    assert confirmed.start_s is not None
    assert confirmed.end_s - confirmed.start_s == CONFIRM_S


def test_stages_are_told_as_they_were() -> None:
    """The events bound the windows of the steps, one after the other."""
    done = Bench(up_to(117)).run()
    marks = [event for event in done.events if event.kind in (EventKind.STAGE_STARTED, EventKind.STAGE_ENDED)]
    bounds = [(event.kind, event.t, event.data["users"]) for event in marks]
    expected = []
    for step in done.search.steps:
        expected += [
            (EventKind.STAGE_STARTED, step.start_s, step.users),
            (EventKind.STAGE_ENDED, step.end_s, step.users),
        ]
    assert bounds == expected
    assert [event.data["number"] for event in done.events if event.kind is EventKind.STEP] == list(
        range(1, len(done.search.steps) + 1)
    )
    assert done.events[-1].kind is EventKind.SEARCH_ENDED


def test_an_invalid_step_is_tried_once_more() -> None:
    """What was invalid once and valid then counts by its second try."""
    tries: dict[int, int] = {}

    def says(users: int, _window: Sequence[Second]) -> Judgement:
        tries[users] = tries.get(users, 0) + 1
        return INVALID if users == 40 and tries[users] == 1 else up_to(117)(users, ())

    done = Bench(says).run()
    assert [step.attempt for step in done.search.steps if step.users == 40] == [1, 2]
    assert done.search.ending is Ending.FOUND


def test_the_generator_is_the_limit() -> None:
    """A step that is invalid twice ends the search: what is beyond cannot be measured."""
    done = Bench(lambda users, _: INVALID if users > 100 else PASSES).run()
    assert done.tried[-2:] == [("grow", 160)] * 2
    assert (done.search.low, done.search.high, done.search.ending) == (80, None, Ending.GENERATOR)


def test_a_pass_that_is_not_confirmed() -> None:
    """What breaks when it is held for longer is too many: fewer are confirmed."""

    def says(users: int, window: Sequence[Second]) -> Judgement:
        return up_to(112 if len(window) >= CONFIRM_S else 117)(users, ())

    done = Bench(says, Goal(10, 10_000, 0.03, 600.0, 50.0)).run()
    confirmed = [step for step in done.search.steps if step.phase is Phase.CONFIRM]
    assert (confirmed[0].users, confirmed[0].held) == (117, False)
    assert confirmed[-1].held
    assert done.search.low <= 112 < (done.search.high or 0)


def test_a_fail_that_was_not_clear_is_confirmed() -> None:
    """A search does not stop below a number that broke by chance."""
    unclear = Judgement(StepOutcome.FAIL, "just so", is_clear=False, holds=False, broken=("p95<450ms",))

    def says(users: int, window: Sequence[Second]) -> Judgement:
        if users == 120:
            return PASSES if len(window) >= CONFIRM_S else unclear
        return up_to(125)(users, window)

    done = Bench(says, Goal(10, 10_000, 0.03, 600.0, 50.0)).run()
    assert ("confirm", 120) in done.tried
    assert done.search.low >= 120


def test_time_is_bounded() -> None:
    """The search ends in time, with what it knows by then."""
    for time_s in (20.0, 60.0, 120.0, 200.0):
        done = Bench(up_to(117), Goal(10, 10_000, 0.01, time_s, 50.0)).run()
        assert len(done.users_by_second) <= time_s
        assert done.search.ending is Ending.TIME


def test_a_collapse_ends_the_step_at_once() -> None:
    """The load is taken away, and the search goes on when the target is itself again."""
    done = Bench(up_to(10**6), fails=lambda users: 1.0 if users > 117 else 0.0).run()
    collapsed = [step for step in done.search.steps if step.outcome is StepOutcome.COLLAPSED]
    assert collapsed
    for step in collapsed:
        assert step.start_s is None  # it never came to be measured
    recovered = [event for event in done.events if event.kind is EventKind.RECOVERED]
    assert len(recovered) == len(collapsed) == len(done.search.recoveries_s)
    assert done.search.low <= 117 < (done.search.high or 0)
    assert done.search.ending is Ending.FOUND


def test_a_target_that_stays_down() -> None:
    """Nothing more is asked of it than it needs to show that it is back, and for a minute only."""
    broken: list[int] = []

    def fails(users: int) -> float:
        if users > 117:
            broken.append(users)
        return 1.0 if broken else 0.0

    done = Bench(up_to(10**6), fails=fails).run()
    assert done.search.ending is Ending.NOT_RECOVERED
    assert (done.search.low, done.search.high) == (80, 160)
    assert done.users_by_second[-50:] == [10] * 50


def test_users_that_never_come() -> None:
    """A step whose users cannot all be started is invalid, and said so."""
    search = Search(Goal(10, 100, 0.03, 360.0, 50.0), lambda _window, _users: PASSES)
    for t in range(200):
        if search.order is None:
            break
        search.add(Second(t, 7, 10, [cell([20_000])], []))
    assert search.ending is Ending.GENERATOR
    assert "only 7 of 10 users ran" in search.steps[-1].reason


def test_few_samples_grow_but_do_not_end_it() -> None:
    """A light load need not show anything by itself; near the capacity it must, or the search says that it cannot."""
    few = Judgement(StepOutcome.INSUFFICIENT, "few", is_clear=False, holds=True)
    grown = Bench(lambda users, _: few if users < 40 else up_to(117)(users, ())).run()
    assert grown.search.ending is Ending.FOUND
    never = Bench(lambda users, _: FAILS if users > 100 else few).run()
    assert never.search.ending is Ending.FEW_SAMPLES


@pytest.mark.parametrize(
    ("queue", "capacity"),
    [
        (Queue(8, 0.04, 0.0, is_exponential=False), 88),
        (Queue(16, 0.04, 0.0), 143),
        (Queue(16, 0.04, 1.0), 532),
        (Queue(16, 0.04, 1.0, seed=2), 532),
    ],
)
def test_known_queues(queue: Queue, capacity: int) -> None:
    """The capacity of queueing theory is found to within 5%, in the time of a search."""
    promises = [slo.parse(text) for text in slo.DEFAULTS]
    thresholds = slo.thresholds_us(promises)
    queue.thresholds_us = thresholds
    run = Run("", Status.RUNNING, {}, thresholds, 0.0)
    search = Search(Goal(10, 10_000, 0.03, 360.0, 50.0), lambda window, users: judge(run, promises, window, users))
    for t in range(MOST_S):
        order = search.order
        if order is None:
            break
        queue.set_users(order[0])
        search.add(queue.second())
        assert t < 365
    assert search.ending in (Ending.FOUND, Ending.TIME)
    assert search.low == pytest.approx(capacity, rel=0.05)


def test_a_step_says_why() -> None:
    """What a step keeps for the record."""
    step: Step = Bench(up_to(117)).run().search.steps[4]
    assert (step.outcome, step.reason, step.broken) == (StepOutcome.FAIL, "slow", ("p95<450ms",))
