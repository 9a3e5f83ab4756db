"""How far a run was from what its generator can make: its throughput beside the ceiling of a calibration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from loadlab.analysis.ceiling import WorkerRate
from loadlab.analysis.recording import Calibration, Run, SetBy
from loadlab.analysis.summary import Headroom, Load
from loadlab.analysis.wording import figure, listed, many, noun, times

# Of a machine and of versions, what a request's cost to a worker depends on.
MACHINE = ("cpu", "cores", "memory_bytes", "kernel", "engine")
VERSIONS = ("loadlab", "python", "locust", "gevent", "geventhttpclient", "requests", "locustfiles")
# Answers that are so many times as long, and at least so many bytes longer, cost a worker notably more.
LONGER = 2.0
LONGER_BYTES = 1000


def nearest(run: Run, calibrations: Iterable[Calibration]) -> Calibration | None:
    """Return the calibration that differs least from a run that is about to begin, the newest of several such."""

    def distance(one: Calibration) -> tuple[int, float]:
        return len(differences(run, one, run.expected_workers, one.cpu_limit_cores)), -one.measured

    return min(calibrations, key=distance, default=None)


def headroom(run: Run, loads: Sequence[Load], rates: Sequence[WorkerRate]) -> Headroom | None:
    """Return how much more the workers of a run could make; None where it knows of no calibration.

    `loads` are the stages', of which the busiest counts.
    """
    calibration = run.calibration
    if calibration is None or not rates:
        return None
    busiest = max(loads, key=lambda load: load.throughput_rps)
    differing = differences(run, calibration, len(rates), min(rate.limit_cores for rate in rates))
    ceiling_rps = used_rps = ratio = None
    if differing:
        sentence = f"Not stated: the calibration nearest to this run was {listed(differing)}."
    elif not busiest.requests:
        sentence = "Not stated: no request was made."
    else:
        ceiling_rps, used_rps = calibration.ceiling_rps, busiest.throughput_rps
        ratio = ceiling_rps / used_rps
        sentence = " ".join(_sentences(calibration, busiest, ratio))
    return Headroom(
        ceiling_rps,
        used_rps,
        ratio,
        calibration.is_at_least,
        sentence,
        calibration.run,
        calibration.measured,
        str(calibration.machine.get("cpu") or ""),
    )


def differences(run: Run, calibration: Calibration, workers: int, limit_cores: float) -> list[str]:
    """Return in what a calibration is of another kind than a run with so many workers, each allowed so many cores."""
    given, there = run.machine, calibration.machine
    found = []
    if any(given.get(name) != there.get(name) for name in MACHINE):
        found.append("on another machine or engine")
    if run.plan.get("scenario") != calibration.scenario:
        found.append(f"of the scenario {calibration.scenario}")
    if run.plan.get("host") != calibration.target:
        found.append(f"with the answers of {calibration.target}")
    if workers != calibration.workers:
        found.append(f"with {many(calibration.workers, 'worker')}, not {workers}")
    each = calibration.cpu_limit_cores
    if limit_cores != each:
        found.append(f"with {each:g} {noun(each, 'core')} for a worker, not {limit_cores:g}")
    others = [name for name in VERSIONS if run.versions.get(name) != calibration.versions.get(name)]
    if others:
        found.append(f"with another version of {listed(others)}")
    return found


def _sentences(calibration: Calibration, busiest: Load, ratio: float) -> Iterator[str]:
    at_least = "at least " if calibration.is_at_least else ""
    each = f" ({figure(calibration.worker_median_rps)} each)" if calibration.workers > 1 else ""
    yield (
        f"{many(calibration.workers, 'worker')} can make {at_least}{figure(calibration.ceiling_rps)} requests/s{each}, "
        f"{figure(busiest.throughput_rps)} were made: {times(ratio, is_at_least=calibration.is_at_least)} headroom."
    )
    if calibration.set_by is SetBy.CORES:
        yield "That ceiling shares its cores with next to no target: beside a busy one on this machine it is lower."
    bytes_each = busiest.bytes / busiest.requests
    if bytes_each > max(LONGER * calibration.bytes_each, calibration.bytes_each + LONGER_BYTES):
        yield (
            f"Answers had {figure(round(bytes_each))} bytes here, {figure(round(calibration.bytes_each))} there: "
            "with these the ceiling is lower."
        )
