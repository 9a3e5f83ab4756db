"""What the recorder costs: throughput of one worker on one core, loadlab loaded and a run recorded, over plain Locust.

    .lab/venv/bin/python bench/recorder/overhead.py --pairs 6 --seconds 10

Wants nginx (Debian: nginx-light), taskset and two cores with nothing else on them. The worker has core 0; nginx, which
counts the requests, and the master share core 1. Both kinds run in turn, the order within a pair alternating. Exits
with 1 when the median ratio is below 0.95.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import fleet
from null_target import served, target

USERS = 20
WARM_UP_S = 3.0
TO_REACH = 0.95


def measure(url: str, folder: Path, seconds: float, *, recorded: bool) -> float:
    """Return the requests/s that one worker makes once it is warm."""
    with fleet(folder, url, is_recorded=recorded, CLIENT="fast", ASKED="get", WAIT_S=0) as rig:
        rig.swarm(USERS, USERS, url)
        time.sleep(WARM_UP_S)
        before, begun = served(url), time.monotonic()
        time.sleep(seconds)
        throughput = (served(url) - before) / (time.monotonic() - begun)
        rig.stop()
        if recorded and not list(rig.results.glob("*/timeline.jsonl")):
            raise SystemExit(f"nothing was recorded: {rig.log.read_text()}")
    return throughput


def main() -> int:
    """Measure as many pairs as the command line asks for, and print each and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder, target(Path(folder)) as url:
        for number in range(options.pairs):
            order = (True, False) if number % 2 == 0 else (False, True)
            seen = {kind: measure(url, Path(folder), options.seconds, recorded=kind) for kind in order}
            ratios.append(seen[True] / seen[False])
            figures = {"recorded_rps": round(seen[True]), "plain_rps": round(seen[False])}
            print(json.dumps({"pair": number + 1, **figures, "ratio": round(ratios[-1], 4)}), flush=True)
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f}, from {min(ratios):.3f} to {max(ratios):.3f}, to reach {TO_REACH}")
    return 0 if median >= TO_REACH else 1


if __name__ == "__main__":
    sys.exit(main())
