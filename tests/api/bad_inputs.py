"""Requests that must be refused: what is sent, the status, and the field the answer must name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.api.instance import JSON_TYPE

GOOD = {"name": "n", "description": "d"}


@dataclass(frozen=True)
class Bad:
    """One request and what it must get."""

    case: str
    status: int
    named: str | None = None
    method: str = "POST"
    path: str = "/tests"
    body: bytes | None = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON_TYPE))


def _item(case: str, named: str, **members: Any) -> Bad:
    return Bad(case, 422, named, body=json.dumps({**GOOD, **members}).encode())


def _broken(case: str, body: bytes, named: str = "body", status: int = 400) -> Bad:
    return Bad(case, status, named, body=body)


def _typed(case: str, content_type: str) -> Bad:
    return Bad(case, 415, "Content-Type", body=json.dumps(GOOD).encode(), headers={"Content-Type": content_type})


def _get(case: str, path: str, status: int, named: str | None = None, method: str = "GET") -> Bad:
    return Bad(case, status, named, method, path, None, {})


BAD_INPUTS = [
    _broken("empty body", b""),
    _broken("cut short", b'{"name": "n", "descr'),
    _broken("no JSON", b"name=n&description=d"),
    _broken("single quotes", b"{'name': 'n', 'description': 'd'}"),
    _broken("trailing comma", b'{"name": "n", "description": "d",}'),
    _broken("two documents", b'{"name": "n", "description": "d"}{}'),
    _broken("not UTF-8", b'{"name": "\xff\xfe", "description": "d"}'),
    _broken("UTF-16", json.dumps(GOOD).encode("utf-16")),
    _broken("byte order mark", b"\xef\xbb\xbf" + json.dumps(GOOD).encode()),
    _broken("NaN", b'{"name": NaN, "description": "d"}'),
    _broken("Infinity", b'{"name": "n", "description": -Infinity}'),
    _broken("raw control character", b'{"name": "a\nb", "description": "d"}'),
    _broken("nested too deeply", b"[" * 30_000),
    _broken("nested objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    _broken("5,000 digits", b'{"name": ' + b"9" * 5_000 + b', "description": "d"}'),
    _broken("a name twice", b'{"name": "a", "name": "b", "description": "d"}'),
    _broken("an array", b"[]", status=422),
    _broken("a string", b'"name"', status=422),
    _broken("null", b"null", status=422),
    _broken("no name", b'{"description": "d"}', "name", 422),
    _broken("no description", b'{"name": "n"}', "description", 422),
    _item("blank name", "name", name=""),
    _item("blank description", "description", description=" \t\u00a0"),
    _item("name is a number", "name", name=5),
    _item("name is null", "name", name=None),
    _item("name is true", "name", name=True),
    _item("name is a list", "name", name=["n"]),
    _item("description is an object", "description", description={}),
    _item("name of 201 characters", "name", name="x" * 201),
    _item("name of 201 wide characters", "name", name="\U0001f600" * 201),
    _item("description of 2,001 characters", "description", description="x" * 2_001),
    _item("unknown field", "extra", extra=1),
    _item("id given", "id", id=7),
    _item("NUL in name", "name", name="a\0b"),
    _item("NUL in description", "description", description="\0"),
    _item("lone surrogate", "name", name="a\ud800"),
    _item("surrogates swapped", "description", description="\udc00\ud800"),
    Bad("unknown field with a surrogate in it", 422, "body", body=b'{"name": "n", "description": "d", "\\ud800": 1}'),
    Bad("no content type", 415, "Content-Type", body=json.dumps(GOOD).encode(), headers={}),
    _typed("a form", "application/x-www-form-urlencoded"),
    _typed("plain text", "text/plain"),
    _typed("JSON patch", "application/json-patch+json"),
    _typed("Latin-1", "application/json; charset=latin-1"),
    _typed("almost", "application/jsonx"),
    _broken("over 64 KiB", b'{"name": "n", "description": "' + b"x" * 65_536 + b'"}', status=413),
    Bad("query on a POST", 422, "x", path="/tests?x=1", body=json.dumps(GOOD).encode()),
    _get("limit 0", "/tests?limit=0", 422, "limit"),
    _get("limit 1001", "/tests?limit=1001", 422, "limit"),
    _get("limit negative", "/tests?limit=-1", 422, "limit"),
    _get("limit empty", "/tests?limit=", 422, "limit"),
    _get("limit a word", "/tests?limit=all", 422, "limit"),
    _get("limit a fraction", "/tests?limit=1.0", 422, "limit"),
    _get("limit with a sign", "/tests?limit=%2B5", 422, "limit"),
    _get("limit with underscore", "/tests?limit=1_0", 422, "limit"),
    _get("limit with a space", "/tests?limit=%205", 422, "limit"),
    _get("limit in Arabic digits", "/tests?limit=%D9%A3", 422, "limit"),
    _get("limit of 40 digits", f"/tests?limit={'9' * 40}", 422, "limit"),
    _get("limit twice", "/tests?limit=1&limit=2", 422, "limit"),
    _get("after negative", "/tests?after=-1", 422, "after"),
    _get("after a word", "/tests?after=last", 422, "after"),
    _get("after past any id", f"/tests?after={2**63}", 422, "after"),
    _get("unknown parameter", "/tests?limt=5", 422, "limt"),
    _get("parameter not UTF-8", "/tests?limit=%FF", 422, "query"),
    _get("a hundred parameters", "/tests?" + "&".join(f"p{n}=1" for n in range(100)), 422, "query"),
    _get("query on an item", "/tests/1?verbose=1", 422, "verbose"),
    _get("no such item", "/tests/4000000", 404),
    _get("item 0", "/tests/0", 404),
    _get("item past any id", f"/tests/{2**63}", 404),
    _get("item of 400 digits", f"/tests/{'9' * 400}", 404),
    _get("item negative", "/tests/-1", 404),
    _get("item by name", "/tests/unit", 404),
    _get("trailing slash", "/tests/", 404),
    _get("double slash", "/tests//1", 404),
    _get("unknown path", "/nothing", 404),
    _get("path not UTF-8", "/%FF", 404),
    _get("out of the docs", "/docs/..%2f..%2f__init__.py", 404),
    _get("PUT on the list", "/tests", 405, method="PUT"),
    _get("DELETE on the list", "/tests", 405, method="DELETE"),
    _get("POST on an item", "/tests/1", 405, method="POST"),
    _get("PATCH on an item", "/tests/1", 405, method="PATCH"),
    _get("POST on a probe", "/livez", 405, method="POST"),
    _get("a method of its own", "/tests", 405, method="BREW"),
]
