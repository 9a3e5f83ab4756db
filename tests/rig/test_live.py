"""The view of a run while it goes: on 80 columns, whatever the figures are."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from loadlab.analysis.recording import Status
from loadlab.commands import live
from loadlab.plan import make
from tests import searches
from tests.rig.fakes import LIVE, document


def drawn(document: dict[str, Any], width: int = 80, said: str = "") -> list[str]:
    """Return the lines of the panel on a terminal of so many columns."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for part in live.panel(document, said, width):
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


def going(**changes: Any) -> dict[str, Any]:
    """Return a run that is on, with some figures of its own."""
    return document(Status.RUNNING, live=copy.deepcopy(LIVE) | changes)


def test_all_that_a_person_asks_for_is_there() -> None:
    """Time left, users, workers, throughput, percentiles, failures, promises and validity, each with its unit."""
    lines = drawn(going())
    assert lines[0].endswith("0:42 of 1:02, 0:20 left")
    assert lines[1:7] == [
        "state        running",
        "users        20 of 20   workers 2 of 2",
        "requests     20.4/s   in all 840   failed 3 (0.36%)",
        "answers in   p50 4.10 ms   p95 12.0 ms   p99 31.4 ms   of the last 5 s",
        "SLOs so far  ✓ p95<450ms  12.0 ms",
        "             ✓ fail<1%  0.36%",
    ]
    assert lines[7:] == ["validity     valid", ""]


