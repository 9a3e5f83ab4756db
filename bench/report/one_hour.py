"""How long a run of an hour takes to be analysed and reported, and how large its files are.

    .lab/venv/bin/python bench/report/one_hour.py
    .lab/venv/bin/python bench/report/one_hour.py --throughput 1000 5000

The run is a synthetic one of 10 endpoints, 8 workers and a target of two instances, with all that LeanHttpUser and the
rig's own API tell. Each time is of a fresh process,
its imports included, as the master and `./lab` start it. CPU time is what is held against the bounds: on a machine that
has nothing else to do, it is the time that passes. Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests import hours  # noqa: E402
from tests.report import folders  # noqa: E402

MB = 1_000_000
SCRIPT = """
import pathlib, sys, time
def now(): return time.process_time(), time.perf_counter()
marks = [now()]
from loadlab.analysis import summarise
from loadlab.runfolder import RunFolder
folder = RunFolder(pathlib.Path(sys.argv[1]))
recording = folder.read()
marks.append(now())
summary = summarise.summarise(recording)
marks.append(now())
from loadlab.report import html, junit
folder.write_summary(summary)
folder.write_report(junit=junit.document(summary, recording.run), html=html.page(recording, summary))
marks.append(now())
for before, after in zip(marks, marks[1:]):
    print(after[0] - before[0], after[1] - before[1])
"""


class Line(NamedTuple):
    """A figure, what is beside it, and the bound that it has to keep, if any."""

    what: str
    value: float
    unit: str
    bound: float | None = None
    passed_s: float | None = None

    @property
    def is_kept(self) -> bool:
        """Tell whether the bound is kept."""
        return self.bound is None or self.value <= self.bound

    @property
    def row(self) -> str:
        """Return a row of the table."""
        passed = f" ({self.passed_s:.2f} s passed)" if self.passed_s is not None else ""
        bound = f"{self.bound:g} {self.unit}" if self.bound is not None else ""
        return f"| {self.what} | {self.value:.2f} {self.unit}{passed} | {bound} |"


def measure(path: Path) -> list[Line]:
    """Return the times of reading, analysing and reporting a folder, in a process of its own, and its files' sizes."""
    command = [sys.executable, "-c", SCRIPT, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    (read, read_s), (analysis, analysis_s), (report, report_s) = (
        tuple(map(float, line.split())) for line in done.stdout.splitlines()
    )
    sizes = {file.name: file.stat().st_size / MB for file in path.iterdir()}
    return [
        Line("read the folder", read, "s", None, read_s),
        Line("summarise", analysis, "s", None, analysis_s),
        Line("analysed: both together", read + analysis, "s", 5, read_s + analysis_s),
        Line("reported: summary.json, junit.xml, report.html", report, "s", 5, report_s),
        Line("timeline.jsonl", sizes["timeline.jsonl"], "MB", 20),
        Line("report.html", sizes["report.html"], "MB", 3),
        Line("summary.json", sizes["summary.json"], "MB"),
    ]


def main() -> int:
    """Make a run of each throughput, measure it, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--endpoints", type=int, default=10)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--instances", type=int, default=2, help="of the target; 0: it tells nothing")
    parser.add_argument("--throughput", type=int, nargs="+", default=[1000], help="requests/s, a run of each")
    options = parser.parse_args()
    good = True
    for throughput in options.throughput:
        buckets = throughput // options.endpoints // 2  # a cell of so many has twice as many requests
        recording = hours.hour(options.seconds, options.endpoints, options.workers, buckets, options.instances)
        with tempfile.TemporaryDirectory() as root:
            lines = measure(folders.write(recording, Path(root)).path)
        print(f"| {throughput:,} requests/s | measured | bound |\n| --- | --- | --- |")
        print("\n".join(line.row for line in lines), flush=True)
        good &= all(line.is_kept for line in lines)
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
