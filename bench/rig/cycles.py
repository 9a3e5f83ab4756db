"""Cycles of up, run and down on one engine: what each run did, how long the rig took, and what was left behind.

    .lab/venv/bin/python bench/rig/cycles.py --engine compose --workers 8,2,4 --users 200 --seconds 60
    .lab/venv/bin/python bench/rig/cycles.py --engine processes --cycles 10 --workers 4 --users 50 --seconds 5

Exits with 1 when a request failed, a worker was missing, or a process, container, network or port was left.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from loadlab.rig.engine import ui_url  # noqa: E402
from loadlab.rig.ports import is_free  # noqa: E402
from loadlab.rig.processes import default_folder  # noqa: E402
from loadlab.rig.rigfolder import RigFolder  # noqa: E402
from loadlab.rig.settings import load  # noqa: E402

SETTINGS = load()
STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # past any proxy
URL = ui_url(SETTINGS)


def lab(*arguments: str) -> float:
    """Run a command of ./lab and return the seconds it took."""
    started = time.monotonic()
    subprocess.run([str(ROOT / "lab"), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.monotonic() - started


def ask(path: str, **form: Any) -> Any:
    """GET from the master, or POST a form to it, and return the JSON answer."""
    data = urllib.parse.urlencode(form).encode() if form else None
    with STRAIGHT.open(URL + path, data=data, timeout=30) as response:
        return json.load(response)


def run(users: int, seconds: float) -> dict[str, Any]:
    """Run one test of so many users for so long, all of them started within two seconds, and return its figures."""
    ask("/swarm", user_count=users, spawn_rate=max(1, users // 2))
    time.sleep(seconds)
    stats = ask("/stats/requests")
    ask("/stop", reason="the time is over")
    total = next(row for row in stats["stats"] if row["name"] == "Aggregated")
    return {
        "users": stats["user_count"],
        "workers": len(stats["workers"]),
        "requests": total["num_requests"],
        "failures": total["num_failures"],
        "per_s": round(total["num_requests"] / seconds, 1),
        "p50_ms": total["median_response_time"],
        "p95_ms": total["response_time_percentile_0.95"],
    }


def leftovers() -> list[str]:
    """Return what a rig that is down has left: containers, networks, processes, ports."""
    config = subprocess.run(
        ["docker", "compose", "config", "--format", "json"], cwd=ROOT, capture_output=True, check=True
    )
    label = f"label=com.docker.compose.project={json.loads(config.stdout)['name']}"
    left = [f"process {process.pid}" for process in RigFolder(default_folder()).processes()]
    for kind, query in (("container", ["ps", "-aq"]), ("network", ["network", "ls", "-q"])):
        done = subprocess.run(["docker", *query, "--filter", label], capture_output=True, text=True, check=False)
        left += [f"{kind} {name}" for name in done.stdout.split()]
    ports = [SETTINGS.ui_port, *SETTINGS.api_ports]
    return left + [f"port {port}" for port in ports if not is_free(str(SETTINGS.bind_address), port)]


def cycle(engine: str, workers: int, users: int, seconds: float) -> dict[str, Any]:
    """Bring a rig up, run a test, take it down, and return what was seen."""
    up_s = lab("up", "--engine", engine, "--workers", str(workers), "--detach")
    try:
        figures = run(users, seconds)
    finally:
        down_s = lab("down")
    return {**figures, "up_s": round(up_s, 1), "down_s": round(down_s, 1), "left": leftovers()}


def main() -> int:
    """Run the cycles that the command line asks for and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["compose", "processes"], required=True)
    parser.add_argument("--workers", default="8", help="worker counts, one cycle each, in turn")
    parser.add_argument("--cycles", type=int, help="how many; default: one for each worker count")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    counts = [int(count) for count in options.workers.split(",")]
    good = True
    for number in range(options.cycles or len(counts)):
        wanted = counts[number % len(counts)]
        seen = cycle(options.engine, wanted, options.users, options.seconds)
        good &= seen["failures"] == 0 and seen["workers"] == wanted and not seen["left"]
        print(json.dumps({"cycle": number + 1, **seen}), flush=True)
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
