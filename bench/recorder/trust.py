"""The experiments of tests/truth, again and again: each round a line, and how many of them were good.

    .lab/venv/bin/python bench/recorder/trust.py                                  all of them, 10 rounds
    .lab/venv/bin/python bench/recorder/trust.py killed --rounds 5 --hold 120

Wants the machine to itself. Exits with 1 when a round was not good.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from loadlab.analysis.slo import Outcome  # noqa: E402
from tests.truth import experiments  # noqa: E402
from tests.truth.experiments import DELAYS, Figures, Lab, open_lab  # noqa: E402
from tests.truth.runs import lag_ms  # noqa: E402

WORKERS = 8


def promise(lab: Lab, p95_ms: float, expected: Outcome) -> Figures:
    """Judge p95<450ms against a known truth."""
    result, measured = experiments.promise(lab, p95_ms)
    assert result.outcome == expected, result.reason
    level = str(measured.summary.validity.level)
    lags = {"lag_p99_ms": measured.lag_p99_ms, "server_lag_p99_ms": lag_ms(lab.truth())}
    figures = {"outcome": str(result.outcome), "measured_ms": result.measured, "of": result.samples, "validity": level}
    return figures | lags


def chosen(hold_s: float) -> dict[str, Callable[[Lab], Figures]]:
    """Return the experiments by name."""
    return {
        "slow-end": experiments.slow_answers_at_the_end,
        "sigterm": experiments.a_worker_is_told_to_go,
        "ui": experiments.started_and_stopped_in_the_ui,
        "many": experiments.many_requests,
        "killed": partial(experiments.a_worker_is_killed, hold_s=hold_s),
        "stopped": experiments.a_worker_stands_still,
        **{name.replace(" ", "-"): partial(experiments.accuracy, name=name) for name in DELAYS},
        "446": partial(promise, p95_ms=446.0, expected=Outcome.PASS),
        "454": partial(promise, p95_ms=454.0, expected=Outcome.FAIL),
        "freeze": experiments.freeze,
        "master": experiments.the_master_is_killed,
    }


def repeat(name: str, experiment: Callable[[Lab], Figures], rounds: int, home: Path) -> int:
    """Do an experiment so often on a rig of its own, print a line for each, and return how many were good."""
    good = number = 0
    while number < rounds:
        with open_lab(home / f"{name}-{number}", WORKERS) as lab:
            alone = name == "master"  # nothing is left to go on with
            for _ in range(1 if alone else rounds):
                number += 1
                begun = time.monotonic()
                try:
                    figures = experiment(lab)
                    good += 1
                except AssertionError as error:
                    figures = {"NOT GOOD": str(error)[:500]}
                took_s = round(time.monotonic() - begun)
                print(json.dumps({"experiment": name, "round": number, **figures, "took_s": took_s}), flush=True)
    return good


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(chosen(0))}; default: all")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--hold", type=float, default=20, help="seconds that are watched after a worker was killed")
    options = parser.parse_args()
    known = chosen(options.hold)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}: choose of {', '.join(known)}")
    good: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="trust-") as home:
        for name in options.names or known:
            good[name] = repeat(name, known[name], options.rounds, Path(home))
    for name, count in good.items():
        print(f"{name:12} {count} of {options.rounds} good")
    return 0 if all(count == options.rounds for count in good.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
