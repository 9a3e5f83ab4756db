"""Lines over time: nothing is lost, nothing is counted twice, and a gap is a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loadlab.analysis import distribution, series
from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Recording, Second, TargetSecond
from tests import recordings


def counted(recording: Recording) -> tuple[int, int]:
    """Return the successes and failures of a recording."""
    cells = [cell for second in recording.seconds for cell in second.cells]
    return sum(cell.ok.n for cell in cells if cell.ok), sum(cell.failed.n for cell in cells if cell.failed)


def second_of(recording: Recording, t: int) -> Second:
    """Return the line of a second."""
    return next(second for second in recording.seconds if second.t == t)


def test_every_request_is_in_the_lines() -> None:
    """Throughput times seconds is the number of requests, of each kind."""
    recording = recordings.plausible()
    lines = series.of(recording)
    assert lines.step_s == 1
    assert (lines.ok_rps.sum(), lines.failed_rps.sum()) == counted(recording)
    assert sum(line.sum() for line in lines.errors.values()) == counted(recording)[1]


def test_late_lines_add_up() -> None:
    """What came late is in the second that it belongs to, whatever the order, and is no second of its own."""
    recording = recordings.make()
    plain = series.of(recording)
    late = Second(t=7, cells=second_of(recording, 7).cells, late=True)
    second_of(recording, 7).cells = []
    recording.seconds.append(late)
    assert np.array_equal(series.of(recording).ok_rps, plain.ok_rps)
    assert np.array_equal(series.of(recording).users, plain.users)
    assert np.array_equal(series.of(recording).percentiles_ms, plain.percentiles_ms)


def test_a_second_without_a_line_is_a_gap() -> None:
    """Nothing is known of it: that is not the same as nothing at all."""
    recording = recordings.make()
    recording.seconds.remove(second_of(recording, 10))
    lines = series.of(recording)
    for line in (lines.users, lines.ok_rps, lines.percentiles_ms[:, 0], lines.workers[0].cpu_percent):
        assert np.isnan(line[10])
        assert np.isfinite(line[[9, 11]]).all()


def test_percentiles_are_those_of_all_endpoints_together() -> None:
    """A step's percentile is of its merged histograms, as `Histogram` gives it: no mean of percentiles."""
    recording = recordings.plausible()
    lines = series.of(recording)
    merged = Histogram()
    for cell in second_of(recording, 50).cells:
        assert cell.ok is not None
        merged.add_text(cell.ok.histogram)
        merged.min_us = min(cell.ok.min_us, merged.min_us or cell.ok.min_us)
        merged.max_us = max(cell.ok.max_us, merged.max_us or 0)
    expected = [value / 1000 for value in merged.percentiles_us(series.RANKS) if value is not None]
    assert lines.percentiles_ms[50].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("seconds", "step_s"), [(600, 1), (601, 2), (3600, 6), (86_400, 300), (30 * 86_400, 7200)])
def test_a_long_run_has_few_steps(seconds: int, step_s: int) -> None:
    """However long a run is, a chart has at most 600 points, and they hold all of it."""
    lines = series.of(Recording(recordings.make().run, [Second(t=t, users=t % 2) for t in (0, 1, seconds - 1)], []))
    assert lines.step_s == step_s
    assert len(lines.t) == math.ceil(seconds / step_s) <= series.MOST_STEPS
    assert np.nanmax(lines.users) == (1 if step_s == 1 else pytest.approx((1 if seconds % 2 == 0 else 0.5), abs=0.5))


