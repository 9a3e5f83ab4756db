"""What the recorder costs: throughput of one worker on one core, loadlab loaded and a run recorded, over plain Locust.

    .lab/venv/bin/python bench/recorder/overhead.py --pairs 6 --seconds 10

Wants nginx (Debian: nginx-light), taskset and two cores with nothing else on them. The worker has core 0; nginx, which
counts the requests, and the master share core 1. Both kinds run in turn, the order within a pair alternating. Exits
with 1 when the median ratio is below 0.95.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from null_target import (
    GENERATOR_CORE,
    ROOT,
    TARGET_CORE,
    ask,
    free_ports,
    process,
    served,
    target,
    until,
)

SCENARIO = str(ROOT / "bench/generator/locustfile.py")
PLUGIN = str(ROOT / "loadlab/generator/beside.py")
USERS = 20
WARM_UP_S = 3.0
TO_REACH = 0.95


def measure(url: str, folder: Path, seconds: float, *, recorded: bool) -> float:
    """Return the requests/s that one worker makes once it is warm."""
    web, control = free_ports(), free_ports()
    files = f"{PLUGIN},{SCENARIO}" if recorded else SCENARIO
    locust = (sys.executable, "-m", "locust", "-f", files, "--loglevel", "WARNING")
    master = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(control))
    ui = f"http://127.0.0.1:{web}"
    results = folder / "results"
    environment = {"PYTHONPATH": str(ROOT), "RESULTS_DIR": str(results), "LOCUST_HOST": url, "SLO": "p95<450ms"}
    environment |= {"CLIENT": "fast", "ASKED": "get"}
    environment |= {"TARGET_METRICS": f"{url}/count"}  # which is no such page: nothing is watched
    with ExitStack() as running:
        web_options = ("--web-host", "127.0.0.1", "--web-port", str(web))
        log = folder / "locust.log"
        running.enter_context(process(TARGET_CORE, *locust, *master, *web_options, log=log, **environment))
        worker = ("--worker", "--master-host", "127.0.0.1", "--master-port", str(control))
        running.enter_context(process(GENERATOR_CORE, *locust, *worker, log=log, **environment))
        until("a worker", lambda: json.loads(ask(f"{ui}/stats/requests"))["workers"])
        ask(f"{ui}/swarm", user_count=USERS, spawn_rate=USERS, host=url)
        time.sleep(WARM_UP_S)
        before, begun = served(url), time.monotonic()
        time.sleep(seconds)
        throughput = (served(url) - before) / (time.monotonic() - begun)
        ask(f"{ui}/stop", reason="enough")
    if recorded and not list(results.glob("*/timeline.jsonl")):
        raise SystemExit(f"nothing was recorded: {log.read_text()}")
    shutil.rmtree(results, ignore_errors=True)
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
