"""The truth server as a process of its own, for tests and benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # past any proxy
STOP_S = 10.0


class Truth:
    """Asks a truth server, wherever it runs, for what it knows, and tells it what to do."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self) -> dict[str, Any]:
        """Return what it counted and timed, see books.Books.document."""
        return self._ask("/truth")

    def values_us(self) -> list[int]:
        """Return the time in µs of each success, in the order in which they were answered."""
        values: list[int] = self._ask("/truth/values")["ok_us"]
        return values

    def control(self, **asked: Any) -> None:
        """Change its ways: delay, fail_percent, freeze_s, reset; see server."""
        self._ask("/control", json.dumps(asked).encode())

    def metrics(self) -> str:
        """Return its counters as Prometheus reads them."""
        with STRAIGHT.open(f"{self.url}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def _ask(self, path: str, data: bytes | None = None) -> dict[str, Any]:
        with STRAIGHT.open(f"{self.url}{path}", data, timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
        return document


class TruthServer(Truth):
    """A truth server on a free loopback port, from entering the `with` block to leaving it."""

    def __init__(self, *, cpu: int | None = None, **control: Any) -> None:
        """Start with these ways; `cpu` is the only core that it may use."""
        super().__init__("")
        self._cpu = cpu
        self._control = control
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start and wait until it listens."""
        pinned = [] if self._cpu is None else ["taskset", "--cpu-list", str(self._cpu)]
        command = [*pinned, sys.executable, "-m", "tests.truth.server", "--control", json.dumps(self._control)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the truth server ended at once"
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
