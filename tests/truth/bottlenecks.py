"""Bottlenecks that are staged on purpose on a Compose rig, each known before it is looked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.stack.rig import IMAGES, Rig, docker, wait_for
from tests.truth.container import TARGET, truth_container
from tests.truth.machine import STOLEN_MOST
from tests.truth.runs import Master, Measured

SERVE = ["python", "-m", "gunicorn", "-c", "api/gunicorn.conf.py", "tests.truth.staged:create_app()"]
TIME_S = 20.0
TRIES = 3
READY_S = 60.0
# Holds the write lock of the API's store for 50 ms again and again, as a long transaction of somebody else does.
HOLD_LOCK = """
import sqlite3, time
connection = sqlite3.connect("/data/tests.db", isolation_level=None, timeout=5)
ends = time.monotonic() + 40
while time.monotonic() < ends:
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(0.05)
    connection.execute("COMMIT")
    time.sleep(0.005)
"""


@dataclass(frozen=True)
class Case:
    """What is staged: `expected` are the names by one of which it is to be called, None where none is to be.

    `knobs` are those of .env, `faults` those of tests.truth.staged for the API, `slow` those of one replica besides.
    `delay` has a truth server for target, which tells nothing but counts; `beside` runs in the API's container.
    """

    expected: tuple[str | None, ...]
    scenario: str = "lively"
    users: int = 20
    workers: int = 1
    slos: tuple[str, ...] = ("p95<450ms", "fail<1%")
    knobs: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    slow: Mapping[str, str] = field(default_factory=dict)
    delay: Mapping[str, Any] = field(default_factory=dict)
    beside: str = ""


TWO_THREADS = {"GUNICORN_WORKER_CLASS": "gthread", "GUNICORN_WORKERS": "1", "GUNICORN_THREADS": "2"}
CASES: dict[str, Case] = {
    "API limited to 0.5 CPU": Case(("target CPU",), scenario="busy", knobs={"API_CPUS": "0.5"}),
    "2 threads, waits of 50 ms": Case(
        ("worker slots",), scenario="busy", knobs=TWO_THREADS, faults={"STAGED_WAIT_MS": "50"}
    ),
    "store slowed by 50 ms": Case(
        ("store",), scenario="busy", faults={"STAGED_STORE_MS": "50"}, slos=("p95<40ms", "fail<1%")
    ),
    "store slowed by 50 ms, promise kept": Case(("store",), scenario="busy", faults={"STAGED_STORE_MS": "50"}),
    "write lock held for 50 ms": Case(
        ("store",), scenario="writers", users=5, beside=HOLD_LOCK, slos=("p95<100ms", "fail<1%")
    ),
    "application waits for 50 ms": Case(
        ("application",), scenario="busy", faults={"STAGED_WAIT_MS": "50"}, slos=("p95<40ms", "fail<1%")
    ),
    "one slow replica of three": Case(
        ("slow replica",), users=30, replicas=2, slow={"STAGED_WAIT_MS": "50"}, slos=("p95<40ms", "fail<1%")
    ),
    "workers limited to 0.2 CPU": Case(
        ("generator",), scenario="busy", users=40, knobs={"WORKER_CPUS": "0.2"}, delay={"kind": "instant"}
    ),
    "1% answered 500": Case(("errors",), faults={"STAGED_FAIL_PERCENT": "1"}),
    "listen backlog of 8": Case(
        ("listen backlog",),
        scenario="bursts",
        users=100,
        knobs={"GUNICORN_BACKLOG": "8", "GUNICORN_KEEPALIVE_S": "0"},
    ),
    "memory near its limit": Case(
        ("target memory",), knobs={"API_MEMORY": "512m"}, faults={"STAGED_MEMORY_PERCENT": "94"}
    ),
    "0.5 CPU and 3% answered 500": Case(
        ("target CPU",), scenario="busy", knobs={"API_CPUS": "0.5"}, faults={"STAGED_FAIL_PERCENT": "3"}
    ),
    "all cores used up by both": Case(("machine CPU", "target CPU"), scenario="busy", users=64, workers=2),
    "a target that tells nothing": Case((None,), scenario="busy", delay={"kind": "fixed", "ms": 600}),
    "a light load": Case((None,), users=5),
}


@dataclass
class StagedRig(Rig):
    """A rig whose API is what a case has it be."""

    case: Case = field(default_factory=lambda: Case((None,)))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._overlay.write_text("{}")

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every command of this rig."""
        made = super().environment
        target = {"TARGET_HOST": TARGET} if self.case.delay else {}
        return made | target | dict(self.case.knobs) | {"COMPOSE_FILE": f"{made['COMPOSE_FILE']}:{self._overlay}"}

    @property
    def _overlay(self) -> Path:
        return self.clone.parent / f"{self.clone.name}-staged.json"

    def stage(self, case: Case) -> None:
        """Bring everything up as a case has it."""
        self.case, self.replicas = case, case.replicas
        services: dict[str, Any] = {}
        if case.faults:
            services["api"] = self._served(case.faults)
        if case.slow:
            mounts = {"tmpfs": ["/tmp:mode=1777,size=64m"], "networks": {"load": {"aliases": ["api"]}}}
            # By the name of the API, it is one more address of it; the store is the same.
            services["slow"] = {"image": IMAGES["api"], "init": True, **mounts, **self._served(case.slow)}
            services["slow"]["volumes"].append("data:/data")
        # Compose reads JSON as the YAML that it is.
        self._overlay.write_text(json.dumps({"services": services}))
        scale = ["--scale", f"worker={case.workers}", "--scale", f"api={case.replicas}"]
        self.compose("up", "--detach", "--remove-orphans", *scale)
        self.wait_ready(case.workers)
        names = ["api", *(["slow"] if case.slow else [])]
        wait_for("all replicas ready", lambda: all(self._is_ready(name) for name in names), READY_S)

    def _served(self, faults: Mapping[str, str]) -> dict[str, Any]:
        mounted = f"{self.clone / 'tests'}:/staged/tests:ro"
        return {"command": SERVE, "environment": {"PYTHONPATH": "/staged", **faults}, "volumes": [mounted]}

    def _is_ready(self, service: str) -> bool:
        ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/readyz', timeout=5).status)"
        ids = self.compose("ps", "--quiet", service).stdout.split()
        return bool(ids) and all(docker("exec", one, "python", "-c", ask, check=False) == "200" for one in ids)


def measure(rig: StagedRig, case: Case, folder: Path) -> Measured:
    """Stage a case and measure it, again while the host takes the machine's CPU away meanwhile."""
    rig.stage(case)
    plan = {"scenario": case.scenario, "users": case.users, "spawn_rate": 50, "time_s": TIME_S}
    with ExitStack() as running:
        if case.delay:
            tests = rig.clone / "tests"
            truth = running.enter_context(truth_container(rig.project, IMAGES["generator"], tests))
            truth.control(reset=True, delay=dict(case.delay))
        for _ in range(TRIES):
            if case.beside:
                (container,) = (one["Id"] for one in rig.containers("api"))
                docker("exec", "--detach", container, "python", "-c", case.beside)
            measured = Master(rig.ui).measure(folder, planned_s=TIME_S + 30, slos=list(case.slos), **plan)
            if measured.stolen <= STOLEN_MOST:
                break
    return replace(measured)
