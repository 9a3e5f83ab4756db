"""Figures of any set of seconds: nothing is lost, nothing counted twice, late lines are added up."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.loads import tallied
from loadlab.analysis.recording import Phases, Second, TargetSecond, WorkerSecond
from loadlab.analysis.stages import Seconds
from loadlab.analysis.timeline import columns, contiguous
from tests.recordings import cell

LIMIT_US = 30_000


def seconds_of(values: dict[int, list[int]]) -> list[Second]:
    """Return lines with one endpoint whose successes took these times."""
    return [Second(t, cells=[cell(some, [LIMIT_US])] if some else []) for t, some in values.items()]


def random_seconds(length: int, seed: int) -> tuple[list[Second], dict[tuple[int, str], tuple[list[int], list[int]]]]:
    """Return lines of two endpoints, some of a second in two lines, and all their successes' and failures' times."""
    chance = random.Random(seed)
    lines, truth = [], {}
    for t in range(length):
        cells = []
        for name in ("/a", "/b"):
            ok = [chance.randrange(60_000) for _ in range(chance.randrange(12))]
            failed = [chance.randrange(9_000) for _ in range(chance.randrange(4))]
            truth[t, name] = (ok, failed)
            half = len(ok) // 2
            cells.append((cell(ok[:half], [LIMIT_US], failed, name=name), cell(ok[half:], [LIMIT_US], name=name)))
        lines.append(Second(t, users=5, cells=[early for early, _ in cells]))
        lines.append(Second(t, users=1, cells=[late for _, late in cells], late=True))
    chance.shuffle(lines)
    return lines, truth


@pytest.mark.parametrize("window", [(range(3, 9),), (range(2, 5), range(11, 14)), (range(0, 20),), (range(19, 20),)])
def test_any_window_has_the_figures_of_its_own_requests(window: Seconds) -> None:
    """Counts, times, counters and errors against a plain walk over every request."""
    lines, truth = random_seconds(20, seed=3)
    loads = tallied(columns(lines), [range(2, 5), range(11, 14)], window, 1, [("GET", "/a")])
    inside = [t for stretch in window for t in stretch]
    for names, tally in (
        (("/a", "/b"), loads.all.over(window)),
        (("/a",), loads.named["GET", "/a"].over(window)),
    ):
        ok = [value for t in inside for name in names for value in truth[t, name][0]]
        failed = [value for t in inside for name in names for value in truth[t, name][1]]
        reference = Histogram()
        for value in ok:
            reference.add(value)
        assert (tally.successes, tally.failures, tally.requests) == (len(ok), len(failed), len(ok) + len(failed))
        assert tally.ok.percentiles_us([50, 95, 99.9]) == reference.percentiles_us([50, 95, 99.9])
        assert (tally.ok.sum_us, tally.failed.sum_us) == (sum(ok), sum(failed))
        assert tally.slow.tolist() == [sum(value >= LIMIT_US for value in ok)]
        assert tally.slow_counted == len(ok)
        assert tally.errors == ({"HTTP 500": len(failed)} if failed else {})
    load = loads.load(window)
    assert load.requests == sum(len(truth[t, name][kind]) for t in inside for name in ("/a", "/b") for kind in (0, 1))
    assert load.throughput_rps == pytest.approx(load.requests / len(inside))
    assert sum(endpoint.load.requests for endpoint in loads.endpoints) == load.requests


@given(st.lists(st.lists(st.integers(0, 50_000), max_size=5), min_size=1, max_size=12), st.integers(0, 12))
def test_two_halves_make_the_whole(values: list[list[int]], cut: int) -> None:
    """Wherever a run is cut, the two parts' figures add up to its own."""
    cut = min(cut, len(values))
    lines = seconds_of(dict(enumerate(values)))
    loads = tallied(columns(lines), [range(cut)], (range(len(values)),), 1, [])
    first, second, whole = (
        loads.all.over((stretch,)) for stretch in (range(cut), range(cut, len(values)), range(len(values)))
    )
    first.add(second)
    assert first.requests == whole.requests == sum(map(len, values))
    assert np.array_equal(first.ok.counts, whole.ok.counts)
    assert first.slow.tolist() == whole.slow.tolist()


def test_a_last_second_that_ended_early_lasts_no_second() -> None:
    """A run of 2.5 s with 25 requests has 10 a second, not 8.3."""
    lines = seconds_of({0: [1_000] * 10, 1: [1_000] * 10, 2: [1_000] * 5})
    loads = tallied(columns(lines), [], (range(3),), 1, [])
    load = loads.load((range(3),), end_s=2.5)
    assert (load.throughput_rps, load.end_s) == (10, 2.5)


