"""What is shown of a run while it is on: the last seconds, the promises so far, and what speaks against it."""

from __future__ import annotations

from typing import Any

import pytest

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Cell, Event, EventKind, Second, Times, WorkerSecond
from loadlab.generator import live
from loadlab.generator.live import SERIES_S, Live
from tests.generator.fakes import planned

ENDPOINT = ("GET", "/")


def times(*values_ms: float) -> Times | None:
    """Return response times as they are written down."""
    if not values_ms:
        return None
    made = Histogram()
    for value in values_ms:
        made.add(round(value * 1000))
    assert made.min_us is not None
    assert made.max_us is not None
    return Times(made.count, made.sum_us, made.min_us, made.max_us, made.to_text())


def second(t: int, *ok_ms: float, failed: int = 0, key: tuple[str, str] = ENDPOINT, **more: Any) -> Second:
    """Return a second of one endpoint."""
    return Second(t, users=4, cells=[Cell(*key, times(*ok_ms), times(*[1.0] * failed))], **more)


def measuring(*slos: str) -> Live:
    """Return a live view whose users are there."""
    made = Live(planned(slos=slos or ("p95<450ms", "fail<1%")))
    made.note(Event(0.0, EventKind.STAGE_STARTED, "stage 1"))
    return made


def judged(of: Live) -> list[tuple[str, Any]]:
    """Return how each promise is judged, and by what."""
    return [(str(one["outcome"]), one["measured"]) for one in of.document()["slos"]]


def test_before_anything_happened() -> None:
    """Nothing is claimed of nothing."""
    document = Live(planned(slos=["p95<1ms", "fail<1%", "rps>5", "max<1s"])).document()
    assert (document["requests"], document["fail_percent"], document["throughput_rps"]) == (0, None, 0.0)
    assert (document["p50_ms"], document["p95_ms"], document["p99_ms"]) == (None, None, None)
    assert {one["outcome"] for one in document["slos"]} == {"insufficient samples"}
    assert document["validity"] == {"level": "valid", "reasons": []}
    assert all(series == [] for series in document["series"].values())


def test_the_totals_are_of_the_whole_run() -> None:
    """From the first request on, late ones too."""
    made = Live(planned())
    for t in range(10):
        made.add(second(t, 1, 2, failed=1))
    made.add(second(3, 1, late=True))
    document = made.document()
    assert (document["requests"], document["failures"], document["fail_percent"]) == (31, 10, 32.258)


def test_throughput_and_percentiles_are_of_the_last_five_seconds() -> None:
    """What was before is forgotten; failures count as requests, and their times do not."""
    made = Live(planned())
    made.add(second(0, *[9000.0] * 100))
    for t in range(1, 6):
        made.add(second(t, 10, 20, 30, failed=2))
    document = made.document()
    assert document["throughput_rps"] == 5.0
    assert document["p50_ms"] == pytest.approx(20, rel=0.004)
    assert document["p99_ms"] == pytest.approx(30, rel=0.004)


def test_the_series_are_the_last_two_minutes() -> None:
    """A point a second, of all that is drawn; what came late has no point of its own."""
    made = Live(planned())
    for t in range(SERIES_S + 30):
        made.add(second(t, 5, failed=1))
    made.add(second(20, 5, late=True))
    series = made.document()["series"]
    assert series["t"] == list(range(30, SERIES_S + 30))
    assert {name: (len(points), points[-1]) for name, points in series.items()} == {
        "t": (SERIES_S, SERIES_S + 29),
        "users": (SERIES_S, 4),
        "throughput_rps": (SERIES_S, 2),
        "p95_ms": (SERIES_S, pytest.approx(5, rel=0.004)),
        "fail_percent": (SERIES_S, 50.0),
    }


def test_promises_are_measured_from_when_the_users_are_there() -> None:
    """The ramp is none of their business; from the first stage on everything is."""
    made = Live(planned(slos=["p50<5ms", "fail<1%", "rps>1", "max<5ms", "mean<3ms"]))
    made.add(second(0, 100, failed=9))
    assert judged(made) == [("insufficient samples", None)] * 5
    made.note(Event(1.0, EventKind.STAGE_STARTED, "stage 1"))
    made.add(second(1, 1, 2, 6))
    made.add(second(2))
    median = pytest.approx(2, rel=0.004)
    assert judged(made) == [("pass", median), ("pass", 0.0), ("pass", 1.5), ("fail", 6.0), ("fail", 3.0)]


def test_what_comes_late_takes_no_time() -> None:
    """It belongs to a second that was counted already."""
    made = measuring("rps>1")
    made.add(second(0, 1, 2))
    made.add(second(0, 3, late=True))
    assert judged(made) == [("pass", 3.0)]


def test_a_promise_of_one_endpoint_is_measured_there() -> None:
    """By method and name; of another endpoint's requests it knows nothing."""
    made = measuring("GET /a: max<5ms", "POST /a: max<5ms", "GET /b: fail<1%", "max<5ms")
    made.add(second(0, 1, key=("GET", "/a")))
    made.add(second(0, 9, key=("POST", "/a")))
    assert judged(made) == [("pass", 1.0), ("fail", 9.0), ("insufficient samples", None), ("fail", 9.0)]


