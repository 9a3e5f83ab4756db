"""The tasks of a user, chosen and called at less cost than Locust's own way, which takes two microseconds for each."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import FunctionType
from typing import Any

import gevent
from locust.user.task import DefaultTaskSet


class Tasks(DefaultTaskSet):
    """Does what DefaultTaskSet does."""

    def get_next_task(self) -> Any:
        """Return one of the user's tasks, each as likely as another."""
        tasks = self._user.tasks
        if not tasks:
            return super().get_next_task()  # which says what is wrong
        return tasks[int(random.random() * len(tasks))]

    def execute_task(self, task: Callable[..., Any]) -> None:
        """Call a task, or run a nested set of them."""
        if type(task) is FunctionType:
            task(self._user)
        else:
            super().execute_task(task)

    def _sleep(self, seconds: float) -> None:
        """Wait; for no time at all, let everybody else have a turn: what the users send then goes out together."""
        if seconds > 0:
            gevent.sleep(seconds)
            return
        hub = gevent.get_hub()
        turn = hub.loop.run_callback(gevent.getcurrent().switch)
        try:
            hub.switch()
        finally:
            turn.stop()  # a user that is killed meanwhile waits for something else by then
