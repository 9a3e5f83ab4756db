"""Users wait between their tasks, but not in a calibration: its workers are to be busy."""

from __future__ import annotations

import gevent
from locust import TaskSet

_sleep = TaskSet._sleep


def keep(*, wanted: bool) -> None:
    """Let users wait as their `wait_time` says, or only let others have their turn; what a task sleeps itself stays."""
    TaskSet._sleep = _sleep if wanted else _yield  # type: ignore[method-assign]


def _yield(_self: TaskSet, _seconds: float) -> None:
    gevent.sleep(0)
