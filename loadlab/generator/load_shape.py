"""The load of a plan as a Locust shape: each step is held from the moment that its users are there.

Locust's shapes go by the clock from the start, and stand still while users are being started: a step whose time has
gone by when the ramp before it ends is skipped. Here the clock of a step starts when its ramp ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from locust import LoadTestShape

from loadlab.analysis.search import Search
from loadlab.plan import RunPlan

MOST_WAIT_S = 30.0  # beyond the ramp's own time: users that cannot all be started do not hold up the run for ever


class PlanShape(LoadTestShape):
    """Drives one run through the steps of its plan, then stops it."""

    abstract = True  # never to be found by Locust among the user's own
    use_common_options = True

    def __init__(self, plan: RunPlan, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.steps = plan.steps()
        self._clock = clock
        self.reset_time()

    def reset_time(self) -> None:
        """Begin anew: Locust calls this at each start."""
        self.number = 0
        self._ordered_at = self._clock()
        self._there_at: float | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether all steps were held for their time."""
        return self.number >= len(self.steps)

    def tick(self) -> tuple[int, float] | None:
        """Return the users and the spawn rate of now, None at the end. Asked each second."""
        if not self.is_over:
            self._advance()
        if self.is_over:
            return None
        step = self.steps[self.number]
        return step.users, step.spawn_rate

    def _advance(self) -> None:
        step, now = self.steps[self.number], self._clock()
        if self._there_at is None:
            overdue_s = now - self._ordered_at - step.users / step.spawn_rate
            if self.get_current_user_count() == step.users or overdue_s > MOST_WAIT_S:
                self._there_at = now
        elif step.hold_s is not None and now - self._there_at >= step.hold_s:
            self.number += 1
            self._ordered_at, self._there_at = now, None


class SearchShape(LoadTestShape):
    """Drives one run as a search for the capacity asks, then stops it. The search itself is fed by the run's record."""

    abstract = True
    use_common_options = True

    def __init__(self, search: Search) -> None:
        super().__init__()
        self.search = search

    def reset_time(self) -> None:
        """Keep the search, which has no clock: Locust calls this in the midst of a start, too."""

    def tick(self) -> tuple[int, float] | None:
        """Return the users and the spawn rate of now, None at the end. Asked each second."""
        return self.search.order
