"""What a side of a comparison holds: the figures of its report, and how far they scatter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loadlab.analysis import sides, summarise
from loadlab.analysis.recording import Recording
from loadlab.analysis.sides import METRICS, Estimate, Metric, ScopeKey
from loadlab.analysis.summary import Load
from tests import hours, pairs, recordings


def found(recording: Recording, key: ScopeKey = None, *more: Recording) -> dict[str, Estimate]:
    """Return the figures of a scope by metric."""
    side = sides.side([recording, *more])
    return dict(zip((metric.name for metric in METRICS), sides.estimates(side, key, METRICS), strict=True))


def shown(load: Load) -> dict[str, float]:
    """Return the same figures as a report has them."""
    assert load.ok is not None
    ranks = {name: load.ok.percentiles_ms[name] for name in ("p50", "p95", "p99")}
    return {**ranks, "mean": load.ok.mean_ms, "rps": load.throughput_rps, "fail": load.fail_percent}


@pytest.mark.parametrize(
    "recording",
    [
        recordings.make(),
        recordings.plausible(),
        recordings.make(recordings.Recipe(steps=((20, 30), (40, 30)), shape="steps")),
        hours.hour(seconds=700, endpoints=2, buckets=20),  # its seconds are put together
    ],
    ids=["clean", "failures", "stages", "long"],
)
def test_the_figures_are_those_of_the_report(recording: Recording) -> None:
    """Of the window: all together, and each endpoint."""
    summary = summarise.summarise(recording)
    loads: dict[ScopeKey, Load] = {None: summary.window}
    loads |= {(one.method, one.name): one.load for one in summary.endpoints}
    for key, load in loads.items():
        values = {name: one.value for name, one in found(recording, key).items()}
        assert values == pytest.approx(shown(load))


def test_runs_of_a_side_are_put_together() -> None:
    """Histograms are added up, no percentile is averaged; throughput is per second of both."""
    one, other = pairs.recorded(1), pairs.recorded(2, median_ms=60)
    both, alone = found(one, None, other), [found(each) for each in (one, other)]
    merged = sides.side([one]).scopes[None].times
    merged.add(sides.side([other]).scopes[None].times)
    expected = merged.percentiles_us([95])[0]
    assert expected is not None
    assert both["p95"].value == expected / 1000
    assert both["p95"].samples == sum(each["p95"].samples for each in alone)
    assert both["p95"].by_run == tuple(each["p95"].by_run[0] for each in alone)
    assert both["rps"].value == pytest.approx(np.mean([each["rps"].value or 0 for each in alone]), rel=0.01)


def test_an_endpoint_that_a_run_of_a_side_never_asked() -> None:
    """It is there, with what the other run has of it, and is not judged."""
    one, other = pairs.recorded(1), pairs.recorded(2)
    for second in other.seconds:
        for cell in second.cells:
            cell.name = "/other"
    both = found(one, ("GET", "/tests"), other)
    assert both["p50"].value == pytest.approx(found(one)["p50"].value)
    assert both["p50"].lacking == "has a run without any"


def test_the_scatter_is_about_what_theory_says() -> None:
    """Of independent log-normal times: the mean's relative deviation by root n, and a quantile's by its density."""
    estimates = found(pairs.recorded(3, swing=0.0, hold_s=120))
    n, sigma = estimates["mean"].samples, 0.5
    mean = math.sqrt(math.exp(sigma**2) - 1) / math.sqrt(n)
    median = sigma * math.sqrt(math.pi / 2) / math.sqrt(n)
    assert math.sqrt(estimates["mean"].variance) == pytest.approx(mean, rel=0.35)
    assert math.sqrt(estimates["p50"].variance) == pytest.approx(median, rel=0.35)


def test_a_pause_is_seen_as_scatter() -> None:
    """One bad second makes a p99 that could as well not have been: its scatter is wide."""
    calm = pairs.recorded(4)
    bad = recordings.make(
        recordings.Recipe(
            steps=((50, 60),), seed=4, endpoints=[recordings.EndpointRecipe("GET", "/tests", 1.0, _pausing)]
        )
    )
    assert found(bad)["p99"].variance > 20 * found(calm)["p99"].variance


def _pausing(chance, t):  # type: ignore[no-untyped-def]
    return 2000.0 if t == 30 else chance.lognormvariate(math.log(40), 0.3)


@pytest.mark.parametrize(
    ("recipe", "metric", "lacking"),
    [
        (recordings.Recipe(steps=((40, 15),)), "p50", "was measured for less than 20 s"),
        (recordings.Recipe(steps=((4, 60),)), "p99", "has 236 of the 1,000 successes that are needed"),
        (
            recordings.Recipe(steps=((40, 60),), fails=lambda _t: 1.0),
            "mean",
            "has 0 of the 30 successes that are needed",
        ),
    ],
)
def test_what_is_lacking_is_said(recipe: recordings.Recipe, metric: str, lacking: str) -> None:
    """Too short, too few, none at all: the value is told where there is one, the scatter is not."""
    one = found(recordings.make(recipe))[metric]
    assert one.lacking == lacking
    assert one.variance == math.inf


def test_times_of_zero_have_no_logarithm() -> None:
    """Nothing is in percent of nothing."""
    recording = recordings.make(
        recordings.Recipe(endpoints=[recordings.EndpointRecipe("GET", "/", 1.0, lambda _chance, _t: 0.0)])
    )
    assert {one.lacking for name, one in found(recording).items() if name in ("p50", "mean")} == {"is 0"}


def test_a_run_without_anything() -> None:
    """There is a side, and nothing in it."""
    recording = recordings.make()
    recording.seconds, recording.events = [], []
    assert {one.lacking for one in found(recording).values()} == {"was never requested"}


def test_metrics_know_what_is_good() -> None:
    """Less time and fewer failures; more throughput. Shares are told in points."""
    assert [metric.name for metric in METRICS if metric.more_is_better] == ["rps"]
    assert [metric.name for metric in METRICS if not metric.is_ratio] == ["fail"]
    assert [Metric(name).unit for name in ("p97", "mean", "rps", "fail")] == ["ms", "ms", "/s", "%"]
