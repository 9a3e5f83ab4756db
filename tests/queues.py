"""Closed queues whose capacity theory knows, simulated second by second as a run would record them.

Users who think (exponentially) and ask; a target of K slots, with one line before them, that takes a fixed or an
exponential time for each request.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass

from loadlab.analysis.recording import Second, WorkerSecond
from tests.recordings import cell


@dataclass
class Queue:
    """A target with `slots` that take `service_s` each, and users who think for `think_s` on average."""

    slots: int
    service_s: float
    think_s: float
    is_exponential: bool = True
    seed: int = 1
    thresholds_us: tuple[int, ...] = (450_000,)

    def __post_init__(self) -> None:
        """Begin with nobody there."""
        self._chance = random.Random(self.seed)
        self._events: list[tuple[float, int, str, float]] = []  # when, order, what, since when the request waits
        self._count = 0
        self._line: list[float] = []
        self._busy = 0
        self._now = 0.0
        self._t = 0
        self.users = 0
        self._leaving = 0

    def set_users(self, users: int) -> None:
        """Let users come at once, or leave after what they ask for now."""
        for _ in range(users - self.users):
            self._push(self._now + self._chance.uniform(0, 1), "ask", 0.0)
        self._leaving += max(0, self.users - users)
        self.users = users

    @property
    def in_flight(self) -> int:
        """How many requests are being served or wait."""
        return self._busy + len(self._line)

    def second(self) -> Second:
        """Return the next second."""
        until, took = self._t + 1.0, []
        busy_s, last = 0.0, self._now
        in_flight = self.in_flight
        while self._events and self._events[0][0] < until:
            at, _, what, since = heapq.heappop(self._events)
            busy_s += in_flight * (at - last)
            last = self._now = at
            if what == "ask":
                if self._leaving:
                    self._leaving -= 1
                else:
                    self._arrive(at)
            else:
                took.append(int((at - since) * 1e6))
                self._leave(at)
            in_flight = self.in_flight
        busy_s += in_flight * (until - last)
        self._now = until
        worker = WorkerSecond(1, users=self.users, requests=len(took), in_flight=busy_s, cpu_s=0.1)
        cells = [cell(took, self.thresholds_us)] if took else []
        made = Second(self._t, users=self.users, target_users=self.users, cells=cells, workers=[worker])
        self._t += 1
        return made

    def _arrive(self, at: float) -> None:
        if self._busy < self.slots:
            self._serve(at, at)
        else:
            self._line.append(at)

    def _serve(self, at: float, since: float) -> None:
        self._busy += 1
        took = self._chance.expovariate(1 / self.service_s) if self.is_exponential else self.service_s
        self._push(at + took, "done", since)

    def _leave(self, at: float) -> None:
        self._busy -= 1
        if self._line:
            self._serve(at, self._line.pop(0))
        self._push(at + (self._chance.expovariate(1 / self.think_s) if self.think_s else 0.0), "ask", 0.0)

    def _push(self, at: float, what: str, since: float) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, what, since))


def seconds(queue: Queue, users: int, count: int) -> Iterator[Second]:
    """Yield so many seconds at so many users."""
    queue.set_users(users)
    for _ in range(count):
        yield queue.second()
