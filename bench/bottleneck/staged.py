"""Stages bottlenecks on Compose, each known beforehand, and prints by which name each is called.

    .lab/venv/bin/python bench/bottleneck/staged.py                       all of tests/truth/bottlenecks.py
    .lab/venv/bin/python bench/bottleneck/staged.py "1% answered 500" --rounds 3 --keep results/staged

Wants a Docker Engine, and the machine to itself. Exits with 1 when one was called wrongly.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.stack.rig import clone_into, leftovers, remove_images  # noqa: E402
from tests.truth.bottlenecks import CASES, StagedRig, measure  # noqa: E402
from tests.truth.runs import add_scenarios  # noqa: E402


def call(rig: StagedRig, name: str, folder: Path) -> bool:
    """Stage a case, print what it was called, and tell whether that was right."""
    case = CASES[name]
    measured = measure(rig, case, folder)
    found, window = measured.summary.bottleneck, measured.summary.window
    assert found is not None
    is_right = found.first in case.expected
    p95 = f"{window.ok.percentiles_ms['p95']:.0f}" if window.ok else "-"
    load = f"{window.throughput_rps:.0f} | {p95} | {window.fail_percent:.2f} | {100 * measured.stolen:.1f}"
    called = f"{found.first or 'nothing'} | {'yes' if is_right else 'NO'}"
    print(f"| {name} | {load} | {called} | {found.sentence} |", flush=True)
    return is_right


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="CASE", help="default: all")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the run folders")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CASES]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}: choose of {', '.join(CASES)}")
    print("| staged | requests/s | p95 ms | failed % | CPU taken by the host % | called | right | sentence |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory(prefix="staged-") as home:
        clone = add_scenarios(clone_into(Path(home) / "clone"))
        rig = StagedRig(clone, f"loadlab-staged-{os.getpid()}", replicas=2)
        folder = options.keep or Path(home) / "runs"
        try:
            rig.compose("build", "api", "master")
            called = [call(rig, name, folder) for _ in range(options.rounds) for name in options.names or CASES]
        finally:
            rig.down()
            if leftovers(rig.project):
                rig.down()
            remove_images()
    print(f"\n{sum(called)} of {len(called)} called right")
    return 0 if all(called) else 1


if __name__ == "__main__":
    sys.exit(main())
