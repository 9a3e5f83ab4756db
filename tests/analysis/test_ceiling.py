"""What a calibration says: the ceiling, what set it, and what takes from it."""

from __future__ import annotations

import pytest

from loadlab.analysis.recording import Recording, SetBy, TargetSecond
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Level, Verdict
from tests.recordings import Recipe, burst, make

TARGET = "http://api:8000"


def calibration(
    *,
    workers: int = 2,
    busy: float = 0.97,
    quota: float = 1.0,
    null_busy: float = 0.3,
    null_cores: float = 1.0,
    cores: int = 8,
    answered: float = 1.0,
    way: str = "replayed",
    recipe: Recipe | None = None,
) -> Recording:
    """Return a run against a null target, by the shares of their CPU that both used, and of the requests answered."""
    made = make(recipe or Recipe(workers=workers, instances=0, slos=()))
    made.run.plan |= {"calibrates": TARGET, "host": "http://null-target:8000"}
    made.run.machine = {"cpu": "a CPU", "cores": cores}
    served = 0.0
    for number, second in enumerate(made.seconds):
        told = {f"GET ({way})": int(served)}
        if null_cores:
            cpu_s = number * null_busy * null_cores
            second.target = [TargetSecond("null-target:8000", told, cpu_s=cpu_s, cpu_limit=null_cores)]
        served += answered * sum(worker.requests for worker in second.workers)
        for worker in second.workers:
            worker.cpu_limit, worker.cpu_s = quota, busy * quota
    return made


def test_the_ceiling_is_what_was_made() -> None:
    """Requests/s of the fleet, of each worker and of the median one, CPU for each request, and with what."""
    made = calibration(workers=3)
    summary = summarise(made)
    found = summary.calibration
    assert found is not None
    assert found.ceiling_rps == summary.window.throughput_rps
    assert len(found.worker_rps) == found.workers == 3
    assert sum(found.worker_rps) == pytest.approx(found.ceiling_rps)
    assert found.worker_median_rps == sorted(found.worker_rps)[1]
    assert found.cpu_us == pytest.approx(1e6 * 3 * 0.97 / found.ceiling_rps)
    assert (found.run, found.scenario, found.target, found.users) == (made.run.id, "locustfile", TARGET, 40)
    assert (found.measured, found.machine, found.versions) == (made.run.started, made.run.machine, made.run.versions)
    assert found.bytes_each == summary.window.bytes / summary.window.requests
    assert found.reservations == ()
    assert summarise(make()).calibration is None


@pytest.mark.parametrize(
    ("changes", "limit", "said"),
    [
        ({}, SetBy.WORKERS, "2 workers make at most 40 requests/s, 20 each (48,540 µs of CPU a request)."),
        ({}, SetBy.WORKERS, "The limit is the workers' CPU: 97% of it was used."),
        ({"workers": 1}, SetBy.WORKERS, "The limit is the worker's CPU: 97%"),
        ({"quota": 0.5}, SetBy.WORKERS, "the workers' CPU, 0.5 cores each: 97%"),
        ({"busy": 0.7, "cores": 2}, SetBy.CORES, "share 2 cores, a worker had 70% of one."),
        ({"busy": 0.6, "null_busy": 0.95}, SetBy.NULL_TARGET, "at least 40 requests/s"),
        ({"busy": 0.6, "null_busy": 0.95}, SetBy.NULL_TARGET, "busy, with 95% of its CPU, while 60% of the workers'"),
        ({"busy": 0.4}, SetBy.UNKNOWN, "at least"),
        ({"busy": 0.4, "null_cores": 0}, SetBy.UNKNOWN, "Only 40% of the workers' CPU was used: users paused"),
    ],
)
def test_what_set_the_ceiling(changes: dict[str, float], limit: SetBy, said: str) -> None:
    """The workers' own CPU, the machine's, or the null target's; where it was neither of the first two, at least."""
    summary = summarise(calibration(**changes))  # type: ignore[arg-type]
    found = summary.calibration
    assert found is not None
    assert (found.set_by, found.is_at_least) == (limit, limit in (SetBy.NULL_TARGET, SetBy.UNKNOWN))
    assert said in found.sentence
    assert summary.headline == f"PASS: {found.sentence.rstrip('.')}"


def test_one_worker_that_is_not_busy_is_enough_to_doubt() -> None:
    """The ceiling is the workers' only where each of them used its CPU."""
    made = calibration(workers=2)
    for second in made.seconds:
        second.workers[0].cpu_s = 0.5
    found = summarise(made).calibration
    assert found is not None
    assert found.set_by is SetBy.UNKNOWN


def test_a_saturated_generator_is_what_is_wanted() -> None:
    """The same recording is invalid as a run, and valid as a calibration, which passes."""
    made = calibration(busy=1.0)
    assert (summarise(made).verdict, summarise(made).validity.level) == (Verdict.PASS, Level.VALID)
    del made.run.plan["calibrates"]
    assert summarise(made).validity.reasons[0].code == "cpu"
    assert summarise(made).validity.level is Level.INVALID


def test_what_else_makes_a_measurement_invalid_does_so_here() -> None:
    """A calibration whose requests do not add up is none."""
    made = calibration()
    made.run.counters[0].started += 3
    assert summarise(made).validity.level is Level.INVALID


def test_a_target_that_answers_nothing_has_no_ceiling() -> None:
    """What the scenario makes of answers that are all made up would be kept for every run to come."""
    found = summarise(calibration(way="made up"))
    assert found.validity.level is Level.INVALID
    assert found.validity.reasons[0].code == "no-answers"
    assert "Nothing answered at" in found.headline
    assert summarise(calibration()).validity.level is Level.VALID


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"way": "made up"}, "100% of the answers were made up"),
        ({"answered": 0.5}, "% of the requests were answered by others"),
        ({"answered": 0.9}, ""),
        ({"null_cores": 0}, "The null target told nothing of itself"),
        ({"recipe": Recipe(workers=2, instances=0, slos=(), fails=burst(0, 99, 0.25))}, "25% of the requests failed"),
    ],
)
def test_what_takes_from_it_is_said(changes: dict[str, object], said: str) -> None:
    """Failures, answers that nobody gave, requests that went elsewhere: the figure stands, with a reservation."""
    found = summarise(calibration(**changes)).calibration  # type: ignore[arg-type]
    assert found is not None
    assert [said in reservation for reservation in found.reservations] == ([True] if said else [])


def test_tls_is_not_in_it() -> None:
    """A target that wants TLS has a ceiling that is measured without."""
    made = calibration()
    made.run.plan["calibrates"] = "https://example.org"
    found = summarise(made).calibration
    assert found is not None
    assert found.reservations == ("The null target speaks plain HTTP: the target's TLS costs a worker more.",)


def test_a_run_without_requests_shows_nothing() -> None:
    """Nor one without workers that told of themselves."""
    made = calibration()
    for second in made.seconds:
        second.cells, second.workers = [], []
    assert summarise(made).calibration is None
