"""gthread or gevent? Measures both on this machine and prints Markdown tables.

    python bench/api/worker_class.py throughput [--rounds 5] [--seconds 5]     wants wrk and taskset
    python bench/api/worker_class.py workers    [--rounds 5] [--seconds 5]     1, 2 or 4 gunicorn workers, both cores
    python bench/api/worker_class.py hold       [--connections 10000] [--seconds 30]
    python bench/api/worker_class.py slow       [--connections 64]

throughput pins the server to core 0 and wrk to core 1 and alternates the classes A B A B, so that whatever else the
machine does hits both. CPU µs a request comes from the server's own processes (/proc/PID/stat): it is the figure
least disturbed by neighbours, and the one that sets the throughput of a core.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hold import hold

from tests.api.instance import Instance, post_item, running

CLASSES = ("gevent", "gthread")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
POST_SCRIPT = """wrk.method = "POST"
wrk.body = '{"name":"load testing","description":"checking if a software can handle the load"}'
wrk.headers["Content-Type"] = "application/json"
"""


@dataclass(frozen=True)
class Figures:
    """One run of wrk: requests/s, ms, µs of server CPU a request, failed requests."""

    per_s: float
    p99_ms: float
    cpu_us: float
    failed: int


@contextmanager
def server(cores: str, workers: int, **environment: str) -> Iterator[Instance]:
    """An instance on these cores, with 100 items, over SQLite."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    with tempfile.TemporaryDirectory() as folder:
        try:
            with running(Path(folder), GUNICORN_WORKERS=str(workers), **environment) as instance:
                os.sched_setaffinity(0, before)
                for n in range(99):
                    post_item(instance.call, f"item {n}", "some text of a usual length")
                yield instance
        finally:
            os.sched_setaffinity(0, before)


def processes(instance: Instance) -> list[int]:
    """The master and its gunicorn workers."""
    return [instance.process.pid, *instance.worker_pids()]


def cpu_s(pids: list[int]) -> float:
    """CPU seconds used so far, user and system."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) * TICK_S


def memory_mb(pids: list[int]) -> float:
    """Proportional set size: pages shared by several processes count once."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(match[1]) for text in rollups if (match := re.search(r"\nPss:\s+(\d+)", text))) / 1024


def wrk(instance: Instance, cores: str, connections: int, seconds: int, kind: str) -> Figures:
    """Load it for some seconds over kept-alive connections."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(POST_SCRIPT if kind == "POST" else "")
        script.flush()
        url = f"http://127.0.0.1:{instance.port}/tests"
        load = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}",
            "--latency",
            "--timeout",
            "30",
            "-s",
            script.name,
            url,
        ]
        pids = processes(instance)
        began_s = cpu_s(pids)
        text = subprocess.run(["taskset", "-c", cores, *load], capture_output=True, text=True, check=True).stdout
        used_s = cpu_s(pids) - began_s
    requests = int(_find(r"(\d+) requests in", text))
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    failed = sum(
        int(number)
        for line in re.findall(r"(?:Socket errors|Non-2xx).*", text)
        for number in re.findall(r" (\d+)", line)
    )
    p99_ms = float(p99) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]
    return Figures(float(_find(r"Requests/sec:\s+([\d.]+)", text)), p99_ms, used_s / max(requests, 1) * 1e6, failed)


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def _row(name: str, runs: list[Figures]) -> str:
    def shown(values: list[float], digits: int = 0) -> str:
        return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"

    columns = [[run.per_s for run in runs], [run.p99_ms for run in runs], [run.cpu_us for run in runs]]
    return f"| {name} | {' | '.join(shown(column) for column in columns)} | {sum(run.failed for run in runs)} |"


def compare(variants: dict[str, Callable[[int, str], Figures]], rounds: int) -> None:
    """Run the variants in turn, round after round; print median (least-most)."""
    print("| variant | requests/s | p99 ms | server CPU µs/request | failed |\n| --- | --- | --- | --- | --- |")
    for kind in ("GET", "POST"):
        for connections in (64, 1000):
            runs: dict[str, list[Figures]] = {name: [] for name in variants}
            for _ in range(rounds):
                for name, run in variants.items():
                    runs[name].append(run(connections, kind))
            for name, figures in runs.items():
                print(_row(f"{kind} {connections} connections, {name}", figures), flush=True)


def throughput(given: argparse.Namespace) -> None:
    """One gunicorn worker of each class on one core."""

    def variant(worker_class: str) -> Callable[[int, str], Figures]:
        def run(connections: int, kind: str) -> Figures:
            with server("0", 1, GUNICORN_WORKER_CLASS=worker_class, API_MAX_IN_FLIGHT="2000") as instance:
                return wrk(instance, "1", connections, given.seconds, kind)

        return run

    compare({name: variant(name) for name in CLASSES}, given.rounds)


def workers(given: argparse.Namespace) -> None:
    """1, 2 or 4 gevent workers; server and wrk share both cores, as on the user's machine."""

    def variant(number: int) -> Callable[[int, str], Figures]:
        def run(connections: int, kind: str) -> Figures:
            with server("0,1", number, API_MAX_IN_FLIGHT="2000") as instance:
                return wrk(instance, "0,1", connections, given.seconds, kind)

        return run

    compare({f"{number} gunicorn workers": variant(number) for number in (1, 2, 4)}, given.rounds)


def keep(given: argparse.Namespace) -> None:
    """Thousands of kept-alive connections, each asking every ten seconds."""
    print("| class | answers | errors | longest ms | memory MB before | memory MB, all open | per connection kB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in CLASSES:
        with server("0,1", 2, GUNICORN_WORKER_CLASS=name) as instance:
            before = memory_mb(processes(instance))
            after: list[float] = []
            measure = partial(lambda pids, into: into.append(memory_mb(pids)), processes(instance), after)
            result = hold(instance.port, given.connections, given.seconds, measure)
            each_kb = (after[0] - before) * 1024 / given.connections
            print(
                f"| {name} | {result.answers} | {result.errors} | {result.longest_ms:.0f}"
                f" | {before:.0f} | {after[0]:.0f} | {each_kb:.1f} |",
                flush=True,
            )


def slow(given: argparse.Namespace) -> None:
    """Half-sent headers, then an ordinary GET, given up after 20 s."""
    for name in CLASSES:
        with server("0,1", 2, GUNICORN_WORKER_CLASS=name, GUNICORN_THREADS="8") as instance:
            stuck = [instance.raw(b"GET /tests HTTP/1.1\r\nX-Slow: ") for _ in range(given.connections)]
            time.sleep(1)
            began = time.monotonic()
            try:
                status = str(instance.call("GET", "/tests").status)
            except OSError as error:
                status = type(error).__name__
            elapsed_s = time.monotonic() - began
            print(f"{name}: GET beside {given.connections} half-sent requests: {status} in {elapsed_s:.3f} s")
            for connection in stuck:
                connection.close()


def main() -> None:
    """Run what was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = {"throughput": throughput, "workers": workers, "hold": keep, "slow": slow}
    options.add_argument("command", choices=commands)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int)
    options.add_argument("--connections", type=int)
    given = options.parse_args()
    given.seconds = given.seconds or (30 if given.command == "hold" else 5)
    given.connections = given.connections or (64 if given.command == "slow" else 10_000)
    commands[given.command](given)


if __name__ == "__main__":
    main()
