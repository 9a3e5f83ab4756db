"""SQLite in WAL mode: readers never wait, writers of all processes on the host take turns."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, Row, Select, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from api.settings import Settings
from api.store import schema
from api.store.base import StoreAway
from api.store.database import DatabaseStore

Result = TypeVar("Result")

# SQLite calls do not yield to other greenlets and the GIL serialises most of their cost for threads: a few
# connections serve any number of requests.
_POOL_SIZE = 8
_RETRY_MIN_S = 0.000_5
_RETRY_MAX_S = 0.010
_SHARD = 0


class SqliteStore(DatabaseStore):
    """``Store`` over one file, shared by every gunicorn worker and replica on the host."""

    def __init__(self, settings: Settings) -> None:
        self._busy_timeout_s = settings.busy_timeout_ms / 1000
        self._turn = threading.Lock()
        engine = _engine(settings.database_url.get_secret_value(), self._busy_timeout_s)
        super().__init__(engine, reader=engine)

    def _create(self) -> None:
        with self._patiently(self._engine.connect) as connection:
            execute = _driver(connection).execute
            self._patiently(lambda: execute("PRAGMA journal_mode=WAL").fetchone())
            with self._immediate(connection):
                schema.create(connection, shards=_SHARD + 1)

    def _write(self, name: str, description: str) -> int:
        # One writer a process at the file's lock: the others wait here, where waiting costs nothing.
        if not self._turn.acquire(timeout=self._busy_timeout_s):
            raise StoreAway(f"writes have queued for more than {self._busy_timeout_s:g} s")
        try:
            with self._patiently(self._engine.connect) as connection, self._immediate(connection):
                item_id = connection.execute(schema.INSERT, {"name": name, "description": description}).scalar_one()
                connection.execute(schema.COUNT, {"at_shard": _SHARD, "by": 1})
            return int(item_id)
        finally:
            self._turn.release()

    def _read(self, statement: Select[*tuple[Any, ...]], values: dict[str, int]) -> Sequence[Row[*tuple[Any, ...]]]:
        # Even a reader finds the file locked for a moment: while another process turns WAL on, or recovers it.
        return self._patiently(lambda: super(SqliteStore, self)._read(statement, values))

    @contextmanager
    def _immediate(self, connection: Connection) -> Iterator[None]:
        # Straight to the driver: SQLAlchemy would spend longer on these two words than SQLite does.
        execute = _driver(connection).execute
        # A transaction that begins as a reader cannot wait for the write lock, whatever the busy timeout.
        self._patiently(lambda: execute("BEGIN IMMEDIATE"))
        try:
            yield
            self._patiently(lambda: execute("COMMIT"))
        except BaseException:
            with suppress(sqlite3.Error):  # nothing to roll back when SQLite did so by itself, on a full disk say
                execute("ROLLBACK")
            raise

    def _is_busy(self, error: Exception) -> bool:
        cause = error.orig if isinstance(error, OperationalError) else error
        # The low byte is the primary code: SQLITE_BUSY_SNAPSHOT and the like are busy too.
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        """Retry while another process holds the lock. The sleep lets other greenlets and threads run meanwhile,
        which SQLite's own busy timeout would not."""
        deadline = time.monotonic() + self._busy_timeout_s
        pause_s = _RETRY_MIN_S
        while True:
            try:
                return attempt()
            except (sqlite3.OperationalError, OperationalError) as error:
                if not self._is_busy(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s = min(pause_s * 1.5, _RETRY_MAX_S)


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _engine(url: str, pool_timeout_s: float) -> Engine:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": 0, "check_same_thread": False},
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        # NORMAL: a commit survives a killed process or container; the last ones may not survive a power cut.
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
