"""What SQLite and PostgreSQL share: the statements, lazy creation of the tables, and one meaning of "away"."""

from __future__ import annotations

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Row, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.settings_checks import hide_password
from api.store import schema
from api.store.base import Page, StoreAway
from api.store.outage import Outage

_FAILURES = (DBAPIError, sqlite3.Error, PoolTimeout)
#: What to look at, by what SQLite says.
_HINTS = {
    "unable to open database file": " (is the folder of DATABASE_URL there, and may this user write in it?)",
    "readonly database": " (this user may read the file of DATABASE_URL, not write it)",
    "database is locked": " (other processes kept the write lock for longer than API_BUSY_TIMEOUT_MS)",
}


class DatabaseStore(ABC):
    """``Store`` over an engine. A subclass brings the engine and its way to write and to create the tables."""

    def __init__(self, engine: Engine, reader: Engine) -> None:
        self._engine = engine
        # Reads need no transaction: each is one statement.
        self._reader = reader
        self._ready = False
        self._preparing = threading.Lock()
        self._attempts = 0
        self._last_failure = ""
        self._outage = Outage()

    def _is_busy(self, _error: Exception) -> bool:
        """Whether the store is there and merely held by others."""
        return False

    @abstractmethod
    def _create(self) -> None:
        """Create and seed the tables once, whatever other processes do at the same time."""

    @abstractmethod
    def _write(self, name: str, description: str) -> int:
        """Insert and count in one transaction; return the id once committed."""

    def _read(self, statement: Select[*tuple[Any, ...]], values: dict[str, int]) -> Sequence[Row[*tuple[Any, ...]]]:
        with self._reader.connect() as connection:
            return connection.execute(statement, values).all()

    def add(self, name: str, description: str) -> int:
        """Keep an item."""
        with self._available():
            return self._write(name, description)

    def page(self, after: int, limit: int) -> Page:
        """At most ``limit`` items after the cursor, and the exact total of the same moment."""
        with self._available():
            rows = self._read(schema.PAGE, {"after": after, "limit": limit + 1})
        total = int(rows[0][3])
        if rows[0][0] is None:
            return Page([], total, False)
        more = len(rows) > limit
        return Page([(row[0], row[1], row[2]) for row in rows[:limit]], total, more)

    def get(self, item_id: int) -> tuple[str, str] | None:
        """One item."""
        with self._available():
            rows = self._read(schema.GET, {"id": item_id})
        return (rows[0][0], rows[0][1]) if rows else None

    def check(self) -> None:
        """One small read."""
        with self._available():
            self._read(schema.PING, {})

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    @contextmanager
    def _available(self) -> Iterator[None]:
        try:
            if not self._ready:
                self._prepare()
            yield
        except _FAILURES as error:
            # The tables may be gone when it comes back: another volume, another server. Not so when it is just busy.
            self._ready = self._ready and self._is_busy(error)
            reason = _reason(error)
            self._outage.begins(reason)
            raise StoreAway(reason) from None
        except StoreAway as away:
            self._outage.begins(str(away))
            raise
        self._outage.ends()

    def _prepare(self) -> None:
        """Create the tables, one request at a time; the others share its outcome.

        Were each to try for itself, the last of a hundred would wait a hundred timeouts for its 503.
        """
        seen = self._attempts
        with self._preparing:
            if self._ready:
                return
            if self._attempts != seen:
                raise StoreAway(self._last_failure)
            try:
                self._create()
                self._ready = True
            except _FAILURES as error:
                self._last_failure = _reason(error)
                raise
            finally:
                self._attempts += 1


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    first_line = next(iter(str(cause).strip().splitlines()), "")
    hint = next((text for sign, text in _HINTS.items() if sign in first_line), "")
    return hide_password(f"{type(cause).__name__}: {first_line[:300]}{hint}")
