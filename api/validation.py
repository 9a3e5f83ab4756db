"""From bytes and strings to the models of ``schemas``, or a ``Problem`` that names the field."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.problems import Problem, invalid_field

Model = TypeVar("Model", bound=BaseModel)

_QUERY_PARAMETERS_MAX = 20


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


# Python's parser lets NaN, Infinity and repeated names through; RFC 8259 and RFC 7493 do not.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique_names)


def check_content_type(content_type: str) -> None:
    """Pass ``application/json``, with no charset or UTF-8; ``Problem`` 415 for anything else."""
    if content_type == "application/json":
        return
    media_type, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charsets = [value.strip('"') for key, _, value in (p.partition("=") for p in parameters) if key == "charset"]
    if media_type != "application/json" or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise Problem(
            415,
            f"Content-Type must be application/json in UTF-8, not {content_type[:100] or 'missing'}",
            [{"field": "Content-Type", "message": "must be application/json"}],
            {"Accept": "application/json"},
        )


def parse_json(body: bytes) -> Any:
    """Decode strict UTF-8 JSON; ``Problem`` 400 otherwise, too deep a nesting included."""
    if not body:
        raise invalid_field(400, "body", "is empty; send a JSON object")
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise invalid_field(400, "body", f"is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise invalid_field(400, "body", "is nested too deeply") from None
    except ValueError as error:
        raise invalid_field(400, "body", f"is not valid JSON: {error}") from None


def parse_body(model: type[Model], content_type: str, body: bytes) -> Model:
    """The model a JSON body holds; ``Problem`` 415, 400 or 422."""
    check_content_type(content_type)
    document = parse_json(body)
    if not isinstance(document, dict):
        raise invalid_field(422, "body", "must be a JSON object")
    return _validate(model, document, "body")


def parse_query(model: type[Model], query_string: str) -> Model:
    """The model a query string holds; ``Problem`` 422 for bad, repeated or unknown parameters."""
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_PARAMETERS_MAX)
    except ValueError:
        raise invalid_field(422, "query", "is not valid UTF-8, or has too many parameters") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise invalid_field(422, repeated[:100], "is given more than once")
    return _validate(model, values, "query parameter")


def _validate(model: type[Model], values: dict[str, Any], kind: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors = [_field_error(model, details, kind) for details in error.errors(include_url=False)]
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors[:5])
    raise Problem(422, detail, errors[:_QUERY_PARAMETERS_MAX])


def _field_error(model: type[BaseModel], details: ErrorDetails, kind: str) -> dict[str, str]:
    if not details["loc"]:
        return {"field": kind, "message": "has a name that is not Unicode text"}
    name = str(details["loc"][0])
    # A name from the client goes back to it: short, and without what JSON cannot carry to every reader.
    shown = name[:100].encode(errors="replace").decode()
    return {"field": shown, "message": _message(model, name, details, kind)}


def _message(model: type[BaseModel], name: str, details: ErrorDetails, kind: str) -> str:
    match details["type"]:
        case "missing":
            message = "is required"
        case "extra_forbidden":
            allowed = ", ".join(model.model_fields) or "none"
            message = f"is not a known {'field' if kind == 'body' else kind}; allowed: {allowed}"
        case "string_type":
            message = "must be a string"
        case "string_unicode":
            message = "must not hold a lone surrogate: it is no Unicode character"
        case "string_too_short":
            message = "must not be blank"
        case "string_too_long":
            longest = details["ctx"]["max_length"]
            message = f"must be at most {longest} characters long, not {len(details['input'])}"
        case "digits" | "greater_than_equal" | "less_than_equal":
            low, high = bounds(model, name)
            message = f"must be a whole number from {low} to {high}"
        case _:
            message = details["msg"]
    return message


def bounds(model: type[BaseModel], name: str) -> tuple[int, int]:
    """The least and the greatest value of an integer field."""
    marks = model.model_fields[name].metadata
    low = next(mark.ge for mark in marks if hasattr(mark, "ge"))
    high = next(mark.le for mark in marks if hasattr(mark, "le"))
    return low, high
