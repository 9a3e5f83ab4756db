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
    """Counts since `begin`. started = answered + killed + in_flight, at any moment.

    `starts_s` and `ends_s` are the sums of when requests started and ended, on the clock, since the last `busy_s`: a
    client that counts for itself, see http.session, adds to these and to the counts, which costs it next to nothing.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.started = self.answered = self.killed = 0
        self.begin()

    @property
    def in_flight(self) -> int:
        """How many are on their way."""
        return self.started - self.answered - self.killed

    def begin(self) -> None:
        """Count anew; what is on its way stays so, and counts as started."""
        self.started = self.in_flight
        self.answered = 0
        self.killed = 0
        self.killed_busy_s = 0.0
        self._busy_s = 0.0
        self.starts_s = self._clock() * self.started
        self.ends_s = 0.0

    def busy_s(self) -> float:
        """Return the time that requests were on their way, all added up: the integral of `in_flight`, in s."""
        under_way_s = self.in_flight * self._clock()
        self._busy_s += under_way_s + self.ends_s - self.starts_s
        self.starts_s, self.ends_s = under_way_s, 0.0  # sums of a long run would lose their last digits
        return self._busy_s

    def kill(self, began: float) -> None:
        """Count a request that came to no end."""
        now = self._clock()
        self.killed += 1
        self.ends_s += now
        self.killed_busy_s += now - began

    def watch(self, session_class: type) -> None:
        """Count the requests of a session class, by wrapping its `request`."""
        send = session_class.request  # type: ignore[attr-defined]
        clock = self._clock

        def request(session: Any, *arguments: Any, **options: Any) -> Any:
            if getattr(session.user, "lab_is_killed", False):  # see mends.start_nothing_once_killed
                raise GreenletExit
            began = clock()
            self.started += 1
            self.starts_s += began
            try:
                answer = send(session, *arguments, **options)
            except BaseException:  # the user was killed, or could not even send: there is no event either
                self.kill(began)
                raise
            self.answered += 1
            self.ends_s += clock()
            return answer

        request.__wrapped__ = send  # type: ignore[attr-defined]
        session_class.request = request  # type: ignore[attr-defined]
