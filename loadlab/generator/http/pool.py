"""The connections of one user to one server: as a rule one, kept."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gevent.event import Event

from loadlab.generator.http.connection import Connection, Limits, Proxy, connect
from loadlab.generator.http.message import Origin

clock = time.perf_counter


@dataclass(frozen=True)
class Habits:
    """How a user makes and keeps connections. `most_requests` is for one connection; None is without a limit."""

    limits: Limits = field(default_factory=Limits)
    most_connections: int = 10
    most_requests: int | None = None
    proxy: Proxy | None = None


class Told(Protocol):
    """What is told how a connection was come by."""

    connect_s: float
    connects: int
    reconnects: int


class Pool:
    """Hands out connections, and takes back those that can be used again."""

    __slots__ = ("_context", "_freed", "_habits", "_idle", "_open", "_origin")

    def __init__(self, origin: Origin, habits: Habits, context: Callable[[], ssl.SSLContext]) -> None:
        self._origin = origin
        self._habits = habits
        self._context = context
        self._idle: list[Connection] = []
        self._open = 0
        self._freed: Event | None = None

    def take(self, told: Told) -> Connection:
        """Return a connection that can be used: an idle one that the server has not closed meanwhile, or a new one.

        Raises:
            TimeoutError, ssl.SSLError, OSError, HTTPParseError: none could be made, see connection.connect.
        """
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_usable(clock()):
                return connection
            self.drop(connection)
            told.reconnects += 1
        if self._open >= self._habits.most_connections:
            return self._wait_for_one(told)
        return self.make(told)

    def give_back(self, connection: Connection) -> None:
        """Take back a connection after an told."""
        most = self._habits.most_requests
        if connection.answer.is_reusable and (most is None or connection.used < most):
            self._idle.append(connection)
            if self._freed is not None:
                self._freed.set()
        else:
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection."""
        self._open -= 1
        connection.close()
        if self._freed is not None:
            self._freed.set()

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self.drop(self._idle.pop())

    def make(self, told: Told) -> Connection:
        """Make a connection, however many there are."""
        self._open += 1
        began = clock()
        try:
            connection = connect(*self._origin, self._habits.limits, self._context, self._habits.proxy)
        except BaseException:
            self._open -= 1
            if self._freed is not None:
                self._freed.set()
            raise
        told.connect_s += clock() - began
        told.connects += 1
        return connection

    def _wait_for_one(self, told: Told) -> Connection:
        """Wait: the user itself asks from several greenlets at once."""
        while self._open >= self._habits.most_connections and not self._idle:
            self._freed = self._freed or Event()
            self._freed.clear()
            self._freed.wait()
        return self.take(told)
