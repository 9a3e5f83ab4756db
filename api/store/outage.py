"""Tells of a store that is away without a line for each request."""

from __future__ import annotations

import time

import structlog

log = structlog.get_logger("api.store")
_QUIET_S = 10.0


class Outage:
    """Logs an outage once when it begins and once when it ends, however many requests it costs.

    A store at its limits comes and goes many times a second: after one outage was told, the next within 10 s is not.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._told_at = -_QUIET_S
        self._told = False
        self._requests = 0

    def begins(self, reason: str) -> None:
        """Note one failed request."""
        self._requests += 1
        if self._since is not None:
            return
        self._since = time.monotonic()
        self._told = self._since - self._told_at >= _QUIET_S
        if self._told:
            self._told_at = self._since
            log.error("store away: requests get 503 until it is back", reason=reason)

    def ends(self) -> None:
        """Note that the store serves; called after every success."""
        if self._since is None:
            return
        away_s, self._since = time.monotonic() - self._since, None
        if self._told:
            log.warning("store back", away_s=round(away_s, 3), failed_requests=self._requests)
            self._requests = 0
