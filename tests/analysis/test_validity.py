"""Each reason not to believe a measurement: found where it is, alone, and not found in a clean run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Cell, Event, EventKind, Recording, Second, Status, WorkerSecond
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Level, Reason, Validity
from tests.recordings import EndpointRecipe, Recipe, fixed, make, plausible

Spoil = Callable[[Recording], object]
RAMP_S, END_S = 2, 62  # of the clean run: 40 users from 20 a second, held for 60 s


def clean(instances: int = 2) -> Recording:
    """Return a run without any fault: 4 workers, 40 users, 40 requests a second."""
    return make(Recipe(instances=instances))


def checked(recording: Recording) -> Validity:
    """Return how a recording is judged."""
    return summarise(recording).validity


def found(recording: Recording) -> dict[str, Level]:
    """Return the reasons that are more than a note, by code."""
    return {reason.code: reason.level for reason in checked(recording).reasons if reason.level is not Level.VALID}


def reason(recording: Recording, code: str) -> Reason:
    """Return one reason."""
    return next(one for one in checked(recording).reasons if one.code == code)


def workers(
    recording: Recording, number: int | None = None, first: int = RAMP_S, end: int = END_S
) -> Iterator[WorkerSecond]:
    """Yield the lines of one worker, or of all, in some seconds: by default those of the measured window."""
    for second in recording.seconds:
        if first <= second.t < end:
            yield from (line for line in second.workers if number in (None, line.worker))


def second(recording: Recording, t: int) -> Second:
    """Return one second."""
    return next(one for one in recording.seconds if one.t == t)


def lag(*probes_us: tuple[int, int]) -> str:
    """Return a second's histogram of lag: how late, and how many probes."""
    made = Histogram()
    for late_us, count in probes_us:
        made.add(late_us, count)
    return made.to_text()


def tell(recording: Recording, t: float, kind: EventKind, worker: int | None = None, **data: object) -> None:
    """Let something happen."""
    recording.events.append(Event(t, kind, str(kind), worker, data))


def set_all(name: str, value: object, number: int | None = None, first: int = RAMP_S, end: int = END_S) -> Spoil:
    """Return what sets a figure of one worker, or of all, in some seconds."""

    def spoil(recording: Recording) -> None:
        for line in workers(recording, number, first, end):
            setattr(line, name, value)

    return spoil


def throttle(throttled: int, of: int, number: int | None = None, first: int = RAMP_S, end: int = END_S) -> Spoil:
    """Return what has workers throttled in so many of their CPU periods."""

    def spoil(recording: Recording) -> None:
        for line in workers(recording, number, first, end):
            line.periods, line.throttled = of, throttled

    return spoil


def served(extra: int, t: int = 30) -> Spoil:
    """Return what has the target count so many more requests, or fewer, little by little from some second on."""

    def spoil(recording: Recording) -> None:
        for one in recording.seconds:
            if one.t >= t and one.target and one.target[0].requests is not None:
                one.target[0].requests["GET /tests"] += round(extra * min(1, (one.t - t) / 25))

    return spoil


def count(**changes: float) -> Spoil:
    """Return what adds to the counters of worker 1."""

    def spoil(recording: Recording) -> None:
        for name, extra in changes.items():
            setattr(recording.run.counters[0], name, getattr(recording.run.counters[0], name) + extra)

    return spoil


def run(**changes: object) -> Spoil:
    """Return what sets fields of the run's document."""

    def spoil(recording: Recording) -> None:
        for name, value in changes.items():
            setattr(recording.run, name, value)

    return spoil


def without_requests(recording: Recording) -> None:
    """Let nothing have been requested."""
    for one in recording.seconds:
        one.cells = []
    set_all("requests", 0, first=0)(recording)
    set_all("in_flight", 0.0, first=0)(recording)
    for counters in recording.run.counters:
        counters.started = counters.answered = counters.recorded = 0
        counters.busy_s = 0.0


def crash(recording: Recording) -> None:
    """Let the master have died in the middle: no counters, no last events."""
    recording.run.status, recording.run.duration_s, recording.run.counters = Status.RUNNING, None, []
    recording.partial = True
    recording.seconds = [one for one in recording.seconds if one.t < 40]
    recording.events = [event for event in recording.events if event.t < 40]


