"""Gives every worker its share of the users when workers come and go in the middle of a test.

Locust's own ways fail (2.47.0, with or without --enable-rebalancing): it dispatches from within its message listener,
which then hears no heartbeat for a second per change, so that healthy workers are declared missing; its flag
`_dispatch_in_progress` stays set after the first rebalance, so that later changes are forgotten; and a missing worker
that comes back while users are being started is not given to the dispatcher again, yet keeps its users. Of 100 users on
8 workers, 43 were left for good after a scale-down to 3; 150 became 225. So here a greenlet of the master sees to it
that the dispatcher has the workers that are there, and dispatches when they have changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import gevent
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import (
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
    WorkerNode,
)

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

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Share the users with one more worker, or with one that has come back, which Locust would count twice."""
        self._worker_nodes = [node for node in self._worker_nodes if node.id != worker_node.id]
        super().add_worker(worker_node)

    def meet(self, present: Iterable[WorkerNode]) -> None:
        """Take in the workers that are there and unknown, and let go of those that are gone."""
        there = {node.id: node for node in present}
        known = {node.id: node for node in self._worker_nodes}
        for name in there.keys() - known.keys():
            self.add_worker(there[name])
        for name in known.keys() - there.keys():
            self.remove_worker(known[name])


def attach(environment: Environment, runner: MasterRunner) -> None:
    """Use our dispatcher in this master, and dispatch when it is due, for as long as the master lives."""
    environment.dispatcher_class = Dispatcher
    runner.greenlet.spawn(_look_after, runner)


def has_stopped(runner: MasterRunner) -> bool:
    """Tell whether a test that is being stopped has none but idle workers, and missing ones.

    Locust would wait for the missing too, and a dead worker never comes back to stop.
    """
    states = {client.state for client in runner.clients.values()}
    return runner.state == STATE_STOPPING and STATE_INIT in states and states <= {STATE_INIT, STATE_MISSING}


def _look_after(runner: MasterRunner) -> None:
    seen = 0
    while True:
        gevent.sleep(LOOK_EVERY_S)
        if has_stopped(runner):
            runner.update_state(STATE_STOPPED)
        dispatcher = runner._users_dispatcher
        # A dispatcher alone is no test: that of a start that was killed as it began would start one by itself.
        if not isinstance(dispatcher, Dispatcher) or runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            continue
        dispatcher.meet(client for client in runner.clients.values() if client.state != STATE_MISSING)
        if not dispatcher.is_due:
            continue
        # Several workers come or go within moments of each other: one dispatch for all, once that has settled.
        if dispatcher.workers == seen and dispatcher.workers:
            logger.info("Sharing %d users among %d workers", runner.target_user_count, dispatcher.workers)
            runner.start(runner.target_user_count, runner.spawn_rate)
        seen = dispatcher.workers
