"""A long run of ten endpoints: the memory of each process over time, and how much is written down in an hour.

    .lab/venv/bin/python bench/recorder/soak.py --minutes 10 --workers 2 --users 50

Each user makes ten requests a second. Exits with 1 when a worker's memory grew by more than 5% from the second to the
last tenth of the time, a request was dropped, or the timeline of an hour would be larger than 20 MB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.truth.experiments import Lab, open_lab  # noqa: E402
from tests.truth.runs import Measured, check_nothing_dropped  # noqa: E402

SAMPLE_EVERY_S = 5.0
MOST_GROWTH = 1.05
MOST_BYTES_AN_HOUR = 20e6
Samples = dict[str, list[float]]


def watch(lab: Lab, parts: list[str], seconds: float) -> Samples:
    """Return the resident MB of each part over time, printing them every minute."""
    processes = {part: psutil.Process(lab.rig.pid(part)) for part in parts}
    samples: Samples = {part: [] for part in parts}
    for number in range(int(seconds / SAMPLE_EVERY_S)):
        for part, process in processes.items():
            samples[part].append(process.memory_info().rss / 1e6)
        if number % 12 == 0:
            now = {part: round(seen[-1], 1) for part, seen in samples.items()}
            print(json.dumps({"t_s": round(number * SAMPLE_EVERY_S), "rss_mb": now}), flush=True)
        time.sleep(SAMPLE_EVERY_S)
    return samples


def growth(samples: list[float]) -> float:
    """Return the memory of the last tenth of the time over that of the second tenth."""
    tenth = max(1, len(samples) // 10)
    return statistics.median(samples[-tenth:]) / statistics.median(samples[tenth : 2 * tenth] or samples)


def soak(lab: Lab, users: int, seconds: float) -> tuple[Samples, Measured]:
    """Run for so long and return the memory and what was recorded."""
    lab.truth.control(reset=True, delay={"kind": "lognormal", "p50_ms": 10, "p95_ms": 40})
    run = lab.master.start(scenario="ten_endpoints", users=users, spawn_rate=users, time_s=seconds + 10, shape="soak")
    lab.master.wait_running(run, users)
    workers = [f"worker-{number}" for number in range(1, lab.rig.settings.workers + 1)]
    samples = watch(lab, ["master-1", *workers], seconds)
    measured = lab.finish(run, 60)
    check_nothing_dropped(measured, lab.truth)
    return samples, measured


def main() -> int:
    """Run as the command line has it and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--users", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as home, open_lab(Path(home) / "lab", options.workers) as lab:
        samples, measured = soak(lab, options.users, options.minutes * 60)
        seconds = measured.recording.run.duration_s or 1.0
        an_hour = (measured.path / "timeline.jsonl").stat().st_size / seconds * 3600
    grown = {part: round(growth(seen), 3) for part, seen in samples.items()}
    totals = measured.summary.totals
    print(json.dumps({"requests": totals.requests, "throughput_rps": round(totals.throughput_rps, 1), "grown": grown}))
    print(f"timeline: {an_hour / 1e6:.1f} MB an hour for {len(measured.summary.endpoints)} endpoints")
    steady = all(ratio <= MOST_GROWTH for part, ratio in grown.items() if part.startswith("worker"))
    return 0 if steady and an_hour <= MOST_BYTES_AN_HOUR else 1


if __name__ == "__main__":
    sys.exit(main())
