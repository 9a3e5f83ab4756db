"""Requests/s of one generator core against a null target: LeanHttpUser and its peers, in turn, in the same run.

    .lab/venv/bin/python bench/generator/throughput.py --rounds 5 --seconds 8
    .lab/venv/bin/python bench/generator/throughput.py --asked post --kinds lean,fast --rounds 5

Kinds: lean, fast (FastHttpUser), http (HttpUser), each as one Locust worker with loadlab loaded and the run recorded;
fast-alone and http-alone, Locust as it comes, with nothing of loadlab's; wrk, hey, k6 where they are on the PATH. Each
has 64 connections. `--asked` is get (an answer of 82 bytes), post (a JSON body, 204) or gzip (10 KB, packed).

Wants nginx (Debian: nginx-light), taskset and two cores with nothing else on them. The generator has core 0; nginx,
which counts the requests, and the master share core 1. The order of the kinds changes from round to round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fleet import cpu_s, fleet
from null_target import GENERATOR_CORE, process, served, target

LOCUST_KINDS = ("lean", "fast", "http", "fast-alone", "http-alone")
USERS = 64
WARM_UP_S = 3.0
PATHS = {"get": "/tests", "post": "/post", "gzip": "/gzip"}


@dataclass(frozen=True)
class Measured:
    """What one round of one kind gave: requests/s and µs of the generator's CPU time for each."""

    throughput_rps: float
    cpu_us: float


def watch(url: str, pid: int, seconds: float) -> Measured:
    """Count what a process that is warm does in some seconds."""
    before, cpu_before, begun = served(url), cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    requests, cpu, lasted = served(url) - before, cpu_s(pid) - cpu_before, time.monotonic() - begun
    return Measured(requests / lasted, 1e6 * cpu / max(1, requests))


def measure_locust(kind: str, asked: str, url: str, folder: Path, seconds: float) -> Measured:
    """Measure one Locust worker, its run recorded unless it is to be Locust alone."""
    is_recorded = not kind.endswith("-alone")
    client = kind.removesuffix("-alone")
    with fleet(folder, url, is_recorded=is_recorded, CLIENT=client, ASKED=asked, WAIT_S=0) as rig:
        rig.swarm(USERS, USERS, url)
        time.sleep(WARM_UP_S)
        measured = watch(url, rig.workers[0].pid, seconds)
        failed = rig.fail_ratio()
        rig.stop()
        if failed or (is_recorded and not list(rig.results.glob("*/timeline.jsonl"))):
            raise SystemExit(f"{kind}: {failed:.1%} failed, or nothing was recorded: {rig.log.read_text()}")
    return measured


def command(kind: str, asked: str, url: str, folder: Path, seconds: float) -> tuple[str, ...]:
    """Return how a peer that is no Locust is started, for so many seconds."""
    at, body = url + PATHS[asked], '{"name": "load testing", "description": "how much it takes"}'
    lasts = f"{seconds:.0f}s"
    packed = "Accept-Encoding: gzip"
    if kind == "wrk":
        script = folder / "post.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.body = \'{body}\'\nwrk.headers["Content-Type"] = "application/json"\n'
        )
        return (
            "wrk",
            "-t1",
            f"-c{USERS}",
            f"-d{lasts}",
            "-H",
            packed,
            *(("-s", str(script)) if asked == "post" else ()),
            at,
        )
    if kind == "hey":
        posts = ("-m", "POST", "-T", "application/json", "-d", body) if asked == "post" else ()
        return ("hey", "-cpus", "1", "-c", str(USERS), "-z", lasts, "-H", packed, *posts, at)
    script = folder / "script.js"
    call = f"http.post('{at}', '{body}', p)" if asked == "post" else f"http.get('{at}', p)"
    script.write_text(
        "import http from 'k6/http';\n"
        "const p = { headers: { 'Content-Type': 'application/json', 'Accept-Encoding': 'gzip' } };\n"
        f"export const options = {{ vus: {USERS}, duration: '{lasts}' }};\n"
        f"export default function () {{ {call}; }}\n"
    )
    return ("k6", "run", "--quiet", "--no-usage-report", str(script))


def measure_other(kind: str, asked: str, url: str, folder: Path, seconds: float) -> Measured:
    """Measure a peer that is no Locust."""
    asks = command(kind, asked, url, folder, seconds + 2 * WARM_UP_S)
    with process(GENERATOR_CORE, *asks, log=folder / f"{kind}.log", GOMAXPROCS="1") as child:
        time.sleep(WARM_UP_S)
        return watch(url, child.pid, seconds)


def versions(kinds: list[str]) -> str:
    """Return what was measured, on what."""
    known = {"lean": "locust", "fast": "geventhttpclient", "http": "requests"}
    told = [f"{known[kind]} {version(known[kind])}" for kind in kinds if kind in known]
    for kind, asks in (("wrk", ("wrk", "-v")), ("k6", ("k6", "version"))):
        if kind in kinds:
            done = subprocess.run(asks, capture_output=True, text=True, check=False)
            told.append((done.stdout or done.stderr).splitlines()[0])
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(": ")[2] for line in lines if "model name" in line), "?")
    told += [f"Python {platform.python_version()}", f"gevent {version('gevent')}", f"{cpu}, {os.cpu_count()} cores"]
    return "; ".join(told)


def main() -> int:
    """Measure each kind in each round, and print each round and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asked", choices=PATHS, default="get")
    parser.add_argument("--kinds", default="lean,fast,fast-alone,http,wrk,hey,k6")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    kinds = [kind for kind in options.kinds.split(",") if kind in LOCUST_KINDS or shutil.which(kind)]
    print(versions(kinds))
    rounds: list[dict[str, Measured]] = []
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder, target(Path(folder)) as url:
        for number in range(options.rounds):
            seen = {}
            for kind in kinds[number % len(kinds) :] + kinds[: number % len(kinds)]:
                measure = measure_locust if kind in LOCUST_KINDS else measure_other
                seen[kind] = measure(kind, options.asked, url, Path(folder), options.seconds)
            rounds.append(seen)
            print(json.dumps({kind: round(one.throughput_rps) for kind, one in seen.items()}), flush=True)
    for kind in kinds:
        rates = [seen[kind].throughput_rps for seen in rounds]
        ratios = [seen["lean"].throughput_rps / seen[kind].throughput_rps for seen in rounds if "lean" in seen]
        cpu = statistics.median(seen[kind].cpu_us for seen in rounds)
        spread = f"({min(rates):,.0f} to {max(rates):,.0f})"
        line = f"{kind:10} {statistics.median(rates):8,.0f} requests/s {spread}, {cpu:6.1f} us of CPU"
        if ratios and kind != "lean":
            line += f"; lean is {statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
