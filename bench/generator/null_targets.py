"""How fast the null target of ./lab calibrate is, beside nginx, and beside the worker that is to be measured with it.

    .lab/venv/bin/python bench/generator/null_targets.py --rounds 5 --seconds 8

Each target has core 1, whoever asks it core 0, over 64 connections: wrk, to see what the target can do, and a worker of
LeanHttpUsers who do not wait, as in a calibration. nginx has its answer from its configuration, the null target has
nginx's. Wants nginx (Debian: nginx-light), wrk, taskset and two cores with nothing else on them.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import fleet
from null_target import GENERATOR_CORE, TARGET_CORE, ask, free_ports, process, target, until

USERS = 64
WARM_UP_S = 3.0


@contextmanager
def null_target(folder: Path, copied: str) -> Iterator[str]:
    """Run our own null target, which gives the answers of another, and give its URL."""
    port = free_ports()
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-S", "-m", "loadlab.null_target", "--port", str(port), "--target", copied)
    with process(TARGET_CORE, *command, log=folder / "null.log"):
        until("the null target answers", lambda: ask(f"{url}/metrics"))
        yield url


def by_wrk(url: str, seconds: float) -> float:
    """Return the requests/s that wrk makes."""
    command = ("wrk", "-t1", f"-c{USERS}", f"-d{seconds:.0f}s", f"{url}/tests")
    done = subprocess.run(
        ("taskset", "--cpu-list", str(GENERATOR_CORE), *command), capture_output=True, text=True, check=True
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise SystemExit(f"wrk: {done.stdout}")
    return float(found[1])


def by_worker(folder: Path, url: str, seconds: float) -> float:
    """Return the requests/s that a worker makes, as it records them."""
    with fleet(folder, url, CLIENT="lean", ASKED="get", WAIT_S=0) as rig:
        rig.swarm(USERS, USERS, url)
        time.sleep(WARM_UP_S + seconds)
        rig.stop()
        summary = rig.recorded()
    if summary.totals.failures:
        raise SystemExit(f"{summary.totals.failures} requests failed: {summary.totals.errors}")
    return summary.window.throughput_rps


def main() -> int:
    """Measure each pair in each round, and print each round and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    seen: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="null-targets-") as name, target(Path(name)) as nginx:
        folder = Path(name)
        with null_target(folder, nginx) as ours:
            targets = [("nginx", nginx), ("null target", ours)]
            for number in range(options.rounds):
                for kind, url in targets[:: 1 if number % 2 else -1]:
                    seen.setdefault(f"wrk to {kind}", []).append(by_wrk(url, options.seconds))
                    seen.setdefault(f"worker to {kind}", []).append(by_worker(folder, url, options.seconds))
                print(json.dumps({what: round(rates[-1]) for what, rates in seen.items()}), flush=True)
    for what, rates in seen.items():
        spread = f"({min(rates):,.0f} to {max(rates):,.0f})"
        print(f"{what:22} {statistics.median(rates):8,.0f} requests/s {spread}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