def test_a_promise_that_only_the_report_can_judge() -> None:
    """The lag of the workers, say: nothing is said of it meanwhile."""
    made = measuring("lag<10ms")
    made.add(second(0, 1))
    assert judged(made) == [("insufficient samples", None)]


@pytest.mark.parametrize("kind", [*EventKind])
def test_what_speaks_against_the_measurement(kind: EventKind) -> None:
    """A worker that is lost, a gap, a warning: once each, however often it is told. What belongs to a run does not."""
    made = measuring()
    for _ in range(2):
        made.note(Event(1.0, kind, "it happened"))
    serious = {EventKind.WORKER_MISSING, EventKind.WORKER_SILENCED, EventKind.GAP, EventKind.WARNING}
    reasons = ["it happened"] if kind in serious else []
    assert made.document()["validity"] == {"level": "degraded" if reasons else "valid", "reasons": reasons}


def late(ms: float) -> dict[str, Any]:
    """Return the lag of an event loop that was late once."""
    lag = Histogram()
    lag.add(round(ms * 1000))
    return {"lag": lag.to_text(), "lag_max_us": round(ms * 1000)}


def test_workers_at_their_limits_are_named() -> None:
    """By sign, as they are now: not as they were."""
    made = measuring()
    made.add(
        Second(
            0,
            workers=[
                WorkerSecond(1, cpu_s=0.91),
                WorkerSecond(2, cpu_s=0.19, cpu_limit=0.2),
                WorkerSecond(3, throttled=1, **late(11)),
                WorkerSecond(4, cpu_s=0.9, **late(9)),
            ],
        )
    )
    assert made.document()["validity"] == {
        "level": "degraded",
        "reasons": [
            "workers 1, 2 use over 90% of their CPU",
            "workers 3 are held back by their CPU quota",
            "workers 3 have event loops over 10 ms late",
        ],
    }
    made.add(Second(1, workers=[WorkerSecond(number) for number in range(1, 5)]))
    assert made.document()["validity"]["reasons"] == []


def test_a_worker_is_as_it_was_at_last() -> None:
    """Also when the last second told of none, and whatever came late."""
    made = measuring()
    made.add(Second(0, workers=[WorkerSecond(1, rss_bytes=5), WorkerSecond(2, rss_bytes=6)]))
    made.add(Second(1))
    made.add(Second(0, workers=[WorkerSecond(1, rss_bytes=1)], late=True))
    assert made.worker(1) == WorkerSecond(1, rss_bytes=5)
    assert made.worker(2) == WorkerSecond(2, rss_bytes=6)
    assert made.worker(3) is None


def test_figures_of_a_worker() -> None:
    """Its lag as a percentile; its CPU as a share of what it may use."""
    assert live.lag_ms(WorkerSecond(1)) is None
    assert live.lag_ms(WorkerSecond(1, **late(3.003))) == pytest.approx(3.003, rel=0.004)
    assert live.cpu_percent(WorkerSecond(1, cpu_s=0.05, cpu_limit=0.2)) == 25.0
    assert live.cpu_percent(WorkerSecond(1, cpu_s=0.05, cpu_limit=0.0)) == 0.0


def test_a_search_is_judged_by_the_step_that_is_on() -> None:
    """What an earlier step broke is forgotten when the next is measured; what comes between them is in neither."""
    made = Live(planned(shape="capacity", users=100, time_s=60, slos=["p95<450ms", "fail<1%", "rps>1"]))
    started, ended = (Event(0.0, kind, "") for kind in (EventKind.STAGE_STARTED, EventKind.STAGE_ENDED))
    made.note(started)
    made.add(second(0, *[900.0] * 10, failed=10))
    made.note(ended)
    for t in range(1, 4):
        made.add(second(t, 1.0))  # users come and go, it settles
    assert [outcome for outcome, _ in judged(made)] == ["fail", "fail", "pass"]
    assert judged(made)[2][1] == 20.0
    made.note(started)
    assert [outcome for outcome, _ in judged(made)] == ["insufficient samples"] * 3
    made.add(second(4, 2.0, 3.0))
    assert [outcome for outcome, _ in judged(made)] == ["pass"] * 3
    assert made.document()["requests"] == 25  # which are of the whole run


def test_strains_of_a_calibration_are_no_doubts() -> None:
    """It is there to make them; a lost worker is one all the same."""
    busy = [WorkerSecond(1, cpu_s=0.99, cpu_limit=1.0)]
    run, calibration = Live(planned()), Live(planned(calibrates="http://api:8000"))
    for one in (run, calibration):
        one.add(second(0, 1, workers=busy))
    assert run.document()["validity"]["level"] == "degraded"
    assert calibration.document()["validity"] == {"level": "valid", "reasons": []}
    calibration.note(Event(1.0, EventKind.WORKER_MISSING, "worker 1 does not answer"))
    assert calibration.document()["validity"]["level"] == "degraded"
