"""Fixtures for the API's tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask import Flask

from api import create_app
from api.settings import Settings

pytest.register_assert_rewrite("tests.api.contract", "tests.api.instance")

from tests.api.instance import Answer, Call, running  # noqa: E402


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests must not reach them."""
    for name in [str(field.validation_alias) for field in Settings.model_fields.values()]:
        monkeypatch.delenv(name, raising=False)


def make_app(**environment: str) -> Flask:
    """An application with these variables and defaults for the others."""
    return create_app(Settings.model_validate(environment))


def client_call(app: Flask) -> Call:
    """A ``Call`` over Flask's test client."""

    def call(method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        response = app.test_client().open(path, method=method, data=body, headers=dict(headers or {}))
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers}, response.data)

    return call


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """An application over a new SQLite file."""
    made = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/tests.db")
    yield made
    made.extensions["store"].close()


@pytest.fixture
def call(app: Flask) -> Call:
    """A ``Call`` to that application."""
    return client_call(app)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of two running instances, by worker class, for tests that leave them as they were."""
    with (
        running(tmp_path_factory.mktemp("gevent"), GUNICORN_WORKER_CLASS="gevent") as gevent,
        running(tmp_path_factory.mktemp("gthread"), GUNICORN_WORKER_CLASS="gthread") as gthread,
    ):
        yield {"gevent": gevent.port, "gthread": gthread.port}
