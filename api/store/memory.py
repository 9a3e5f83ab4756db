"""The lab document's module-level list, kept as it is on purpose.

Every gunicorn worker has a list of its own, so with more than one of them a write reaches only the worker that took
it, and is gone when that worker ends. A lesson, not a store.
"""

from __future__ import annotations

from api.store.base import SEED_DESCRIPTION, SEED_NAME, Page

testing_types = [{"name": SEED_NAME, "description": SEED_DESCRIPTION}]


class MemoryStore:
    """``Store`` over ``testing_types``; ids are positions, from 1."""

    def add(self, name: str, description: str) -> int:
        """Append; the list's length is the id."""
        testing_types.append({"name": name, "description": description})
        return len(testing_types)

    def page(self, after: int, limit: int) -> Page:
        """A slice of the list."""
        total = len(testing_types)
        chosen = testing_types[after : after + limit]
        items = [(after + n, item["name"], item["description"]) for n, item in enumerate(chosen, start=1)]
        return Page(items, total, after + len(items) < total)

    def get(self, item_id: int) -> tuple[str, str] | None:
        """The item at that position."""
        if not 1 <= item_id <= len(testing_types):
            return None
        item = testing_types[item_id - 1]
        return item["name"], item["description"]

    def check(self) -> None:
        """Always there."""

    def close(self) -> None:
        """Nothing to let go of."""
