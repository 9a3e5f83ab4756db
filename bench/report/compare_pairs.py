"""How often `./lab compare` is wrong: pairs of identical runs, and pairs whose second target is a fifth slower.

    .lab/venv/bin/python bench/report/compare_pairs.py                       20 identical pairs, 10 slower ones
    .lab/venv/bin/python bench/report/compare_pairs.py --time 60 --users 200 --scenario scattered
    .lab/venv/bin/python bench/report/compare_pairs.py --target api          the rig's own API: identical pairs only
    .lab/venv/bin/python bench/report/compare_pairs.py --again FOLDER        the same from runs that were kept

Each run is on a rig of processes, against a server of known delays or against the rig's own API. A pair of identical
runs is two runs one after the other; a slower one is a run with the delays times 1.2 after one without. Prints a line a
pair, and what the figures of identical runs scatter by from run to run beside their own scatter. Wants the machine to
itself. Exits with 1 when more than 1 identical pair of 20 is called different, or a slower target is not called worse.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from loadlab.analysis import likeness, sides  # noqa: E402
from loadlab.analysis.compare import compare  # noqa: E402
from loadlab.analysis.comparison import Change, Outcome  # noqa: E402
from loadlab.analysis.likeness import Measured  # noqa: E402
from loadlab.runfolder import RunFolder  # noqa: E402
from tests.rig.rigs import Rig, copy_checkout  # noqa: E402
from tests.truth.experiments import open_lab  # noqa: E402
from tests.truth.runs import Master, add_scenarios  # noqa: E402

SLOWER = 1.2
WORKERS = 2
DELAY = {"kind": "lognormal", "p50_ms": 40.0, "p95_ms": 120.0}
KINDS = {"identical": (1.0, 1.0), "slower": (1.0, SLOWER)}


class Pair(NamedTuple):
    """Two runs, and of which kind they are."""

    kind: str
    a: Measured
    b: Measured


def slowed(factor: float) -> dict[str, Any]:
    """Return the delays times a factor."""
    return {name: value * factor if isinstance(value, float) else value for name, value in DELAY.items()}


@contextmanager
def open_rig(home: Path, target: str) -> Iterator[Callable[[float, dict[str, Any]], Path]]:
    """Bring a rig up; yield what makes a run against a target that is slower by a factor, and returns its folder."""
    if target == "truth":
        with open_lab(home, WORKERS) as lab:

            def measure(factor: float, plan: dict[str, Any]) -> Path:
                lab.truth.control(reset=True, delay=slowed(factor))
                return lab.measure(plan["time_s"] + 20, **plan).path

            yield measure
        return
    home.mkdir(parents=True, exist_ok=True)
    rig = Rig(home, workers=WORKERS, checkout=add_scenarios(copy_checkout(home / "checkout")))
    try:
        done = rig.lab("up", "--detach")
        assert done.returncode == 0, done.stdout
        master = Master(rig.ui("").rstrip("/"))
        yield lambda _factor, plan: master.measure(home / "runs", planned_s=plan["time_s"] + 20, **plan).path
    finally:
        rig.end()


def made(options: argparse.Namespace, keep: Path) -> Iterator[tuple[str, Path, Path]]:
    """Make the pairs, and yield the folders of each. What was made is written to `keep` as it comes."""
    plan = {"scenario": options.scenario, "users": options.users, "spawn_rate": options.users, "time_s": options.time}
    slower = options.slower if options.target == "truth" else 0
    wanted = [kind for kind, count in (("identical", options.pairs), ("slower", slower)) for _ in range(count)]
    with open_rig(keep / "lab", options.target) as measure:
        for kind in wanted:
            a, b = (measure(factor, plan) for factor in KINDS[kind])
            with (keep / "pairs.jsonl").open("a") as file:
                print(json.dumps([kind, str(a), str(b)]), file=file)
            yield kind, a, b


def kept(keep: Path) -> Iterator[tuple[str, Path, Path]]:
    """Yield the pairs that were made before."""
    for line in (keep / "pairs.jsonl").read_text().splitlines():
        kind, a, b = json.loads(line)
        yield kind, Path(a), Path(b)


def read(path: Path) -> Measured:
    """Read a run and what it means."""
    folder = RunFolder(path)
    summary = folder.read_summary()
    assert summary is not None
    return Measured(folder.read(), summary)


def judge(pair: Pair) -> tuple[Outcome, dict[str, Any]]:
    """Compare a pair and return what comes of it, and figures to print."""
    found = compare([pair.a], [pair.b])
    whole = {one.metric: one for one in found.figures if one.name is None}
    changes = {name: round(one.change_percent or 0, 2) for name, one in whole.items()}
    hidden = {name: round(one.hidden_below or 0, 1) for name, one in whole.items()}
    called = sorted({one.metric for one in found.figures if one.change in (Change.BETTER, Change.WORSE)})
    doubts = [*likeness.doubts([pair.a, pair.b]), *(one.what for one in likeness.differing([pair.a], [pair.b]))]
    figures = {"kind": pair.kind, "outcome": found.outcome.value, "called": called, "change_percent": changes}
    return found.outcome, figures | {"hidden_below": hidden, "doubts": doubts}


def from_run_to_run(runs: Sequence[Measured]) -> dict[str, tuple[float, float]]:
    """Return by metric the standard deviation of identical runs in %, and that which their own scatter explains."""
    found = [sides.estimates(sides.side([one.recording]), None, sides.METRICS) for one in runs]
    told = {}
    for place, metric in enumerate(sides.METRICS):
        each = [estimates[place] for estimates in found if not estimates[place].lacking]
        if metric.is_ratio and len(each) > 2:
            deviation = float(np.std([one.by_run[0] for one in each], ddof=1))
            own = math.sqrt(float(np.mean([one.variance for one in each])))
            told[metric.name] = (100 * deviation, 100 * own)
    return told


def main() -> int:
    """Make or read the pairs, print each, and how many were judged rightly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20, help="of identical runs")
    parser.add_argument("--slower", type=int, default=10, help="of a run and one of a slower target")
    parser.add_argument("--time", type=float, default=30, help="how long each run holds its users, s")
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--scenario", default="paced", help="paced: a request a second each; busy: as fast as may be")
    parser.add_argument("--target", choices=["truth", "api"], default="truth")
    parser.add_argument("--keep", type=Path, help="a folder for the runs; default: they are thrown away")
    parser.add_argument("--again", type=Path, help="a folder that --keep filled: nothing is run")
    options = parser.parse_args()
    right: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    identical: list[Measured] = []
    with ExitStack() as ends:
        keep = options.keep or Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="pairs-")))
        keep.mkdir(parents=True, exist_ok=True)
        for kind, *paths in kept(options.again) if options.again else made(options, keep):
            pair = Pair(kind, *map(read, paths))
            outcome, figures = judge(pair)
            right[kind].append(outcome is (Outcome.NONE if kind == "identical" else Outcome.WORSE))
            identical += [pair.a, *([pair.b] if kind == "identical" else [])]
            print(json.dumps(figures), flush=True)
    across = [compare([a], [b]).outcome for a, b in pairwise(identical[1::2])]
    print(f"{'identical pairs not told apart':40} {sum(right['identical'])} of {len(right['identical'])}")
    print(f"{'the same across pairs':40} {sum(one is Outcome.NONE for one in across)} of {len(across)}")
    print(f"{'slower targets called worse':40} {sum(right['slower'])} of {len(right['slower'])}")
    for name, (deviation, own) in from_run_to_run(identical).items():
        print(f"{name:5} from run to run {deviation:.2f}%, of which within a run {own:.2f}%")
    is_good = right["identical"].count(False) <= len(right["identical"]) // 20 and all(right["slower"])
    print("good" if is_good else "NOT GOOD")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
