"""gunicorn's gevent and gthread workers, with what they lack for a clean stop and for one error format.

On SIGTERM they serve on for ``API_DRAIN_S``, /readyz at 503 and every answer closing its connection, so that load
balancers and clients look elsewhere first. Then the gevent worker also closes idle kept-alive connections, which
gunicorn's own would hold until the graceful timeout (its gthread worker closes them after 2 s by itself).
Requests so malformed that no application sees them get a problem document instead of a page of HTML.
"""

from __future__ import annotations

import socket
import time
import uuid
from contextlib import suppress
from types import FrameType
from typing import Any

import gevent
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ExpectationFailed,
    ForbiddenProxyRequest,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from api.lifecycle import PROCESS
from api.problems import CONTENT_TYPE, Problem

_STATUSES: dict[type[Exception], int] = {
    LimitRequestLine: 414,
    LimitRequestHeaders: 431,
    ExpectationFailed: 417,
    ForbiddenProxyRequest: 403,
    UnsupportedTransferCoding: 501,
}
#: A client that was just told "keep-alive" may be sending its next request: it gets this long to do so. Less than
#: the second after which gunicorn looks again whether connections are left.
_LINGER_S = 0.8


class Draining:
    """Mixed into a gunicorn worker. ``drain_s`` and ``instance`` are set by the configuration after the fork."""

    drain_s = 0
    instance = ""
    _stop_at: float | None = None
    cfg: Any
    alive: bool
    log: Any

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """SIGTERM: begin the drain. Nothing that could block: this is a signal handler."""
        if self._stop_at is None:
            PROCESS.draining = True
            self._stop_at = time.monotonic() + self.drain_s
            if self.drain_s == 0:
                self._stop()
            else:
                self.cfg.set("keepalive", 0)  # makes gunicorn answer with "Connection: close"

    def notify(self) -> None:
        """gunicorn calls this about once a second, from its main loop: end the drain when it is time."""
        super().notify()  # type: ignore[misc]
        if self.alive and self._stop_at is not None and time.monotonic() >= self._stop_at:
            self._stop()

    def _stop(self) -> None:
        super().handle_exit(0, None)  # type: ignore[misc]

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn's parser refused."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)  # type: ignore[misc]
            return
        self.log.debug("malformed request: %s", exc)
        status = _STATUSES.get(type(exc), 400)
        problem = Problem(status, f"the request is not HTTP this server takes: {type(exc).__name__}")
        with suppress(OSError):
            util.write_nonblock(client, self._answer(problem))

    def _answer(self, problem: Problem) -> bytes:
        body = problem.body()
        lines = [
            f"HTTP/1.1 {problem.status} {problem.title}",
            f"Content-Type: {CONTENT_TYPE}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            f"X-Request-ID: {uuid.uuid4().hex}",
            f"X-Instance: {self.instance}",
            "Server-Timing: app;dur=0",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class LabThreadWorker(Draining, ThreadWorker):  # type: ignore[misc]
    """gthread, refusing connections once it stops.

    gunicorn's own keeps its sockets listening until the last request is done: who connects meanwhile waits, and is
    then cut off instead of being refused at once.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Called with False when it is full, and when it stops."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()


class LabGeventWorker(Draining, GeventWorker):  # type: ignore[misc]
    """gevent, closing idle connections when it stops."""

    def init_process(self) -> None:
        """Runs until the gunicorn worker ends."""
        self._open: set[socket.socket] = set()
        self._busy: set[socket.socket] = set()
        super().init_process()

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection to its end."""
        self._open.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._open.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> None:
        """Serve one request."""
        self._busy.add(sock)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._busy.discard(sock)
        # A fast client has sent its next request by now. Without a turn for the others its greenlet would go on
        # with that one, and the next, while they wait: seconds, under load, where the mean is milliseconds.
        gevent.sleep(0)

    def notify(self) -> None:
        """When stopping, also see to idle connections."""
        super().notify()
        if not self.alive:
            gevent.spawn_later(_LINGER_S, self._close_idle)

    def _close_idle(self) -> None:
        for client in self._open - self._busy:
            with suppress(OSError):
                # The end of what can be read wakes its greenlet, which then closes it the usual way.
                client.shutdown(socket.SHUT_RD)
