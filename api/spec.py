"""Pieces of /openapi.json that the models cannot say: headers, and the errors every operation may answer with."""

from __future__ import annotations

import functools
import re
from typing import Any

from flask_openapi3.models.schema import Schema
from flask_openapi3.openapi import OpenAPI

from api.problems import CONTENT_TYPE, phrase
from api.schemas import FieldError, Item, ProblemDocument

TITLE = "loadlab target"
SUMMARY = "A small REST API to put load on: kinds of software tests."

_INTEGER = {"type": "integer"}
_STRING = {"type": "string"}
_PROBLEM = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}

LISTED: dict[str, Any] = {
    "description": "Items in insertion order.",
    "headers": {
        "X-Total-Count": {"description": "Items in the whole store.", "schema": _INTEGER, "required": True},
        "Link": {"description": "The next page, when there is one.", "schema": _STRING},
    },
    "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}}},
}
ADDED: dict[str, Any] = {
    "description": "Committed.",
    "headers": {"Location": {"description": "Where the item is now.", "schema": _STRING, "required": True}},
}


def problems(*statuses: int) -> dict[int | str, Any]:
    """The ``responses`` of an operation that may answer with these errors."""
    return {status: {"description": phrase(status), "content": _PROBLEM} for status in statuses}


def add_schemas(app: OpenAPI) -> None:
    """Add the schemas that only references name."""
    template = "#/components/schemas/{model}"
    for model in (Item, FieldError, ProblemDocument):
        schema = model.model_json_schema(ref_template=template)
        schema.pop("$defs", None)
        app.components_schemas[model.__name__] = Schema(**schema)


def tidy(document: dict[str, Any]) -> None:
    """Remove what flask-openapi3 adds by itself: nulls, and a 422 in a shape of its own where there is no input."""
    document["components"] = {name: part for name, part in document["components"].items() if part is not None}
    for path in document["paths"].values():
        for operation in path.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    for name in [name for name in document["components"]["schemas"] if name.startswith("ValidationError")]:
        del document["components"]["schemas"][name]


@functools.cache
def route_label(rule: str) -> str:
    """``/tests/{id}`` for Flask's ``/tests/<int:id>``."""
    return re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule)
