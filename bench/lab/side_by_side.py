"""The API of the lab's text beside ours: the same users, the same promises, the same machine, one after the other.

    .lab/venv/bin/python bench/lab/side_by_side.py
    .lab/venv/bin/python bench/lab/side_by_side.py --only capacity --rounds 3 --keep results/side-by-side

Each is loaded by `./lab run` with 10,000 users and by `./lab capacity`, from a rig of processes with a store of its own
that is empty in the beginning. Wants the machine to itself, and takes some 16 minutes a round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.rig.rigs import STRAIGHT, free_ports  # noqa: E402

SEED = Path(__file__).with_name("seed_app.py")
STARTS_WITHIN_S = 15.0
SLOS = ("--slo", "p95<450ms", "--slo", "fail<1%")


@contextmanager
def seed_app() -> Iterator[list[str]]:
    """Serve the text's API until the block is left; yield the flags that aim at it."""
    port = free_ports()
    url = f"http://127.0.0.1:{port}"
    command, silent = [sys.executable, str(SEED), str(port)], subprocess.DEVNULL
    child = subprocess.Popen(command, stdout=silent, stderr=silent)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _answers(f"{url}/tests"):
            if time.monotonic() > deadline or child.poll() is not None:
                raise SystemExit("the text's API does not start")
            time.sleep(0.1)
        yield ["--host", url]
    finally:
        child.terminate()
        child.wait()


@contextmanager
def our_api() -> Iterator[list[str]]:
    """The rig brings it up by itself."""
    yield []


APPS = {"seed": seed_app, "ours": our_api}


def _answers(url: str) -> bool:
    try:
        with STRAIGHT.open(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def measure(home: Path, results: Path, *arguments: str) -> dict[str, Any]:
    """Run a command of the lab on a rig of its own, and return the summary that it prints."""
    ports = {"API_PORT": str(free_ports()), "UI_PORT": str(free_ports())}
    own = {"LAB_HOME": str(home), "LAB_RESULTS": str(results), "TARGET_HOST": ""}
    done = subprocess.run(
        [sys.executable, "-m", "loadlab", *arguments, "--engine", "processes", "--json"],
        cwd=ROOT,
        env=os.environ | ports | own,
        stdout=subprocess.PIPE,
        check=False,
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def run_row(app: str, users: int, found: dict[str, Any]) -> str:
    """Return a row of the table of the runs."""
    window = found["window"]
    times = (window["ok"] or {}).get("percentiles_ms", {})
    shown = " | ".join(f"{times[rank]:,.0f}" if rank in times else "-" for rank in ("p50", "p95", "p99"))
    load = f"{window['throughput_rps']:,.0f} | {shown} | {window['fail_percent']:.2f}"
    first = found["bottleneck"]["sentence"] if found["bottleneck"] else "-"
    reasons = "; ".join(reason["text"] for reason in found["validity"]["reasons"] if reason["level"] != "valid")
    validity = f"{found['validity']['level']}{': ' + reasons if reasons else ''}"
    return f"| {app} | {users:,} | {load} | {found['verdict']} | {validity} | {first} |"


def capacity_row(app: str, found: dict[str, Any]) -> str:
    """Return a row of the table of the searches."""
    capacity = found["capacity"]
    bracket = f"{capacity['held_users']} to {capacity['broke_users'] or '-'}"
    rps = f"{capacity['throughput_rps']:,.0f}" if capacity["throughput_rps"] is not None else "-"
    first = found["bottleneck"]["sentence"] if found["bottleneck"] else "-"
    took = max((step["end_s"] or 0 for step in capacity["steps"]), default=0)
    return f"| {app} | {capacity['users'] or '-'} | {bracket} | {rps} | {took} | {capacity['sentence']} | {first} |"


def main() -> int:
    """Measure both, as often as is asked for, and print a table for the runs and one for the searches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, nargs="+", default=[10_000])
    parser.add_argument("--time", default="60s", help="how long the runs hold their users")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["run", "capacity"], help="default: both")
    parser.add_argument("--keep", type=Path, help="a folder for the runs' folders; default: they are thrown away")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="side-by-side-") as temporary:
        results, homes = options.keep or Path(temporary) / "results", Path(temporary)
        fleet = ("--workers", str(options.workers), *SLOS)
        for number in range(options.rounds):
            for app, serving in APPS.items():
                for users in options.users if options.only != "capacity" else ():
                    load = ("--users", str(users), "--spawn-rate", str(max(50, users // 50)), "--time", options.time)
                    with serving() as aim:
                        home = homes / f"{app}-{users}-{number}"
                        found = measure(home, results, "run", *load, *fleet, *aim, "--name", f"{app} {users}")
                    print(run_row(app, users, found), flush=True)
                if options.only != "run":
                    with serving() as aim:
                        home = homes / f"{app}-capacity-{number}"
                        found = measure(home, results, "capacity", *fleet, *aim, "--name", f"{app} capacity")
                    print(capacity_row(app, found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
