"""A master that is none: answers `/runs` as a script says, on a rig whose supervisor does nothing but live."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from loadlab.analysis.recording import Run, Status
from loadlab.analysis.summary import (
    Accounting,
    Endpoint,
    Interval,
    Latency,
    Level,
    Load,
    Reason,
    Reliability,
    SloResult,
    Summary,
    Validity,
    Verdict,
)
from loadlab.rig import rigfolder
from loadlab.rig.engine import LOOPBACK
from loadlab.rig.parts import Fleet
from loadlab.rig.rigfolder import MARK, RigFolder
from loadlab.runfolder import RunFolder
from tests.rig.rigs import bare_environment

RUN_ID = "20260102-030405-night"
PLAN = {"users": 20, "spawn_rate": 10.0, "time_s": 60.0, "shape": "steady", "slos": ["p95<450ms", "fail<1%"]}
LIVE: dict[str, Any] = {
    "elapsed_s": 42.0,
    "planned_s": 62.0,
    "stage": 1,
    "stages": 1,
    "users": 20,
    "target_users": 20,
    "workers_ready": 2,
    "workers_expected": 2,
    "requests": 840,
    "failures": 3,
    "fail_percent": 0.36,
    "throughput_rps": 20.4,
    "p50_ms": 4.1,
    "p95_ms": 12.0,
    "p99_ms": 31.4,
    "slos": [
        {"text": "p95<450ms", "outcome": "pass", "measured": 12.0, "unit": "ms"},
        {"text": "fail<1%", "outcome": "pass", "measured": 0.36, "unit": "%"},
    ],
    "validity": {"level": "valid", "reasons": []},
    "workers": [],
    "series": {"t": [], "users": [], "throughput_rps": [], "p95_ms": [], "fail_percent": []},
    "search": None,
}


def document(status: Status | str, *, reported: bool = False, live: Mapping[str, Any] | None = LIVE) -> dict[str, Any]:
    """Return what a master says of a run."""
    shown = live if status in (Status.WAITING, Status.RUNNING, Status.DRAINING) else None
    return {"id": RUN_ID, "status": status, "plan": PLAN, "reported": reported, "live": shown, "summary": None}


def summary(verdict: Verdict = Verdict.PASS, exit_code: int = 0, status: Status = Status.FINISHED) -> Summary:
    """Return what a run of 1,200 requests means, with the verdict that is asked for."""
    answers = Latency(
        1197, 5.0, 1.2, 80.0, {"p50": 4.1, "p75": 6.0, "p90": 9.0, "p95": 12.0, "p99": 31.4, "p99.9": 79.0}
    )
    load = Load(0.0, 60.0, 1200, 3, 0.25, 20.0, 120_000, 0.1, answers, None, {"503": 3})
    level = Level.INVALID if verdict is Verdict.NONE else Level.VALID
    reasons = (Reason("cpu", Level.INVALID, "worker 1 used 99% of its CPU"),) if level is Level.INVALID else ()
    outcome = "fail" if verdict is Verdict.FAIL else "pass"
    slo = SloResult("p95<450ms", outcome, "ms", 450.0, 12.0, Interval(10.0, 14.0), 1197, 72, 0, "p95 is 12 ms")
    return Summary(
        run=RUN_ID,
        name="night",
        status=status,
        partial=status is not Status.FINISHED,
        verdict=verdict,
        exit_code=exit_code,
        headline=f"the headline of a {verdict.value}",
        validity=Validity(level, reasons, Accounting(1200, 1200, 0, 0, 1200, 0, 0, 1200), None),
        slos=(slo,),
        totals=load,
        window=load,
        stages=(),
        endpoints=(Endpoint("GET", "/tests", load),),
        reliability=Reliability(60.0, 0.0, (), *[None] * 10),
        workers=(),
        target=(),
        drift=None,
        users_max=20,
        workers_max=2,
    )


def run_record(status: Status = Status.FINISHED, created: float = 1_767_323_045.0) -> Run:
    """Return run.json of the fake run."""
    return Run(RUN_ID, status, dict(PLAN), (450_000,), created, started=created, slo=("p95<450ms", "fail<1%"))


def write_run(path: Path, run: Run | None = None, result: Summary | None = None) -> RunFolder:
    """Write a run folder; without a result it has no report yet."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    folder.write_run(replace(run or run_record(), id=path.name))
    folder.timeline.touch()
    folder.events.touch()
    if result is not None:
        folder.write_summary(replace(result, run=path.name))
        folder.html.write_text("<p>the report</p>")
        folder.junit.write_text("<testsuites/>")
    return folder


