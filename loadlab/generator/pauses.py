"""Users wait between their tasks, but not in a calibration: its workers are to be busy."""

from __future__ import annotations

from locust import TaskSet

_wait = TaskSet.wait


def keep(*, wanted: bool) -> None:
    """Let users wait as their `wait_time` says, or only let others have their turn; what a task sleeps itself stays."""
    TaskSet.wait = _wait if wanted else _wait_for_nothing  # type: ignore[method-assign]


def _wait_for_nothing(self: TaskSet) -> None:
    self.wait_time = _nothing  # type: ignore[method-assign] # before that of its class, or of its user
    _wait(self)


def _nothing() -> float:
    return 0.0
