"""The contract, in process over both stores, and through real gunicorn workers of both classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.store import memory
from tests.api.conftest import client_call, make_app
from tests.api.contract import Contract
from tests.api.instance import Call, running


class TestInProcess(Contract):
    """Flask's test client, SQLite."""

    @pytest.fixture
    def fresh(self, call: Call) -> Call:
        """Each test has a new file."""
        return call


class TestMemory(Contract):
    """Flask's test client, the list of the lab document."""

    @pytest.fixture
    def call(self, monkeypatch: pytest.MonkeyPatch) -> Call:
        """Each test has a list of its own."""
        monkeypatch.setattr(memory, "testing_types", memory.testing_types[:1])
        return client_call(make_app(API_STORE="memory"))

    @pytest.fixture
    def fresh(self, call: Call) -> Call:
        """The same."""
        return call


@pytest.mark.timeout(60)
class TestGunicorn(Contract):
    """Two gunicorn workers, SQLite."""

    @pytest.fixture(scope="class", params=["gevent", "gthread"])
    @classmethod
    def server(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
        with running(tmp_path_factory.mktemp("gunicorn"), GUNICORN_WORKER_CLASS=request.param) as instance:
            yield instance.call

    @pytest.fixture
    def call(self, server: Call) -> Call:
        """The shared instance."""
        return server

    @pytest.fixture
    def fresh(self, tmp_path: Path) -> Iterator[Call]:
        """An instance of its own."""
        with running(tmp_path) as instance:
            yield instance.call
