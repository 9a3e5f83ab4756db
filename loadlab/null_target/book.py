"""What the processes of a null target count, and the page that tells it."""

from __future__ import annotations

import mmap
import time

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other")
WAYS = ("replayed", "made up")
WIDTH = len(METHODS) * len(WAYS) + 1  # the last one is the CPU time, in ns


def slot(method: str, *, is_made_up: bool) -> int:
    """Return the counter of the answers to a method that are the target's, or made up."""
    return METHODS.index(method if method in METHODS else "other") + len(METHODS) * is_made_up


class Book:
    """Counters of all processes, in memory that they share; `own` are those of this one, which has a number from 0."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._all = memoryview(mmap.mmap(-1, processes * WIDTH * 8)).cast("Q")
        self.belong_to(0)

    def belong_to(self, process: int) -> None:
        """Count for one of the processes from now on."""
        self.own = self._all[process * WIDTH : (process + 1) * WIDTH]

    def tick(self) -> None:
        """Note how much CPU time this process has used."""
        self.own[-1] = time.process_time_ns()

    def page(self) -> bytes:
        """Return what all of them counted, as a Prometheus page."""
        self.tick()
        *counts, cpu_ns = [sum(self._all[place::WIDTH]) for place in range(WIDTH)]
        lines = ["# TYPE null_requests_total counter"]
        for place, count in enumerate(counts):
            way, method = divmod(place, len(METHODS))
            if count:
                lines.append(f'null_requests_total{{method="{METHODS[method]}",route="({WAYS[way]})"}} {count}')
        lines += ["# TYPE process_cpu_seconds_total counter", f"process_cpu_seconds_total {cpu_ns / 1e9:.6f}"]
        lines += ["# TYPE container_cpu_limit_cores gauge", f"container_cpu_limit_cores {self.processes}", ""]
        return "\n".join(lines).encode()
