"""What a sweep means: growth, efficiency, what counts, what is refused, and what is said in plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadlab.analysis import scaling, sweep
from loadlab.analysis.scaling import scale
from loadlab.analysis.summary import Bottleneck, Level, Verdict
from loadlab.analysis.sweep import Axis, Figures, Point, State, SweepStatus
from loadlab.analysis.used import Used
from tests.analysis import sweeps
from tests.analysis.sweeps import NO_CPU, SHORT, figures, invalid, point
from tests.report import summaries

UNTOLD = Used(None, None)


def test_growth_and_efficiency() -> None:
    """Each row against the one before, and against proportional growth from the first."""
    rows = scale(sweeps.sweep({1: 100, 2: 180, 4: 270})).rows
    assert [row.growth for row in rows] == [None, pytest.approx(1.8), pytest.approx(1.5)]
    assert [row.efficiency for row in rows] == [1.0, pytest.approx(0.9), pytest.approx(0.675)]


def test_the_first_point_is_the_base_whatever_its_number() -> None:
    """Where nothing was measured with one worker, efficiency is of the fewest; the order of the counts is no matter."""
    rows = scale(sweeps.sweep({8: 600, 2: 200})).rows
    assert [(row.count, row.efficiency) for row in rows] == [(2, 1.0), (8, pytest.approx(0.75))]


def test_repeats_make_a_spread() -> None:
    """The mean of the throughputs, the median of the percentiles: those of several runs are never averaged."""
    runs = [point(2, figures(rps, p95_ms=p95), n) for n, (rps, p95) in enumerate([(100, 10), (130, 90), (100, 20)], 1)]
    (row,) = scale(sweeps.sweep(runs)).rows
    assert row.runs == 3
    assert row.throughput_rps == sweep.Spread(110, 100, 130)
    assert row.p95_ms == sweep.Spread(20, 10, 90)


def test_points_are_interleaved() -> None:
    """All numbers once, then all of them again."""
    assert [(one.count, one.repeat) for one in sweep.order((1, 2, 4), 2)] == [
        *((count, 1) for count in (1, 2, 4)),
        *((count, 2) for count in (1, 2, 4)),
    ]


# --- What counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "given", "is_counted"),
    [
        (Axis.WORKERS, figures(100), True),
        (Axis.WORKERS, figures(100, validity=Level.DEGRADED), True),
        (Axis.WORKERS, invalid(100, NO_CPU), True),
        (Axis.WORKERS, invalid(100, SHORT), False),
        (Axis.WORKERS, invalid(100, NO_CPU, SHORT), False),
        (Axis.API, invalid(100, NO_CPU), False),
        (Axis.API, figures(100), True),
    ],
)
def test_which_throughputs_are_believed(axis: Axis, given: Figures, is_counted: bool) -> None:
    """Workers without CPU show what they can make, of a sweep of workers; else an invalid run says nothing."""
    made = sweeps.sweep({1: given}, axis=axis)
    assert scaling.counts(made, made.points[0]) is is_counted
    (row,) = scale(made).rows
    assert (row.runs, row.throughput_rps is not None) == (int(is_counted), is_counted)


def test_an_invalid_point_does_not_hide_the_others() -> None:
    """It has its row, without figures; growth goes on from the row before it."""
    made = scale(sweeps.sweep({1: 100, 2: invalid(999, SHORT), 4: 300, 8: None}))
    assert [row.throughput_rps is not None for row in made.rows] == [True, False, True, False]
    assert made.rows[2].growth == pytest.approx(3)
    assert made.headline.startswith("4 workers make 3.00 x the load of 1")
    assert "Could not be measured: 8 workers." in made.notes
    assert "Invalid, so that response times say nothing: 2 workers." in made.notes


def test_nothing_to_believe() -> None:
    """Then that is the answer."""
    made = scale(sweeps.sweep({1: None, 2: invalid(100, SHORT)}))
    assert made.headline == "No point gave a measurement that can be believed."
    assert made.usl is None
    assert "there are none" in made.refusal


def test_one_point_to_believe() -> None:
    """There is a figure, and nothing to compare it with."""
    made = scale(sweeps.sweep({1: 100, 2: None}))
    assert made.headline == "100 requests/s with 1 worker; there is no other point to compare that can be believed."


# --- The fit, and when it is refused ---------------------------------------------------------------------------------


def test_four_points_are_fitted() -> None:
    """What the fit says is said, with where the greatest throughput is."""
    made = scale(sweeps.sweep({n: 100 * n / (1 + 0.1 * (n - 1) + 0.02 * n * (n - 1)) for n in (1, 2, 4, 8)}))
    assert made.refusal == ""
    assert made.usl is not None
    assert made.usl.sigma.value == pytest.approx(0.1, abs=1e-6)
    (said,) = [note for note in made.notes if note.startswith("Fitted")]
    assert "1 worker alone 100 requests/s, contention 10%, coherency 2%" in said
    assert "at about 7 workers" in said
    assert "beyond" not in said


def test_a_peak_out_of_reach_is_said_to_be() -> None:
    """What lies beyond the measured points is an extrapolation."""
    made = scale(sweeps.sweep({n: 100 * n / (1 + 0.01 * (n - 1) + 0.001 * n * (n - 1)) for n in (1, 2, 4, 8)}))
    assert any("31 workers" in note and "beyond the 8 that were measured" in note for note in made.notes)


def test_three_points_are_not_fitted() -> None:
    """However often they were measured."""
    runs = [point(n, figures(100 * n), repeat) for n in (1, 2, 4) for repeat in (1, 2, 3)]
    made = scale(sweeps.sweep(runs))
    assert made.usl is None
    assert "at least 4 different numbers of workers" in made.refusal
    assert made.refusal.endswith("there are 3.")


def test_saturated_cores_that_are_shared_are_not_fitted() -> None:
    """The curve would be the machine's; what its cores do to the result is said, and the headline says why."""
    busy = {1: 60.0, 2: 91.0, 4: 97.0, 8: 99.0}
    made = sweeps.sweep({n: figures(200.0 * n**0.5, machine_percent=percent) for n, percent in busy.items()})
    found = scale(made)
    assert found.usl is None
    assert "with 2, 4 and 8 workers, the 2 cores of this machine, which workers and API share" in found.refusal
    assert "were 91% to 99% busy" in found.refusal
    assert "8 workers make 1.41 x the load of 4: the 2 cores of this machine were 99% busy" in found.headline
    assert any("what one of them takes, the others lack" in note for note in found.notes)
    elsewhere = scale(replace(made, is_shared=False))
    assert elsewhere.usl is not None
    assert not any("share" in note for note in elsewhere.notes)


