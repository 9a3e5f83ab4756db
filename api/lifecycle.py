"""What one gunicorn worker process knows about itself: is it draining, and how many requests is it serving."""

from __future__ import annotations

import threading

from api.server import Server

#: Keys of the WSGI environment by which the layers tell each other about a request.
REQUEST_ID = "api.request_id"
ROUTE = "api.route"
STORE_S = "api.store_s"


class Lifecycle:
    """``draining`` is set by the signal handler of the gunicorn worker and read by ``/readyz``.

    ``server`` is there once gunicorn has forked its worker; elsewhere there is none.
    """

    def __init__(self) -> None:
        self.draining = False
        self.server: Server | None = None


#: The process has one; a signal handler has no other way to reach the application.
PROCESS = Lifecycle()


class Limiter:
    """At most ``limit`` requests at a time. ``acquire`` never waits: a queue here would only hide the overload."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._in_flight = 0
        self._lock = threading.Lock()

    def acquire(self) -> bool:
        """Take a slot; False when all are taken."""
        with self._lock:
            if self._in_flight >= self.limit:
                return False
            self._in_flight += 1
            return True

    def release(self) -> None:
        """Give the slot back."""
        with self._lock:
            self._in_flight -= 1
