"""Gives every worker its share of the users when workers come and go in the middle of a test.

Locust's own ways fail (2.47.0, with or without --enable-rebalancing): it dispatches from within its message listener,
which then hears no heartbeat for a second per change, so that healthy workers are declared missing; its flag
`_dispatch_in_progress` stays set after the first rebalance, so that later changes are forgotten. Of 100 users on
8 workers, 43 were left for good after a scale-down to 3. So here the dispatcher only notes that a change is due, and
a greenlet of the master dispatches it.
"""

from __future__ import annotations

import logging

import gevent
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import MasterRunner

LOOK_EVERY_S = 0.25

logger = logging.getLogger(__name__)


class Dispatcher(UsersDispatcher):
    """Locust's dispatcher, which leaves it to `attach` to dispatch a change of the workers."""

    @property
    def dispatch_in_progress(self) -> bool:
        """Return True always: only the message listener asks, and dispatches at once when told False."""
        return True

    @property
    def is_due(self) -> bool:
        """Tell whether workers have come or gone since the last dispatch.

        While users are still being started or stopped, the dispatch that does so takes the change with it.
        """
        return self._rebalance and self._current_user_count == self._target_user_count

    @property
    def workers(self) -> int:
        """Return how many workers the users are shared among."""
        return len(self._worker_nodes)


def attach(environment: Environment, runner: MasterRunner) -> None:
    """Use our dispatcher in this master, and dispatch when it is due, for as long as the master lives."""
    environment.dispatcher_class = Dispatcher
    runner.greenlet.spawn(_look_after, runner)


def _look_after(runner: MasterRunner) -> None:
    seen = 0
    while True:
        gevent.sleep(LOOK_EVERY_S)
        dispatcher = runner._users_dispatcher
        if not isinstance(dispatcher, Dispatcher) or not dispatcher.is_due:
            continue
        # Several workers come or go within moments of each other: one dispatch for all, once that has settled.
        if dispatcher.workers == seen and dispatcher.workers:
            logger.info("Sharing %d users among %d workers", runner.target_user_count, dispatcher.workers)
            runner.start(runner.target_user_count, runner.spawn_rate)
        seen = dispatcher.workers
