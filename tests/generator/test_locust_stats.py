"""Locust's own figures are those that its own listener would have written, a second later."""

from __future__ import annotations

import random
import time
from typing import Any, cast

import pytest
from locust.env import Environment
from locust.runners import LocalRunner, WorkerRunner
from locust.stats import RequestStats, StatsEntry

from loadlab.generator import locust_stats
from loadlab.generator.recorder import Recorder
from tests.generator.fakes import Clock

FIELDS = ("num_requests", "num_failures", "num_none_requests", "total_content_length")


def events(number: int) -> list[dict[str, Any]]:
    """Return the arguments of so many request events, of two endpoints, some of them failures, one without a time."""
    dealt = random.Random(1)
    made: list[dict[str, Any]] = [
        {
            "request_type": "GET",
            "name": dealt.choice(["/a", "/b"]),
            "response_time": dealt.lognormvariate(3, 1.5),
            "response_length": dealt.randint(0, 500),
            "exception": ValueError("no") if dealt.random() < 0.1 else None,
        }
        for _ in range(number)
    ]
    made[0]["response_time"] = None
    return made


def runner_of(environment: Environment) -> LocalRunner:
    """Return a runner, whose listener Locust hangs on the environment's events."""
    return LocalRunner(environment)


def test_they_are_what_locusts_own_listener_writes() -> None:
    """Counts, sums, extremes and failures are the same; each response time is in the same bucket or the next."""
    own, fed = Environment(), Environment()
    theirs, ours = runner_of(own), runner_of(fed)
    clock = Clock(100.0)
    recorder = Recorder(clock)
    fed.events.request.add_listener(recorder.on_request)
    locust_stats.attach(fed, cast(WorkerRunner, ours), recorder)
    for number, event in enumerate(events(3000)):
        own.events.request.fire(**event)
        clock.now = 100.0 + number / 1000
        fed.events.request.fire(**event)
    recorder.take(everything=True)
    for name in ("/a", "/b", None):
        compare(entry(theirs.stats, name), entry(ours.stats, name))
    assert {key: one.occurrences for key, one in ours.stats.errors.items()} == {
        key: one.occurrences for key, one in theirs.stats.errors.items()
    }


def entry(stats: RequestStats, name: str | None) -> StatsEntry:
    """Return the entry of an endpoint, or that of all."""
    return stats.total if name is None else stats.entries[name, "GET"]


def compare(theirs: StatsEntry, ours: StatsEntry) -> None:
    """Compare two entries."""
    for field in FIELDS:
        assert getattr(ours, field) == getattr(theirs, field), field
    assert ours.total_response_time == pytest.approx(theirs.total_response_time, rel=0.001)
    assert ours.min_response_time == pytest.approx(theirs.min_response_time, rel=0.004, abs=0.001)
    assert ours.max_response_time == pytest.approx(theirs.max_response_time, abs=0.001)
    assert sum(ours.response_times.values()) == sum(theirs.response_times.values())
    assert sum(ours.num_reqs_per_sec.values()) == ours.num_requests
    for percent in (0.5, 0.95, 0.99):
        seen, meant = ours.get_response_time_percentile(percent), theirs.get_response_time_percentile(percent)
        assert seen == pytest.approx(meant, rel=0.06, abs=1)  # Locust's own steps are up to 5% wide


def test_a_second_has_its_own_time() -> None:
    """What was recorded three seconds ago is in that second, for the page's requests per second."""
    environment = Environment()
    runner = runner_of(environment)
    clock = Clock(50.0)
    recorder = Recorder(clock)
    recorder.on_over = locust_stats.Feed(runner.stats, clock).add
    recorder.on_request("GET", "/", 5.0, 10)
    clock.now = 53.0
    recorder.take()
    (second,) = runner.stats.total.num_reqs_per_sec
    assert second - (time.time() - 3) == pytest.approx(0, abs=1.5)


def test_another_locust_is_refused() -> None:
    """Without the listener that is to be replaced each request would be counted twice, or never."""
    environment = Environment()
    with pytest.raises(RuntimeError, match="Locust"):
        locust_stats.attach(environment, cast(WorkerRunner, None), Recorder())
