"""What every store can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: The item of the lab document: first in every fresh store.
SEED_NAME = "unit testing"
SEED_DESCRIPTION = "testing individual units of source code"


class StoreAway(Exception):  # noqa: N818 - a state of the store, not a fault of the caller
    """The store cannot serve this now; the message says why and carries no secret."""


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the list.

    ``items`` are ``(id, name, description)`` in insertion order; ``total`` counts the whole store at the same
    moment; ``more`` tells whether items follow the last one.
    """

    items: list[tuple[int, str, str]]
    total: int
    more: bool


class Store(Protocol):
    """Every method may raise ``StoreAway``."""

    def add(self, name: str, description: str) -> int:
        """Keep an item and return its id, once it is committed."""

    def page(self, after: int, limit: int) -> Page:
        """At most ``limit`` items with an id greater than ``after``."""

    def get(self, item_id: int) -> tuple[str, str] | None:
        """``(name, description)``, or None."""

    def check(self) -> None:
        """Return when the store can serve."""

    def close(self) -> None:
        """Let go of connections."""