def test_what_the_machine_does_is_told_of_its_parts_where_nobody_measured_it() -> None:
    """Workers and target alone used that much, at least."""
    given = figures(100, machine_percent=None, generator_cores=0.9, target_cores=1.0)
    (row,) = scale(sweeps.sweep({1: given})).rows
    assert row.busy_percent == pytest.approx(95)
    assert row.is_saturated
    (row,) = scale(sweeps.sweep({1: replace(given, target_cores=None)})).rows
    assert (row.busy_percent, row.is_saturated) == (None, False)


def test_users_who_set_the_pace_are_not_fitted() -> None:
    """200 users who pause for a second make 200 requests/s, with however many workers: said so, with the remedy."""
    found = scale(sweeps.sweep({n: figures(196 + n / 10, in_flight=2.0) for n in (1, 2, 4, 8)}))
    assert found.usl is None
    assert "throughput was what the users asked for" in found.refusal
    assert "8 workers make 1.00 x the load of 4: the 200 users set the pace" in found.headline
    assert any("more users" in note for note in found.notes)


def test_points_that_no_law_explains_are_refused_in_words() -> None:
    """What the fit itself cannot do is a sentence, not an error."""
    found = scale(sweeps.sweep({20: 400, 40: 100, 60: 45, 80: 25}))
    assert found.refusal == ("The Universal Scalability Law is not fitted: the points do not tell what one does alone.")


# --- Words, balance, exit codes --------------------------------------------------------------------------------------


