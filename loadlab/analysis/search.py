"""The search for the capacity: which number of users comes next, by what the seconds of the run tell.

Grow (double the users until the promises break), bisect (halve the gap between the last number that held and the first
that broke), confirm (hold the last one that held for longer). Has no clock of its own: it is fed with whole seconds, so
that a recorded run can be searched again and gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from loadlab.analysis.recording import Event, EventKind, Second
from loadlab.analysis.wording import many
from loadlab.analysis.wording import seconds as seconds_

SETTLE_S = 4  # thrown away once the users of a step are there
SETTLE_AFTER_OVERLOAD_S = 6  # what waited in the overloaded target is answered first
RAMP_S = 4.0  # a step's new users are started within
RAMP_PATIENCE_S = 20  # beyond which they will not be there
# A target that fails half of its answers, or gives none, for so many seconds on end has collapsed.
COLLAPSED_SHARE = 0.5
COLLAPSED_S = 3
RECOVERED_SHARE = 0.05
RECOVERED_S = 3
RECOVERY_PATIENCE_S = 60


class Phase(StrEnum):
    """What a step is for."""

    GROW = "grow"
    BISECT = "bisect"
    CONFIRM = "confirm"


# A step is judged after so many seconds of its window; the first at which the judgement is clear ends it. Near the
# capacity a queue builds up slowly, so that a short window says that all is well: a pass takes longer.
LOOKS_S = {
    Phase.GROW: (6, 10, 15, 20, 30),
    Phase.BISECT: (10, 15, 20, 30),
    Phase.CONFIRM: (20, 30, 45),
}
PASS_AFTER_S = {Phase.GROW: 6, Phase.BISECT: 15, Phase.CONFIRM: 45}
LONG_LOOKS_S = (45, 60)  # for those whose samples are too few until then
CONFIRM_S = PASS_AFTER_S[Phase.CONFIRM]


class StepOutcome(StrEnum):
    """How a step came out."""

    PASS = "pass"
    FAIL = "fail"
    INVALID = "invalid"  # the measurement of it cannot be believed: it does not count
    INSUFFICIENT = "insufficient samples"
    COLLAPSED = "collapsed"  # the target broke down: as good as a fail


class Ending(StrEnum):
    """Why a search ended."""

    FOUND = "found"  # the bracket is narrow, and its ends are sure
    TIME = "time"  # it was up before that
    GENERATOR = "generator-limited"  # a step could not be measured, twice
    ALL_HELD = "all-held"  # the promises held with the most users allowed
    NONE_HELD = "none-held"  # they broke with a single user
    NOT_RECOVERED = "not-recovered"  # the target collapsed and did not come back
    FEW_SAMPLES = "few-samples"  # too few answers came to judge a step


@dataclass(frozen=True)
class Goal:
    """What to search: from `start` users to `most`, until the bracket is within `precision` (a share), in `time_s`."""

    start: int
    most: int
    precision: float
    time_s: float
    spawn_rate: float


@dataclass(frozen=True)
class Judgement:
    """What the window of a step says. `is_clear`: more seconds would hardly change it. `holds`: as far as it goes."""

    outcome: StepOutcome
    reason: str
    is_clear: bool
    holds: bool
    broken: tuple[str, ...] = ()


Judge = Callable[[Sequence[Second], int], Judgement]


@dataclass
class Step:
    """One number of users, tried. Times are in whole s since the run's start; None: the window never began."""

    number: int
    phase: Phase
    attempt: int
    users: int
    start_s: int | None = None
    end_s: int | None = None
    outcome: StepOutcome | None = None
    reason: str = ""
    broken: tuple[str, ...] = ()
    is_clear: bool = False

    @property
    def held(self) -> bool:
        """Tell whether the promises held."""
        return self.outcome is StepOutcome.PASS

    @property
    def broke(self) -> bool:
        """Tell whether they broke."""
        return self.outcome in (StepOutcome.FAIL, StepOutcome.COLLAPSED)

    @property
    def is_sure(self) -> bool:
        """Tell whether it need not be tried again to be sure of it."""
        return self.phase is Phase.CONFIRM or self.outcome is StepOutcome.COLLAPSED or (self.broke and self.is_clear)


class _State(StrEnum):
    RAMP = "ramp"
    SETTLE = "settle"
    MEASURE = "measure"
    RECOVER = "recover"
    OVER = "over"


