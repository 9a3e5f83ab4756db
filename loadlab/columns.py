"""Objects that are alike, as one object of lists: each field's name is said once, and its values are side by side.

    [{"worker": 1, "users": 25}, {"worker": 2, "users": 24, "files": 31}]
    {"worker": [1, 2], "users": [25, 24], "files": [null, 31]}

An object that lacks a field has null there, and a field which all of them lack has no list. Objects inside are taken
apart in the same way, as long as none of them is empty, for that could not be told from one that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def to_columns(rows: Sequence[Row]) -> dict[str, Any]:
    """Return objects as an object of lists. None of them has a null: what is null is left out."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _column([row.get(name) for row in rows]) for name in names}


def to_rows(columns: Row) -> list[dict[str, Any]]:
    """Return the objects of an object of lists.

    Raises:
        ValueError: the lists are not of one length, or not lists.
    """
    lists = [(name, _values(column)) for name, column in columns.items()]
    rows: list[dict[str, Any]] = [{} for _ in lists[0][1]] if lists else []
    for name, values in lists:
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                row[name] = value
    return rows


def schema(of: Row, parts: Row) -> dict[str, Any]:
    """Return the JSON Schema of the lists of objects, given the schema of one and its `$defs`."""
    required = of.get("required", [])
    lists = {
        name: _list_schema(one, parts, is_required=name in required) for name, one in of.get("properties", {}).items()
    }
    made: dict[str, Any] = {"type": "object"}
    made |= {"description": of["description"]} if "description" in of else {}
    made |= {"properties": lists, "required": required} if lists else {}
    if isinstance(of.get("additionalProperties"), Mapping):
        made["additionalProperties"] = _list_schema(of["additionalProperties"], parts, is_required=False)
    return made


def _column(values: list[Any]) -> Any:
    is_nested = all(value is None or (isinstance(value, Mapping) and value) for value in values)
    return to_columns([value or {} for value in values]) if is_nested else values


def _values(column: Any) -> list[Any]:
    if isinstance(column, Mapping):
        return [row or None for row in to_rows(column)]
    if not isinstance(column, list):
        raise ValueError(f"not a list: {column!r}")
    return column


def _list_schema(one: Row, parts: Row, *, is_required: bool) -> dict[str, Any]:
    value = {name: said for name, said in one.items() if name not in ("title", "default")}
    items = value if is_required else {"anyOf": [*_alternatives(value), {"type": "null"}]}
    listed = {"type": "array", "items": items}
    nested = next((whole for whole in (_object(said, parts) for said in _alternatives(value)) if whole), None)
    return listed if nested is None else {"anyOf": [schema(nested, parts), listed]}


def _alternatives(value: Row) -> Iterable[Row]:
    return [said for said in value.get("anyOf", [value]) if said != {"type": "null"}]


def _object(said: Row, parts: Row) -> Row | None:
    """Return the schema of an object, by its reference or as it stands; None of anything else."""
    whole = parts[said["$ref"].rpartition("/")[2]] if "$ref" in said else said
    return whole if whole.get("type") == "object" else None
