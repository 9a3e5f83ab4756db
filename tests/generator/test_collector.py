"""The collector counts each report once, and hands out each second when all have told of it."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Phases, Second, Times, WorkerCounters
from loadlab.generator.collector import PATIENCE_S, Collector
from tests.generator.fakes import cell, report


def times(of: Times | None) -> dict[int, int]:
    """Return the counts of what is written down, checked against the figures beside them."""
    if of is None:
        return {}
    counted = Histogram()
    counted.add_text(of.histogram)
    counts = counted.counts
    assert (of.n, of.sum_us) == (sum(counts.values()), sum(us * n for us, n in counts.items()))
    assert (of.min_us, of.max_us) == (min(counts), max(counts))
    return counts


def requests(seconds: list[Second]) -> Counter[Any]:
    """Return how many requests there are, by second, endpoint and time; failures apart."""
    found: Counter[Any] = Counter()
    for second in seconds:
        for one in second.cells:
            for side, kind in ((one.ok, "ok"), (one.failed, "failed")):
                found.update({(second.t, one.method, one.name, kind, us): n for us, n in times(side).items()})
    return found


def out(of: Collector, now: float, *, everything: bool = False) -> list[int]:
    """Hand out, and return which seconds; late ones are negative (and one more, to tell 0)."""
    return [-second.t - 1 if second.late else second.t for second in of.complete(now, everything=everything)]


def test_waiting_by_instance_is_left_out_where_it_can_be_told() -> None:
    """Of one instance it is the whole; of several, each worker's are added up."""
    made = Collector(0)
    one = {"timed": 2, "wait_us": 90, "instances": {"a": 2}, "instances_us": {"a": 90}}
    two = {"timed": 3, "wait_us": 60, "instances": {"a": 1, "b": 2}, "instances_us": {"a": 10, "b": 50}}
    ok = [300, 100, 200, {100: 1, 200: 1}]
    first = [0, [["GET", "/", ok, None, 0, [], {}, one]]]
    assert made.accept(1, "a", report(1, 1, first, [1, [["GET", "/", ok, None, 0, [], {}, one]]]))
    assert made.accept(2, "b", report(1, 1, [1, [["GET", "/", ok, None, 0, [], {}, two]]]))
    told = [second.cells[0].phases for second in made.complete(2.0)]
    assert told == [
        Phases(timed=2, wait_us=90, instances={"a": 2}),
        Phases(timed=5, wait_us=150, instances={"a": 3, "b": 2}, instances_us={"a": 100, "b": 50}),
    ]
    assert told[0] is not None
    assert told[0].waits_us == {"a": 90}


def test_workers_are_added_up() -> None:
    """Each figure of an endpoint is that of all workers: counts, sums, extremes, bytes, thresholds, kinds of errors."""
    made = Collector(2)
    one = ["GET", "/a", [300, 100, 200, {100: 1, 200: 1}], [9, 9, 9, {9: 1}], 50, [2, 1], {"HTTP 503": 1}]
    two = ["GET", "/a", [250, 50, 200, {50: 1, 200: 1}], [8, 4, 4, {4: 2}], 7, [1, 1], {"HTTP 503": 1, "timeout": 1}]
    assert made.accept(1, "a", report(1, 0, [0, [one]], users=3))
    assert made.accept(2, "b", report(1, 0, [0, [two, ["POST", "/a", None, None, 0, [0, 0], {}]]], users=4))
    (second,) = made.complete(1.0)
    assert (second.t, second.users, second.late) == (0, 7, False)
    merged, empty = second.cells
    assert (merged.method, merged.name, merged.bytes, merged.slow) == ("GET", "/a", 57, (3, 2))
    assert times(merged.ok) == {50: 1, 100: 1, 200: 2}
    assert times(merged.failed) == {4: 2, 9: 1}
    assert merged.errors == {"HTTP 503": 2, "timeout": 1}
    assert (empty.method, empty.ok, empty.failed) == ("POST", None, None)
    assert [(worker.worker, worker.requests) for worker in second.workers] == [(1, 3), (2, 4)]


def test_a_repeated_report_counts_once() -> None:
    """Whether it comes next to its twin or much later, and whatever has come meanwhile."""
    made = Collector(0)
    first = report(1, 0, [0, [cell(ok={5: 1})]])
    third = report(3, 2, [2, [cell(ok={5: 4})]])
    accepted = [made.accept(1, "a", copy.deepcopy(one)) for one in (first, first, third, first, third)]
    assert accepted == [True, False, True, False, False]
    assert made.accept(1, "a", report(2, 1, [1, [cell(ok={5: 2})]]))
    assert not made.accept(1, "a", report(2, 1, [1, [cell(ok={5: 2})]]))
    assert not made.accept(1, "a", third)
    assert sum(requests(list(made.complete(9, everything=True))).values()) == 7