@dataclass
class Search:
    """Takes one second after the other, and says how many users there should be."""

    goal: Goal
    judge: Judge
    steps: list[Step] = field(default_factory=list)
    low: int = 0  # the most users that held
    high: int | None = None  # the fewest that broke
    ending: Ending | None = None
    recoveries_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the first step."""
        self._now = 0
        self._window: list[Second] = []
        self._recent: list[Second] = []
        self._told: list[Event] = []
        self._is_overloaded = False
        self._known: dict[int, Step] = {}
        self._users_now = 0
        self._begin(Phase.GROW, min(self.goal.start, self.goal.most))

    # --- What the outside asks ---

    @property
    def order(self) -> tuple[int, float] | None:
        """Return the users and the spawn rate of now; None when the search is over."""
        return None if self._state is _State.OVER else self._order

    @property
    def step(self) -> Step:
        """Return the step that is on, or was the last."""
        return self.steps[-1]

    @property
    def state(self) -> str:
        """Return what the step is at: ramp, settle, measure, recover or over."""
        return str(self._state)

    def add(self, second: Second) -> list[Event]:
        """Take in the next second, and return what happened by it."""
        self._told = []
        self._now = second.t + 1
        self._users_now = second.users
        self._recent = [*self._recent[-(COLLAPSED_S - 1) :], second]
        if self._state is _State.OVER:
            return []
        if self._state is _State.RECOVER:
            self._recover(second)
        elif self._has_collapsed():
            self._collapse()
        else:
            {_State.RAMP: self._ramp, _State.SETTLE: self._settle, _State.MEASURE: self._measure}[self._state](second)
        return self._told

    # --- A step's life ---

    def _begin(self, phase: Phase, users: int, attempt: int = 1) -> None:
        self.steps.append(Step(len(self.steps) + 1, phase, attempt, users))
        self._set_order(users)
        self._state = _State.RAMP
        self._ordered_at = self._now

    def _set_order(self, users: int) -> None:
        change = users - self._users_now
        # Users that are too many go within a second: what they add is not wanted any more.
        rate = max(self.goal.spawn_rate, change / RAMP_S) if change > 0 else max(1.0, -change)
        self._order = (users, float(rate))

    def _ramp(self, second: Second) -> None:
        if second.users == self.step.users:
            self._state = _State.SETTLE
            self._settled = 0
        elif self._now - self._ordered_at > RAMP_S + RAMP_PATIENCE_S:
            reason = f"only {second.users} of {many(self.step.users, 'user')} ran"
            self._end_step(Judgement(StepOutcome.INVALID, reason, True, False))

    def _settle(self, _second: Second) -> None:
        self._settled += 1
        if self._settled >= (SETTLE_AFTER_OVERLOAD_S if self._is_overloaded else SETTLE_S):
            self._state = _State.MEASURE
            self._window = []
            self.step.start_s = self._now
            text = f"step {self.step.number} ({self.step.phase}): {many(self.step.users, 'user')}"
            data = {"users": self.step.users, "phase": self.step.phase, "attempt": self.step.attempt}
            self._tell(EventKind.STAGE_STARTED, text, **data)

    def _measure(self, second: Second) -> None:
        self._window.append(second)
        phase, length = self.step.phase, len(self._window)
        looks = LOOKS_S[phase]
        if length not in looks and length not in LONG_LOOKS_S:
            return
        judged = self.judge(self._window, self.step.users)
        if judged.outcome is StepOutcome.INSUFFICIENT:
            # While growing, a light load need not prove anything: nothing bad was seen, the next step tells more.
            if phase is Phase.GROW and judged.holds:
                self._end_step(replace(judged, outcome=StepOutcome.PASS))
            elif length >= LONG_LOOKS_S[-1]:
                self._end_step(judged)
        elif judged.outcome is StepOutcome.PASS and length < PASS_AFTER_S[phase]:
            return
        elif judged.is_clear or length >= looks[-1] or (phase is Phase.GROW and judged.holds):
            self._end_step(judged)

    def _end_step(self, judged: Judgement) -> None:
        step = self.step
        step.outcome, step.reason, step.broken = judged.outcome, judged.reason, judged.broken
        step.is_clear = judged.is_clear
        if step.start_s is not None:
            step.end_s = self._now
            self._tell(EventKind.STAGE_ENDED, f"step {step.number} ends", users=step.users)
        self._tell(EventKind.STEP, f"{many(step.users, 'user')}: {step.outcome}: {step.reason}", **_data(step))
        if judged.outcome is StepOutcome.COLLAPSED:
            return
        self._is_overloaded = judged.outcome is StepOutcome.FAIL
        self._go_on()

    def _go_on(self) -> None:
        """Choose the next step, by how the last one came out and what is known by now."""
        step = self.step
        if step.outcome is StepOutcome.INSUFFICIENT:
            self._end(Ending.FEW_SAMPLES)
        elif step.outcome is not StepOutcome.INVALID:
            self._bracket()
            self._next()
        elif step.attempt == 1:
            self._begin(step.phase, step.users, attempt=2)
        else:
            self._end(Ending.GENERATOR)

    def _bracket(self) -> None:
        """Work out the bracket anew: of a number that was tried again, the last word counts."""
        last = {step.users: step for step in self.steps if step.held or step.broke}
        broke = [users for users, step in last.items() if step.broke]
        self.high = min(broke, default=None)
        self.low = max((u for u, step in last.items() if step.held and (not broke or u < min(broke))), default=0)
        self._known = last

    def _next(self) -> None:
        step, high = self.step, self.high
        if high is None and self.low >= self.goal.most:
            self._end(Ending.ALL_HELD)
        elif high == 1:
            self._end(Ending.NONE_HELD)
        elif high is not None and self._is_narrow(high):
            self._make_sure(high)
        elif self._is_late(LOOKS_S[Phase.GROW][0]):
            self._end(Ending.TIME)
        elif high is None:
            self._begin(Phase.GROW, min(2 * self.low, self.goal.most))
        elif step.phase is Phase.CONFIRM and step.broke and self._less(step.users) > self.low:
            self._begin(Phase.CONFIRM, self._less(step.users))  # it was near: a few users less may be it
        elif self.low and self._is_late(CONFIRM_S + LOOKS_S[Phase.BISECT][-1] + SETTLE_S + RAMP_S):
            self._make_sure(high)  # of what there is: no time is left for both
        else:
            self._begin(Phase.BISECT, max(1, (self.low + high) // 2))

    def _make_sure(self, high: int) -> None:
        """Hold the ends of the bracket for longer, the lower one first; the search ends when both are sure."""
        is_narrow, is_low_sure = self._is_narrow(high), self._known[self.low].is_sure
        if is_low_sure and (self._known[high].is_sure or self._is_late(CONFIRM_S)):
            self._end(Ending.FOUND if is_narrow else Ending.TIME)
        elif self._is_late(CONFIRM_S):
            self._end(Ending.TIME)
        else:
            self._begin(Phase.CONFIRM, high if is_low_sure else self.low)

    def _less(self, users: int) -> int:
        """Return fewer users: by the precision, and by twice as much for each time that this was not enough."""
        denials = sum(step.phase is Phase.CONFIRM and step.broke for step in self.steps)
        return min(users - 1, int(users * (1 - self.goal.precision * 2 ** (denials - 1))))

    def _is_narrow(self, high: int) -> bool:
        return self.low > 0 and high - self.low <= max(1, self.goal.precision * high)

    def _is_late(self, needed_s: float) -> bool:
        return self._now + RAMP_S + SETTLE_S + needed_s > self.goal.time_s

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        self._state = _State.OVER
        is_sure = self.low > 0 and self._known[self.low].is_sure
        data = {"ending": ending, "low": self.low, "high": self.high, "is_sure": is_sure}
        self._tell(EventKind.SEARCH_ENDED, f"the search ends: {ending}", **data)

    # --- Collapse and recovery ---

    def _has_collapsed(self) -> bool:
        recent = self._recent
        if len(recent) < COLLAPSED_S or self._now - self._ordered_at < COLLAPSED_S:
            return False
        return all(_is_down(second, COLLAPSED_SHARE) for second in recent)

    def _collapse(self) -> None:
        step, recent = self.step, self._recent
        failed = sum(_failures(second) for second in recent)
        answers = sum(_answers(second) for second in recent)
        what = f"{100 * failed / answers:.0f}% of the answers failed" if answers else "no answer came"
        reason = f"the target collapsed: {what} for {COLLAPSED_S} s on end"
        self._end_step(Judgement(StepOutcome.COLLAPSED, reason, True, False))
        self._bracket()
        self._set_order(max(1, min(self.low or self.goal.start, self.goal.start, step.users // 2 or 1)))
        self._state = _State.RECOVER
        self._ordered_at = self._now
        self._good = 0

    def _recover(self, second: Second) -> None:
        self._good = 0 if not _answers(second) or _is_down(second, RECOVERED_SHARE) else self._good + 1
        lasted = self._now - self._ordered_at
        if self._good >= RECOVERED_S:
            after_s = float(lasted - RECOVERED_S)
            self.recoveries_s.append(after_s)
            text = f"the target recovered {seconds_(after_s)} after the load was taken away"
            self._tell(EventKind.RECOVERED, text, after_s=after_s)
            self._is_overloaded = True
            self._next()
        elif lasted > RECOVERY_PATIENCE_S:
            self._end(Ending.NOT_RECOVERED)

    def _tell(self, kind: EventKind, text: str, **data: Any) -> None:
        self._told.append(Event(float(self._now), kind, text, None, data))


def _data(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "phase": step.phase,
        "attempt": step.attempt,
        "users": step.users,
        "outcome": step.outcome,
        "reason": step.reason,
        "broken": list(step.broken),
        "start_s": step.start_s,
        "end_s": step.end_s,
    }


def _answers(second: Second) -> int:
    return sum((cell.ok.n if cell.ok else 0) + (cell.failed.n if cell.failed else 0) for cell in second.cells)


def _failures(second: Second) -> int:
    return sum(cell.failed.n for cell in second.cells if cell.failed)


def _in_flight(second: Second) -> float:
    return sum(worker.in_flight for worker in second.workers)


def _is_down(second: Second, share: float) -> bool:
    """Tell whether at least such a share of the answers failed, or none came while requests waited."""
    answers = _answers(second)
    return _failures(second) >= share * answers if answers else _in_flight(second) >= 1
