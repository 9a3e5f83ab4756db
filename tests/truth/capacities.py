"""Targets whose capacity queueing theory knows, and searches for it: the tests do one, bench/capacity repeats them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loadlab.analysis.summary import Capacity, Level
from tests.truth.experiments import Figures, Lab
from tests.truth.queueing import exponential_capacity, fixed_capacity
from tests.truth.runs import Measured

LIMIT_MS = 450
SLOTS, SERVICE_MS = 16, 40
FIXED_MS = 44  # ten of them are just below the limit
OFF_MOST = 0.05
SEARCH_S = 360.0


@dataclass(frozen=True)
class Known:
    """A target, the users who load it, and the most of them that it takes with p95 below `LIMIT_MS`."""

    control: dict[str, Any]
    scenario: str
    users: int


KNOWN = {
    "fixed": Known(
        {"slots": SLOTS, "delay": {"kind": "fixed", "ms": FIXED_MS}},
        "busy",
        fixed_capacity(SLOTS, FIXED_MS, LIMIT_MS),
    ),
    "exponential": Known(
        {"slots": SLOTS, "random": True, "delay": {"kind": "exponential", "ms": SERVICE_MS}},
        "busy",
        exponential_capacity(SLOTS, SERVICE_MS, 0, LIMIT_MS),
    ),
    "thinking": Known(
        {"slots": SLOTS, "random": True, "delay": {"kind": "exponential", "ms": SERVICE_MS}},
        "thinking",
        exponential_capacity(SLOTS, SERVICE_MS, 1000, LIMIT_MS),
    ),
}


def search(lab: Lab, name: str, **plan: Any) -> tuple[Measured, Capacity]:
    """Search for the capacity of a known target."""
    known = KNOWN[name]
    lab.truth.control(reset=True, **known.control)
    asked = {"shape": "capacity", "users": 10_000, "spawn_rate": 50, "slos": [f"p95<{LIMIT_MS}ms", "fail<1%"]}
    measured = lab.measure(SEARCH_S + 20, **{**asked, "scenario": known.scenario, **plan})
    assert measured.summary.capacity is not None
    return measured, measured.summary.capacity


def found(lab: Lab, name: str) -> Figures:
    """The capacity that is found is the one that theory knows, to within 5%, in six minutes."""
    measured, capacity = search(lab, name)
    truth = KNOWN[name].users
    duration_s = measured.recording.run.duration_s or 0.0
    figures = {
        "truth": truth,
        "found": capacity.users,
        "bracket": [capacity.held_users, capacity.broke_users],
        "throughput_rps": round(capacity.throughput_rps or 0.0, 1),
        "ending": capacity.ending,
        "confirmed": capacity.confirmed,
        "took_s": round(duration_s),
        "steps": len(capacity.steps),
    }
    said = f"{figures}: {measured.summary.headline}"
    assert capacity.users is not None, said
    assert abs(capacity.users / truth - 1) <= OFF_MOST, said
    assert capacity.confirmed, said
    assert measured.summary.exit_code == 0, said
    assert duration_s <= SEARCH_S + 5, said
    return figures | {"off_percent": round(100 * (capacity.users / truth - 1), 1)}


def beyond_reach(lab: Lab) -> Figures:
    """A target that never breaks its promise within the generator's reach has no capacity that could be told."""
    lab.truth.control(reset=True, slots=0, delay={"kind": "instant"})
    # Users of FastHttpUser, ten requests a second each: the workers are at their end long before the target.
    asked = {"shape": "capacity", "users": 10_000, "spawn_rate": 50, "slos": ["p95<30000ms"], "scenario": "brisk"}
    measured = lab.measure(SEARCH_S + 20, **asked)
    capacity = measured.summary.capacity
    assert capacity is not None
    assert capacity.ending == "generator-limited", measured.summary.headline
    assert (capacity.users, measured.summary.exit_code) == (None, 98)
    assert capacity.held_users > 0
    assert measured.summary.validity.level is Level.INVALID
    assert "Generator-limited at" in measured.summary.headline
    return {"headline": measured.summary.headline}
