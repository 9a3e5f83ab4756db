"""Sweeps made by hand, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from loadlab.analysis import scaling
from loadlab.analysis.summary import Level, Reason, Verdict
from loadlab.analysis.sweep import Axis, Figures, Point, Searched, State, Sweep, SweepStatus

NO_CPU = Reason("cpu", Level.INVALID, "The workers had no CPU left: 1 of 1 worker used over 90%.")
SHORT = Reason("users-short", Level.INVALID, "The load was 20% below what was asked for.")
UNMEASURED = Reason("generator-limited", Level.INVALID, "Generator-limited at 160 users; 80 users held: no CPU left.")
FOUND = Searched(
    ending="found",
    users=120,
    confirmed=True,
    held_users=120,
    broke_users=123,
    limiting="p95<450ms",
    sentence="With p95<450ms this target takes 120 users and 400 requests/s on this machine; at 123 users it broke",
)
NONE = {
    "ending": "none-held",
    "users": None,
    "confirmed": False,
    "sentence": "With p95<450ms this target takes not even one user: p95<450ms broke",
}
GOOD = Figures(
    users=200,
    throughput_rps=400.0,
    p50_ms=40.0,
    p95_ms=110.0,
    p99_ms=180.0,
    fail_percent=0.0,
    in_flight=120.0,
    verdict=Verdict.PASS,
    validity=Level.VALID,
    doubts=(),
    exit_code=0,
    headline="PASS: 200 users, 400 requests/s",
    generator_cores=0.4,
    target_cores=0.6,
    machine_percent=55.0,
)


def figures(throughput_rps: float, **changes: Any) -> Figures:
    """Return figures of a good run, with some changed."""
    return replace(GOOD, throughput_rps=throughput_rps, **changes)


def invalid(throughput_rps: float, *reasons: Reason) -> Figures:
    """Return figures of a run that cannot be believed."""
    broken = {"verdict": Verdict.NONE, "validity": Level.INVALID, "exit_code": 98}
    return figures(throughput_rps, doubts=reasons or (NO_CPU,), **broken)


def capacity(users: int, throughput_rps: float, **changes: Any) -> Figures:
    """Return figures of a search that found so many users to hold the promises."""
    found = replace(FOUND, users=users, held_users=users, broke_users=users + 3)
    return figures(throughput_rps, **({"users": users, "search": found} | changes))


def no_capacity(throughput_rps: float, *reasons: Reason, **changes: Any) -> Figures:
    """Return figures of a search to no avail: not one user held, or its measurement was invalid for some reasons."""
    search = replace(FOUND, **(NONE | changes))
    if reasons:
        return replace(invalid(throughput_rps, *reasons), search=search)
    return figures(throughput_rps, users=1, search=search, verdict=Verdict.FAIL, exit_code=99)


def point(count: int, given: Figures | None, repeat: int = 1) -> Point:
    """Return a point that was measured; one without figures has failed."""
    run = f"20260102-0304{count:02}-sweep-{repeat}"
    if given is None:
        return Point(count, repeat, State.FAILED, error="The rig was not ready within 120 s.")
    return Point(count, repeat, State.MEASURED, run, figures=given)


def sweep(points: Mapping[int, Figures | float | None] | list[Point], **changes: Any) -> Sweep:
    """Return a finished sweep of workers; a number is the throughput of a good run, None a point that failed."""
    if not isinstance(points, list):
        points = [
            point(count, figures(given) if isinstance(given, int | float) else given) for count, given in points.items()
        ]
    made = Sweep(
        id="20260102-030400-sweep",
        name="",
        axis=Axis.WORKERS,
        counts=tuple(dict.fromkeys(one.count for one in points)),
        repeats=max(one.repeat for one in points),
        others=1,
        plan={"users": 200, "spawn_rate": 50.0, "time_s": 60.0, "shape": "steady", "slos": ["p95<450ms", "fail<1%"]},
        engine="compose",
        balancer="dns",
        cores=2,
        is_shared=True,
        created=1_767_323_040.0,
        status=SweepStatus.FINISHED,
        points=tuple(points),
        ended=1_767_323_440.0,
    )
    return replace(made, **changes)


def searches(points: Mapping[int, Figures | float | None] | list[Point], **changes: Any) -> Sweep:
    """Return a finished sweep whose points are searches for the capacity."""
    made = sweep(points)
    return replace(made, plan={**made.plan, "users": 10_000, "shape": "capacity"}, **changes)


def finished(given: Sweep) -> Sweep:
    """Return a sweep with what it means and its exit code."""
    return replace(given, scaling=scaling.scale(given), exit_code=scaling.exit_code(given))
