"""What one gunicorn worker process knows about itself: is it draining, and how many requests is it serving."""

from __future__ import annotations

import threading

#: Keys of the WSGI environment by which the layers tell each other about a request.
REQUEST_ID = "api.request_id"
ROUTE = "api.route"
STORE_S = "api.store_s"


class Lifecycle:
    """Set to draining by the signal handler of the gunicorn worker, read by ``/readyz``."""

    def __init__(self) -> None:
        self.draining = False


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
