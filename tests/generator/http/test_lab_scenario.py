"""The lab's own scenario: what its failures are called."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loadlab.generator.recorder import kind_of
from loadlab.rig.ports import free_port
from tests.generator.http.conftest import Be, Serve
from tests.generator.http.scripted import ok

FILE = Path(__file__).resolve().parents[3] / "locust" / "locustfile.py"
TASKS = ("list_types", "add_type")


@pytest.fixture(scope="module")
def scenario() -> ModuleType:
    """The file, as it is: the folder is no package."""
    spec = importlib.util.spec_from_file_location("lab_scenario", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("task", TASKS)
def test_a_dead_target_is_named(task: str, scenario: ModuleType, be: Be) -> None:
    """Where nothing listens, the failure is the connection's, not that a status is not the expected one."""
    assert "Connection refused" in kind(task, scenario, be, f"http://127.0.0.1:{free_port('127.0.0.1')}")


@pytest.mark.parametrize(("task", "expected"), [("list_types", "200"), ("add_type", "204")])
def test_a_wrong_status_is_named(task: str, expected: str, scenario: ModuleType, be: Be, serve: Serve) -> None:
    """An answer with another status is told with it."""
    busy = serve(ok(status=b"503 Service Unavailable"))
    assert kind(task, scenario, be, busy.url) == f"status 503, expected {expected}"


def kind(task: str, scenario: ModuleType, be: Be, host: str) -> str:
    """Return what kind of failure one call of a task is recorded as."""
    someone = be(host, scenario.WebsiteUser)
    call: Callable[[Any], None] = getattr(scenario.WebsiteUser, task)
    call(someone.user)
    told = someone.the_one()
    return kind_of(told["exception"], told["response"])