def test_steps_of_several_seconds_are_rates_of_what_is_known() -> None:
    """Of a step of ten seconds with two of them missing, throughput and users are of the eight that are known."""
    recording = recordings.make(recordings.Recipe(steps=((10, 3600),), instances=0, slos=()))
    whole = series.of(recording)
    step = whole.step_s
    assert step == 10
    kept = [second for second in recording.seconds if second.t not in (20 * step, 20 * step + 1)]
    known = [second for second in kept if second.t // step == 20]
    lines = series.of(Recording(recording.run, kept, recording.events))
    answered = sum(cell.ok.n for second in known for cell in second.cells if cell.ok)
    assert lines.ok_rps[20] == pytest.approx(answered / len(known))
    assert lines.users[20] == 10


def test_rare_kinds_of_failures_are_put_together() -> None:
    """The commonest have a line each, the rest has one together; none is lost."""
    recording = recordings.make()
    for number in range(9):
        second_of(recording, 5).cells[0].errors[f"kind {number}"] = 10 + number
    errors = series.of(recording).errors
    assert list(errors) == [f"kind {number}" for number in (8, 7, 6, 5, 4, 3)] + [series.OTHERS]
    assert errors[series.OTHERS][5] == 10 + 11 + 12


def test_a_target_that_began_anew_does_not_run_backwards() -> None:
    """A counter that fell was begun at 0; looks before and after the run give and take nothing."""
    cpu = {-1: 50.0, 0: 50.5, 1: 51.0, 2: 0.3, 3: 1.3, 4: 9.0}
    seconds = [Second(t=t, users=1) for t in range(4)]
    for t, value in cpu.items():
        told = TargetSecond("api-1", cpu_s=value, periods=10 * (t + 2), throttled=t + 1, memory_bytes=1e6 + t)
        line = next((second for second in seconds if second.t == t), Second(t=t))
        line.target = [told]
        seconds += [] if line in seconds else [line]
    (target,) = series.of(Recording(recordings.make().run, seconds, [])).target
    assert target.cpu_cores.tolist() == pytest.approx([0.5, 0.5, 0.3, 1.0])
    assert target.throttled_percent.tolist() == pytest.approx([10.0] * 4)
    assert target.memory_bytes.tolist() == [1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3]
    assert target.cpu_limit_cores is None


def test_a_lost_worker_ends() -> None:
    """From the second of which nothing was heard on, it has no line; until then, it has its users."""
    lost = series.of(recordings.plausible()).workers[4]
    assert lost.users[40] == 25
    assert np.isnan(lost.users[41:]).all()
    assert np.isnan(lost.lag_p99_ms[41:]).all()


def test_many_workers_are_one_line() -> None:
    """More than can be told apart are told as one: users together, CPU the mean, lag of all."""
    recipe = recordings.Recipe(workers=series.MOST_LINES + 1, steps=((34, 10),))
    (together,) = series.of(recordings.make(recipe)).workers
    assert together.worker is None
    assert together.users[8] == 34
    assert 0 < together.cpu_percent[8] < 90


def test_bars_hold_every_request() -> None:
    """No request of the measured window is lost between bars, however narrow or wide the distribution."""
    for spread in (0.0, 0.01, 0.5, 3.0):
        times = distribution.of_times(
            filter(None, [recordings.times([round(10_000 * math.exp(spread * n / 100)) for n in range(-200, 200)])])
        )
        bars = series.bars(times, distribution.Distribution())
        assert bars is not None
        assert bars.ok.sum() == pytest.approx(400)
        assert (bars.ok >= 0).all()
        assert bars.failed.sum() == 0
        assert len(bars.edges_ms) <= series.MOST_BARS + 1
        assert bars.edges_ms[-1] / bars.edges_ms[0] >= series.NARROWEST * 0.99


def test_even_times_make_even_bars() -> None:
    """As many answers at each time give bars as high as their neighbours: no comb where bars and buckets interfere."""
    even = distribution.of_times(filter(None, [recordings.times(list(range(100_000, 160_000, 10)))]))
    bars = series.bars(even, distribution.Distribution())
    assert bars is not None
    inside = bars.ok[(bars.edges_ms[:-1] > 101) & (bars.edges_ms[1:] < 159)]
    density = inside / np.diff(bars.edges_ms)[(bars.edges_ms[:-1] > 101) & (bars.edges_ms[1:] < 159)]
    assert density.max() / density.min() < 1.02


def test_of_nothing_there_are_no_bars() -> None:
    """An empty run has no lines with values and no bars."""
    assert series.bars(distribution.Distribution(), distribution.Distribution()) is None
    lines = series.of(Recording(recordings.make().run, [], []))
    assert len(lines.t) == 0
    assert lines.bars is None
