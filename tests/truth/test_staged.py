"""The faults that are put into the API do what they are said to, and no more."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.cgroup import Usage
from tests.truth import staged

Open = Callable[..., FlaskClient]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that makes the API with some faults, and gives a client of it."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tests.db")
    monkeypatch.setattr(staged, "_held", [])

    def make(**faults: str) -> FlaskClient:
        for name, value in faults.items():
            monkeypatch.setenv(f"STAGED_{name}", value)
        return staged.create_app().test_client()

    return make


def told(client: FlaskClient, path: str = "/tests") -> dict[str, float]:
    """Return what a request says by Server-Timing, and how long it took (`all`), in ms."""
    began = time.perf_counter()
    header = client.get(path).headers["Server-Timing"]
    took = 1000 * (time.perf_counter() - began)
    return {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([\d.]+)", header)} | {"all": took}


def test_without_a_fault_it_is_the_api(opened: Open) -> None:
    """Nothing waits, nothing fails."""
    client = opened()
    statuses = {client.get("/tests").status_code for _ in range(200)}
    assert statuses == {200}
    assert min(told(client)["all"] for _ in range(5)) < 40


def test_the_application_waits(opened: Open) -> None:
    """In the time that it says that it took, outside of its store; probes do not."""
    client = opened(WAIT_MS="50")
    took = told(client)
    assert took["app"] >= 50 > took["db"]
    assert min(told(client, "/livez")["all"] for _ in range(5)) < 40


def test_the_store_takes_longer(opened: Open) -> None:
    """In the time that it says its store took, reading and writing alike; whether it is there is told at once."""
    client = opened(STORE_MS="50")
    assert told(client)["db"] >= 50
    written = client.post("/tests", json={"name": "a", "description": "b"})
    assert written.status_code == 204
    assert float(written.headers["Server-Timing"].rpartition("=")[2]) >= 50
    assert min(told(client, "/readyz")["all"] for _ in range(5)) < 40


def test_a_share_of_the_requests_fails(opened: Open) -> None:
    """Exactly that of the users', with 500, spread evenly."""
    client = opened(FAIL_PERCENT="2.5")
    statuses = [client.get("/tests").status_code for _ in range(200)]
    assert [number for number, status in enumerate(statuses, 1) if status == 500] == [40, 80, 120, 160, 200]
    assert {client.get("/metrics").status_code for _ in range(50)} == {200}


def test_memory_is_held_up_to_a_share_of_the_limit(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """MiB by MiB; without a limit none is."""
    base = 10 * staged.MIB
    for limit, held in ((20 * staged.MIB, 9), (None, 0)):
        usage = lambda most=limit: Usage(memory_bytes=base + staged.MIB * len(staged._held), memory_limit_bytes=most)  # noqa: E731
        monkeypatch.setattr(staged, "read_usage", usage)
        staged._held.clear()
        opened(MEMORY_PERCENT="95")
        assert len(staged._held) == held
