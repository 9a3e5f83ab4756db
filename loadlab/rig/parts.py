"""What the process engine runs: the same gunicorn, master and workers as the containers, on this host's loopback."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadlab.rig import balancer
from loadlab.rig.engine import LOOPBACK, NULL_SERVICE, url
from loadlab.rig.settings import RigSettings

LOCUST = (sys.executable, "-m", "locust")
GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "api/gunicorn.conf.py")
BACKEND_FILE = "lb.cfg"  # in the rig's folder
LOCUSTFILES = "loadlab/generator/beside.py,locust/locustfile.py,locust/scenarios"


@dataclass(frozen=True)
class Part:
    """One process to run: its name, its command and what its environment holds beside what all have in common."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True)
class Fleet:
    """The wanted rig, in plain values that travel to the supervisor as JSON.

    `control_port` is where workers find the master; `balanced_port` is shared by all replicas of the API, among which
    the kernel spreads connections, and is None for a single one, and behind a load balancer: then `haproxy` is its
    program, and `lb_port` and `lb_stats_port` are its ports; `null_port` is the null target's and None without one,
    `null_target` the URL of the target whose answers it gives; `grace_s` is from SIGTERM to SIGKILL; `options` is
    what Locust's processes read, `master_options` what the master alone does; `api_knobs` is a digest of what the API
    reads. What all parts have in common, secrets among it, is the supervisor's own environment and is never written
    down.
    """

    workers: int
    api_ports: tuple[int, ...]
    address: str
    ui_port: int
    control_port: int
    balanced_port: int | None
    folder: str
    grace_s: int
    options: dict[str, str]
    master_options: dict[str, str]
    api_knobs: str
    null_port: int | None = None
    null_target: str = ""
    haproxy: str = ""
    lb_port: int = 0
    lb_stats_port: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the fleet as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Fleet:
        """Make a fleet of what `to_json` gave."""
        return cls(**{**values, "api_ports": tuple(values["api_ports"])})


def locust_options(settings: RigSettings, target: str) -> dict[str, str]:
    """Return the environment that Locust's processes read their options from."""
    return {
        "LOCUST_LOCUSTFILE": LOCUSTFILES,
        "LOCUST_LOGLEVEL": settings.locust_loglevel,
        "LOCUST_HOST": settings.target_host or target,
        "LOCUST_USERS": str(settings.users),
        "LOCUST_SPAWN_RATE": str(settings.spawn_rate),
        "LOCUST_STOP_TIMEOUT": str(settings.stop_timeout_s),
        "SCENARIO": settings.scenario,
        "UI_NAME": settings.ui_name,
    }


def master_options(settings: RigSettings, *, results: Path) -> dict[str, str]:
    """Return the environment that the master alone reads: where it keeps runs, and what it judges and watches.

    Each replica of the API tells of itself on a port of its own; behind the shared one, chance would choose who does.
    A load balancer tells of its queue.
    """
    own = settings.target_host is None
    told = [*settings.api_ports, *([settings.lb_stats_port] if settings.lb else [])]
    pages = [f"{url(str(settings.bind_address), port)}/metrics" for port in told] if own else []
    return {
        "RESULTS_DIR": str(results),
        "SLO": settings.slo,
        "TARGET_METRICS": settings.target_metrics or ",".join(pages),
        "LAB_ENGINE": "processes",
    }


def parts(fleet: Fleet) -> list[Part]:
    """Return every process of a fleet: what is under load and the master first, then the workers."""
    replicas = [_api(fleet, number, port) for number, port in enumerate(fleet.api_ports, start=1)]
    workers = [_worker(fleet, number) for number in range(1, fleet.workers + 1)]
    null = [] if fleet.null_port is None else [_null_target(fleet, fleet.null_port)]
    balancers = [_balancer(fleet)] if fleet.haproxy else []
    return [*replicas, *balancers, *null, _master(fleet), *workers]


def _api(fleet: Fleet, number: int, port: int) -> Part:
    name = f"api-{number}"
    binds = [f"{fleet.address}:{port}"]
    environment = {
        "API_INSTANCE": name,
        "PROMETHEUS_MULTIPROC_DIR": str(Path(fleet.folder) / "metrics" / name),
    }
    if fleet.balanced_port is not None:
        binds.append(f"{LOOPBACK}:{fleet.balanced_port}")
        environment["GUNICORN_REUSE_PORT"] = "true"
    return Part(name, GUNICORN, environment | {"GUNICORN_BIND": ",".join(binds)})


def _balancer(fleet: Fleet) -> Part:
    command = (fleet.haproxy, "-db", "-f", balancer.COMMON_CONFIG, "-f", str(Path(fleet.folder) / BACKEND_FILE))
    binds = {"LB_BIND": f"{fleet.address}:{fleet.lb_port}", "LB_STATS_BIND": f"{fleet.address}:{fleet.lb_stats_port}"}
    return Part("lb-1", command, binds)


def _master(fleet: Fleet) -> Part:
    control = ("--master-bind-host", LOOPBACK, "--master-bind-port", str(fleet.control_port))
    web = ("--web-host", fleet.address, "--web-port", str(fleet.ui_port))
    return Part("master-1", (*LOCUST, "--master", *control, *web), fleet.options | fleet.master_options)


def _null_target(fleet: Fleet, port: int) -> Part:
    answers = ("--port", str(port), "--target", fleet.null_target, "--workers", str(fleet.workers))
    return Part(f"{NULL_SERVICE}-1", (sys.executable, "-S", "-m", "loadlab.null_target", *answers), {})


def _worker(fleet: Fleet, number: int) -> Part:
    control = ("--master-host", LOOPBACK, "--master-port", str(fleet.control_port))
    return Part(f"worker-{number}", (*LOCUST, "--worker", *control), fleet.options)
