"""The search for the capacity on the master: its goal from the plan, its judge from the run."""

from __future__ import annotations

from typing import Any

from loadlab.analysis import slo
from loadlab.analysis.recording import Run, Status
from loadlab.analysis.search import Goal, Search
from loadlab.plan import RunPlan


def make(plan: RunPlan) -> Search:
    """Return a search that is at its beginning."""
    from loadlab.analysis.steps import judge  # numpy and scipy: for those who search only

    assert plan.time_s is not None
    precision = plan.precision_percent / 100
    goal = Goal(min(plan.start_users, plan.users), plan.users, precision, plan.time_s, plan.spawn_rate)
    promises = plan.parsed_slos
    run = Run("", Status.RUNNING, {}, slo.thresholds_us(promises), 0.0)
    return Search(goal, lambda window, users: judge(run, promises, window, users))


def document(search: Search) -> dict[str, Any]:
    """Return how a search is going, for people who watch."""
    return {
        "state": search.state,
        "held_users": search.low,
        "broke_users": search.high,
        "most_users": search.goal.most,
        "steps": [
            {
                "number": step.number,
                "phase": step.phase,
                "attempt": step.attempt,
                "users": step.users,
                "outcome": step.outcome,
                "reason": step.reason,
            }
            for step in search.steps
        ],
    }
