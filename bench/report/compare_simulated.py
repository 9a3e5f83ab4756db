"""How often `./lab compare` is wrong by simulation: a table for docs/decisions/0010-compare.md.

    .lab/venv/bin/python bench/report/compare_simulated.py --pairs 150

Each row is a target whose speed wanders from second to second, remembers some of it, and differs from run to run. Of
two endpoints, one of them asked four times as often, all figures are compared: identical pairs that are called
different, and targets a fifth slower that are called worse. Takes some ten minutes.
"""

from __future__ import annotations

import argparse
import random
import sys
from itertools import count
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from loadlab.analysis import summarise  # noqa: E402
from loadlab.analysis.compare import compare  # noqa: E402
from loadlab.analysis.comparison import Outcome  # noqa: E402
from loadlab.analysis.likeness import Measured  # noqa: E402
from tests import pairs, recordings  # noqa: E402
from tests.recordings import EndpointRecipe, Recipe  # noqa: E402

SLOWER = 1.2
MEDIANS_MS = (40.0, 90.0)
SHARES = (0.8, 0.2)


class Row(NamedTuple):
    """A target: how far it wanders, how much it remembers, and what differs from run to run."""

    swing: float
    memory: float
    of_run: float


ROWS = (
    Row(0, 0, 0),
    Row(0.03, 0.7, 0),
    Row(0.05, 0.7, 0.01),
    Row(0.05, 0.7, 0.02),
    Row(0.05, 0.7, 0.03),
    Row(0.1, 0.9, 0),
)


def measured(seed: int, row: Row, hold_s: int, users: int, factor: float = 1.0) -> Measured:
    """Return a run against such a target, slower by a factor."""
    ends = [
        EndpointRecipe("GET", f"/{place}", share, pairs.swinging(factor * median, seed, **row._asdict()))
        for place, (share, median) in enumerate(zip(SHARES, MEDIANS_MS, strict=True))
    ]
    recipe = Recipe(steps=((users, hold_s),), spawn_rate=users, endpoints=ends, seed=seed, instances=0)
    recording = recordings.make(recipe)
    recording.run.id = f"simulated-{seed}"
    return Measured(recording, summarise.summarise(recording))


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pairs", type=int, default=150, help="identical ones for each row; of slower ones, half as many"
    )
    parser.add_argument("--seconds", type=int, nargs="+", default=[30, 60])
    parser.add_argument("--users", type=int, default=50, help="each asks once a second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seeds = count(random.Random(options.seed).randrange(1 << 30))
    print("| seconds | wander | memory | from run to run | identical: called | slower: found |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seconds in options.seconds:
        for row in ROWS:
            called = found = 0
            for number in range(options.pairs):
                a, b = (measured(next(seeds), row, seconds, options.users) for _ in "ab")
                called += compare([a], [b]).outcome is not Outcome.NONE
                if number % 2 == 0:
                    slow = measured(next(seeds), row, seconds, options.users, SLOWER)
                    found += compare([a], [slow]).outcome is Outcome.WORSE
            slower = (options.pairs + 1) // 2
            shares = f"{called} of {options.pairs} | {found} of {slower}"
            print(f"| {seconds} | {row.swing:.0%} | {row.memory:g} | {row.of_run:.0%} | {shares} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