def stall(recording: Recording) -> None:
    """Let no answer come for two seconds, ten requests waiting on each worker; the accounts still balance."""
    for t in (30, 31):
        second(recording, t).cells = []
        for line in second(recording, t).workers:
            counters = recording.run.counters[line.worker - 1]
            counters.started, counters.answered = counters.started - line.requests, counters.answered - line.requests
            counters.recorded -= line.requests
            counters.busy_s -= line.in_flight
            line.requests, line.in_flight = 0, 10.0


def lose_cell(t: int, index: int) -> Spoil:
    """Return what leaves out what was recorded of one endpoint in one second."""

    def spoil(recording: Recording) -> None:
        del second(recording, t).cells[index]

    return spoil


def away(recording: Recording) -> None:
    """Let a worker not answer for a while."""
    tell(recording, 20, EventKind.WORKER_MISSING, 2)
    tell(recording, 28, EventKind.WORKER_BACK, 2)


def gap(then: Spoil) -> Spoil:
    """Return what loses reports, known to be lost, with what they said."""

    def spoil(recording: Recording) -> None:
        then(recording)
        tell(recording, 30, EventKind.GAP, 1, first=30, last=30)

    return spoil


def shift_users(by: int, first: int, end: int) -> Spoil:
    """Return what changes the number of users that ran."""

    def spoil(recording: Recording) -> None:
        for t in range(first, end):
            second(recording, t).users += by

    return spoil


def hardly_held(recording: Recording) -> None:
    """Let a stage have begun and ended within two seconds."""
    tell(recording, 0.5, EventKind.STAGE_STARTED, users=10)
    tell(recording, 1.9, EventKind.STAGE_ENDED, users=10)


