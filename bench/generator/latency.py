"""The latency that is reported at 500 requests/s: LeanHttpUser's beside wrk's and FastHttpUser's, in turn.

    .lab/venv/bin/python bench/generator/latency.py --rounds 5 --seconds 20

50 connections that ask a tenth of a second after they are answered, on average and at random, at nginx on another core:
in step, each would wait for all the others in its own client. What wrk says is its own
50th percentile; what the others say is p50 of their run's summary. Exits with 1 when the median of the differences from
wrk is over 0.1 ms.
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import fleet
from null_target import GENERATOR_CORE, served, target

USERS = 50
WAIT_S = 0.1
TO_REACH_MS = 0.1
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
KINDS = ("lean", "wrk", "fast")


def of_locust(kind: str, url: str, folder: Path, seconds: float) -> tuple[float, float]:
    """Return p50 in ms and requests/s of a recorded run."""
    with fleet(folder, url, CLIENT=kind, ASKED="get", WAIT_S=WAIT_S, SPREAD=1) as rig:
        rig.swarm(USERS, USERS, url)
        time.sleep(seconds)
        rig.stop()
        window = rig.recorded().window
    if window.ok is None or window.failures:
        raise SystemExit(f"{kind}: nothing was recorded, or {window.failures} requests failed")
    return window.ok.percentiles_ms["p50"], window.throughput_rps


def of_wrk(url: str, folder: Path, seconds: float) -> tuple[float, float]:
    """Return wrk's own median in ms, and requests/s as nginx counted them."""
    script = folder / "delay.lua"
    script.write_text(f"function delay() return math.random(0, {2 * WAIT_S * 1000:.0f}) end\n")
    asks = ("wrk", "-t1", f"-c{USERS}", f"-d{seconds:.0f}s", "--latency", "-s", str(script), f"{url}/tests")
    before = served(url)
    done = subprocess.run(
        ["taskset", "--cpu-list", str(GENERATOR_CORE), *asks], capture_output=True, text=True, check=True
    )
    found = re.search(r"50%\s+([\d.]+)(us|ms|s)", done.stdout)
    if found is None:
        raise SystemExit(f"wrk said: {done.stdout}")
    return float(found[1]) * UNITS_MS[found[2]], (served(url) - before) / seconds


def main() -> int:
    """Measure each in each round, and print each round and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    seen: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="latency-") as home, target(Path(home)) as url:
        for number in range(options.rounds):
            told = {}
            for kind in KINDS[number % len(KINDS) :] + KINDS[: number % len(KINDS)]:
                measure = of_wrk if kind == "wrk" else lambda *given, kind=kind: of_locust(kind, *given)
                p50_ms, throughput_rps = measure(url, Path(home), options.seconds)
                seen[kind].append(p50_ms)
                told[kind] = {"p50_ms": round(p50_ms, 4), "rps": round(throughput_rps, 1)}
            print(json.dumps(told), flush=True)
    off = [lean - wrk for lean, wrk in zip(seen["lean"], seen["wrk"], strict=True)]
    for kind in KINDS:
        print(f"{kind:5} p50 {statistics.median(seen[kind]):.3f} ms ({min(seen[kind]):.3f} to {max(seen[kind]):.3f})")
    print(f"lean - wrk: {statistics.median(off):+.3f} ms ({min(off):+.3f} to {max(off):+.3f}), to reach {TO_REACH_MS}")
    return 0 if abs(statistics.median(off)) <= TO_REACH_MS else 1


if __name__ == "__main__":
    sys.exit(main())
