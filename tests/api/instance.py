"""Real gunicorn processes on loopback, and a plain way to talk to any of the API's faces."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[2]
JSON_TYPE = {"Content-Type": "application/json"}
START_S = 20


@dataclass(frozen=True)
class Answer:
    """A response: header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


class Call(Protocol):
    """Sends one request."""

    def __call__(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer."""


def post_item(call: Call, name: str, description: str = "d") -> Answer:
    """POST /tests."""
    return call("POST", "/tests", json.dumps({"name": name, "description": description}).encode(), JSON_TYPE)


def total(call: Call) -> int:
    """X-Total-Count."""
    return int(call("GET", "/tests?limit=1").headers["x-total-count"])


def all_names(call: Call, limit: int = 1000) -> list[str]:
    """Every name, by walking the Link headers."""
    names: list[str] = []
    path: str | None = f"/tests?limit={limit}"
    while path:
        answer = call("GET", path)
        assert answer.status == 200, answer
        names += [item["name"] for item in answer.json()]
        link = answer.headers.get("link")
        path = link.split(";")[0].strip("<>") if link else None
    return names


class Instance:
    """One gunicorn master with its workers, in a session of its own; PORT in a variable's value is its port."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.log_path = folder / f"instance-{self.port}.log"
        given = {
            "GUNICORN_BIND": f"127.0.0.1:{self.port}",
            "GUNICORN_WORKERS": "2",
            "API_DRAIN_S": "0",
            "DATABASE_URL": f"sqlite:///{folder}/tests.db",
            **{name: value.replace("PORT", str(self.port)) for name, value in environment.items()},
        }
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "api/gunicorn.conf.py"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), **given},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_alive(self, path: str = "/livez") -> None:
        """Return once ``path`` answers 200."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log()
            with suppress(OSError, http.client.HTTPException):
                if self.call("GET", path).status == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not up after {START_S} s: {self.log()}")

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            return exchange(connection, method, path, body, headers)
        finally:
            connection.close()

    def connect(self, timeout_s: float = 15) -> http.client.HTTPConnection:
        """A connection to send several requests on."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def raw(self, data: bytes, timeout_s: float = 15) -> socket.socket:
        """A socket on which ``data`` has been sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)
        connection.sendall(data)
        return connection

    def worker_pids(self) -> list[int]:
        """The process ids of the gunicorn workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def log(self) -> str:
        """All that was written to stdout and stderr."""
        return self.log_path.read_text()

    def log_events(self) -> list[dict[str, Any]]:
        """The log, parsed; fails when a line is not a JSON object."""
        return [json.loads(line) for line in self.log().splitlines()]

    def terminate(self) -> None:
        """Ask it to stop, as ``docker stop`` does."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Stop it and whatever it may have left; return the exit code."""
        if self.process.poll() is None:
            self.terminate()
        try:
            return self.process.wait(timeout=15)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Instance]:
    """An instance that is alive, and gone afterwards."""
    instance = Instance(folder, environment)
    try:
        instance.wait_until_alive()
        yield instance
    finally:
        instance.stop()


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on an open connection."""
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


def receive_all(connection: socket.socket) -> bytes:
    """Everything until the peer closes."""
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
