"""Ends waits that have lasted too long. One greenlet looks at all of them: a timer for each would cost as much as the
rest of the waiting."""

from __future__ import annotations

import time
from typing import Protocol

import gevent
from gevent.hub import Hub

LOOK_EVERY_S = 0.1
clock = time.perf_counter


class Waiting(Protocol):
    """What can be waited for too long."""

    deadline: float

    def expire(self) -> None:
        """End the wait with an error. Called in the hub."""


class Watchman:
    """Looks, some ten times a second, for waits whose deadline has passed."""

    def __init__(self) -> None:
        self.waiting: dict[Waiting, None] = {}
        self._greenlet: gevent.Greenlet | None = None
        self._hub: Hub | None = None

    def watch(self) -> None:
        """See to it that somebody looks: called when a connection is made."""
        hub = gevent.get_hub()
        if self._greenlet is None or self._greenlet.dead or self._hub is not hub:
            self._hub = hub
            self._greenlet = gevent.spawn(self._look_forever, hub)

    def _look_forever(self, hub: Hub) -> None:
        while True:
            gevent.sleep(LOOK_EVERY_S)
            now = clock()
            for one in [one for one in self.waiting if one.deadline < now]:
                hub.loop.run_callback(self._expire, one)

    def _expire(self, one: Waiting) -> None:
        # It may have been served between the look and this call.
        if one in self.waiting and one.deadline < clock():
            one.expire()


watchman = Watchman()
