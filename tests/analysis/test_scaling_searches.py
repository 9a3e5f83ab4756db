"""What a sweep of searches for the capacity means: which points count, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadlab.analysis import scaling
from loadlab.analysis.recording import Recording
from loadlab.analysis.scaling import scale
from loadlab.analysis.scaling_told import meaning
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Level, Reason, Verdict
from loadlab.analysis.sweep import Axis, Figures, Spread, Sweep, SweepStatus
from loadlab.analysis.used import used
from tests import searches
from tests.analysis import sweeps
from tests.analysis.sweeps import FOUND, NO_CPU, SHORT, UNMEASURED, capacity, no_capacity, point


def given(recording: Recording) -> Figures:
    """Return what a search gives for its point."""
    return scaling.figures(summarise(recording), used(recording), replicas=1)


def search_of(figures: Figures) -> tuple[str, int | None, bool]:
    """Return how a search ended, the capacity that it found, and whether that is sure."""
    assert figures.search is not None
    return figures.search.ending, figures.search.users, figures.search.confirmed


# --- What a search gives for its point -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "search", "users"),
    [
        ("found", ("found", 122, True), 122),
        ("late", ("time", 80, False), 80),
        ("lost", ("not-recovered", 40, False), 40),
        ("all_held", ("all-held", None, False), 100),
        ("none_held", ("none-held", None, False), 1),
        ("limited", ("generator-limited", None, False), 160),
    ],
)
def test_figures_are_of_one_step(name: str, search: tuple[str, int | None, bool], users: int) -> None:
    """That of the users that held; where none was found, of the last that was measured, and not of those that held."""
    recording = getattr(searches, name)()
    summary, found = summarise(recording), given(recording)
    assert search_of(found) == search
    assert (found.users, found.throughput_rps) == (users, summary.window.throughput_rps)
    assert summary.capacity is not None
    assert [step.users for step in summary.capacity.steps if step.start_s == summary.window.start_s] == [users]


@pytest.mark.parametrize(
    ("name", "axis", "is_counted"),
    [
        ("found", Axis.API, True),
        ("late", Axis.API, True),  # unconfirmed, and said to be so
        ("lost", Axis.API, True),
        ("all_held", Axis.API, False),
        ("none_held", Axis.API, False),
        ("few", Axis.API, False),
        ("limited", Axis.API, False),
        ("limited", Axis.WORKERS, True),  # what the workers can make is the question
        ("all_held", Axis.WORKERS, False),
        ("none_held", Axis.WORKERS, False),
    ],
)
def test_which_searches_count(name: str, axis: Axis, is_counted: bool) -> None:
    """Those that found a capacity; of workers, those that were ended by their want of CPU, too."""
    made = sweeps.searches({1: given(getattr(searches, name)())}, axis=axis)
    assert scaling.counts(made, made.points[0]) is is_counted


@pytest.mark.parametrize(
    ("reasons", "is_counted"),
    [
        ((UNMEASURED, NO_CPU), True),
        ((UNMEASURED,), False),  # the users of the step did not come, say
        ((UNMEASURED, NO_CPU, SHORT), False),
        ((SHORT,), False),
    ],
)
def test_what_ended_a_search_of_workers(reasons: tuple[Reason, ...], is_counted: bool) -> None:
    """That it was ended says nothing: what made the step unmeasurable must be their CPU, and nothing else."""
    made = sweeps.searches({1: no_capacity(500, *reasons)})
    assert scaling.counts(made, made.points[0]) is is_counted


# --- What is made of them --------------------------------------------------------------------------------------------


def growing(**changes: object) -> Sweep:
    """Return a sweep of replicas that grows and then does not."""
    found = {1: capacity(100, 250), 2: capacity(190, 475), 4: capacity(200, 500)}
    return replace(sweeps.searches(found, axis=Axis.API), **changes)  # type: ignore[arg-type]


def test_the_answer_is_of_capacities() -> None:
    """Growth of the throughput at the capacity, and users and requests/s where they were most."""
    made = scale(growing())
    assert made.headline == (
        "With 4 replicas, the SLOs hold at 1.05 x the load of 2. "
        "The greatest capacity was 200 users and 500 requests/s with 4 replicas."
    )
    assert [row.capacity_users and row.capacity_users.value for row in made.rows] == [100, 190, 200]
    assert [row.growth for row in made.rows] == [None, pytest.approx(1.9), pytest.approx(500 / 475)]
    assert meaning(growing()) == "Capacities: the most users, and their requests/s, that hold p95<450ms and fail<1%."
    assert meaning(sweeps.sweep({1: 100})) == ""


def test_repeats_have_the_mean_of_their_capacities() -> None:
    """With the least and the greatest."""
    runs = [point(2, capacity(users, 2.0 * users), number) for number, users in enumerate((100, 130, 100), 1)]
    (row,) = scale(sweeps.searches(runs)).rows
    assert row.capacity_users == Spread(110, 100, 130)
    assert row.throughput_rps == Spread(220, 200, 260)


def test_users_who_hardly_wait_set_no_pace() -> None:
    """A search asks for as many users as there can be: the same figures of a run would be the users' own pace."""
    found = {n: capacity(100 * n, 100.0 * n, in_flight=2.0) for n in (1, 2, 4, 8)}
    made = scale(sweeps.searches(found))
    assert not any(row.is_paced for row in made.rows)
    assert made.usl is not None
    assert "set the pace" not in made.headline
    runs = scale(sweeps.sweep({n: replace(one, search=None) for n, one in found.items()}))
    assert all(row.is_paced for row in runs.rows)
    assert runs.usl is None


