"""The views over /tests. Arguments arrive checked; answers are the bytes to send."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, current_app, request
from flask_openapi3.models.tag import Tag

from api import metrics
from api.blueprint import Blueprint
from api.lifecycle import STORE_S
from api.problems import Problem
from api.schemas import ID_MAX, Item, ItemPath, ListQuery, NewItem, NoQuery
from api.spec import ADDED, LISTED, problems
from api.store import Store, StoreAway

RETRY_AFTER_S = "1"
_TAG = Tag(name="tests", description="Kinds of software tests.")
_JSON = "application/json"
_encode = json.JSONEncoder(separators=(",", ":")).encode

blueprint = Blueprint("tests", __name__)


@blueprint.get(
    "/tests",
    tags=[_TAG],
    summary="List items in insertion order",
    operation_id="list_tests",
    responses={200: LISTED, **problems(422, 503)},
)
def list_tests(query: ListQuery) -> Response:
    """A bare array. `Link` names the next page while there is one, `X-Total-Count` counts the whole store."""
    with store() as opened:
        page = opened.page(query.after, query.limit)
    body = _encode([{"name": name, "description": description} for _, name, description in page.items])
    response = Response(body, mimetype=_JSON)
    response.headers["X-Total-Count"] = str(page.total)
    if page.more:
        response.headers["Link"] = f'</tests?limit={query.limit}&after={page.items[-1][0]}>; rel="next"'
    return response


@blueprint.post(
    "/tests",
    tags=[_TAG],
    summary="Add an item",
    operation_id="add_test",
    responses={204: ADDED, **problems(400, 408, 413, 415, 422, 503)},
)
def add_test(query: NoQuery, body: NewItem) -> Response:  # noqa: ARG001 - declared to be checked
    """Answers once the item is committed. The same name twice is two items."""
    with store() as opened:
        item_id = opened.add(body.name, body.description)
    metrics.items_written.inc()
    return current_app.response_class(status=204, headers={"Location": f"/tests/{item_id}"})


@blueprint.get(
    "/tests/<int:id>",
    tags=[_TAG],
    summary="Get one item",
    operation_id="get_test",
    responses={200: Item, **problems(404, 422, 503)},
)
def get_test(path: ItemPath, query: NoQuery) -> Response:  # noqa: ARG001 - declared to be checked
    """One item, by the id in its `Location`."""
    found = None
    if path.id <= ID_MAX:
        with store() as opened:
            found = opened.get(path.id)
    if found is None:
        raise Problem(404, f"there is no item {path.id}"[:200])
    return Response(_encode({"name": found[0], "description": found[1]}), mimetype=_JSON)


@contextmanager
def store() -> Iterator[Store]:
    """The store; the time spent goes to ``Server-Timing``, and its absence becomes a 503."""
    began = time.perf_counter()
    try:
        yield current_app.extensions["store"]
    except StoreAway:
        metrics.store_failures.inc()
        # Why is in the log: it names hosts, folders and users.
        detail = "the store is away or too busy; try again shortly"
        raise Problem(503, detail, headers={"Retry-After": RETRY_AFTER_S}) from None
    finally:
        request.environ[STORE_S] = time.perf_counter() - began
