"""The whole analysis: figures that are known, verdicts, exit codes and headlines, and what it takes."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loadlab.analysis import summary as contract
from loadlab.analysis import verdict
from loadlab.analysis.recording import EventKind, Recording, Run, Status
from loadlab.analysis.slo import Outcome
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Level, Summary, Verdict
from loadlab.errors import Exit
from loadlab.runfolder import SUMMARY
from tests.hours import hour
from tests.recordings import EndpointRecipe, Recipe, burst, cell, fixed, lognormal, make, plausible

SLOW = [EndpointRecipe("GET", "/tests", 1.0, lognormal(500, 0.1))]


def throttled(recording: Recording) -> Recording:
    """Starve all workers."""
    for second in recording.seconds:
        for line in second.workers:
            line.periods, line.throttled = 100, 81
    return recording


def test_the_windows_figures_are_those_of_its_requests() -> None:
    """Answers of 10, 20, 30 and 40 ms in turn: every figure is known."""
    recipe = Recipe(
        steps=((40, 60),),
        endpoints=[EndpointRecipe("GET", "/tests", 1.0, fixed([10, 20, 30, 40]), bytes_each=100)],
    )
    summary = summarise(make(recipe))
    window = summary.window
    assert (window.start_s, window.end_s) == (2, 62)
    assert (window.requests, window.failures, window.bytes) == (
        summary.endpoints[0].load.requests,
        0,
        100 * window.requests,
    )
    assert window.throughput_rps == pytest.approx(window.requests / 60)
    assert window.ok is not None
    assert window.ok.mean_ms == pytest.approx(25, abs=0.1)
    assert (window.ok.min_ms, window.ok.max_ms) == (10, 40)
    assert window.ok.percentiles_ms == pytest.approx(
        {"p50": 20, "p75": 30, "p90": 40, "p95": 40, "p99": 40, "p99.9": 40}, rel=0.004
    )
    assert window.in_flight == pytest.approx(window.throughput_rps * 0.025, rel=0.01)
    assert summary.totals.requests > window.requests  # the ramp is in the totals only
    assert (summary.users_max, summary.workers_max) == (40, 4)


def test_a_ramp_is_not_measured() -> None:
    """Answers of the first seconds are slow: the promise on the window does not see them, the totals do."""
    slow_first = EndpointRecipe("GET", "/tests", 1.0, lambda _, t: 900 if t < 2 else 20)
    summary = summarise(make(Recipe(endpoints=[slow_first])))
    assert summary.window.ok is not None
    assert summary.totals.ok is not None
    assert summary.window.ok.max_ms == 20
    assert summary.totals.ok.max_ms == 900
    assert summary.verdict is Verdict.PASS


def test_each_stage_is_judged_on_its_own() -> None:
    """The second of three stages breaks the promise; the first and the third keep it."""
    recipe = Recipe(
        steps=((20, 30), (80, 30), (20, 30)),
        endpoints=[EndpointRecipe("GET", "/tests", 1.0, lambda _, t: 600 if 34 <= t < 64 else 20)],
        shape="spike",
    )
    summary = summarise(make(recipe))
    assert [(stage.number, stage.users) for stage in summary.stages] == [(1, 20), (2, 80), (3, 20)]
    outcomes = [next(slo.outcome for slo in stage.slos if slo.text == "p95<450ms") for stage in summary.stages]
    assert outcomes == [Outcome.PASS, Outcome.FAIL, Outcome.PASS]
    assert summary.window.requests == sum(stage.load.requests for stage in summary.stages)
    assert summary.drift is None  # the load itself changed
    assert "80 users" in summary.headline


def test_drift_compares_the_last_quarter_with_the_first() -> None:
    """A target that gets slower: from 20 ms to 60 ms."""
    slower = EndpointRecipe("GET", "/tests", 1.0, lambda _, t: 20 if t < 47 else 60)
    drift = summarise(make(Recipe(endpoints=[slower]))).drift
    assert drift is not None
    assert drift.p95_first_ms == pytest.approx(20, rel=0.004)
    assert drift.p95_last_ms == pytest.approx(60, rel=0.004)
    assert drift.memory_first_bytes is not None
    assert drift.memory_last_bytes is not None
    assert drift.memory_first_bytes < drift.memory_last_bytes


def test_a_short_run_has_no_drift() -> None:
    """Below a minute, quarters differ by chance."""
    assert summarise(make(Recipe(steps=((40, 59),)))).drift is None


def test_both_sides_health_is_told() -> None:
    """Each worker with its share and fate, each instance of the target with its own."""
    summary = summarise(plausible())
    assert [worker.worker for worker in summary.workers] == list(range(1, 9))
    assert {worker.worker: worker.fate for worker in summary.workers if worker.fate != "stayed"} == {5: "lost"}
    assert sum(worker.requests for worker in summary.workers) == summary.totals.requests
    assert all(worker.lag_p99_ms and worker.cpu_mean_percent and worker.id for worker in summary.workers)
    assert [instance.instance for instance in summary.target] == ["10.0.0.2:8000", "10.0.0.3:8000"]
    assert sum(instance.share_percent or 0 for instance in summary.target) == pytest.approx(100)
    assert all(0 < (instance.cpu_mean_cores or 0) <= (instance.cpu_max_cores or 0) for instance in summary.target)


def test_an_instance_that_began_anew_has_no_negative_figures() -> None:
    """Counters of CPU and requests that start again at 0 add up to what was counted."""
    recording = make()
    for second in recording.seconds:
        if second.t >= 30:
            told = second.target[0]
            told.requests = {"GET /tests": 10 * (second.t - 29)}
            told.cpu_s = 0.1 * (second.t - 29)
    instance = summarise(recording).target[0]
    assert instance.requests is not None
    assert 700 < instance.requests < 900
    assert instance.cpu_mean_cores is not None
    assert 0.05 < instance.cpu_mean_cores < 0.2


@pytest.mark.parametrize(
    ("recipe", "change", "verdict", "code", "words"),
    [
        (Recipe(), None, Verdict.PASS, Exit.OK, "PASS: 40 users, 40 requests/s, p95 "),
        (Recipe(steps=((20, 30), (60, 30))), None, Verdict.PASS, Exit.OK, "PASS: up to 60 users, 40 requests/s, p95 "),
        (Recipe(endpoints=SLOW), None, Verdict.FAIL, Exit.SLO_FAILED, "FAIL: p95<450ms was broken at 5"),
        (
            Recipe(endpoints=SLOW, fails=burst(10, 60, 0.5)),
            None,
            Verdict.FAIL,
            Exit.SLO_FAILED,
            "and 1 more broken; 40 users",
        ),
        (
            Recipe(steps=((2, 20),)),
            None,
            Verdict.UNDECIDED,
            Exit.INVALID_MEASUREMENT,
            "UNDECIDED: p95<450ms: 38 successes cannot show it: at least 59 are needed",
        ),
        (
            Recipe(),
            throttled,
            Verdict.NONE,
            Exit.INVALID_MEASUREMENT,
            "INVALID: The workers had no CPU left: they were throttled in 81% of their CPU periods",
        ),
        (Recipe(endpoints=SLOW), throttled, Verdict.NONE, Exit.INVALID_MEASUREMENT, "INVALID: "),
        (Recipe(), Status.INTERRUPTED, Verdict.PASS, Exit.INTERRUPTED, "(interrupted after 62 s)"),
        (Recipe(endpoints=SLOW), Status.INTERRUPTED, Verdict.FAIL, Exit.INTERRUPTED, "FAIL: "),
        (Recipe(), Status.ABORTED, Verdict.NONE, Exit.INTERRUPTED, "INVALID: The run was aborted"),
        (
            Recipe(),
            Status.RUNNING,
            Verdict.UNDECIDED,
            Exit.INTERRUPTED,
            "UNDECIDED: no promise was broken as far as the recording goes; 40 users",
        ),
        (Recipe(endpoints=SLOW), Status.RUNNING, Verdict.FAIL, Exit.INTERRUPTED, "FAIL: p95<450ms was broken"),
        (
            Recipe(slos=("rps>150",)),
            None,
            Verdict.FAIL,
            Exit.SLO_FAILED,
            "FAIL: rps>150 was broken at 40/s; 40 users, 40 requests",
        ),
        (
            Recipe(fails=burst(2, 62, 0.05)),
            None,
            Verdict.FAIL,
            Exit.SLO_FAILED,
            "FAIL: fail<1% was broken at 4.99%; 40 users, 40 requests/s",
        ),
        (Recipe(slos=()), None, Verdict.PASS, Exit.OK, "nothing was promised"),
        (Recipe(lose=(2, 40.0), steps=((40, 300),)), None, Verdict.PASS, Exit.OK, "(1 reservation)"),
    ],
)
def test_verdict_exit_code_and_headline(
    recipe: Recipe, change: Status | Callable[[Recording], object] | None, verdict: Verdict, code: Exit, words: str
) -> None:
    """Cut short comes before invalid and undecided, these before the promises; the headline says why in one line."""
    recording = make(recipe)
    if isinstance(change, Status):
        recording.run.status = change
    elif change is not None:
        change(recording)
    summary = summarise(recording)
    assert (summary.verdict, summary.exit_code) == (verdict, code)
    assert words in summary.headline
    assert "\n" not in summary.headline


def test_an_invalid_run_passes_nothing() -> None:
    """Its promises are still told, but the verdict is none."""
    summary = summarise(throttled(make()))
    assert summary.validity.level is Level.INVALID
    assert summary.verdict is Verdict.NONE
    assert {slo.outcome for slo in summary.slos} == {Outcome.PASS}


def test_a_broken_promise_outweighs_an_open_one() -> None:
    """One promise is broken and another undecided: the run failed."""
    summary = summarise(make(Recipe(endpoints=SLOW, slos=("p95<450ms", "GET /nothing: p95<1s"))))
    assert summary.verdict is Verdict.FAIL


def test_a_run_can_be_judged_by_other_promises() -> None:
    """What the run did not count against is read off the histogram, and said."""
    recording = make()
    summary = summarise(recording, ["p95<5ms", "fail<1%"])
    assert [slo.outcome for slo in summary.slos] == [Outcome.FAIL, Outcome.PASS]
    assert "histogram" in summary.slos[0].reason
    assert summarise(recording).verdict is Verdict.PASS


def test_a_target_that_hangs_until_the_stop_is_no_pass() -> None:
    """All users wait for answers from second 30 on, which never come: not one failure, not one slow answer."""
    recording = make(Recipe(instances=0))
    for counters in recording.run.counters:
        counters.started += 10
        counters.killed += 10
    for second in recording.seconds:
        if second.t >= 30:
            second.cells = []
            for line in second.workers:
                counters = recording.run.counters[line.worker - 1]
                counters.started, counters.answered = (
                    counters.started - line.requests,
                    counters.answered - line.requests,
                )
                counters.recorded -= line.requests
                counters.busy_s += 10 - line.in_flight
                counters.killed_busy_s += 10
                line.requests, line.in_flight = 0, 10.0
    summary = summarise(recording)
    assert summary.verdict is Verdict.UNDECIDED
    assert {reason.code for reason in summary.validity.reasons} >= {"stalled"}
    assert [(outage.start_s, outage.end_s) for outage in summary.reliability.outages] == [(30, None)]


def test_the_same_recording_gives_the_same_summary() -> None:
    """Also when its lines come in another order; nothing depends on when it is analysed."""
    first, again = plausible(), plausible()
    again.seconds.reverse()
    again.events.reverse()
    assert summarise(first) == summarise(again)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(lose=(2, 40.0), fails=burst(20, 25, 1.0)),
        Recipe(steps=((2, 20),), instances=0),
        Recipe(slos=()),
    ],
)
def test_a_summary_survives_being_written_down(recipe: Recipe) -> None:
    """Every figure is plain and finite: what is read back is what was written."""
    summary = summarise(make(recipe))
    assert SUMMARY.load(SUMMARY.dump(summary)) == summary
    assert b"NaN" not in SUMMARY.dump(summary)
    assert b"Infinity" not in SUMMARY.dump(summary)


def nothing_at_all(status: Status) -> Recording:
    """Return a run that ended before it began."""
    return Recording(
        Run("20251009-085320", status, {"users": 5}, (450_000,), 1.0, slo=("p95<450ms", "fail<1%")), [], []
    )


@pytest.mark.parametrize("status", list(Status))
def test_a_run_without_a_second_is_no_crash(status: Status) -> None:
    """Whatever became of it: invalid, with the reason, and a summary that can be written."""
    summary = summarise(nothing_at_all(status))
    assert summary.verdict is Verdict.NONE
    assert {reason.code for reason in summary.validity.reasons} >= {"no-requests"}
    assert SUMMARY.load(SUMMARY.dump(summary)) == summary


def test_a_crash_at_any_moment_leaves_something_to_analyse() -> None:
    """Cut after each second, counters and last events gone: always a summary, never an error."""
    whole = plausible()
    for length in range(0, 120, 7):
        run = dataclasses.replace(whole.run, status=Status.RUNNING, counters=[], duration_s=None, ended=None)
        events = [event for event in whole.events if event.t < length]
        summary = summarise(Recording(run, whole.seconds[: length + 1], events, partial=True))
        assert summary.partial
        assert summary.exit_code == Exit.INTERRUPTED


def test_failures_alone_have_no_times_of_successes() -> None:
    """Every request failed: the promise on failures is broken, the one on times has no sample."""
    summary = summarise(make(Recipe(fails=lambda _: 1.0)))
    assert summary.window.ok is None
    assert [slo.outcome for slo in summary.slos] == [Outcome.INSUFFICIENT, Outcome.FAIL]
    assert summary.verdict is Verdict.FAIL
    assert summary.reliability.success_percent == 0


def test_a_late_line_after_the_end_is_counted() -> None:
    """Reports that came late have lines of their own: they are in the figures, and the lateness is told."""
    recording = make(Recipe(instances=0))
    moved = next(second for second in recording.seconds if second.t == 30)
    late = dataclasses.replace(moved, cells=moved.cells[1:], workers=[], users=0, target_users=0, late=True)
    moved.cells = moved.cells[:1]
    recording.seconds.append(late)
    assert summarise(recording) == summarise(make(Recipe(instances=0)))


def test_an_event_without_its_data_is_no_crash() -> None:
    """Files are edited, and other versions write them: what is missing is missing."""
    recording = plausible()
    for event in recording.events:
        event.data, event.worker = {}, event.worker if event.kind is EventKind.WORKER_MISSING else None
    assert summarise(recording).verdict is Verdict.FAIL


def test_a_damaged_histogram_is_an_error_of_its_own() -> None:
    """Never other figures."""
    recording = make()
    broken = cell([1_000])
    assert broken.ok is not None
    recording.seconds[10].cells[0].ok = broken.ok._replace(histogram="c%1E?zzzzzzzz")
    with pytest.raises(ValueError, match="not a histogram"):
        summarise(recording)


def test_an_hour_is_analysed_in_seconds() -> None:
    """Ten minutes of ten endpoints with wide histograms take a sixth of the five seconds that an hour may take."""
    recording = hour(seconds=600)
    begun = time.process_time()
    summary: Summary = summarise(recording)
    assert time.process_time() - begun < 5 / 6
    assert summary.totals.requests == sum(cell.ok.n for second in recording.seconds for cell in second.cells if cell.ok)


def test_exit_codes_are_those_of_the_tool() -> None:
    """The analysis imports nothing of loadlab, and so repeats the numbers."""
    assert verdict.EXIT_PASS == Exit.OK
    assert verdict.EXIT_INTERRUPTED == Exit.INTERRUPTED
    assert verdict.EXIT_INVALID == Exit.INVALID_MEASUREMENT
    assert verdict.EXIT_FAILED == Exit.SLO_FAILED


ROOT = Path(__file__).resolve().parents[2]


def codes() -> set[str]:
    """Return the codes of all reasons that the sources give."""
    sources = [file.read_text() for file in (ROOT / "loadlab" / "analysis").glob("*.py")]
    given = r'\b(?:invalid|degraded|note|_differ)\(\s*"([a-z-]+)"'
    return {code for source in sources for code in re.findall(given, source)}


def test_every_field_and_every_reason_is_documented() -> None:
    """docs/metrics.md names each figure of summary.json and each code of validity, and no code that there is not."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    kinds = [kind for kind in vars(contract).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
    names = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert sorted(name for name in names | codes() if f"`{name}`" not in text) == []
    rows = text.partition("| code | level |")[2].partition("\n\n")[0].splitlines()[2:]
    documented = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    assert documented == codes()