def test_the_limit_that_a_run_found_is_the_reason() -> None:
    """Where neither users nor cores nor workers explain it, what the run itself says does."""
    found = scale(sweeps.sweep({1: 100, 2: figures(110, limit="The store limits: it is busy for 98% of the time.")}))
    assert "2 workers make 1.10 x the load of 1: the store limits: it is busy for 98% of the time." in found.headline


def test_replicas_are_told_of_as_replicas() -> None:
    """With their balance, where it is not even, and with what workers without CPU mean there."""
    given = {1: invalid(90, NO_CPU), 2: figures(200, balance=0.999), 4: figures(300, balance=0.7)}
    found = scale(sweeps.sweep(given, axis=Axis.API))
    assert found.headline.startswith("4 replicas serve 1.50 x the load of 2.")
    assert any("With 4 replicas, the load was not spread evenly" in note and "0.70" in note for note in found.notes)
    assert any("With 1 replica, the workers had no CPU left, which says nothing of the API" in n for n in found.notes)


@pytest.mark.parametrize(
    ("amounts", "index"), [([5, 5, 5], 1.0), ([9, 0, 0], 1 / 3), ([3, 1], 16 / 20), ([0, 0], None), ([], None)]
)
def test_jains_index(amounts: list[float], index: float | None) -> None:
    """1 is even, 1/n is all on one, and of nothing there is none."""
    assert scaling.jain(amounts) == (None if index is None else pytest.approx(index))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"points": [point(1, figures(1, verdict=Verdict.FAIL, exit_code=99)), point(2, figures(1))]}, 99),
        ({"points": [point(1, figures(1, verdict=Verdict.FAIL)), point(2, invalid(1))]}, 98),
        ({"points": [point(1, figures(1, verdict=Verdict.UNDECIDED))]}, 98),
        ({"points": [point(1, None), point(2, invalid(1))]}, 1),
        ({"status": SweepStatus.INTERRUPTED, "points": [point(1, None), Point(2, 1)]}, 97),
        ({"status": SweepStatus.RUNNING}, 97),
    ],
)
def test_the_exit_code(changes: dict[str, object], code: int) -> None:
    """Cut short before failed before invalid before a broken promise: the first that holds."""
    made = replace(sweeps.sweep({1: 100, 2: 200}), **changes)  # type: ignore[arg-type]
    assert scaling.exit_code(made) == code


def test_a_sweep_that_was_cut_short_says_so() -> None:
    """With how many points are left, and which one was being measured."""
    points = [point(1, figures(100)), Point(2, 1, State.INTERRUPTED, "r"), Point(4, 1)]
    found = scale(sweeps.sweep(points, status=SweepStatus.INTERRUPTED))
    assert "Interrupted: 2 workers." in found.notes
    assert any("1 point of 3 not tried yet" in note for note in found.notes)


def test_figures_of_a_run() -> None:
    """Those of the measured window; the CPU of both sides in cores; the balance of all replicas there are."""
    summary = summaries.summary()
    found = scaling.figures(summary, Used(0.42, 66.0), replicas=2)
    assert (found.throughput_rps, found.users) == (summary.window.throughput_rps, 200)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == (11.9, 38.2, 66.1)
    assert found.generator_cores == 0.42
    assert found.target_cores == pytest.approx(1.21)
    assert found.machine_percent == 66.0
    assert found.balance == 1.0
    assert found.doubts == ()
    assert scaling.figures(summary, UNTOLD, replicas=4).balance == pytest.approx(0.5)
    assert scaling.figures(summary, UNTOLD, replicas=1).balance is None
    assert scaling.figures(summaries.invalid(), UNTOLD, replicas=2).doubts == summaries.invalid().validity.reasons


def test_what_limited_a_run_is_what_gave_out_first_in_it() -> None:
    """Where that can be named."""
    named = Bottleneck("target CPU", "The first thing to give out is the target's CPU.", (), 0.0, 60.0)
    unnamed = replace(named, first=None, sentence="Nothing was near its limit.")
    told = [
        scaling.figures(replace(summaries.summary(), bottleneck=one), UNTOLD, replicas=1).limit
        for one in (named, unnamed, None)
    ]
    assert told == [named.sentence, None, None]