def packed(folder: RunFolder) -> bytes:
    """Return the tar.gz of a run folder."""
    return tar({f"{folder.id}/{file.name}": file.read_bytes() for file in sorted(folder.path.iterdir())})


def tar(files: Mapping[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    """Return an archive of files; a TarInfo goes in as it is, without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Said(NamedTuple):
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str


Lab = Callable[..., Said]


class FakeMaster:
    """Serves one run. `script` is what GET /runs/ID answers, one after the other, the last one for ever.

    After POST /runs/ID/stop it goes on with `script_after_stop`. `on_look` is called with the number of each look.
    """

    def __init__(self, archive: bytes = b"") -> None:
        self.archive = archive
        self.run_id = RUN_ID
        self.script: list[dict[str, Any]] = []
        self.script_after_stop: list[dict[str, Any]] = []
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.listed: list[dict[str, Any]] = []
        self.active: str | None = None
        self.plans: list[dict[str, Any]] = []
        self.stops = 0
        self.looks = 0
        self.on_look: Callable[[int], None] = lambda _number: None
        self.is_silent = self.is_forgetful = False
        self.is_told = True  # a master of an older version is not
        self.known: dict[str, Any] = {}
        self._server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{LOOPBACK}:{self.port}"

    def vanish(self) -> None:
        """Stop listening: from now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return status and document of an answer."""
        if (method, path) == ("POST", "/runs"):
            if self.refusal is not None:
                return self.refusal
            self.plans.append(json.loads(body))
            return 201, {"id": self.run_id}
        if (method, path) == ("GET", "/runs"):
            return 200, {"active": self.active, "runs": self.listed}
        if (method, path) == ("POST", f"/runs/{self.run_id}/stop"):
            self.stops += 1
            self.script = list(self.script_after_stop) or self.script
            return 202, {}
        if (method, path) == ("GET", f"/runs/{self.run_id}") and not self.is_forgetful:
            self.looks += 1
            self.on_look(self.looks)
            return 200, self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return 404, {"message": f"nothing at {path}"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        master = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                while master.is_silent:
                    time.sleep(0.05)
                if self.path == f"/runs/{master.run_id}/archive":
                    self.send(200, master.archive, "application/gzip")
                else:
                    self.tell("GET", b"")

            def do_POST(self) -> None:
                self.tell("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if master.is_told:
                    master.known |= json.loads(body)
                self.send(200 if master.is_told else 404, b"{}", "application/json")

            def tell(self, method: str, body: bytes) -> None:
                status, answer = master.answer(method, self.path, body)
                self.send(status, json.dumps(answer).encode(), "application/json")

            def send(self, status: int, content: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                with suppress(BrokenPipeError):  # whoever asked did not wait for it
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class FakeRig:
    """A rig of processes as far as `./lab` can see: a supervisor that lives, and a master that answers elsewhere."""

    def __init__(self, home: Path, master: FakeMaster, workers: int = 2) -> None:
        self.home = home
        self.folder = RigFolder((home / "rig").resolve())
        self.supervisor = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); import time; time.sleep(600)"],
            env={MARK: str(self.folder.path)},
            stdout=subprocess.PIPE,
        )
        assert self.supervisor.stdout is not None
        self.supervisor.stdout.readline()
        fleet = Fleet(workers, (1,), LOOPBACK, master.port, 2, None, str(self.folder.path), 1, {}, {}, "")
        rigfolder.write(self.folder.wanted, fleet.to_json())
        self.parts = ["master-1", "api-1", *(f"worker-{number}" for number in range(1, workers + 1))]
        self.tell({})

    def tell(self, ended: dict[str, int]) -> None:
        """Let the supervisor say which parts have ended."""
        running = {part: 1 for part in self.parts if part not in ended}
        rigfolder.write(self.folder.running, {"pid": self.supervisor.pid, "running": running, "ended": ended})

    @property
    def copied(self) -> RunFolder:
        """Return where the run is to be on this host."""
        return RunFolder(self.home / "results" / RUN_ID)

    def partial(self) -> RunFolder:
        """Put what the master had written of the run by the time it died where it keeps its runs."""
        return write_run(self.folder.results / RUN_ID, run_record(Status.RUNNING))

    def environment(self) -> dict[str, str]:
        """Return the environment of a command on this rig."""
        return bare_environment(self.home)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the lab in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "loadlab", *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self) -> None:
        """End the supervisor."""
        self.supervisor.kill()
        self.supervisor.communicate()


class NoReport:
    """Stands for the making of a report on this host."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def wait(self) -> None:
        """Make none."""

    def is_made_by(self, _deadline: float) -> bool:
        """Be done with it at once."""
        return True
