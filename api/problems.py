"""Errors as RFC 9457 problem documents: one exception, one shape, one content type."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - what the RFC calls it
    """An answer that is an error.

    ``errors`` is a list of ``{"field", "message"}``, one for each thing wrong with the input; ``headers`` go on the
    response (``Allow``, ``Retry-After``).
    """

    status: int
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The reason phrase of the status, as ``type`` ``about:blank`` asks."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Error"

    def body(self) -> bytes:
        """The JSON document."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = self.errors
        return json.dumps(document).encode()


def invalid_field(status: int, field_name: str, message: str) -> Problem:
    """A problem with one field: the detail repeats the message, so that a reader of either finds the name."""
    return Problem(status, f"{field_name}: {message}", [{"field": field_name, "message": message}])
