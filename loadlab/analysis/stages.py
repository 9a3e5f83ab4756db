"""When the load was held: the stages of a run, and the window that its figures are of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from loadlab.analysis.recording import Event, EventKind
from loadlab.analysis.timeline import Counts

SHORTEST_S = 3  # a stage with fewer whole seconds says nothing that could be repeated

Seconds: TypeAlias = tuple[range, ...]  # whole seconds since the run's start, in order, without overlap


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch at one number of users, by its whole seconds."""

    users: int
    seconds: range


def held(events: Iterable[Event], length: int) -> list[Held]:
    """Return the stages of a run whose timeline has so many seconds, those of at least `SHORTEST_S` whole seconds.

    A second counts when all of it lies within the stage. A stage that was never ended lasts to the timeline's end.
    """
    found: list[Held] = []
    begun: Event | None = None
    marks = [event for event in events if event.kind in (EventKind.STAGE_STARTED, EventKind.STAGE_ENDED)]
    for event in sorted(marks, key=lambda event: event.t):
        if begun is not None:
            found += _stage(begun, event.t, length)
        begun = event if event.kind is EventKind.STAGE_STARTED else None
    if begun is not None:
        found += _stage(begun, float(length), length)
    return found


def window(stages: Sequence[Held], length: int) -> Seconds:
    """Return the measured window: the seconds of all stages; the whole run where there is none."""
    return tuple(stage.seconds for stage in stages) or (range(length),)


def count(seconds: Seconds) -> int:
    """Return how many seconds there are."""
    return sum(len(stretch) for stretch in seconds)


def places(seconds: Seconds) -> Counts:
    """Return the seconds one by one, as the index of an array."""
    return np.array([t for stretch in seconds for t in stretch], dtype=np.int64)


def _stage(begun: Event, end: float, length: int) -> list[Held]:
    users = begun.data.get("users")
    seconds = range(math.ceil(begun.t), min(math.floor(end), length))
    return [Held(users if isinstance(users, int) else 0, seconds)] if len(seconds) >= SHORTEST_S else []