def test_searches_to_no_avail_are_named_and_are_not_of_the_curve() -> None:
    """Each with its reason; growth goes on from the row before, and the fit does without them."""
    found = {1: capacity(100, 250), 2: no_capacity(900), 3: no_capacity(700, UNMEASURED, NO_CPU), 4: capacity(200, 500)}
    made = scale(sweeps.searches(found, axis=Axis.API))
    assert [row.runs for row in made.rows] == [1, 0, 0, 1]
    assert made.rows[3].growth == pytest.approx(2)
    assert "at least 4 different numbers of replicas" in made.refusal
    assert made.refusal.endswith("there are 2.")
    wanted = [
        "No capacity was found with 2 replicas: with p95<450ms this target takes not even one user: p95<450ms broke.",
        "No capacity was found with 3 replicas: generator-limited at 160 users; 80 users held: no CPU left.",
    ]
    assert [note for note in made.notes if note.startswith("No capacity")] == wanted
    assert not any(note.startswith("Invalid") for note in made.notes)
    assert any("which says nothing of the API: use more workers" in note for note in made.notes)


def test_more_workers_are_not_recommended_where_all_cores_are_busy() -> None:
    """They would share the same cores."""
    busy = replace(no_capacity(700, UNMEASURED, NO_CPU), machine_percent=99.0)
    found = {1: capacity(100, 250), 2: capacity(200, 500), 4: busy}
    notes = scale(sweeps.searches(found, axis=Axis.API)).notes
    (note,) = [note for note in notes if "which says nothing of the API" in note]
    assert "were all busy: fewer users, or an API on a machine of its own" in note
    elsewhere = scale(replace(sweeps.searches(found, axis=Axis.API), is_shared=False)).notes
    assert any(note.endswith("use more workers.") for note in elsewhere)


def test_workers_without_cpu_make_what_they_make() -> None:
    """It is of the curve, but no capacity: no users are told, and the greatest capacity is another's."""
    found = {1: no_capacity(700, UNMEASURED, NO_CPU), 2: capacity(240, 600)}
    made = scale(sweeps.searches(found))
    assert [(row.runs, row.is_generator_limited) for row in made.rows] == [(1, True), (1, False)]
    assert made.rows[0].capacity_users is None
    assert made.headline.startswith("With 2 workers, the SLOs hold at 0.86 x the load of 1")
    assert made.headline.endswith("The greatest capacity was 240 users and 600 requests/s with 2 workers.")
    assert any(note.endswith("the throughput is theirs, not the target's, and no capacity.") for note in made.notes)
    assert not any(note.startswith("No capacity was found") for note in made.notes)
    two = scale(sweeps.searches({1: found[1], 2: no_capacity(1300, UNMEASURED, NO_CPU)}))
    assert two.headline.startswith("2 workers make 1.86 x the load of 1: the workers had no CPU left.")
    assert two.headline.endswith("The most were 1,300 requests/s with 2 workers.")


def test_what_is_to_be_known_of_capacities() -> None:
    """One that is not sure, and a target that did not come back."""
    unsure = capacity(80, 200, search=replace(FOUND, users=80, ending="time", confirmed=False))
    dead = capacity(90, 220, search=replace(FOUND, users=90, ending="not-recovered"), verdict=Verdict.FAIL)
    made = scale(sweeps.searches({1: unsure, 2: dead}))
    assert "Not confirmed by a longer step, so that it may be less: 1 worker." in made.notes
    late = "The time was up before the gap was closed, so that it may be more: 1 worker (120 to 123 users)."
    assert late in made.notes
    assert "The target collapsed under more users and did not come back: 2 workers." in made.notes


def test_many_searches_to_no_avail_do_not_bury_the_rest() -> None:
    """The first few are named."""
    made = scale(sweeps.searches({n: no_capacity(1) for n in range(1, 12)}))
    assert made.headline == "No point's search found a capacity."
    assert sum(note.startswith("No capacity was found") for note in made.notes) == 9
    assert "No capacity was found with 3 more points: the list of runs has them." in made.notes


def test_one_capacity() -> None:
    """There is a figure, and nothing to compare it with."""
    made = scale(sweeps.searches({1: capacity(100, 250), 2: None}, status=SweepStatus.INTERRUPTED))
    assert made.headline == (
        "The capacity is 100 users and 250 requests/s with 1 worker; "
        "there is no other point to compare that can be believed."
    )


def test_exit_codes_are_those_of_the_searches() -> None:
    """One that was found, one that was not sure, one that no user held."""
    assert scaling.exit_code(growing()) == 0
    unsure = capacity(80, 200, verdict=Verdict.UNDECIDED, exit_code=98)
    assert scaling.exit_code(sweeps.searches({1: unsure, 2: capacity(100, 250)})) == 98
    assert scaling.exit_code(sweeps.searches({1: no_capacity(2), 2: capacity(100, 250)})) == 99
    assert scaling.exit_code(sweeps.searches({1: no_capacity(2, UNMEASURED, NO_CPU)})) == 98
    assert no_capacity(2, UNMEASURED).validity is Level.INVALID
