"""Feeds Locust's own statistics on a worker from what the recorder has counted, a second at a time.

Locust's listener writes each request into two of its entries, which costs more than the recorder and the parsing of the
answer together. Its page shows the same figures, a second later; response times are those of the recorder's buckets,
within 0.4%, before Locust rounds them to two digits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

from locust import stats as locust_stats
from locust.env import Environment
from locust.runners import WorkerRunner
from locust.stats import RequestStats, StatsEntry

from loadlab.analysis.histogram import middle_of
from loadlab.generator.recorder import Recorder, Tallies, Tally

OWN_LISTENER = "Runner.__init__.<locals>.on_request"


class Feed:
    """Adds tallies to the statistics of a worker."""

    def __init__(self, stats: RequestStats, clock: Callable[[], float] = time.perf_counter) -> None:
        self._stats = stats
        self._clock = clock

    def add(self, began: float, tallies: Tallies) -> None:
        """Add a second that began at a time of the clock."""
        at = time.time() - (self._clock() - began)
        for (method, name), tally in tallies.items():
            for entry in (self._stats.total, self._stats.entries[name, method]):
                add(entry, tally, at)


def add(entry: StatsEntry, tally: Tally, at: float) -> None:
    """Add a tally to an entry; `at` is the second's start, in Unix seconds."""
    requests, failures = sum(tally.ok.values()), sum(tally.failed.values())
    second = int(at)
    entry.num_requests += requests + failures
    entry.num_none_requests += tally.untimed
    entry.num_reqs_per_sec[second] += requests + failures
    entry.last_request_timestamp = max(entry.last_request_timestamp or 0.0, at)
    taken_ms = (tally.ok_sum + tally.failed_sum) / 1000
    entry.total_response_time += taken_ms  # type: ignore[assignment] # Locust adds such numbers, too
    entry.total_content_length += tally.bytes
    if requests + failures > tally.untimed:
        least = _least_us(tally) / 1000
        longest = max(tally.ok_max, tally.failed_max) / 1000
        known = entry.min_response_time
        entry.min_response_time = least if known is None else min(known, least)  # type: ignore[assignment]
        entry.max_response_time = max(entry.max_response_time, longest)  # type: ignore[assignment]
    times = entry.response_times
    for counts in (tally.ok, tally.failed):
        for bucket, count in counts.items():
            times[_rounded_ms(bucket)] += count
    if tally.untimed:
        times[0] -= tally.untimed  # where the recorder has them


def _least_us(tally: Tally) -> float:
    """Return the least time, those aside that have none, which the recorder takes for 0."""
    if not tally.untimed:
        return min(tally.ok_min, tally.failed_min)
    return middle_of(min(bucket for bucket in (*tally.ok, *tally.failed) if bucket))


@cache
def _rounded_ms(bucket: int) -> int:
    """Return a bucket's time as Locust rounds it."""
    return int(locust_stats.bucket_response_time(middle_of(bucket) / 1000))


def attach(environment: Environment, runner: WorkerRunner, recorder: Recorder) -> None:
    """Have the recorder feed this worker's statistics, in place of Locust's own listener.

    Raises:
        RuntimeError: this Locust has no such listener.
    """
    handlers = environment.events.request._handlers
    own = [handler for handler in handlers if getattr(handler, "__qualname__", "") == OWN_LISTENER]
    if not own:
        raise RuntimeError(f"Locust's own listener {OWN_LISTENER} is not there: this needs Locust 2.47.0")
    for handler in own:
        handlers.remove(handler)
    recorder.on_over = Feed(runner.stats).add
    recorder.on_failure = runner.stats.log_error
