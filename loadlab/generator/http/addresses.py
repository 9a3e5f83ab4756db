"""The addresses of names: used in rotation, so that replicas share the connections, and resolved anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent import socket
from gevent.lock import RLock

FRESH_S = 5.0

Address = tuple[Any, ...]  # family, kind, protocol, canonical name, socket address: as of getaddrinfo
Lookup = Callable[[str, int], list[Address]]


def lookup(host: str, port: int) -> list[Address]:
    """Ask the system's resolver."""
    try:
        return list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, socket.SOL_TCP))
    except UnicodeError as error:  # no name is like that
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r}: {error}") from None


class Name:
    """What is known of one name and port."""

    def __init__(self, host: str, port: int, lookup: Lookup, clock: Callable[[], float]) -> None:
        self._asked = (host, port)
        self._lookup = lookup
        self._clock = clock
        self._guard = RLock()  # a thousand users that start at once ask the resolver once
        self._addresses: list[Address] = []
        self._until = float("-inf")
        self._turn = 0

    def rotated(self) -> list[Address]:
        """Return all addresses, beginning with the one whose turn it is."""
        if self._clock() >= self._until:
            with self._guard:
                if self._clock() >= self._until:
                    self._addresses = self._lookup(*self._asked)
                    self._until = self._clock() + FRESH_S
        first = self._turn % len(self._addresses)
        self._turn += 1
        return self._addresses[first:] + self._addresses[:first]


class Addresses:
    """The names that this process has asked for."""

    def __init__(self, lookup: Lookup = lookup, clock: Callable[[], float] = time.monotonic) -> None:
        self._lookup = lookup
        self._clock = clock
        self._names: dict[tuple[str, int], Name] = {}

    def of(self, host: str, port: int) -> list[Address]:
        """Return the addresses of a name, each call beginning with the next one.

        Raises:
            OSError: the name is unknown, or the resolver does not answer.
        """
        name = self._names.get((host, port))
        if name is None:
            name = self._names[host, port] = Name(host, port, self._lookup, self._clock)
        return name.rotated()


addresses = Addresses()
