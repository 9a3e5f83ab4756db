"""The target goes away in the midst of a run and comes back: each failure has its cause, and all users go on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from locust import constant, task
from locust.env import Environment

from loadlab.generator.http import LeanHttpUser
from loadlab.generator.recorder import kind_of
from tests.rig.rigs import free_ports

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
USERS = 20
BACK_S = 2.0
CAUSES = (
    "ConnectionRefusedError: [Errno #] Connection refused",
    "ConnectionRefusedError: [Errno 111] Connection refused",
    "HTTPConnectionClosed: connection closed before the answer began",
    "ConnectionResetError: [Errno 104] Connection reset by peer",
)


@contextmanager
def target(port: int) -> Iterator[None]:
    """Run a truth server, whose answers take 10 ms, and kill it: what is under way is cut off."""
    control = json.dumps({"delay": {"kind": "fixed", "ms": 10}})
    command = [sys.executable, "-m", "tests.truth.server", "--port", str(port), "--control", control]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def test_every_failure_is_attributed_and_all_users_come_back() -> None:
    """Failures only while it is away, of three causes; within 2 s of its return each user has been answered."""
    port = free_ports()
    told: list[tuple[float, int, str | None]] = []

    class Someone(LeanHttpUser):
        host = f"http://127.0.0.1:{port}"
        wait_time = constant(0.05)

        @task
        def ask(self) -> None:
            self.client.get("/tests", context={"user": id(self)})

    def note(context: dict[str, Any], exception: BaseException | None, response: Any, **_: Any) -> None:
        kind = kind_of(exception, response) if exception else None
        told.append((time.monotonic(), context["user"], kind))

    environment = Environment(user_classes=[Someone])
    environment.events.request.add_listener(note)
    runner = environment.create_local_runner()
    with target(port):
        runner.start(USERS, USERS)
        gevent.sleep(1.5)
    gone = time.monotonic()
    gevent.sleep(1.0)
    with target(port):
        back = time.monotonic()
        gevent.sleep(BACK_S)
        runner.quit()
    users = {user for _, user, _ in told}
    again = {user for at, user, kind in told if at > back and kind is None}
    kinds = {kind for *_, kind in told if kind}
    assert len(users) == USERS
    assert again == users
    assert kinds <= set(CAUSES), kinds
    assert sum(kind is not None for *_, kind in told) >= USERS
    assert not [at for at, _, kind in told if kind and at < gone - 0.5]