def test_workers_number_their_reports_each_for_itself() -> None:
    """Report 1 of one worker is not report 1 of another."""
    made = Collector(0)
    assert made.accept(1, "a", report(1, 0))
    assert made.accept(2, "b", report(1, 0))


@pytest.mark.parametrize(
    ("numbers", "gap"),
    [([], None), ([1], None), ([1, 2, 3], None), ([2, 1], None), ([1, 4], (2, 3)), ([3], (1, 2)), ([2, 5, 1], (3, 4))],
)
def test_what_never_came_is_known(numbers: list[int], gap: tuple[int, int] | None) -> None:
    """The first and the last report that are missing; none when all came, in whatever order."""
    made = Collector(0)
    made.accept(1, "a", report(9, 0))
    book = made.books[1]
    book.seen.clear()
    assert [book.is_new(number) for number in numbers] == [True] * len(numbers)
    assert book.gap == gap


def test_a_second_waits_for_all_workers() -> None:
    """It is handed out as soon as each that is expected has told of it, and not before; then the next, in order."""
    made = Collector(0)
    for number in (1, 2):
        made.accept(number, "w", report(1, 0))
    made.accept(1, "w", report(2, 1))
    made.accept(1, "w", report(3, 2))
    assert out(made, 3.1) == [0]
    assert out(made, 3.2) == []
    made.accept(2, "w", report(2, 1))
    assert out(made, 3.3) == [1]
    made.accept(2, "w", report(3, 2))
    assert out(made, 3.4) == [2]


@pytest.mark.parametrize("t", [0, 5])
def test_a_slow_worker_is_waited_for_just_so_long(t: int) -> None:
    """A second is not held back longer than PATIENCE_S after its end; until then it is."""
    made = Collector(0)
    made.accept(1, "quick", report(1, t))
    made.accept(2, "slow", report(1, t - 1))
    assert out(made, t + 1) == list(range(t))
    assert out(made, t + 1 + PATIENCE_S - 0.001) == []
    assert out(made, t + 1 + PATIENCE_S) == [t]


def test_a_worker_that_is_lost_is_not_waited_for() -> None:
    """The seconds that only it has not told of are handed out at once."""
    made = Collector(0)
    made.accept(1, "here", report(1, 4))
    made.accept(2, "gone", report(1, 0))
    assert out(made, 3.5) == [0]
    made.books[2].is_expected = False
    assert out(made, 3.5) == [1, 2]


def test_without_any_worker_time_goes_on() -> None:
    """Seconds that nobody tells of are handed out empty."""
    made = Collector(0)
    assert list(made.complete(2.9)) == [Second(0), Second(1)]


def test_the_present_second_is_never_handed_out() -> None:
    """Not even when all have told of it: it is not over."""
    made = Collector(0)
    made.accept(1, "early", report(1, 3))
    assert out(made, 1.999) == [0]
    assert out(made, 2.0) == [1]


def test_what_comes_late_is_a_line_of_its_own() -> None:
    """Marked, with nothing but what came late, before the seconds that follow; and told once."""
    made = Collector(0)
    made.accept(1, "quick", report(1, 0, [0, [cell(ok={5: 1})]]))
    made.accept(2, "slow", report(1, -1))
    assert out(made, 4.0) == [0]
    made.accept(1, "quick", report(2, 1))
    made.accept(2, "slow", report(2, 1, [0, [cell(ok={7: 2})]], [1, [cell(ok={8: 1})]]))
    late, second = made.complete(4.0)
    assert (late.t, late.late, second.t, second.late) == (0, True, 1, False)
    assert requests([late]) == {(0, "GET", "/", "ok", 7): 2}
    assert requests([second]) == {(1, "GET", "/", "ok", 8): 1}
    assert out(made, 4.5) == []


def test_at_the_end_everything_is_handed_out() -> None:
    """Nobody is waited for, and what belongs to the second that is not over, or to later ones, comes too."""
    made = Collector(0)
    made.accept(1, "a", report(1, 2, [2, [cell(ok={5: 1})]], [4, [cell(failed=1)]], final=True))
    made.accept(2, "b", report(1, 0))
    seconds = list(made.complete(2.5, everything=True))
    assert [(second.t, second.late) for second in seconds] == [(t, False) for t in range(5)]
    assert requests(seconds) == {(2, "GET", "/", "ok", 5): 1, (4, "GET", "/", "failed", 9): 1}
    assert out(made, 2.5, everything=True) == []


def test_a_worker_that_stood_still_tells_of_its_seconds_at_once() -> None:
    """A report of 4 s: its users in each of them, its CPU time spread over them, its requests where they ended."""
    made = Collector(0)
    made.accept(1, "a", report(1, 0))
    stalled = report(2, 4, [4, [cell(ok={5: 6})]], users=9, in_flight=2.5)
    stalled["health"] = {**stalled["health"], "cpu_s": 2.0, "lag": "x", "lag_max_us": 3_900_000, "throttled": 7}
    made.accept(1, "a", stalled)
    seconds = list(made.complete(5))
    assert [second.users for second in seconds] == [2, 9, 9, 9, 9]
    workers = [second.workers[0] for second in seconds[1:]]
    assert [(worker.cpu_s, worker.in_flight, worker.cpu_limit) for worker in workers] == [(0.5, 2.5, 1.0)] * 4
    assert [(worker.requests, worker.throttled, worker.lag) for worker in workers] == [(0, 0, "")] * 3 + [(6, 7, "x")]
    assert made.books[1].throughput_rps == 1.5


