"""10,000 users on 8 workers and 2 cores, think time 10 s, for two minutes: LeanHttpUser, then FastHttpUser.

    .lab/venv/bin/python bench/generator/many_users.py --users 10000 --workers 8 --seconds 120

The target is nginx, which counts the connections it accepts. Prints for each kind: connections made, requests,
failures, p50 and p99, memory of a worker. Exits with 1 when LeanHttpUser made more connections than there are users, or
a request of its failed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import fleet, rss_mb
from null_target import accepted, target, until

THINK_S = 10.0
RAMP_S = 40.0


def measure(kind: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return what a run of this kind came to."""
    with (
        target(folder) as url,
        fleet(folder, url, workers=options.workers, core=None, CLIENT=kind, ASKED="get", WAIT_S=THINK_S) as rig,
    ):
        before = accepted(url)
        rig.swarm(options.users, options.users / RAMP_S, url)
        until(f"{options.users} users", lambda: rig.running() == options.users, 4 * RAMP_S)
        time.sleep(options.seconds)
        memory = [rss_mb(worker.pid) for worker in rig.workers]
        looks = 1  # each look at the count is a connection, too
        made = accepted(url) - before - looks
        rig.stop()
        summary = rig.recorded()
    window = summary.window
    times = window.ok.percentiles_ms if window.ok else {}
    return {
        "kind": kind,
        "connections": made,
        "requests": summary.totals.requests,
        "failures": summary.totals.failures,
        "rps": round(window.throughput_rps, 1),
        "p50_ms": round(times.get("p50", 0.0), 3),
        "p99_ms": round(times.get("p99", 0.0), 3),
        "max_ms": round(window.ok.max_ms, 1) if window.ok else None,
        "worker_rss_mb": round(statistics.median(memory), 1),
        "validity": str(summary.validity.level),
        "reasons": [reason.text for reason in summary.validity.reasons],
    }


def main() -> int:
    """Measure both kinds, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--kinds", default="lean,fast")
    options = parser.parse_args()
    good = True
    for kind in options.kinds.split(","):
        with tempfile.TemporaryDirectory(prefix="many-users-") as home:
            told = measure(kind, options, Path(home))
        print(json.dumps(told), flush=True)
        if kind == "lean":
            good = told["connections"] == options.users and not told["failures"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
