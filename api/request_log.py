"""Which requests are logged: all, the failed ones without a flood, or none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_QUIET_S = 1.0


class RequestLog:
    """``mode`` is ``all``, ``errors`` or ``none``.

    ``errors`` are 5xx, and at most one line a second for each status: an overload answers thousands of them. The
    line says how many were left out.
    """

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._logger = structlog.get_logger("api.request")
        self._last: dict[int, float] = {}
        self._left_out: dict[int, int] = {}

    def request(self, environ: WSGIEnvironment, request_id: str, route: str, status: int, elapsed_s: float) -> None:
        """Log the request, or not."""
        if self._mode == "none" or (self._mode == "errors" and status < 500):
            return
        left_out = 0
        if self._mode == "errors":
            now = time.monotonic()
            if now - self._last.get(status, -_QUIET_S) < _QUIET_S:
                self._left_out[status] = self._left_out.get(status, 0) + 1
                return
            self._last[status] = now
            left_out = self._left_out.pop(status, 0)
        self._logger.log(
            40 if status >= 500 else 20,
            "request",
            request_id=request_id,
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"][:200],
            route=route,
            status=status,
            duration_ms=round(elapsed_s * 1000, 3),
            **({"left_out": left_out} if left_out else {}),
        )
