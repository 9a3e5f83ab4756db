"""A Locust master and its workers as plain processes, loadlab beside the locustfile or not: what benchmarks share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from null_target import GENERATOR_CORE, ROOT, TARGET_CORE, ask, free_ports, process, until

from loadlab.analysis.recording import ENDS
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Summary
from loadlab.runfolder import RunFolder, folders

LOCUSTFILE = str(ROOT / "bench/generator/locustfile.py")
PLUGIN = str(ROOT / "loadlab/generator/beside.py")
TICKS = os.sysconf("SC_CLK_TCK")
ENDS_WITHIN_S = 60.0


@dataclass
class Fleet:
    """What is up: the master's UI, the workers' processes, and where runs are recorded."""

    ui: str
    workers: list[subprocess.Popen[bytes]]
    results: Path
    log: Path

    def swarm(self, users: int, spawn_rate: float, url: str) -> None:
        """Start users."""
        ask(f"{self.ui}/swarm", user_count=users, spawn_rate=spawn_rate, host=url)

    def running(self) -> int:
        """Return how many users run."""
        return int(json.loads(ask(f"{self.ui}/stats/requests"))["user_count"])

    def fail_ratio(self) -> float:
        """Return the share of requests that failed so far, 0-1."""
        return float(json.loads(ask(f"{self.ui}/stats/requests"))["fail_ratio"])

    def stop(self) -> None:
        """Stop the users."""
        ask(f"{self.ui}/stop", reason="enough")

    def recorded(self) -> Summary:
        """Return what the last run means, once it is over."""
        folder: RunFolder = until("a recorded run", lambda: folders(self.results))[0]
        until("the run's end", lambda: folder.read_run().status in ENDS, ENDS_WITHIN_S)
        return summarise(folder.read())


@contextmanager
def fleet(
    folder: Path,
    url: str,
    *,
    workers: int = 1,
    core: int | None = GENERATOR_CORE,
    is_recorded: bool = True,
    **environment: Any,
) -> Iterator[Fleet]:
    """Bring a master and workers up, each worker on a core (None: any), the master on the target's, and end them."""
    web, control = free_ports(), free_ports()
    files = f"{PLUGIN},{LOCUSTFILE}" if is_recorded else LOCUSTFILE
    locust = (sys.executable, "-m", "locust", "-f", files, "--loglevel", "WARNING")
    results, log = folder / "results", folder / "locust.log"
    own = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "RESULTS_DIR": str(results),
        "LOCUST_HOST": url,
        "SLO": "p95<450ms",
        "TARGET_METRICS": "http://127.0.0.1:9/",  # nobody is there: the target, which counts, is not watched
        **{name: str(value) for name, value in environment.items()},
    }
    with ExitStack() as running:
        master = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(control))
        web_options = ("--web-host", "127.0.0.1", "--web-port", str(web))
        running.enter_context(process(TARGET_CORE, *locust, *master, *web_options, log=log, **own))
        joins = ("--worker", "--master-host", "127.0.0.1", "--master-port", str(control))
        children = [running.enter_context(process(core, *locust, *joins, log=log, **own)) for _ in range(workers)]
        ui = f"http://127.0.0.1:{web}"
        until("the workers", lambda: len(json.loads(ask(f"{ui}/stats/requests"))["workers"]) == workers)
        yield Fleet(ui, children, results, log)
    shutil.rmtree(results, ignore_errors=True)


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far, user's and system's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
