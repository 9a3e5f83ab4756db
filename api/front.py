"""The outermost WSGI layer: everything that holds for each request, whatever it asks for.

It is plain WSGI because it runs on every request of a load test: the same work in Flask's hooks costs several times
as much.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from api import metrics
from api.body import read_body
from api.lifecycle import REQUEST_ID, ROUTE, STORE_S, Limiter
from api.problems import CONTENT_TYPE, Problem
from api.request_log import RequestLog

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Answered even when the service is full: whoever watches it must not be turned away by what it watches.
EXEMPT = frozenset({"/livez", "/readyz", "/metrics"})
UNMATCHED = "(unmatched)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Front:
    """Reads the body, limits concurrency, and sees to request id, timing, metrics and the request log."""

    def __init__(self, app: WSGIApplication, limiter: Limiter, instance: str, request_log: RequestLog) -> None:
        self._app = app
        self._limiter = limiter
        self._instance = instance
        self._log = request_log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        given_id = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given_id if _SANE_ID.fullmatch(given_id) else os.urandom(16).hex()
        environ[REQUEST_ID] = request_id
        try:
            # Before a slot is taken: a client that sends slowly must not hold one.
            read_body(environ)
        except Problem as problem:
            unread: Problem | None = problem
        else:
            unread = None
        began = time.perf_counter()
        status_code = "500"

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            nonlocal status_code
            status_code = status[:3]
            headers.append(("X-Request-ID", request_id))
            headers.append(("X-Instance", self._instance))
            headers.append(("Server-Timing", self._timing(environ, began)))
            return start_response(status, headers, exc_info)

        answer = self._refuse(unread, start) if unread else self._limited(environ, start)
        elapsed_s = time.perf_counter() - began
        method = environ["REQUEST_METHOD"]
        route = environ.get(ROUTE, UNMATCHED)
        metrics.observe(method if method in _METHODS else "OTHER", route, status_code, elapsed_s)
        self._log.request(environ, request_id, route, int(status_code), elapsed_s)
        return answer

    def _limited(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in EXEMPT:
            return self._app(environ, start)
        if not self._limiter.acquire():
            metrics.refused.inc()
            detail = f"more than {self._limiter.limit} requests at a time; try again shortly"
            return self._refuse(Problem(503, detail, headers={"Retry-After": "1"}), start)
        metrics.in_flight.inc()
        try:
            return self._app(environ, start)
        finally:
            metrics.in_flight.dec()
            self._limiter.release()

    @staticmethod
    def _refuse(problem: Problem, start: StartResponse) -> Iterable[bytes]:
        body = problem.body()
        headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body))), *problem.headers.items()]
        start(f"{problem.status} {problem.title}", headers)
        return [body]

    @staticmethod
    def _timing(environ: WSGIEnvironment, began: float) -> str:
        timing = f"app;dur={(time.perf_counter() - began) * 1000:.3f}"
        store_s = environ.get(STORE_S)
        return timing if store_s is None else f"{timing}, db;dur={store_s * 1000:.3f}"
