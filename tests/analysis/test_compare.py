"""Two sides compared: what is called a difference and what is not, and how often wrongly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from loadlab.analysis.compare import compare
from loadlab.analysis.comparison import Change, Comparison, Figure, Outcome
from loadlab.analysis.likeness import Measured
from loadlab.analysis.slo import Outcome as Kept
from loadlab.errors import Exit
from tests import pairs
from tests.recordings import EndpointRecipe, Recipe, burst, lognormal

PAIRS = 40


def figure(comparison: Comparison, metric: str, name: str | None = None) -> Figure:
    """Return one figure."""
    return next(one for one in comparison.figures if (one.metric, one.name) == (metric, name))


def test_a_slower_target_is_worse() -> None:
    """Every time of it, of all together and of each endpoint; the headline says p95 first."""
    slow = [EndpointRecipe("GET", "/tests", 0.8, lognormal(15)), EndpointRecipe("POST", "/tests", 0.2, lognormal(35))]
    a = pairs.of_recipe(Recipe(steps=((80, 60),)))
    b = pairs.of_recipe(Recipe(steps=((80, 60),), seed=2, endpoints=slow))
    found = compare([a], [b])
    assert (found.outcome, found.exit_code) == (Outcome.WORSE, Exit.SLO_FAILED)
    assert found.headline.startswith("WORSE: p95 from 36")
    assert "% (+" in found.headline
    assert {figure(found, metric).change for metric in ("p50", "p95", "mean")} == {Change.WORSE}
    assert [(one.method, one.name) for one in found.figures[::6]] == [
        (None, None),
        ("GET", "/tests"),
        ("POST", "/tests"),
    ]
    mean = figure(found, "mean")
    assert mean.a is not None
    assert mean.b is not None
    assert mean.difference == mean.b - mean.a > 3
    assert figure(found, "rps").change is Change.NONE  # users who wait a second between two requests


def test_the_other_way_round_it_is_better() -> None:
    """What A gained over B, B lost: the same figures, and nothing to fail for."""
    a, b = pairs.run(1), pairs.run(2, median_ms=60)
    there, back = compare([a], [b]), compare([b], [a])
    assert (there.outcome, back.outcome) == (Outcome.WORSE, Outcome.BETTER)
    assert back.exit_code == Exit.OK
    for one, other in zip(there.figures, back.figures, strict=True):
        assert one.hidden_below == pytest.approx(other.hidden_below)
        assert one.difference == pytest.approx(-(other.difference or 0))


def test_the_same_runs_give_the_same_comparison() -> None:
    """To the last digit."""
    a, b = pairs.run(1), pairs.run(2)
    assert compare([a], [b]) == compare([a], [b])


@pytest.mark.slow
@pytest.mark.parametrize(("hold_s", "swing"), [(60, 0.05), (30, 0.04)])
def test_identical_runs_are_seldom_called_different(hold_s: float, swing: float) -> None:
    """Of forty pairs whose target swings, and differs by 1.5% from run to run, at most one has any difference."""
    outcomes = Counter(
        compare([pairs.run(2 * n, hold_s=hold_s, swing=swing, of_run=0.015)],
                [pairs.run(2 * n + 1, hold_s=hold_s, swing=swing, of_run=0.015)]).outcome
        for n in range(PAIRS)
    )  # fmt: skip
    assert outcomes[Outcome.NONE] >= PAIRS - 1, outcomes


@pytest.mark.parametrize(("hold_s", "swing"), [(60, 0.04), (30, 0.02)])
def test_a_target_that_is_a_fifth_slower_is_found(hold_s: float, swing: float) -> None:
    """Ten times of ten, with 50 users who ask once a second, and runs of 30 and 60 s."""
    for n in range(10):
        a = pairs.run(2 * n, hold_s=hold_s, swing=swing, of_run=0.01)
        b = pairs.run(2 * n + 1, hold_s=hold_s, swing=swing, of_run=0.01, median_ms=48)
        assert compare([a], [b]).outcome is Outcome.WORSE, n


def test_a_pause_in_one_run_is_no_difference() -> None:
    """One second in which everything takes 2 s moves p99 and mean, and may happen to either side."""
    calm = pairs.run(1, swing=0.02)
    paused = pairs.recorded(2, swing=0.02)
    for one in paused.seconds:
        if one.t == 30:
            one.cells = [replace(cell, ok=pairs.slow_times(cell)) for cell in one.cells]
    found = compare([calm], [pairs.measured(paused)])
    assert (figure(found, "mean").change_percent or 0) > 30
    assert found.outcome is Outcome.NONE


def test_failures_are_told_in_points() -> None:
    """From none to 5% is worse, and beyond whatever is allowed; the same in one burst of a second is chance."""
    a = pairs.of_recipe(Recipe(steps=((100, 60),)))
    b = pairs.of_recipe(Recipe(steps=((100, 60),), seed=2, fails=lambda _t: 0.05))
    found = compare([a], [b], allow_percent=500)
    failures = figure(found, "fail")
    assert (failures.change, failures.interval_unit, failures.beyond_allowed) == (Change.WORSE, "points", True)
    assert failures.change_percent is None
    assert found.headline.startswith("WORSE: failures from 0% to 4.99%, +5.0 points (+4")
    c = pairs.of_recipe(Recipe(steps=((100, 60),), seed=3, fails=burst(30, 31, 1.0)))
    assert figure(compare([a], [c]), "fail").change is Change.NONE


def test_better_here_and_worse_there_is_mixed() -> None:
    """A regression of one endpoint is not made good by another."""

    def made(get_ms: float, post_ms: float, seed: int) -> Measured:
        ends = [
            EndpointRecipe("GET", "/a", 0.5, lognormal(get_ms)),
            EndpointRecipe("POST", "/b", 0.5, lognormal(post_ms)),
        ]
        return pairs.of_recipe(Recipe(steps=((80, 60),), endpoints=ends, seed=seed))

    found = compare([made(40, 40, 1)], [made(20, 60, 2)])
    assert (found.outcome, found.exit_code) == (Outcome.MIXED, Exit.SLO_FAILED)
    assert figure(found, "p50", "/a").change is Change.BETTER
    assert figure(found, "p50", "/b").change is Change.WORSE
    assert "are worse and" in found.headline or "is worse and" in found.headline


@pytest.mark.parametrize(("allow", "code"), [(0.0, Exit.SLO_FAILED), (10.0, Exit.SLO_FAILED), (90.0, Exit.OK)])
def test_what_is_allowed_decides_the_exit_code(allow: float, code: Exit) -> None:
    """50% slower is worse, whatever is allowed; it fails only beyond that."""
    found = compare([pairs.run(1)], [pairs.run(2, median_ms=60)], allow_percent=allow)
    assert (found.outcome, found.exit_code, found.allow_percent) == (Outcome.WORSE, code, allow)


def test_too_short_a_window_says_nothing() -> None:
    """No interval, no verdict, and the exit code of a measurement that says nothing; the values are told."""
    found = compare([pairs.run(1, hold_s=15)], [pairs.run(2, hold_s=15, median_ms=80)])
    assert (found.outcome, found.exit_code, found.method) == (Outcome.UNKNOWN, Exit.INVALID_MEASUREMENT, None)
    assert (figure(found, "p50").change_percent or 0) > 50
    assert found.headline == "CANNOT BE SAID: A was measured for less than 20 s; B was measured for less than 20 s"
    assert found.notes[0].startswith("At least 20 s")


def test_promises_have_the_figures_that_they_are_about() -> None:
    """A percentile that nobody else asks for is compared too; a single value is not. Of one endpoint, all is it."""
    slos = ("p97<450ms", "GET /tests: p95<100ms", "rps>10", "fail<1%", "max<2s", "GET /never: p95<9ms")
    a, b = (pairs.recorded(seed) for seed in (1, 2))
    for one in (a, b):
        one.run.slo = slos
    found = compare([pairs.measured(a)], [pairs.measured(b)])
    about = [found.figures[slo.figure] if slo.figure is not None else None for slo in found.slos]
    assert [one and (one.metric, one.name) for one in about] == [
        ("p97", None), ("p95", None), ("rps", None), ("fail", None), None, None,
    ]  # fmt: skip
    assert [slo.text for slo in found.slos] == list(slos)
    assert found.slos[0].a == Kept.PASS
    assert found.slos[5].b == Kept.INSUFFICIENT
    assert any(note.endswith("not the target's: max<2s.") for note in found.notes)


def test_a_promise_broken_in_b_is_told() -> None:
    """As both sides kept it; of several runs, the worst."""
    a, b = (pairs.recorded(seed, median_ms=ms) for seed, ms in ((1, 40), (2, 48)))
    for one in (a, b):
        one.run.slo = ("p50<44ms",)
    sides = pairs.measured(a), pairs.measured(b)
    (slo,) = compare([sides[0]], [sides[1]]).slos
    assert (slo.a, slo.b) == (Kept.PASS, Kept.FAIL)
    (mixed,) = compare([pairs.run(3)], list(sides)).slos[-1:]
    assert (mixed.a, mixed.b) == ("", Kept.FAIL)


def test_endpoints_of_one_side_are_named() -> None:
    """And left out; those of both are compared."""
    a, b = (pairs.of_recipe(Recipe(steps=((80, 60),), seed=seed)) for seed in (1, 2))
    for second in b.recording.seconds:
        for cell in second.cells:
            if cell.method == "POST":
                cell.name = "/renamed"
    found = compare([a], [b])
    assert {one.name for one in found.figures} == {None, "/tests"}
    assert {one.method for one in found.figures} == {None, "GET"}
    note = next(note for note in found.notes if note.startswith("Not compared"))
    assert "POST /renamed and POST /tests" in note


def test_throughput_of_users_who_wait_is_explained() -> None:
    """Where it changed: it follows the response times."""
    a, b = (pairs.of_recipe(Recipe(steps=((60, 60),), seed=seed, pace_s=pace)) for seed, pace in ((1, 0.5), (2, 0.7)))
    found = compare([a], [b])
    assert figure(found, "rps").change is Change.WORSE
    assert any("closed model" in note for note in found.notes)
    assert not any("closed model" in note for note in compare([pairs.run(1)], [pairs.run(2)]).notes)


def test_several_runs_a_side() -> None:
    """They are put together, see more, and what they differ by is known: nothing is said of a guess."""
    a, b = [pairs.run(n) for n in (1, 2, 3)], [pairs.run(n, median_ms=44) for n in (4, 5, 6)]
    found, single = compare(a, b), compare(a[:1], b[:1])
    assert len(found.a) == len(found.b) == 3
    assert found.method is not None
    assert found.method.repeated
    assert (figure(found, "mean").hidden_below or 99) < (figure(single, "mean").hidden_below or 0)
    assert found.outcome is Outcome.WORSE
    assert any(note.startswith("There is one run a side") for note in single.notes)
    assert not any(note.startswith("There is one run a side") for note in found.notes)


def test_stages_are_drawn_each_by_itself() -> None:
    """That the load differs from stage to stage is no scatter: throughput is known as well as in one stage."""
    steps = tuple((users, 30.0) for users in (20, 40, 60, 80, 100))
    a, b = (pairs.of_recipe(Recipe(steps=steps, shape="steps", seed=seed)) for seed in (1, 2))
    throughput = figure(compare([a], [b]), "rps")
    assert throughput.hidden_below is not None
    assert throughput.hidden_below < 10


def test_runs_in_which_nothing_happened() -> None:
    """There is a result, and it says nothing."""
    a, b = pairs.recorded(1), pairs.recorded(2)
    a.seconds, a.events, b.seconds, b.events = [], [], [], []
    found = compare([pairs.measured(a)], [pairs.measured(b)])
    assert (found.outcome, found.headline) == (
        Outcome.UNKNOWN, "CANNOT BE SAID: A was never requested; B was never requested",
    )  # fmt: skip
