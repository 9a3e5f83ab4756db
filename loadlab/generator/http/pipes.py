"""What carries the bytes of a connection: a plain TCP socket, or one with TLS."""

from __future__ import annotations

import socket as sockets
import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent
from gevent import getcurrent

from loadlab.generator.http.timeouts import watchman

CHUNK = 64 * 1024
READ, WRITE = 1, 2  # of libev
LEAST_WAIT_S = 0.001
clock = time.perf_counter


class Pipe(Protocol):
    """An open connection. Waits end with TimeoutError when they last too long."""

    def send(self, data: bytes) -> None:
        """Send all of it."""

    def receive(self, now: float) -> bytes:
        """Wait for bytes and return them; none at the end of the stream. The wait is counted from `now`."""

    def is_quiet(self) -> bool:
        """Tell whether it is open and there is nothing to be read."""

    def close(self) -> None:
        """Close it."""


class PlainPipe:
    """A socket and its watchers, with nothing in between: a request costs two system calls and two switches."""

    __slots__ = ("_hub", "_limit_s", "_reads", "_recv", "_send", "_socket", "_switch", "_waiter", "_writes", "deadline")

    def __init__(self, socket: Any, limit_s: float) -> None:
        """Take over a connected socket of gevent's; each wait may last so long."""
        self._socket = socket
        self._send: Callable[[Any], int] = socket._sock.send
        self._recv: Callable[..., bytes] = socket._sock.recv
        self._hub = gevent.get_hub()
        self._switch = self._hub.switch
        self._reads = self._hub.loop.io(socket._sock.fileno(), READ)
        self._writes: Any = None
        self._limit_s = limit_s
        self._waiter: Any = None
        self.deadline = 0.0

    def send(self, data: bytes) -> None:
        """Send all of it: at once as a rule, else as the peer takes it."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent != len(data):
            self._send_rest(memoryview(data)[sent:])

    def receive(self, now: float) -> bytes:
        """Wait for bytes and return them: no answer is there at once, so that is not tried."""
        while True:
            self._wait(self._reads, now)
            try:
                return self._recv(CHUNK)
            except BlockingIOError:
                now = clock()

    def is_quiet(self) -> bool:
        """Tell whether it is open and there is nothing to be read."""
        try:
            self._recv(1, sockets.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def expire(self) -> None:
        """End a wait."""
        self._waiter.throw(TimeoutError("timed out"))

    def close(self) -> None:
        """Close it, the watchers before what they watch."""
        self._reads.close()
        if self._writes is not None:
            self._writes.close()
        self._socket.close()

    def _wait(self, watcher: Any, now: float) -> None:
        waiter = self._waiter = getcurrent()
        self.deadline = now + self._limit_s
        waiting = watchman.waiting
        waiting[self] = None
        watcher.start(waiter.switch)
        try:
            self._switch()
        finally:
            watcher.stop()
            del waiting[self]

    def _send_rest(self, rest: memoryview) -> None:
        if self._writes is None:
            self._writes = self._hub.loop.io(self._socket._sock.fileno(), WRITE)
        while rest:
            self._wait(self._writes, clock())
            try:
                rest = rest[self._send(rest) :]
            except BlockingIOError:
                continue


class TlsPipe:
    """A socket with TLS of gevent's: there the cipher is what costs."""

    __slots__ = ("_limit_s", "_socket")

    def __init__(self, socket: Any, limit_s: float) -> None:
        """Take over a socket after its handshake; each wait may last so long."""
        self._socket = socket
        self._limit_s = limit_s

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.settimeout(self._limit_s)
        self._socket.sendall(data)

    def receive(self, now: float) -> bytes:
        """Wait for bytes and return them."""
        self._socket.settimeout(max(LEAST_WAIT_S, now + self._limit_s - clock()))
        received: bytes = self._socket.recv(CHUNK)
        return received

    def is_quiet(self) -> bool:
        """Tell whether it is open and there is nothing to be read but what TLS itself has to say."""
        self._socket.settimeout(0.0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close it."""
        self._socket.close()
