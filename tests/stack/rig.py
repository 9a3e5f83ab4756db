"""Drives one rig for the tests: a clone of this checkout, a Compose project of its own, ports the kernel chose."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
POLL_S = 0.1
COMMAND_TIMEOUT_S = 570
READY_S = 60.0
STOP_TIMEOUT_S = "2"  # Locust's workers wait so long after each stop, however soon their users have stopped
# Images under names of their own: a build of the tests never replaces what the user has built.
IMAGES = {"api": "loadlab-test-api", "generator": "loadlab-test-generator"}
IMAGE_NAMES = f"""\
services:
  api: {{image: {IMAGES["api"]}}}
  master: {{image: {IMAGES["generator"]}}}
  worker: {{image: {IMAGES["generator"]}}}
  null-target: {{image: {IMAGES["generator"]}}}
"""
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """What a server answered to one request."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


def request(url: str, data: bytes | None = None, content_type: str = "application/json") -> Answer:
    """GET, or POST where there is data; any status is an answer."""
    asked = urllib.request.Request(url, data=data, headers={"Content-Type": content_type} if data is not None else {})
    try:
        with NO_PROXY.open(asked, timeout=10) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


def is_ready(url: str) -> bool:
    """Tell whether a replica of the API takes requests."""
    return request(f"{url}/readyz").status == 200


def wait_for(what: str, look: Callable[[], T], within_s: float = READY_S) -> T:
    """Poll until `look` returns something true and return that; not answering and AssertionError count as not yet.

    Raises:
        AssertionError: it did not within the time; names `what`, and what was seen last.
    """
    deadline = time.monotonic() + within_s
    seen: Any = None
    while time.monotonic() < deadline:
        try:
            seen = look()
        except (OSError, AssertionError) as error:
            seen = error
        else:
            if seen:
                found: T = seen
                return found
        time.sleep(POLL_S)
    raise AssertionError(f"not within {within_s:g} s: {what}; seen last: {seen!r}")


def free_ports(count: int = 1) -> int:
    """Return the first of `count` free ports in a row, near one chosen by the kernel."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            first = int(probe.getsockname()[1])
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError(f"no {count} free ports in a row")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def clone_into(folder: Path) -> Path:
    """Copy what git would give to a fresh clone, with the changes not committed yet, and return the copy."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT).stdout
    for name in filter(None, listed.split("\0")):
        source, copy = CHECKOUT / name, folder / name
        if source.is_file():  # one deleted, or of a folder that is being renamed, is not part of the copy
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    return folder


