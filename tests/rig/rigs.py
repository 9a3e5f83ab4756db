"""What the tests of the rig share: a rig of real processes with a LAB_HOME, ports and a PATH of its own."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from loadlab.rig import ports
from loadlab.rig.engine import LOOPBACK
from loadlab.rig.processes import ProcessEngine
from loadlab.rig.rigfolder import MARK
from loadlab.rig.settings import ROOT, RigSettings, known_names

TICK_S = 0.05
STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # past any proxy
COMMAND_TIMEOUT_S = 100.0
# Below the range that the kernel takes for outgoing connections, so that none of ours takes one between asking
# for a free port and using it.
_candidates = itertools.count(random.randrange(20_000, 30_000, 10))


def free_ports(count: int = 1) -> int:
    """Return the first of so many free ports in a row, none of which was handed out before."""
    while True:
        run = list(itertools.islice(_candidates, count))
        if all(ports.is_free(LOOPBACK, port) for port in run):
            return run[0]


def until(happened: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until something is true and return it; fail the test when it is not within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = happened()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(TICK_S)


def bare_environment(home: Path) -> dict[str, str]:
    """Return an environment without docker and without any knob, which keeps all state in `home`."""
    ours = known_names()
    kept = {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("LOCUST_")}
    empty = home / "bin"
    empty.mkdir(parents=True, exist_ok=True)
    own = {"LAB_HOME": str(home), "LAB_RESULTS": str(home / "results"), "PATH": str(empty)}
    return kept | own | {"NO_COLOR": "1", "COLUMNS": "200"}


def copy_checkout(to: Path) -> Path:
    """Copy what a rig needs of this checkout, for a test that spoils a file of it, and return the copy."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("api", "loadlab", "locust"):
        shutil.copytree(ROOT / name, to / name, ignore=skip)
    for name in (".env", "docker-compose.yml"):
        shutil.copy(ROOT / name, to / name)
    return to


class Rig:
    """A rig of processes that belongs to one test."""

    def __init__(self, home: Path, *, workers: int = 1, replicas: int = 1, checkout: Path = ROOT, **knobs: str) -> None:
        self.home = home
        self.checkout = checkout
        self.engine = ProcessEngine(home / "rig")
        self.folder = self.engine.folder
        self.settings = RigSettings.model_validate(
            {
                "WORKERS": workers,
                "API_REPLICAS": replicas,
                "UI_PORT": free_ports(),
                "API_PORT": str(free_ports(replicas)),
            }
        )
        # One gunicorn worker and no drain: what is tested here is the rig.
        self.knobs = {"API_DRAIN_S": "0", "GUNICORN_WORKERS": "1"} | knobs
        self.foreground: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> Path:
        """Return the file that a rig in the foreground prints to."""
        return self.home / "output.txt"

    @property
    def ports(self) -> list[int]:
        """Return every port that the rig publishes."""
        return [self.settings.ui_port, *self.settings.api_ports]

    def environment(self) -> dict[str, str]:
        """Return the environment of this rig's commands."""
        chosen = {
            "WORKERS": str(self.settings.workers),
            "API_REPLICAS": str(self.settings.api_replicas),
            "UI_PORT": str(self.settings.ui_port),
            "API_PORT": self.settings.api_port,
        }
        return bare_environment(self.home) | chosen | self.knobs

    command_timeout_s = COMMAND_TIMEOUT_S

    def lab(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the lab to its end; stderr is in stdout."""
        return subprocess.run(
            [sys.executable, "-m", "loadlab", *arguments],
            cwd=self.checkout,
            env=self.environment() | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=self.command_timeout_s,
        )

    def start(self) -> None:
        """Start `up` in the foreground, in a process group of its own, as a terminal does."""
        with self.output.open("wb") as output:
            self.foreground = subprocess.Popen(
                [sys.executable, "-m", "loadlab", "up"],
                cwd=self.checkout,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_output(self, text: str) -> None:
        """Wait until the rig in the foreground has printed a text."""
        until(lambda: text in self.output.read_text(), 40, f"{text!r} in the output of `up`")

    def wait_for_end(self) -> int:
        """Wait for the end of the rig in the foreground and return its exit code."""
        assert self.foreground is not None
        return self.foreground.wait(COMMAND_TIMEOUT_S)

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the foreground process group, as Ctrl-C in a terminal does."""
        assert self.foreground is not None
        os.killpg(self.foreground.pid, number)

    def scale(self, workers: int) -> None:
        """Scale the rig that is up, and wait until it is ready."""
        self.settings = self.settings.model_copy(update={"workers": workers})
        done = self.lab("up", "--detach")
        assert done.returncode == 0, done.stdout

    def swarm(self, users: int) -> dict[str, Any]:
        """Start a test, or change the number of its users, as the UI's form does."""
        return self.post("/swarm", user_count=str(users), spawn_rate=str(users))

    def post(self, path: str, **form: str) -> dict[str, Any]:
        """POST a form to the master's UI and return its JSON answer."""
        data = urllib.parse.urlencode(form).encode()
        with STRAIGHT.open(self.ui(path), data, timeout=10) as response:
            document: dict[str, Any] = json.load(response)
        return document

    def get(self, path: str) -> dict[str, Any]:
        """GET a JSON document of the master's UI."""
        with STRAIGHT.open(self.ui(path), timeout=10) as response:
            document: dict[str, Any] = json.load(response)
        return document

    def ui(self, path: str) -> str:
        """Return the address of a page of the master's UI."""
        return f"http://{LOOPBACK}:{self.settings.ui_port}{path}"

    def users(self) -> list[int]:
        """Return how many users each worker runs that the master hears of."""
        workers = self.get("/workers")["workers"]
        return sorted(worker["users"] for worker in workers if worker["state"] in ("ready", "spawning", "running"))

    def pid(self, part: str) -> int:
        """Return the process id of a part that runs."""
        running = json.loads(self.folder.running.read_text())
        return int(running["running"][part])

    def supervisor(self) -> int:
        """Return the process id of the supervisor."""
        return int(json.loads(self.folder.running.read_text())["pid"])

    def left(self) -> list[str]:
        """Return what is left of this rig: its processes and its ports that are still taken."""
        processes = [f"process {process.pid}" for process in psutil.process_iter() if self._is_ours(process)]
        return processes + [f"port {port}" for port in self.ports if not ports.is_free(LOOPBACK, port)]

    def wait_for_nothing(self, seconds: float = 15) -> None:
        """Wait until no process and no taken port is left of this rig."""
        until(lambda: not self.left(), seconds, "every process ended and every port free")

    def end(self) -> None:
        """Kill whatever a test left: only for the end of a test, which has looked by itself by then."""
        if self.foreground is not None and self.foreground.poll() is None:
            self.foreground.kill()
        for process in list(psutil.process_iter()):
            if self._is_ours(process):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        if self.foreground is not None:
            self.foreground.wait()
        self.wait_for_nothing()

    def _is_ours(self, process: psutil.Process) -> bool:
        """Tell whether a process carries this rig's mark, or is a command that was run with its LAB_HOME."""
        try:
            environment = process.environ()
        except psutil.Error:
            return False
        return environment.get(MARK) == str(self.folder.path) or environment.get("LAB_HOME") == str(self.home)
