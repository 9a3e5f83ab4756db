"""HAProxy in front of the API's replicas: what it is told, and which replicas it sees. Its settings: deploy/haproxy."""

from __future__ import annotations

import csv
import os
import shutil
import urllib.request
from collections.abc import Sequence

from loadlab.errors import LabError
from loadlab.rig.settings import RigSettings

COMMON_CONFIG = "deploy/haproxy/lb.cfg"
SBIN = os.pathsep.join(("/usr/local/sbin", "/usr/sbin"))  # where it is installed; not on everybody's PATH
ANSWER_S = 2.0


def executable() -> str:
    """Return where HAProxy is on this host, for the engine of processes.

    Raises:
        LabError: it is not installed; says what to do.
    """
    found = shutil.which("haproxy", path=os.environ.get("PATH", os.defpath) + os.pathsep + SBIN)
    if found is None:
        raise LabError(
            "The load balancer is HAProxy, which is not installed here: 'apt install haproxy' or 'brew install "
            "haproxy' brings it. Or use --no-lb, with which the kernel spreads connections among the replicas, or "
            "the engine compose."
        )
    return found


def backend(address: str, ports: Sequence[int]) -> str:
    """Return the backend of replicas that are processes of this host, for HAProxy to read after COMMON_CONFIG."""
    servers = [f"    server api-{number} {address}:{port}" for number, port in enumerate(ports, start=1)]
    return "\n".join(["backend api", *servers]) + "\n"


def replicas_up(stats: str) -> int:
    """Return how many replicas the load balancer sends requests to: its checks have found them ready.

    `stats` is the URL of its own pages. 0 while it does not answer.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{stats}/stats;csv", timeout=ANSWER_S) as response:
            text = response.read().decode()
    except (OSError, ValueError):
        return 0
    rows = csv.DictReader(text.removeprefix("# ").splitlines())
    # Before its first check a replica counts as up; one that is going up or down is "UP 1/2".
    return sum(row["pxname"] == "api" and row["status"] == "UP" and "L7OK" in row["check_status"] for row in rows)


def ready_replicas(settings: RigSettings, stats: str, answering: int) -> int:
    """Return how many replicas are ready for load: of those that answer, what the load balancer knows of, if any."""
    return min(answering, replicas_up(stats)) if settings.lb else answering