def test_a_report_that_was_lost_is_not_made_up_for() -> None:
    """The second of a report that comes again later is that report's alone: no users are counted twice."""
    made = Collector(0)
    for number in (1, 3, 4, 2):
        one = report(number, number - 1, [number - 1, [cell(ok={5: number})]], users=10 * number)
        one["health"] = {**one["health"], "cpu_s": number / 10}
        made.accept(1, "a", one)
    seconds = list(made.complete(4))
    assert [second.users for second in seconds] == [10, 20, 30, 40]
    assert [[(w.requests, w.cpu_s) for w in second.workers] for second in seconds] == [
        [(1, 0.1)], [(2, 0.2)], [(3, 0.3)], [(4, 0.4)]
    ]  # fmt: skip
    book = made.books[1]
    assert (book.through, book.throughput_rps) == (3, 4.0)


def test_the_counters_are_those_of_the_last_report() -> None:
    """However late an earlier one comes."""
    made = Collector(0)
    for number in (1, 3, 2):
        one = report(number, number - 1, final=number == 3)
        one["counters"] = {**one["counters"], "started": number, "busy_s": number / 2}
        made.accept(1, "name", one)
    assert made.books[1].counters == WorkerCounters(1, "name", started=3, busy_s=1.5, final=True)


def test_what_a_worker_says_of_itself_is_written_down() -> None:
    """Every figure of its health, under its number."""
    made = Collector(0)
    one = report(1, 0, users=5, in_flight=1.25, clock_offset_s=-0.5)
    one["health"] = {
        "lag": "text", "lag_max_us": 11, "cpu_s": 0.75, "cpu_limit": 0.8, "periods": 10, "throttled": 2, "rss_bytes": 99
    }  # fmt: skip
    made.accept(4, "a", one)
    (worker,) = next(made.complete(1)).workers
    assert (worker.worker, worker.users, worker.in_flight, worker.clock_offset_s) == (4, 5, 1.25, -0.5)
    assert (worker.lag, worker.lag_max_us, worker.cpu_s, worker.cpu_limit) == ("text", 11, 0.75, 0.8)
    assert (worker.periods, worker.throttled, worker.rss_bytes) == (10, 2, 99)
    assert made.books[4].latest == worker


ENDPOINTS = st.sampled_from([("GET", "/"), ("POST", "/")])
TALLIES = st.dictionaries(
    st.integers(0, 9),  # the second
    st.dictionaries(
        ENDPOINTS, st.tuples(st.dictionaries(st.integers(1, 99), st.integers(1, 5)), st.integers(0, 3)), max_size=2
    ),
    max_size=4,
)
REPORTS = st.lists(st.tuples(st.integers(1, 3), TALLIES, st.integers(0, 2)), max_size=20)


@settings(max_examples=50, deadline=None)
@given(REPORTS, st.randoms(use_true_random=False))
def test_nothing_that_was_reported_is_lost_or_doubled(reports: list[Any], chance: Any) -> None:
    """In whatever order reports come, again and again, and whenever seconds are taken out: it adds up at the end."""
    numbers: Counter[int] = Counter()
    deliveries: list[tuple[int, dict[str, Any]]] = []
    wanted: Counter[Any] = Counter()
    for worker, tallies, repeats in reports:
        numbers[worker] += 1
        seconds = []
        for t, endpoints in tallies.items():
            seconds.append([t, [cell(*key, ok=ok, failed=failed) for key, (ok, failed) in endpoints.items()]])
            for key, (ok, failed) in endpoints.items():
                wanted.update({(t, *key, "ok", us): n for us, n in ok.items()})
                wanted[t, *key, "failed", 9] += failed
        one = report(numbers[worker], numbers[worker] - 1, *seconds)
        deliveries += [(worker, one)] * (1 + repeats)
    chance.shuffle(deliveries)
    made = Collector(0)
    taken: list[Second] = []
    now = 0.0
    for worker, one in deliveries:
        made.accept(worker, "w", copy.deepcopy(one))
        now += chance.choice([0, 0, 0.25, 1, 3])
        taken += made.complete(now)
    taken += made.complete(now, everything=True)
    assert requests(taken) == +wanted
    own = [second.t for second in taken if not second.late]
    assert own == list(range(len(own)))  # each once, in order
    said = [(second.t, worker.worker) for second in taken for worker in second.workers]
    assert sorted(said) == sorted((t, worker) for worker, count in numbers.items() for t in range(count))
