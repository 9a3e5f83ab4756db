"""Errors as RFC 9457 problem documents: one exception, one shape, one content type."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"
# RFC 9110 gave these new names, which Python knows from 3.13 on: answers are not to differ by what they are made with.
RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}


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
        return phrase(self.status)

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


def phrase(status: int) -> str:
    """The reason phrase of a status, as RFC 9110 has it."""
    try:
        return RENAMED.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def invalid_field(status: int, field_name: str, message: str) -> Problem:
    """A problem with one field: the detail repeats the message, so that a reader of either finds the name."""
    return Problem(status, f"{field_name}: {message}", [{"field": field_name, "message": message}])
