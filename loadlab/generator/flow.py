"""How many requests are on their way in this worker, counted where they start and return.

Not from the request events: the two counts check each other. Locust tells of no request that a killed user left
unfinished, nor of one whose answer the user's own code dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent import GreenletExit


class Flow:
    """Counts since `begin`. started = answered + killed + in_flight, at any moment."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.in_flight = 0
        self.begin()

    def begin(self) -> None:
        """Count anew; what is on its way stays so, and counts as started."""
        self.started = self.in_flight
        self.answered = 0
        self.killed = 0
        self.killed_busy_s = 0.0
        self._busy_s = 0.0
        self._last = self._clock()

    def busy_s(self) -> float:
        """Return the time that requests were on their way, all added up: the integral of `in_flight`, in s."""
        now = self._clock()
        self._busy_s += self.in_flight * (now - self._last)
        self._last = now
        return self._busy_s

    def watch(self, session_class: type) -> None:
        """Count the requests of a session class, by wrapping its `request`."""
        send = session_class.request  # type: ignore[attr-defined]
        clock = self._clock

        def request(session: Any, *arguments: Any, **options: Any) -> Any:
            if getattr(session.user, "lab_is_killed", False):  # see mends.start_nothing_once_killed
                raise GreenletExit
            begun = clock()
            self._busy_s += self.in_flight * (begun - self._last)
            self._last = begun
            self.in_flight += 1
            self.started += 1
            try:
                answer = send(session, *arguments, **options)
            except BaseException:  # the user was killed, or could not even send: there is no event either
                self._leave()
                self.killed += 1
                self.killed_busy_s += self._last - begun
                raise
            self._leave()
            self.answered += 1
            return answer

        request.__wrapped__ = send  # type: ignore[attr-defined]
        session_class.request = request  # type: ignore[attr-defined]

    def _leave(self) -> None:
        now = self._clock()
        self._busy_s += self.in_flight * (now - self._last)
        self._last = now
        self.in_flight -= 1
