"""Objects as columns: whatever they hold comes back, and what is damaged is said to be."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.columns import schema, to_columns, to_rows

NAMES = st.sampled_from("abcd")
VALUES = st.recursive(
    st.integers() | st.text() | st.booleans() | st.lists(st.integers() | st.none()),
    lambda inner: st.dictionaries(NAMES, inner) | st.lists(inner),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(NAMES, VALUES, min_size=1)))
def test_objects_come_back(rows: list[dict[str, Any]]) -> None:
    """Lists, texts, objects inside, empty ones, and fields that only some have."""
    assert to_rows(to_columns(rows)) == rows


def test_a_name_is_said_once() -> None:
    """Also those of the objects inside; what one lacks is null."""
    rows: list[dict[str, Any]] = [{"a": 1, "b": {"x": 2}}, {"a": 3}, {"b": {"y": 4}, "c": [5]}]
    columns = {"a": [1, 3, None], "b": {"x": [2, None, None], "y": [None, None, 4]}, "c": [None, None, [5]]}
    assert to_columns(rows) == columns
    assert to_rows(columns) == rows


def test_an_empty_object_is_told_from_none() -> None:
    """Its column is a list of objects, as it would be no column else."""
    rows: list[dict[str, Any]] = [{"a": {}}, {"a": {"x": 1}}, {"b": 1}]
    assert to_columns(rows) == {"a": [{}, {"x": 1}, None], "b": [None, None, 1]}


@pytest.mark.parametrize("columns", [{"a": [1], "b": [1, 2]}, {"a": 1}, {"a": [1], "b": {"x": []}}])
def test_damage_is_found(columns: dict[str, Any]) -> None:
    """Lists of different lengths, and what is no list."""
    with pytest.raises(ValueError, match=r"shorter|longer|not a list"):
        to_rows(columns)


def test_the_schema_is_that_of_the_lists() -> None:
    """Required fields have no null; objects inside may be columns or, where one is empty, a list."""
    part = {"type": "object", "properties": {"x": {"type": "integer", "default": 0}}}
    of = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "part": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "required": ["name"],
    }
    parts = {"Part": part}
    validator = jsonschema.Draft202012Validator(schema(of, parts) | {"$defs": parts})
    for good in (
        to_columns([{"name": "a", "part": {"x": 1}, "counts": {"k": 1}}, {"name": "b"}]),
        to_columns([{"name": "a", "part": {}}, {"name": "b", "counts": {"k": 1, "l": 2}}]),
    ):
        assert validator.is_valid(good)
    for bad in ({"name": [None]}, {"part": {"x": [1]}}, {"name": ["a"], "part": {"x": ["1"]}}, {"name": "a"}):
        assert not validator.is_valid(bad)