def test_trouble_is_said() -> None:
    """A broken promise, one without samples, and why the measurement is in doubt."""
    slos = [
        {"text": "p95<450ms", "outcome": "fail", "measured": 481.0, "unit": "ms"},
        {"text": "POST /tests: p99<800ms", "outcome": "insufficient samples", "measured": None, "unit": "ms"},
    ]
    reasons = [f"worker {number} does not answer" for number in range(1, 8)]
    lines = drawn(going(slos=slos, validity={"level": "degraded", "reasons": reasons}))
    assert "SLOs so far  ✗ p95<450ms  481 ms" in lines
    assert "             ? POST /tests: p99<800ms  no sample yet" in lines
    assert lines[-7:-1] == [
        "validity     degraded",
        *[f"             · worker {number} does not answer" for number in range(1, 5)],
        "             · and 3 more",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits(width: int) -> None:
    """Large figures and long reasons are wrapped, not cut, and the last line is empty: ^C is written there."""
    big = going(
        users=1_000_000,
        target_users=1_000_000,
        requests=123_456_789,
        failures=123_456,
        throughput_rps=123_456.7,
        p99_ms=59_000.0,
        planned_s=30 * 86_400.0,
        validity={"level": "invalid", "reasons": ["it " + "really " * 40 + "is so"]},
    )
    lines = drawn(big, width, "Stopping: requests on their way may finish (at most 40 s). Ctrl-C gives up.")
    assert max(len(line) for line in lines) <= width
    assert sum(line.count("really") for line in lines) == 40
    assert lines[-1] == ""


@pytest.mark.parametrize("status", list(Status))
def test_every_state_has_its_words(status: Status) -> None:
    """From waiting to aborted, with and without figures, drawn and as a line."""
    for figures in (LIVE, None):
        shown = document(status) | {"live": figures}
        assert drawn(shown)
        assert live.line(shown)


def test_a_run_without_an_end_or_samples() -> None:
    """A user's own shape has no planned end, and at first there are no answers: no bar, and no figures made up."""
    start = going(planned_s=None, stages=None, stage=0, p50_ms=None, p95_ms=None, p99_ms=None, fail_percent=None)
    assert "until it is stopped" in drawn(start)[0]
    assert "p95 -" in live.line(start)


def test_what_a_master_says_cannot_control_the_terminal() -> None:
    """Escape sequences in reasons or SLO texts, which come from elsewhere, are not sent on."""
    evil = "\x1b]0;owned\x07\x1b[2J"
    slos = [{"text": evil, "outcome": "pass", "measured": 1.0, "unit": "ms"}]
    shown = going(slos=slos, validity={"level": "degraded", "reasons": [evil]})
    assert "\x1b" not in "".join(drawn(shown)) + live.line(shown)


def test_a_plan_in_a_line() -> None:
    """What is about to happen, in words and units."""
    plan = make({"users": 200, "spawn_rate": 50, "time_s": 90, "shape": "spike", "workers": 1})
    assert live.describe(plan) == "spike, 200 users, 50 users/s, 1 min 30 s, 1 worker"


def searched(t: int, recording: str = "found") -> dict[str, Any]:
    """Return a search that has gone on for so many seconds."""
    return going(search=searches.document(getattr(searches, recording)(), t), planned_s=360.0, stages=None)


def squeezed(document: dict[str, Any]) -> list[str]:
    """Return the lines of the panel with single spaces."""
    return [" ".join(line.split()) for line in drawn(document)]


def test_a_search_shows_its_step_its_bracket_and_its_steps() -> None:
    """What is tried and what for, what is known, each step as a mark and its users, and why the last one ended."""
    lines = squeezed(searched(105))
    assert lines[0].endswith("0:42 of at most 6:00, 5:18 left")
    assert lines[1:6] == [
        "state running",
        "search step 8 (bisect) at 125 users: it settles",
        "bracket 120 held, 130 broke; at most 2,000 are tried",
        "steps ✓ 20 ✓ 40 ✓ 80 ✗ 160 ✓ 120 ✗ 140 ✗ 130",
        "last step ✗ 130 users: p95<100ms: 594 of 7,611 successes (7.8%) took 100 ms or",
    ]
    assert "SLOs, step ✓ p95<450ms 12.0 ms" in lines


def test_a_search_at_its_beginning_and_at_its_end() -> None:
    """Nothing is claimed of nothing; many steps are cut to the last ones; the line for pipes says it, too."""
    start = squeezed(searched(2))
    assert "search step 1 (grow) at 20 users: it settles" in start
    assert "bracket none held, none broke; at most 2,000 are tried" in start
    assert not any(line.startswith(("steps", "last step")) for line in start)
    end = squeezed(searched(199))
    assert "search step 10 (confirm) at 122 users: the search is over" in end
    assert any(line.startswith("steps ... ✓ 80 ✗ 160") and line.endswith("✓ 122 ✓ 122") for line in end)
    assert "step 8 (bisect) at 125 users, 120 held, 130 broke" in live.line(searched(105))


def test_a_search_whose_target_collapsed() -> None:
    """It is marked, and said that it is waited for."""
    lines = squeezed(searched(30, "collapsed"))
    assert "search step 3 (grow) at 80 users: the target collapsed, and is waited for" in lines
    assert any("✓ 40 ! 80" in line for line in lines)
    assert "last step ! 80 users: the target collapsed: 100% of the answers failed for 3 s" in lines


def test_a_step_that_is_tried_again_says_so() -> None:
    """With what was wrong with the first try."""
    lines = squeezed(searched(47, "limited"))
    assert "search step 5 (grow) at 160 users, again: it settles" in lines
    assert any("∅ 160" in line for line in lines)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_search_fits(width: int) -> None:
    """Whatever it is at."""
    for t in range(0, 199, 9):
        lines = drawn(searched(t), width)
        assert max(len(line) for line in lines) <= width


def test_what_a_search_says_cannot_control_the_terminal() -> None:
    """Reasons hold names that come from elsewhere."""
    shown = searched(105)
    for step in shown["live"]["search"]["steps"]:
        step["reason"] = "\x1b[2J"
    assert "\x1b" not in "".join(drawn(shown)) + live.line(shown)


def test_one_worker_is_no_plural() -> None:
    """Nor is one user."""
    told = live.line(going(users=0, target_users=1, workers_ready=1, workers_expected=1))
    assert "0 of 1 user, 1 of 1 worker, " in told
