"""LeanHttpUser against the lab's own API, served by gunicorn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from tests.api.instance import Instance, running
from tests.generator.http.conftest import Be
from tests.generator.http.people import SEEN_AGAIN_S, Someone

pytestmark = pytest.mark.stack
NEW = {"name": "load testing", "description": "how much it takes"}
KEPT_S = 1


@pytest.fixture(scope="module", params=["gevent", "gthread"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance of the API that keeps idle connections for a second."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = {"GUNICORN_WORKER_CLASS": request.param, "GUNICORN_WORKERS": "1", "GUNICORN_KEEPALIVE_S": str(KEPT_S)}
    with running(folder, **settings) as instance:
        yield instance


@pytest.fixture
def someone(api: Instance, be: Be) -> Someone:
    """A user of it."""
    return be(f"http://127.0.0.1:{api.port}")


def connects(someone: Someone) -> int:
    """Return how many connections were made."""
    return sum(told["response"].connects for told in someone.told)


def test_a_connection_is_kept(someone: Someone) -> None:
    """For all that the API can be asked, whatever it answers."""
    client = someone.client
    asked: list[tuple[str, str, dict[str, Any], int]] = [
        ("GET", "/tests", {}, 200),
        ("POST", "/tests", {"json": NEW}, 204),
        ("HEAD", "/tests", {}, 200),
        ("OPTIONS", "/tests", {}, 204),
        ("GET", "/tests/1", {}, 200),
        ("GET", "/tests/999999", {}, 404),
        ("POST", "/tests", {"json": {"name": ""}}, 422),
        ("POST", "/tests", {"data": "x"}, 415),
        ("DELETE", "/tests", {}, 405),
        ("GET", "/metrics", {}, 200),
        ("GET", "/tests", {"params": {"limit": 1}}, 200),
    ]
    statuses = [client.request(method, target, **options).status_code for method, target, options, _ in asked]
    assert statuses == [status for *_, status in asked]
    assert [told["exception"] is None for told in someone.told] == [status < 300 for status in statuses]
    assert connects(someone) == 1


def test_what_was_sent_is_there(someone: Someone) -> None:
    """With a length, and in chunks."""
    client = someone.client
    body = json.dumps(NEW).encode()
    first = client.post("/tests", json=NEW)
    parts = client.post(
        "/tests",
        data=(body[at : at + 7] for at in range(0, len(body), 7)),
        headers={"Content-Type": "application/json"},
    )
    assert (first.status_code, first.content, parts.status_code) == (204, b"", 204)
    for response in (first, parts):
        assert client.get(response.headers["Location"]).json() == NEW
    assert connects(someone) == 1


def test_head_has_no_body(someone: Someone) -> None:
    """But the length that GET has."""
    head, got = someone.client.head("/tests"), someone.client.get("/tests")
    assert (head.content, head.headers["Content-Length"]) == (b"", got.headers["Content-Length"])
    assert (got.json()[0]["name"], connects(someone)) == ("unit testing", 1)


@pytest.mark.parametrize("size", [70_000, 5_000_000])
def test_a_body_that_is_too_long_is_answered(someone: Someone, size: int) -> None:
    """413 is the answer; the next request is as good as any, once it can be seen that gthread has closed, unsaid."""
    response = someone.client.post("/tests", data=b"x" * size, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    gevent.sleep(SEEN_AGAIN_S)
    assert someone.client.post("/tests", json=NEW).status_code == 204


def test_a_connection_that_is_to_be_closed_is(someone: Someone) -> None:
    """Where the user asks for that, the server says so too."""
    for _ in range(3):
        response = someone.client.post("/tests", json=NEW, headers={"Connection": "close"})
        assert (response.status_code, response.headers["Connection"]) == (204, "close")
    assert (connects(someone), [told["response"].reconnects for told in someone.told]) == (3, [0, 0, 0])


def test_a_connection_that_was_closed_while_idle_is_not_used(someone: Someone) -> None:
    """What is sent then is there once."""
    client = someone.client
    before = int(client.get("/tests?limit=1").headers["X-Total-Count"])
    gevent.sleep(KEPT_S + 1.0)
    response = client.post("/tests", json=NEW)
    assert (response.status_code, response.reconnects, response.connects) == (204, 1, 1)
    assert int(client.get("/tests?limit=1").headers["X-Total-Count"]) == before + 1


def test_an_idle_connection_is_used_again(someone: Someone) -> None:
    """While the server keeps it."""
    for _ in range(3):
        assert someone.client.post("/tests", json=NEW).status_code == 204
        gevent.sleep(SEEN_AGAIN_S)
    assert connects(someone) == 1


def test_several_at_a_time(api: Instance, be: Be) -> None:
    """Twenty users add five items each: there are a hundred more."""
    people = [be(f"http://127.0.0.1:{api.port}") for _ in range(20)]
    before = int(people[0].client.get("/tests?limit=1").headers["X-Total-Count"])
    adding = [gevent.spawn(lambda one=one: [one.client.post("/tests", json=NEW) for _ in range(5)]) for one in people]
    gevent.joinall(adding, timeout=20)
    assert int(people[0].client.get("/tests?limit=1").headers["X-Total-Count"]) == before + 100
    assert {told["exception"] for one in people for told in one.told} == {None}
