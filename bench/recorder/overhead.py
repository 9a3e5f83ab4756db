"""What the recorder costs: throughput of one worker on one core, loadlab loaded and a run recorded, over plain Locust.

    .lab/venv/bin/python bench/recorder/overhead.py --pairs 6 --seconds 10

Wants nginx (Debian: nginx-light), taskset and two cores with nothing else on them. The worker has core 0; nginx, which
counts the requests, and the master share core 1. Both kinds run in turn, the order within a pair alternating. Exits
with 1 when the median ratio is below 0.95.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.rig.rigs import free_ports  # noqa: E402

STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # past any proxy
SCENARIO = str(ROOT / "tests/truth/scenarios/busy.py")
PLUGIN = str(ROOT / "loadlab/generator/beside.py")
GENERATOR_CORE, TARGET_CORE = 0, 1
USERS = 20
WARM_UP_S = 3.0
TO_REACH = 0.95


@contextmanager
def process(core: int, *command: str, log: Path, **environment: str) -> Iterator[None]:
    """Run a command on one core until the block is left."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def until(what: str, look: Callable[[], Any], within_s: float = 30.0) -> Any:
    """Poll until something is true and return it; no answer counts as not yet."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if seen := look():
                return seen
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"not within {within_s:g} s: {what}")


def ask(url: str, **form: Any) -> str:
    """GET, or POST a form."""
    with STRAIGHT.open(url, urllib.parse.urlencode(form).encode() if form else None, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@contextmanager
def target(folder: Path) -> Iterator[str]:
    """Run nginx and give its URL."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        raise SystemExit("nginx is not installed (Debian: apt install nginx-light)")
    port = free_ports()
    text = (Path(__file__).parent / "nginx.conf.in").read_text()
    config = folder / "nginx.conf"
    config.write_text(text.replace("@FOLDER@", str(folder)).replace("@PORT@", str(port)))
    with process(TARGET_CORE, binary, "-p", str(folder), "-c", str(config), log=folder / "nginx.log"):
        until("nginx answers", lambda: ask(f"http://127.0.0.1:{port}/count"))
        yield f"http://127.0.0.1:{port}"


def served(url: str) -> int:
    """Return how many requests nginx has had: the third figure of the third line."""
    return int(ask(f"{url}/count").splitlines()[2].split()[2])


def measure(url: str, folder: Path, seconds: float, *, recorded: bool) -> float:
    """Return the requests/s that one worker makes once it is warm."""
    web, control = free_ports(), free_ports()
    files = f"{PLUGIN},{SCENARIO}" if recorded else SCENARIO
    locust = (sys.executable, "-m", "locust", "-f", files, "--loglevel", "WARNING")
    master = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(control))
    ui = f"http://127.0.0.1:{web}"
    results = folder / "results"
    environment = {"PYTHONPATH": str(ROOT), "RESULTS_DIR": str(results), "LOCUST_HOST": url, "SLO": "p95<450ms"}
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
