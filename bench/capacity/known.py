"""Searches for capacities that queueing theory knows, several at a time, each on a rig of its own.

    .lab/venv/bin/python bench/capacity/known.py                        all targets, 5 searches each
    .lab/venv/bin/python bench/capacity/known.py thinking --searches 2 --at-a-time 1

Exits with 1 when one was not found to within 5%, confirmed, in six minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.truth import capacities  # noqa: E402
from tests.truth.experiments import open_lab  # noqa: E402

WORKERS = 2


def one(name: str, number: int, home: Path) -> bool:
    """Do a search on a rig of its own, print what came of it, and tell whether it was good."""
    with open_lab(home / f"{name}-{number}", WORKERS) as lab:
        try:
            figures = capacities.beyond_reach(lab) if name == "beyond-reach" else capacities.found(lab, name)
        except AssertionError as error:
            figures = {"NOT GOOD": str(error)[:700]}
    print(json.dumps({"target": name, "search": number, **figures}), flush=True)
    return "NOT GOOD" not in figures


def main() -> int:
    """Do what the command line asks for."""
    names = [*capacities.KNOWN, "beyond-reach"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--searches", type=int, default=5)
    parser.add_argument("--at-a-time", type=int, default=3)
    options = parser.parse_args()
    all_good = True
    with tempfile.TemporaryDirectory(prefix="capacity-") as home:
        for name in options.names or names:
            at_a_time = 1 if name == "beyond-reach" else options.at_a_time
            with ThreadPoolExecutor(at_a_time) as pool:
                good = list(pool.map(lambda n, name=name: one(name, n, Path(home)), range(1, options.searches + 1)))
            print(f"{name:12} {sum(good)} of {len(good)} good", flush=True)
            all_good = all_good and all(good)
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
