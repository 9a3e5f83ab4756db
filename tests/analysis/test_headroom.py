"""How far a run was from its generator's ceiling, and when that is not said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from loadlab.analysis.headroom import nearest
from loadlab.analysis.recording import Calibration, Recording, SetBy
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Headroom
from tests.recordings import Recipe, make

MACHINE = {"host": "a", "cpu": "a CPU", "cores": 8, "memory_bytes": 1 << 34, "kernel": "Linux 6", "engine": "compose"}
VERSIONS = {"loadlab": "0.1.0", "locust": "2.47.0", "python": "3.13.5", "bokeh": "3", "locustfiles": "0123456789ab"}
HOST = "http://api:8000"


def calibration(**changes: Any) -> Calibration:
    """Return the calibration of a fleet of four."""
    made = Calibration(
        run="20251009-080000-calibration",
        measured=1_760_000_000.0,
        scenario="locustfile",
        target=HOST,
        workers=4,
        users=256,
        ceiling_rps=20_000.0,
        worker_rps=(4_900.0, 4_950.0, 5_050.0, 5_100.0),
        worker_median_rps=5_000.0,
        cpu_us=195.0,
        cpu_limit_cores=1.0,
        bytes_each=5_000.0,
        fail_percent=0.0,
        set_by=SetBy.WORKERS,
        sentence="",
        machine=MACHINE | {"host": "another container"},
        versions=VERSIONS | {"bokeh": "2"},
    )
    return replace(made, **changes)


def run(known: Calibration | None, *, machine: dict[str, Any] = MACHINE, recipe: Recipe | None = None) -> Recording:
    """Return the recording of a run of four workers that knows of a calibration."""
    made = make(recipe or Recipe(workers=4))
    made.run.plan["host"] = HOST
    made.run.machine, made.run.versions, made.run.calibration = dict(machine), dict(VERSIONS), known
    return made


def headroom_of(recording: Recording) -> Headroom:
    """Return what is said of it."""
    found = summarise(recording).headroom
    assert found is not None
    return found


def test_the_headroom_is_the_ceiling_by_what_was_made() -> None:
    """Of the same fleet on the same machine; the name of a container and the versions of a drawing library are none."""
    recording = run(calibration())
    found = headroom_of(recording)
    window = summarise(recording).window
    assert (found.ceiling_rps, found.used_rps) == (20_000.0, window.throughput_rps)
    assert found.ratio == pytest.approx(20_000.0 / window.throughput_rps)
    assert (
        found.sentence == "4 workers can make 20,000 requests/s (5,000 each), 40 were made: more than 100 × headroom."
    )
    assert (found.calibration, found.calibrated, found.machine, found.is_at_least) == (
        "20251009-080000-calibration",
        1_760_000_000.0,
        "a CPU",
        False,
    )


def test_the_busiest_stage_counts() -> None:
    """Of a run in steps, the headroom is that of the highest one."""
    recording = run(calibration(), recipe=Recipe(workers=4, steps=((20, 20), (80, 20), (40, 20)), shape="steps"))
    assert headroom_of(recording).used_rps == max(one.load.throughput_rps for one in summarise(recording).stages)
    assert headroom_of(recording).used_rps == pytest.approx(80, rel=0.03)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"set_by": SetBy.NULL_TARGET},
            "can make at least 20,000 requests/s (5,000 each), 40 were made: more than 100 × headroom.",
        ),
        ({"set_by": SetBy.CORES}, "That ceiling shares its cores with next to no target"),
        ({"bytes_each": 80.0}, "Answers had 4,882 bytes here, 80 there: with these the ceiling is lower."),
        (
            {"ceiling_rps": 224.0, "set_by": SetBy.NULL_TARGET},
            "at least 224 requests/s (5,000 each), 40 were made: at least 5.59 × headroom.",
        ),
        ({"ceiling_rps": 224.0}, "40 were made: 5.59 × headroom."),
    ],
)
def test_what_has_to_be_known_besides(changes: dict[str, Any], said: str) -> None:
    """A ceiling that is a lower bound, one of shared cores, and answers longer than those it was measured with."""
    assert said in headroom_of(run(calibration(**changes))).sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"machine": MACHINE | {"cores": 4}}, "on another machine or engine."),
        ({"machine": MACHINE | {"engine": "processes"}}, "on another machine or engine."),
        ({"scenario": "read_heavy"}, "of the scenario read_heavy."),
        ({"target": "http://127.0.0.1:5000"}, "with the answers of http://127.0.0.1:5000."),
        ({"workers": 2}, "with 2 workers, not 4."),
        ({"workers": 1}, "with 1 worker, not 4."),
        ({"cpu_limit_cores": 0.5}, "with 0.5 cores for a worker, not 1."),
        ({"versions": VERSIONS | {"locust": "2.46.0"}}, "with another version of locust."),
        (
            {"versions": VERSIONS | {"locustfiles": "cafe", "gevent": "1"}, "workers": 8},
            "with 8 workers, not 4 and with another version of gevent and locustfiles.",
        ),
    ],
)
def test_a_calibration_of_another_kind_says_nothing(changes: dict[str, Any], said: str) -> None:
    """Then there is no figure, and the reason stands in its place."""
    found = headroom_of(run(calibration(**changes)))
    assert (found.ceiling_rps, found.used_rps, found.ratio) == (None, None, None)
    assert found.sentence == f"Not stated: the calibration nearest to this run was {said}"


def test_without_a_calibration_nothing_is_said() -> None:
    """No headroom, rather than one of nothing."""
    assert summarise(run(None)).headroom is None


def test_a_run_without_requests_has_no_headroom() -> None:
    """It is not divided by nothing."""
    recording = run(calibration())
    for second in recording.seconds:
        second.cells = []
    assert (headroom_of(recording).ratio, headroom_of(recording).sentence) == (None, "Not stated: no request was made.")


def test_a_worker_that_was_lost_counts() -> None:
    """The fleet of a run is the workers that took part in its window."""
    recording = run(calibration(), recipe=Recipe(workers=4, lose=(2, 1.0)))
    assert "with 4 workers, not 3" in headroom_of(recording).sentence


def test_the_nearest_calibration_is_taken() -> None:
    """The one that differs in least, and of several such the newest."""
    recording = run(None)
    others = [calibration(workers=2, measured=9.0), calibration(workers=2, scenario="read_heavy", measured=10.0)]
    assert nearest(recording.run, []) is None
    assert nearest(recording.run, others) == others[0]
    both = [calibration(measured=2.0), calibration(measured=3.0)]
    assert nearest(recording.run, [*others, *both]) == both[1]