def run(
    command: list[str],
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, its input empty; a failed one shows what it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def docker(*arguments: str, check: bool = True) -> str:
    """Run a docker command and return what it printed."""
    return run(["docker", *arguments], cwd=CHECKOUT, check=check).stdout.strip()


def leftovers(project: str) -> list[str]:
    """Return every container, network and volume that carries the label of a Compose project."""
    label = f"label=com.docker.compose.project={project}"
    left = []
    for kind, listing in (("container", ["ps", "--all"]), ("network", ["network", "ls"]), ("volume", ["volume", "ls"])):
        left += [f"{kind} {name}" for name in docker(*listing, "--quiet", "--filter", label).split()]
    return [one for one in left if not is_miscounted(*one.split())]


def is_miscounted(kind: str, name: str) -> bool:
    """Tell whether this is a network that nobody can remove: nothing is in it, and the engine says that something is.

    Its count of a network's endpoints goes wrong once in some hundred containers that come and go at the same time,
    until it is restarted (moby issue 42119).
    """
    if kind != "network" or docker("network", "inspect", "--format", "{{len .Containers}}", name) != "0":
        return False
    removal = run(["docker", "network", "rm", name], CHECKOUT, check=False)
    return "has active endpoints" in removal.stdout + removal.stderr


@dataclass
class Rig:
    """One Compose project, run from a clone with its name, its ports and little else set."""

    clone: Path
    project: str
    replicas: int = 1
    has_lb: bool = False
    ui_port: int = field(default_factory=free_ports)
    api_port: int = 0
    lb_ports: int = field(default_factory=lambda: free_ports(2))

    def __post_init__(self) -> None:
        self._image_names.write_text(IMAGE_NAMES)
        while not self.api_port or {self.ui_port, self.lb_ports, self.lb_ports + 1} & set(self.api_ports):
            self.api_port = free_ports(self.replicas)

    @property
    def api_ports(self) -> range:
        """Return the published port of each replica."""
        return range(self.api_port, self.api_port + self.replicas)

    @property
    def ui(self) -> str:
        """Return the URL of the master."""
        return f"http://{LOOPBACK}:{self.ui_port}"

    @property
    def apis(self) -> list[str]:
        """Return the URL of each replica of the API."""
        return [f"http://{LOOPBACK}:{port}" for port in self.api_ports]

    @property
    def api(self) -> str:
        """Return the URL of the first replica of the API."""
        return self.apis[0]

    @property
    def lb(self) -> str:
        """Return the URL of the API by way of the load balancer."""
        return f"http://{LOOPBACK}:{self.lb_ports}"

    @property
    def lb_stats(self) -> str:
        """Return the URL of the load balancer's own pages."""
        return f"http://{LOOPBACK}:{self.lb_ports + 1}"

    @property
    def _image_names(self) -> Path:
        return self.clone.parent / f"{self.clone.name}-images.yml"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every command of this rig."""
        ports = self.api_ports
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LAB_HOME")}
        return (
            kept
            | {
                "COMPOSE_PROJECT_NAME": self.project,
                "COMPOSE_FILE": os.pathsep.join(["docker-compose.yml", str(self._image_names)]),
                "COMPOSE_PROGRESS": "plain",
                "UI_PORT": str(self.ui_port),
                "API_PORT": f"{ports[0]}-{ports[-1]}" if self.replicas > 1 else str(self.api_port),
                "LB_PORT": str(self.lb_ports),
                "LB_STATS_PORT": str(self.lb_ports + 1),
                "STOP_TIMEOUT_S": STOP_TIMEOUT_S,
            }
            | ({"LB": "lb", "COMPOSE_PROFILES": "lb"} if self.has_lb else {})
        )

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` in the clone."""
        return run(["docker", "compose", *arguments], self.clone, self.environment, check)

    def up(self, *, workers: int) -> float:
        """Bring up or scale, as a user types it, and return the seconds until exactly so many workers are ready."""
        begun = time.monotonic()
        scale = ["--scale", f"worker={workers}", *(["--scale", f"api={self.replicas}"] if self.replicas > 1 else [])]
        self.compose("up", "-d", *scale)
        self.wait_ready(workers)
        seconds = time.monotonic() - begun
        for url in self.apis:
            wait_for(f"{url} ready", partial(is_ready, url))
        return seconds

    def down(self, *, volumes: bool = True) -> None:
        """Take everything down, by default with what is stored."""
        command = ["--profile", "*", "down", "--remove-orphans", *(["--volumes"] if volumes else [])]
        down = self.compose(*command, check=False)
        if volumes and leftovers(self.project):  # a busy engine takes a volume for used whose container has just gone
            self.compose(*command)
        assert not down.returncode or "has active endpoints" in down.stderr, down.stdout + down.stderr

    def wait_ready(self, workers: int, within_s: float = READY_S) -> None:
        """Wait until the master has exactly so many workers."""
        wait_for(f"{workers} workers ready", lambda: self.workers()["ready"] == workers, within_s)

    def wait_shares(self, expected: list[int], within_s: float) -> None:
        """Wait until the workers have these numbers of users, given in ascending order."""

        def shared() -> bool:
            shares = sorted(self.shares().values())
            if shares != expected:
                raise AssertionError(f"{sum(shares)} users, shared {shares}")
            return True

        wait_for(f"{sum(expected)} users, shared {expected}", shared, within_s)

    def workers(self) -> dict[str, Any]:
        """Ask the master for its workers."""
        document: dict[str, Any] = request(f"{self.ui}/workers").json
        return document

    def shares(self) -> dict[str, int]:
        """Return the users of each worker that the master counts as ready, by worker id."""
        alive = ("ready", "spawning", "running")
        return {w["id"]: w["users"] for w in self.workers()["workers"] if w["state"] in alive}

    def stats(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return Locust's own counts of requests and failures for each (method, name), the total as ("", "Aggregated").

        As CSV: its JSON is up to two seconds old.
        """
        lines = request(f"{self.ui}/stats/requests/csv").body.decode().splitlines()
        return {
            (row["Type"], row["Name"]): {"requests": int(row["Request Count"]), "failures": int(row["Failure Count"])}
            for row in csv.DictReader(lines)
        }

    def requests(self, method: str) -> int:
        """Return how many requests of this method for /tests were counted, failed ones too."""
        row = self.stats().get((method, "/tests"))
        return row["requests"] if row else 0

    def failures(self) -> dict[tuple[str, str], int]:
        """Return the rows that have failures, with their number."""
        return {key: row["failures"] for key, row in self.stats().items() if row["failures"]}

    def swarm(self, users: int, spawn_rate: float, **form: str) -> dict[str, Any]:
        """Press start, as the form of the UI does, and return the answer."""
        fields = {"user_count": str(users), "spawn_rate": str(spawn_rate), **form}
        body = urllib.parse.urlencode(fields).encode()
        answer: dict[str, Any] = request(f"{self.ui}/swarm", body, "application/x-www-form-urlencoded").json
        return answer

    def stop(self) -> None:
        """Press stop and wait until no user runs and every worker has come back to be ready for another test."""
        workers = len(self.shares())
        self.press_stop()
        wait_for("stopped", lambda: self.workers()["state"] == "stopped")
        self.wait_ready(workers)

    def press_stop(self) -> None:
        """Press stop, as the button of the UI does."""
        assert request(f"{self.ui}/stop", b"").json["success"] is True

    def reset_statistics(self) -> None:
        """Start counting anew."""
        request(f"{self.ui}/stats/reset", b"")

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Return what `docker inspect` says of each container of a service that runs."""
        ids = self.compose("ps", "--quiet", service).stdout.split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return found

    def execute(self, service: str, code: str) -> str:
        """Run Python code in the first container of a service and return what it printed."""
        return self.compose("exec", "--no-TTY", service, "python", "-c", code).stdout.strip()


def remove_images() -> None:
    """Take the test's names off the images; their layers stay in the build cache."""
    for name in IMAGES.values():
        if docker("images", "--quiet", name):
            docker("image", "rm", name)


def fresh(clone: Path, project: str, replicas: int = 1, *, lb: bool = False) -> Iterator[Rig]:
    """Yield a rig that is not up yet, and take down whatever is up of it in the end, with its volumes."""
    rig = Rig(clone, project, replicas, lb)
    try:
        yield rig
    finally:
        rig.down()
        assert not leftovers(project)
        assert [port for port in (rig.ui_port, *rig.api_ports) if not is_free(port)] == []
