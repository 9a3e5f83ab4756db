"""What every engine can do, and the rig that it is asked for. Three ways of running the same parts hide behind it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from loadlab.rig.settings import RigSettings

LOOPBACK = "127.0.0.1"
ANSWER_S = 2.0
NULL_SERVICE = "null-target"
NULL_TARGET_S = 20.0  # for a null target to answer


@dataclass(frozen=True)
class Failure:
    """A part that ended by itself: its name, its exit code (negative: the signal) and its last log lines."""

    part: str
    exit_code: int
    last_lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        how = f"was killed by signal {-self.exit_code}" if self.exit_code < 0 else f"exited with {self.exit_code}"
        tail = "".join(f"\n  {line}" for line in self.last_lines) or "\n  (it logged nothing)"
        return f"{self.part} {how}. Its last log lines:{tail}"


@dataclass(frozen=True)
class RigState:
    """A rig that is up: which parts run, which have ended by themselves, and where it is reached from this host."""

    engine: str
    running: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    ui_url: str = ""
    api_urls: tuple[str, ...] = ()
    lb_url: str = ""

    def count(self, service: str) -> int:
        """Return how many parts of a service run."""
        return sum(1 for part in self.running if part.rsplit("-", 1)[0] == service)


@dataclass(frozen=True)
class NullTarget:
    """A null target that is up: where workers reach it, and the URL of the target whose answers it gives."""

    url: str
    target: str


class Engine(Protocol):
    """Starts, scales, watches and ends the parts of one rig. `up` on a rig that is up scales it.

    `renews`: it also starts anew what runs other code than is there by now.
    """

    name: ClassVar[str]
    renews: ClassVar[bool]

    def state(self) -> RigState | None:
        """Return what is up, or None when nothing is."""

    def up(self, settings: RigSettings, *, tied: bool) -> None:
        """Start or scale the parts; a tied rig ends with this process. Returns before they are ready."""

    def down(self, *, volumes: bool) -> None:
        """End every part; with `volumes` the stored data too. Nothing to end is no error."""

    def is_keeping(self) -> bool:
        """Tell whether there is stored data, of a rig that is up or of an earlier one."""

    def logs(self, services: list[str], *, follow: bool) -> int:
        """Print the logs of the parts, all of them when none is named, and return an exit code."""

    def salvage(self, run_id: str, to: Path) -> bool:
        """Copy what the master wrote of a run, though it is dead, to a folder that is not there yet.

        False: there is nothing of that run, or it cannot be reached.
        """

    def start_null_target(self, settings: RigSettings) -> NullTarget:
        """Start a null target beside the parts that are up, and return when it answers.

        It is made for the workers of `settings`, and gives the answers of their target.
        """

    def stop_null_target(self) -> None:
        """End the null target; none to end is no error."""


def url(address: str, port: int) -> str:
    """Return where a published port is reached from this host."""
    return f"http://{LOOPBACK if address == '0.0.0.0' else address}:{port}"


def ui_url(settings: RigSettings) -> str:
    """Return where the master's UI will be."""
    return url(str(settings.bind_address), settings.ui_port)


def api_urls(settings: RigSettings) -> list[str]:
    """Return where each replica of the API will be."""
    return [url(str(settings.bind_address), port) for port in settings.api_ports]


def lb_url(settings: RigSettings) -> str:
    """Return where the API will be by way of the load balancer."""
    return url(str(settings.bind_address), settings.lb_port)


def lb_stats_url(settings: RigSettings) -> str:
    """Return where the load balancer's own pages will be."""
    return url(str(settings.bind_address), settings.lb_stats_port)


def ask_workers(ui: str) -> dict[str, Any] | None:
    """Ask the master at this URL for its workers; None when it does not answer."""
    document: dict[str, Any] | None = fetch(f"{ui}/workers")
    return document


def is_ready(api: str) -> bool:
    """Tell whether a replica of the API answers that it takes requests."""
    return why_not_ready(api) is None


def why_not_ready(api: str) -> str | None:
    """Return why a replica takes no requests, in its own words where it has any; None when it takes them."""
    try:
        _get(f"{api}/readyz")
    except urllib.error.HTTPError as refusal:
        with refusal:
            problem = json.loads(refusal.read() or b"{}")
        return str(problem.get("detail", refusal))
    except (OSError, ValueError) as error:
        return str(error)
    return None


def fetch(url: str) -> Any | None:
    """GET a JSON document; None for any failure."""
    try:
        return _get(url)
    except (OSError, ValueError):
        return None


def _get(url: str) -> Any:
    """GET a JSON document straight from this host, past any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=ANSWER_S) as response:
        return json.load(response)
