"""Where items are kept. ``open_store`` picks the implementation the settings name."""

from __future__ import annotations

from api.settings import Settings
from api.store.base import Page, Store, StoreAway

__all__ = ["Page", "Store", "StoreAway", "open_store"]


def open_store(settings: Settings) -> Store:
    """The store of this process. Nothing is connected yet: that happens, and is retried, on first use.

    Must be called after gunicorn forks: neither SQLite nor PostgreSQL connections survive being shared.
    """
    if settings.store == "memory":
        from api.store.memory import MemoryStore

        return MemoryStore()
    if settings.is_sqlite:
        from api.store.sqlite import SqliteStore

        return SqliteStore(settings)
    from api.store.postgres import PostgresStore

    return PostgresStore(settings)
