"""Turns pydantic's report on a bad environment into one line a variable: name, value, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings


def explain(error: ValidationError, model: type[BaseSettings]) -> Iterator[str]:
    """One line for each bad variable; the value of a secret is not repeated."""
    fields = {field.validation_alias: field for field in model.model_fields.values()}
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else "the environment"
        field = fields.get(name)
        if field is None:
            yield f"api: {name}: {problem['msg']}"
            continue
        shown = " is set to something that" if _is_secret(field) else f"={problem['input']!r}"
        allowed = _allowed(field, problem)
        yield (
            f"api: {name}{shown} is not allowed. Allowed: {allowed} ({field.description})."
            f" Correct it, or unset it for the default{_default(field)}."
        )


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr


def _allowed(field: FieldInfo, problem: Any) -> str:
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if get_origin(field.annotation) is Literal:
        return ", ".join(get_args(field.annotation))
    if field.annotation is bool:
        return "true, false"
    if field.annotation is int:
        low = next(mark.ge for mark in field.metadata if isinstance(mark, annotated_types.Ge))
        high = next(mark.le for mark in field.metadata if isinstance(mark, annotated_types.Le))
        return f"a whole number from {low} to {high}"
    return str(problem["msg"])


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None or field.default is None or _is_secret(field):
        return ""
    return f" {str(field.default).lower() if isinstance(field.default, bool) else field.default}"