def test_silent_seconds_count_in_the_throughput() -> None:
    """A second without an answer is a second."""
    loads = tallied(columns(seconds_of({0: [1_000] * 10, 1: [], 2: [], 3: [1_000] * 10})), [], (range(4),), 1, [])
    assert loads.load((range(4),)).throughput_rps == 5


def test_nothing_has_no_figures() -> None:
    """No line at all, or no request: zeros where something is counted, None where nothing can be said."""
    for lines in ([], [Second(0)]):
        loads = tallied(columns(lines), [], (range(len(lines)),), 0, [])
        load = loads.load((range(len(lines)),))
        assert (load.requests, load.fail_percent, load.ok, load.failed, load.in_flight) == (0, 0, None, None, None)
        assert loads.endpoints == ()


def test_the_commonest_errors_come_first() -> None:
    """By how many; what is equally common by name."""
    lines = [Second(0, cells=[cell([], [], [1_000] * 6, errors={"b": 1, "a": 1, "c": 4})])]
    loads = tallied(columns(lines), [], (range(1),), 0, [])
    assert list(loads.load((range(1),)).errors) == ["c", "a", "b"]


def test_several_lines_of_a_second_add_up() -> None:
    """Late lines bring users, requests and workers of their own; the users that were wanted are said once."""
    lines = [
        Second(0, 30, 40, workers=[WorkerSecond(1, 30, 5, 2.0, cpu_s=0.1)]),
        Second(0, 10, 0, workers=[WorkerSecond(2, 10, 3, 1.0, cpu_s=0.2)], late=True),
        Second(0, 0, 0, workers=[WorkerSecond(2, 10, 2, 0.5, cpu_s=0.1)], late=True),
        Second(2, 40, 40),
    ]
    made = columns(lines)
    assert made.length == 3
    assert made.missing.tolist() == [1]
    assert (made.users[0], made.target_users[0], made.in_flight[0]) == (40, 40, 3.5)
    two = made.workers[2]
    assert (two.users[0], two.requests[0], two.cpu_s[0]) == (10, 5, pytest.approx(0.3))
    assert two.present.tolist() == [True, False, False]


def test_looks_at_the_target_beside_the_run_are_no_seconds_of_it() -> None:
    """One before the first user and one after the last report: neither makes the run longer, both are kept."""
    target = [TargetSecond("api", {"GET /tests": 5})]
    lines = [Second(-1, target=target), Second(0, 1, 1, target=target), Second(1, 1, 1), Second(2, target=target)]
    made = columns(lines)
    assert made.length == 2
    assert [t for t, _ in made.target["api"]] == [-1, 0, 2]


def test_stretches_are_unbroken() -> None:
    """First and last of each."""
    assert contiguous([1, 2, 3, 5, 8, 9]) == [(1, 3), (5, 5), (8, 9)]
    assert contiguous([]) == []


def test_phases_are_those_of_all_cells_together() -> None:
    """Means are of all requests that told, the longest connection is that of all, and instances add up."""
    told = [
        Phases(3, 30, 6000, connects=2, connect_us=900, connect_max_us=800, app=3, app_us=4500, instances={"a": 3}),
        Phases(1, 50, 2000, connects=1, connect_us=300, connect_max_us=300, reconnects=1, instances={"a": 1, "b": 9}),
    ]
    lines = seconds_of({0: [9] * 3, 1: [7]})
    for line, phases in zip(lines, told, strict=True):
        line.cells[0].phases = phases
    made = tallied(columns(lines), (), (range(2),), 1, ()).load((range(2),)).phases
    assert made is not None
    assert (made.requests, made.connects, made.reconnects, made.instances) == (4, 3, 1, {"b": 9, "a": 4})
    assert (made.send_mean_ms, made.wait_mean_ms) == (0.02, 2.0)
    assert (made.connect_mean_ms, made.connect_max_ms) == (0.4, 0.8)
    assert (made.app_mean_ms, made.db_mean_ms) == (1.5, None)


def test_waiting_is_told_by_instance() -> None:
    """Where the answers of a second are all of one instance, what was waited for it is what was waited at all."""
    told = [
        Phases(3, 30, 6000, instances={"a": 3}),
        Phases(3, 30, 8000, instances={"a": 1, "b": 2}, instances_us={"a": 2000, "b": 6000}),
    ]
    lines = seconds_of({0: [9] * 3, 1: [7] * 3})
    for line, phases in zip(lines, told, strict=True):
        line.cells[0].phases = phases
    made = tallied(columns(lines), (), (range(2),), 1, ()).load((range(2),)).phases
    assert made is not None
    assert made.instances_wait_ms == {"a": 2.0, "b": 3.0}


def test_without_a_client_that_tells_there_are_no_phases() -> None:
    """None is "cannot be said": the figures of another client are not those of a fast one."""
    lines = seconds_of({0: [9] * 3})
    assert tallied(columns(lines), (), (range(1),), 1, ()).load((range(1),)).phases is None
