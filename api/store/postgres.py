"""PostgreSQL through psycopg 3, which cooperates with gevent by itself."""

from __future__ import annotations

import random
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Dialect, Engine, create_engine, event, func, select
from sqlalchemy.pool import ConnectionPoolEntry

from api.settings import Settings
from api.store import schema
from api.store.database import DatabaseStore

Result = TypeVar("Result")

_SHARDS = 16
#: Any number will do, as long as nothing else in the database takes the same advisory lock.
_CREATION_LOCK = 0x6C6F61646C6162
_POOL_TIMEOUT_S = 3
_STATEMENT_TIMEOUT_MS = 4_000
#: More than the server's own timeout, which leaves the connection usable.
_ANSWER_TIMEOUT_S = 5
_LOOK_EVERY_S = 0.1
_CONNECT_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 3,
    "options": f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c lock_timeout={_STATEMENT_TIMEOUT_MS}",
    "tcp_user_timeout": _STATEMENT_TIMEOUT_MS,
    "application_name": "loadlab-api",
}
_CREATION_LOCKED = select(func.pg_advisory_xact_lock(_CREATION_LOCK))


class PostgresStore(DatabaseStore):
    """``Store`` over a pool of connections."""

    def __init__(self, settings: Settings) -> None:
        engine = _engine(settings.database_url.get_secret_value(), settings.pool_size)
        # Autocommit saves a read two of its three round trips.
        super().__init__(engine, reader=engine.execution_options(isolation_level="AUTOCOMMIT"))

    def _create(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(_CREATION_LOCKED)
            schema.create(connection, _SHARDS)

    def _write(self, name: str, description: str) -> int:
        with self._engine.begin() as connection:
            item_id = connection.execute(schema.INSERT, {"name": name, "description": description}).scalar_one()
            # Last, so that the row of the count is locked as briefly as can be.
            connection.execute(schema.COUNT, {"at_shard": random.randrange(_SHARDS), "by": 1})
        return int(item_id)


class TimedConnection(psycopg.Connection[Any]):
    """Gives up on a server that keeps its connections and answers nothing: no timeout of its own can fire then."""

    def wait(self, gen: PQGen[Result], interval: float = _LOOK_EVERY_S, timeout: float | None = None) -> Result:
        """Run one exchange with the server; ``OperationalError``, and the connection closed, when it takes too long."""
        try:
            return super().wait(gen, interval, timeout or _ANSWER_TIMEOUT_S)
        except psycopg.errors._WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer from the server in {_ANSWER_TIMEOUT_S} s") from None


def _engine(url: str, pool_size: int) -> Engine:
    _, _, rest = url.partition("://")
    made = create_engine(
        f"postgresql+psycopg://{rest}",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_S,
        # A restarted server leaves dead connections behind: each is tried before use and replaced.
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @event.listens_for(made, "do_connect")
    def _connect(_dialect: Dialect, _record: ConnectionPoolEntry, args: Any, kwargs: dict[str, Any]) -> Any:
        return TimedConnection.connect(*args, **(_CONNECT_ARGUMENTS | kwargs))

    return made
