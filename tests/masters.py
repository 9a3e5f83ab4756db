"""A master's web UI, Locust's own with all that is added to it, without workers: a fake conductor leads its runs.

In this process, so that a test can say what the conductor sees. Nothing is patched: the server has threads.
"""

from __future__ import annotations

import os
import threading
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

# Locust's import must not patch sockets and threads in pytest's own process.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    from locust import User, argument_parser
    from locust.env import Environment
    from locust.web import WebUI
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]  # not for the processes that the tests start

from flask import Flask

from loadlab.analysis.recording import Run, Status
from loadlab.analysis.summary import (
    Accounting,
    Latency,
    Level,
    Load,
    Reason,
    Reliability,
    SloResult,
    Summary,
    Validity,
    Verdict,
    WorkerHealth,
)
from loadlab.generator import web
from loadlab.generator.conductor import BusyError
from loadlab.plan import RunPlan, make
from loadlab.runfolder import RunFolder, create

LOOPBACK = "127.0.0.1"
# The pages of Locust's UI read its options from the command line, which is pytest's here.
argument_parser.ui_extra_args_dict = partial(argument_parser.ui_extra_args_dict, [])
STARTED = 1_760_000_000.0


class Shopper(User):
    """Somebody who does nothing, in the one scenario that there is."""


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing of each request."""


class FakeConductor:
    """Leads runs in name only: keeps what it is told, and tells what it is given."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.revision: str | None = None
        self.active: str | None = None
        self.prepared: list[dict[str, Any]] = []
        self.stopped: list[tuple[str, str]] = []
        self.plans: list[tuple[RunPlan, str]] = []
        self.view: dict[str, Any] = live()
        self.error: Exception | None = None

    def start(self, plan: RunPlan, *, by: str) -> str:
        """Make the folder of a run that has just begun."""
        if self.error:
            raise self.error
        if self.active:
            raise BusyError(f"Run {self.active} is running: there is one run at a time. Stop it, or wait.")
        self.plans.append((plan, by))
        self.active = begun(self.root, plan, by=by).id
        return self.active

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Keep the values."""
        if self.active:
            raise BusyError(f"Run {self.active} is running: there is one run at a time. Stop it, or wait.")
        self.prepared.append(dict(values))

    def stop(self, run_id: str, *, by: str) -> None:
        """Keep who stopped what."""
        self.stopped.append((run_id, by))

    def live(self, run_id: str) -> dict[str, Any] | None:
        """Tell what was given, of the active run."""
        return self.view if run_id == self.active else None

    def end(self, **changes: Any) -> RunFolder:
        """End the active run, with a report."""
        assert self.active is not None
        folder = RunFolder(self.root / self.active)
        finish(folder, **changes)
        self.active = None
        return folder


class Master:
    """The web UI of a master, with a fake conductor."""

    def __init__(self, root: Path, shape: Any = None, *, web_login: bool = False) -> None:
        options = Namespace(
            num_users=20, spawn_rate=10.0, run_time=None, run_shape="steady", run_slo="p95<450ms, fail<1%", run_name="",
            scenario="masters", stats_history_enabled=False,
        )  # fmt: skip
        self.environment = Environment(
            user_classes=[Shopper], shape_class=shape, parsed_options=options, host="http://shop:8000"
        )
        self.runner = self.environment.create_master_runner(LOOPBACK, 0)
        self.ui = WebUI(self.environment, LOOPBACK, 0, delayed_start=True, web_login=web_login)
        self.conductor = FakeConductor(root)
        web.attach(self.environment, self.conductor)

    @property
    def app(self) -> Flask:
        """Return the web application."""
        assert self.ui.app is not None
        return self.ui.app

    def close(self) -> None:
        """Give back the port for workers."""
        self.runner.greenlet.kill(block=False)
        self.runner.server.close()  # type: ignore[no-untyped-call]

    @contextmanager
    def served(self, port: int = 0) -> Iterator[str]:
        """Serve it on a loopback port, and yield its address."""
        server = make_server(LOOPBACK, port, self.app, threaded=True, request_handler=_Silent)
        server.daemon_threads = True  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(timeout=10)


def begun(root: Path, plan: RunPlan, *, by: str = "http", at: float | None = None) -> RunFolder:
    """Make the folder of a run that goes on."""
    folder = create(root, plan.name, at=at)
    now = at or STARTED
    values = plan.model_dump(mode="json")
    run = Run(folder.id, Status.RUNNING, values, (450_000,), now, started=now, started_by=by, slo=plan.slos)
    run.expected_workers = 8
    folder.write_run(run)
    folder.timeline.write_bytes(b'{"t":0}\n')
    folder.events.write_bytes(b'{"t":0,"kind":"run-started","text":"run started"}\n')
    return folder


def finish(folder: RunFolder, *, status: Status = Status.FINISHED, reported: bool = True, **changes: Any) -> None:
    """End a run, and unless told otherwise write its summary and a page as its report."""
    run = folder.read_run()
    run.status, run.duration_s, run.ended, run.stopped_by = status, 64.2, run.created + 64.2, "plan"
    folder.write_run(run)
    if reported:
        folder.write_summary(summary(folder.id, str(run.plan["name"]), status=status.value, **changes))
        folder.html.write_text("<!doctype html><title>report</title><script>document.title = 'drawn'</script>")


def kept(root: Path, count: int) -> list[RunFolder]:
    """Make finished runs, the oldest first."""
    folders = []
    for number in range(count):
        folder = begun(root, make({"users": 200, "spawn_rate": 50, "name": f"run {number}"}), at=STARTED + 100 * number)
        finish(folder)
        folders.append(folder)
    return folders


def live(**changes: Any) -> dict[str, Any]:
    """Return LIVE of a run in its middle."""
    t = list(range(38))
    workers = [
        {
            "worker": n, "id": f"{'4f1c9a' * 2}{n}_{'0b' * 16}", "state": "running", "users": 25,
            "cpu_percent": 31.5 + n, "lag_ms": 0.4 * n, "memory_bytes": 71_000_000 + n,
        }
        for n in range(1, 9)
    ]  # fmt: skip
    slos = [
        {"text": "p95<450ms", "outcome": "pass", "measured": 96.213, "unit": "ms"},
        {"text": "fail<1%", "outcome": "fail", "measured": 1.7, "unit": "%"},
    ]
    series = {
        "t": t,
        "users": [min(200, 50 * second) for second in t],
        "throughput_rps": [min(190, 45 * second) + (second * 7) % 13 for second in t],
        "p95_ms": [None if second in (0, 20) else 80 + (second * 11) % 31 for second in t],
        "fail_percent": [4.0 if second in (25, 26) else 0.0 for second in t],
    }
    return {
        "elapsed_s": 38.0, "planned_s": 64.0, "stage": 1, "stages": 1, "users": 200, "target_users": 200,
        "workers_ready": 8, "workers_expected": 8, "requests": 7011, "failures": 119, "fail_percent": 1.697,
        "throughput_rps": 191.4, "p50_ms": 12.48, "p95_ms": 96.2, "p99_ms": 1207.9, "slos": slos, "workers": workers,
        "validity": {"level": "degraded", "reasons": ["worker 3 does not answer"]}, "series": series,
        "search": None,
    } | changes  # fmt: skip


def summary(run: str, name: str = "", **changes: Any) -> Summary:
    """Return the summary of a run of 8 workers that was kept to its promises."""
    percentiles = {"p50": 12.5, "p75": 20.0, "p90": 61.0, "p95": 96.2, "p99": 207.9, "p99.9": 500.0}
    ok = Latency(11_780, 24.1, 2.2, 611.0, percentiles)
    load = Load(4.0, 64.0, 11_800, 20, 0.169, 196.7, 1_000_000, 4.7, ok, None, {"HTTP 503": 20})
    slos = (
        SloResult("p95<450ms", "pass", "ms", 450, 96.2, None, 11_780, 59, 3, "3 of 11780 answers took 450 ms or more."),
        SloResult("fail<1%", "pass", "%", 1, 0.169, None, 11_800, 299, 20, "20 of 11800 requests failed."),
    )
    nothing = Reliability(60, 0, (), None, None, None, None, None, None, 100.0, None, 99.83, None)
    reasons = (Reason("clock", Level.VALID, "The clocks are 1 ms apart."),)
    values: dict[str, Any] = {
        "run": run, "name": name, "status": "finished", "partial": False, "verdict": Verdict.PASS, "exit_code": 0,
        "headline": "PASS: 200 users on 8 workers, 197 requests/s, p95 96 ms, 0.17% failed", "slos": slos,
        "validity": Validity(Level.VALID, reasons, Accounting(12_400, 12_400, 0, 0, 12_400, 0, 0, None), None),
        "totals": Load(0, 64.2, 12_400, 20, 0.161, 193.1, 1_100_000, 4.6, ok, None), "window": load, "stages": (),
        "endpoints": (), "reliability": nothing, "target": (), "drift": None, "users_max": 200, "workers_max": 8,
        "workers": tuple(
            WorkerHealth(n, f"host_{n}", 1550, 25, 0.9, 3.1, 31.0, 44.0, 0.0, 72_000_000, 0.2, "stayed")
            for n in range(1, 9)
        ),
    }  # fmt: skip
    return Summary(**(values | changes))