INVALID, DEGRADED = Level.INVALID, Level.DEGRADED
SPOILT: dict[str, tuple[Spoil, dict[str, Level]]] = {
    "nothing requested": (without_requests, {"no-requests": INVALID}),
    "all workers gone": (run(status=Status.ABORTED, stopped_by="no-workers"), {"aborted": INVALID}),
    "throttled": (throttle(6, 100), {"throttled": INVALID}),
    "throttled at the limit": (throttle(5, 100), {"worker-throttled": DEGRADED}),
    "one throttled": (throttle(2, 100, number=3), {"worker-throttled": DEGRADED}),
    "busy for 10 s": (set_all("cpu_s", 0.95, 2, 30, 40), {"cpu": INVALID}),
    "busy, of 0.2 cores": (
        lambda recording: (set_all("cpu_limit", 0.2)(recording), set_all("cpu_s", 0.19)(recording)),
        {"cpu": INVALID},
    ),
    "late loops": (set_all("lag", lag((500, 49), (12_000, 1))), {"lag": INVALID}),
    "one late loop": (set_all("lag", lag((500, 49), (12_000, 1)), 2, 2, 42), {"worker-lag": DEGRADED}),
    "hardly held": (hardly_held, {"short-stage": DEGRADED}),
    "sometimes blocked loops": (
        lambda recording: [
            set_all("lag", lag((500, 40), (200_000, 1)), first=t, end=t + 1)(recording) for t in range(2, 62, 8)
        ],
        {"blocked": DEGRADED},
    ),
    "blocked loops": (  # one probe in 140 or so of 200 ms: a fine p99
        lambda recording: [
            set_all("lag", lag((500, 40), (200_000, 1)), first=t, end=t + 1)(recording) for t in range(2, 62, 3)
        ],
        {"blocked": INVALID},
    ),
    "frozen": (set_all("lag_max_us", 10_000_000, 2, 40, 41), {"frozen": DEGRADED}),
    "frozen in the ramp": (set_all("lag_max_us", 1_500_000, 2, 0, 1), {"frozen": DEGRADED}),
    "unaccounted": (count(started=1), {"accounting": INVALID}),
    "too many accounted": (count(started=-1), {"accounting": INVALID}),
    "dropped by the locustfile": (count(started=3, answered=3), {"unjudged": DEGRADED}),
    "little": (count(busy_s=40.0), {"little": INVALID}),
    "more served": (served(100), {"served-more": INVALID}),
    "some more served": (served(12), {"served-more": DEGRADED}),
    "fewer served": (served(-100), {"served-less": INVALID}),
    "some fewer served": (served(-12), {"served-less": DEGRADED}),
    "users missing": (shift_users(-5, 10, 62), {"users-short": INVALID}),
    "some users missing": (shift_users(-10, 10, 16), {"users-short": DEGRADED}),
    "users too many": (shift_users(10, 10, 30), {"users-over": DEGRADED}),
    "a worker too few": (run(expected_workers=5), {"few-workers": DEGRADED}),
    "cut short": (crash, {"cut-short": DEGRADED}),
    "silenced": (lambda recording: tell(recording, 30, EventKind.WORKER_SILENCED, 3), {"silenced": DEGRADED}),
    "late": (lambda recording: tell(recording, 30, EventKind.LATE, seconds=[24, 25]), {"late": DEGRADED}),
    "clock": (set_all("clock_offset_s", -0.06, 4, 10, 12), {"clock": DEGRADED}),
    "away": (away, {"worker-away": DEGRADED}),
    "left": (lambda recording: tell(recording, 30, EventKind.WORKER_LEFT, 2), {"worker-left": DEGRADED}),
    "no last report": (
        lambda recording: setattr(recording.run.counters[1], "final", False),
        {"no-last-report": DEGRADED},
    ),
    "never held": (
        lambda recording: setattr(recording, "events", [e for e in recording.events if "stage" not in e.kind]),
        {"never-held": DEGRADED},
    ),
    "a second without record": (lambda recording: setattr(second(recording, 30), "late", True), {"gaps": DEGRADED}),
    "unreadable": (lambda recording: setattr(recording, "unreadable_lines", 2), {"unreadable": DEGRADED}),
}
SPOILT_UNCOMPARED: dict[str, tuple[Spoil, dict[str, Level]]] = {  # without figures of the target, which would tell, too
    "written twice": (lambda recording: recording.seconds.append(second(recording, 1)), {"doubled": INVALID}),
    "lost": (lose_cell(30, 1), {"records-lost": INVALID}),
    "reports lost": (gap(lose_cell(30, 1)), {"reports-lost": DEGRADED}),
    "many reports lost": (gap(lose_cell(30, 0)), {"reports-lost": INVALID}),
    "stalled": (stall, {"stalled": DEGRADED}),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_fault_is_found_and_no_other(spoil: tuple[Spoil, dict[str, Level]]) -> None:
    """One thing is spoilt in a clean run: that reason is given, with its level, and nothing besides."""
    recording = clean()
    spoil[0](recording)
    assert found(recording) == spoil[1]


@pytest.mark.parametrize("spoil", SPOILT_UNCOMPARED.values(), ids=SPOILT_UNCOMPARED)
def test_a_fault_is_found_without_help_of_the_target(spoil: tuple[Spoil, dict[str, Level]]) -> None:
    """The same, for a target that counts nothing itself."""
    recording = clean(instances=0)
    spoil[0](recording)
    assert found(recording) == spoil[1]


FINE: dict[str, Spoil] = {
    "nothing": lambda _: None,
    "hardly throttled": throttle(1, 100),
    "throttled in the ramp": throttle(90, 100, first=0, end=2),
    "busy in the ramp": set_all("cpu_s", 1.0, first=0, end=2),
    "busy for 9 s": set_all("cpu_s", 0.98, 2, 30, 39),
    "nearly busy": set_all("cpu_s", 0.9),
    "late in the ramp": set_all("lag", lag((50_000, 50)), first=0, end=2),
    "lag at the limit": set_all("lag", lag((500, 49), (9_900, 1))),
    "half a second's halt": set_all("lag_max_us", 999_999, 2, 40, 41),
    "clocks nearly right": set_all("clock_offset_s", 0.05),
    "killed at the stop": count(started=5, killed=5, busy_s=50.0, killed_busy_s=50.0),
    "nearly a millisecond of hooks for each": count(busy_s=2.3),  # more than 5% of 16.6 ms
    "more served, of those that were killed": lambda recording: (
        served(40)(recording),
        count(started=40, killed=40, busy_s=1.0, killed_busy_s=1.0)(recording),
    ),
    "one more served": served(1),
    "one fewer served": served(-1),
    "left after the stop": lambda recording: tell(recording, 63, EventKind.WORKER_LEFT, 2),
    "interrupted": run(status=Status.INTERRUPTED, stopped_by="user"),
}


@pytest.mark.parametrize("spoil", FINE.values(), ids=FINE)
def test_what_is_no_fault_is_let_be(spoil: Spoil) -> None:
    """A clean run is valid, and so is one with what bursts, ramps and the stop bring with them."""
    recording = clean()
    spoil(recording)
    assert found(recording) == {}
    assert checked(recording).level is Level.VALID


def test_littles_law_may_be_off_by_milliseconds_where_answers_take_long() -> None:
    """20 ms of 500 ms are no 5%; 30 ms are."""
    slow = [EndpointRecipe("GET", "/tests", 1.0, fixed([500]))]
    for each_s, expected in ((0.02, {}), (0.03, {"little": INVALID})):
        recording = make(Recipe(endpoints=slow))
        requests = sum(counters.answered for counters in recording.run.counters)
        count(busy_s=each_s * requests)(recording)
        assert found(recording) == expected


def test_a_clean_runs_accounts_balance() -> None:
    """Everything that was started was answered, recorded and served."""
    counts = checked(clean()).accounting
    assert counts.started == counts.answered == counts.recorded == counts.served
    assert counts.started > 2_000
    assert (counts.killed, counts.in_flight, counts.unjudged, counts.lost_at_most) == (0, 0, 0, 0)


def test_a_lost_worker_whose_load_ran_on_elsewhere_is_a_bounded_loss() -> None:
    """Degraded, with who, when, and how many requests at most: its throughput for 1.1 s, and two in flight."""
    recording = make(Recipe(steps=((80, 120),), workers=8, lose=(5, 40.0)))
    assert found(recording) == {"worker-lost": DEGRADED}
    assert checked(recording).accounting.lost_at_most == 11 + 2
    text = reason(recording, "worker-lost").text
    assert "Worker 5 was lost at 43.2 s (last heard of at 40 s)" in text
    assert "again at 45 s" in text
    assert "at most 13 requests" in text


def test_a_lost_worker_whose_load_was_not_restored_is_invalid() -> None:
    """A quarter of the users was missing for the rest of the run."""
    recording = make(Recipe(lose=(2, 30.0), restore_s=None))
    assert found(recording) == {"load-not-restored": INVALID, "users-short": INVALID}


def test_a_worker_lost_just_before_the_stop_had_no_time_to_be_replaced() -> None:
    """Nine seconds are not enough to blame anyone: the loss is stated, and small."""
    recording = make(Recipe(lose=(2, 58.0), restore_s=None))
    assert found(recording) == {"worker-lost": DEGRADED, "users-short": DEGRADED}


def test_what_a_lost_worker_recorded_but_never_told_is_among_its_losses() -> None:
    """Its last report counted three requests of the second that was not over: they are in no figure, and no riddle."""
    recording = make(Recipe(steps=((80, 120),), workers=8, lose=(5, 40.0)))
    for name in ("started", "answered", "recorded"):
        setattr(recording.run.counters[4], name, getattr(recording.run.counters[4], name) + 3)
    assert found(recording) == {"worker-lost": DEGRADED}
    assert checked(recording).accounting.lost_at_most == 11 + 2 + 3


def test_a_starved_fleet_says_so_first() -> None:
    """No CPU makes everything else wrong, too: the cause comes before what follows from it."""
    recording = clean()
    for spoil in ("too many accounted", "little", "late loops", "late"):
        SPOILT[spoil][0](recording)
    throttle(81, 100)(recording)
    reasons = checked(recording).reasons
    assert [reasons[0].code, reasons[1].code] == ["throttled", "lag"]
    assert "no CPU left" in reasons[0].text
    assert "81%" in reasons[0].text
    assert [one.level for one in reasons] == sorted(
        (one.level for one in reasons), key=[INVALID, DEGRADED, "valid"].index
    )


def test_a_frozen_worker_is_named() -> None:
    """Which one, for how long, until when."""
    recording = clean()
    SPOILT["frozen"][0](recording)
    assert "worker 2 for 10 s until second 41" in reason(recording, "frozen").text


def test_a_target_that_began_anew_is_still_compared() -> None:
    """Its counters start again at 0 in mid-run: what it counted since is added to what it had counted before."""
    recording = clean()
    before = dict(second(recording, 30).target[0].requests or {})
    for one in recording.seconds:
        if one.t >= 30:
            one.target[0].requests = {
                key: number - before[key] for key, number in (one.target[0].requests or {}).items()
            }
    assert found(recording) == {}
    counts = checked(recording).accounting
    assert counts.served is not None
    assert counts.recorded - 40 < counts.served < counts.recorded  # what it served in its last second is not known
    served(200, 35)(recording)
    assert found(recording) == {"served-more": INVALID}


def test_a_target_that_was_just_started_counts_from_nothing() -> None:
    """A counter with labels is on no page before its first request: what it counts then is all new."""
    recording = clean()
    for one in recording.seconds:
        for told in one.target:
            counts = {key: number - 1_000 for key, number in (told.requests or {}).items() if number > 1_000}
            told.requests = counts or None
    assert second(recording, -1).target[0].requests is None
    assert found(recording) == {}
    assert checked(recording).accounting.served == checked(recording).accounting.recorded
    served(-100)(recording)
    assert found(recording) == {"served-less": INVALID}


def test_pages_of_several_instances_in_turn_are_not_compared() -> None:
    """Behind one address that shares requests out, counters go up and down: they are no evidence."""
    recording = clean()
    for one in recording.seconds:
        if one.t % 2:
            one.target[0].requests = {"GET /tests": 7}
    assert found(recording) == {}
    assert reason(recording, "target-silent").level is Level.VALID


def test_an_instance_that_came_late_leaves_only_the_upper_bound() -> None:
    """What it served before it was first asked is not known: too few is no fault then, too many is."""
    recording = clean()
    for one in recording.seconds:
        if one.t < 30 and one.target:
            del one.target[1]
    assert found(recording) == {}
    served(2_000)(recording)
    assert found(recording) == {"served-more": INVALID}


def test_a_target_that_was_looked_at_for_a_while_is_compared_for_that_while() -> None:
    """From second 20 to second 40 only: what was served in between must fit what was requested then."""
    recording = clean()
    for one in recording.seconds:
        if not 20 <= one.t <= 40:
            one.target = []
    assert found(recording) == {}
    served(300, 20)(recording)
    assert found(recording) == {"served-more": INVALID}
    served(-600, 20)(recording)
    assert found(recording) == {"served-less": INVALID}


def test_what_was_on_its_way_in_a_lost_worker_may_have_been_served() -> None:
    """Its requests in flight, a second of its throughput, and ten seconds more in case it was only cut off."""
    for extra, expected in ((100, {"worker-lost"}), (300, {"worker-lost", "served-more"})):
        recording = make(Recipe(steps=((80, 120),), workers=8, lose=(5, 40.0)))
        served(extra)(recording)
        assert set(found(recording)) == expected


def test_a_name_with_a_query_is_its_route() -> None:
    """Locust names a request by its URL, query and all; the target counts by route."""
    recording = clean()
    for one in recording.seconds:
        for cell in one.cells:
            if one.t % 2 and cell.method == "GET":
                cell.name = "/tests?limit=5"
    assert found(recording) == {}
    assert checked(recording).accounting.served == checked(recording).accounting.recorded


def test_requests_under_a_name_of_their_own_may_be_anywhere() -> None:
    """Half of the reads were given a name: the target counts them as its route, which is no hidden traffic."""
    recording = clean()
    for one in recording.seconds:
        for cell in one.cells:
            if one.t % 2 and cell.method == "GET":
                cell.name = "list the tests"
    assert found(recording) == {}


def test_refused_connections_are_nothing_that_the_target_counts() -> None:
    """Failures may never have reached it: it counts fewer than were answered, and rightly."""
    recording = make(Recipe(fails=lambda t: 0.5 if 20 <= t < 40 else 0.0))
    failed = 0
    for one in recording.seconds:
        for told in one.target:
            told.requests = {key: number - failed // 2 for key, number in (told.requests or {}).items()}
        failed += sum(cell.failed.n for cell in one.cells if cell.failed) // 2
    assert found(recording) == {}


def test_requests_that_the_locustfile_tells_of_itself_leave_littles_law_alone() -> None:
    """Such as the time of a whole flow: they were never on their way, so that the law cannot be asked."""
    recording = clean()
    for one in recording.seconds:
        extra = [Cell("FLOW", cell.name, cell.ok, cell.failed, 0, cell.slow, cell.errors) for cell in one.cells]
        one.cells += extra
        for line in one.workers:
            line.requests *= 2
    for counters in recording.run.counters:
        counters.recorded *= 2
    codes = {one.code for one in checked(recording).reasons}
    assert found(recording) == {}
    assert {"own-events", "little-unchecked"} <= codes


def test_the_plausible_run_is_degraded_by_its_lost_worker_only() -> None:
    """The run that reports are tried with has one reservation."""
    assert found(plausible()) == {"worker-lost": DEGRADED}
