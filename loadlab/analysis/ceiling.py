"""What a calibration showed: the requests/s that the workers make when nothing holds them up but themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

import numpy as np

from loadlab.analysis import cross_check, health
from loadlab.analysis.evidence import Evidence, invalid
from loadlab.analysis.recording import Calibration, SetBy
from loadlab.analysis.saturation import CPU_MOST
from loadlab.analysis.summary import Load, Reason
from loadlab.analysis.wording import figure, many, percent

# Of the machine's cores, by workers and null target together: the master, and what else runs, come on top.
CORES_MOST = 0.8
# The kernel shares connections out among the null target's processes by chance: one is full before all are.
NULL_MOST = 0.8
# What else than the null target answered. It is looked at once a second, so that a second's worth may be missing.
ELSEWHERE_MOST = 0.2


class WorkerRate(NamedTuple):
    """One worker in the measured window: requests/s, and cores that it used and may use."""

    rps: float
    used_cores: float
    limit_cores: float


class _Null(NamedTuple):
    """All instances of the null target in the measured window: cores that they used and can use, 0 if not told."""

    used_cores: float
    limit_cores: float


def measure(evidence: Evidence, window: Load) -> Calibration | None:
    """Return what a run against a null target says of its workers; None of any other run, or one without requests."""
    run = evidence.run
    target, workers = run.plan.get("calibrates"), rates_of(evidence)
    if not isinstance(target, str) or not workers or not window.requests:
        return None
    found = health.target(evidence)
    null = _Null(sum(one.cpu_mean_cores or 0.0 for one in found), sum(one.cpu_limit_cores or 0.0 for one in found))
    rates = sorted(worker.rps for worker in workers)
    calibration = Calibration(
        run=run.id,
        measured=run.started or run.created,
        scenario=run.plan.get("scenario"),
        target=target,
        workers=len(workers),
        users=max((stage.users for stage in evidence.held), default=0),
        ceiling_rps=window.throughput_rps,
        worker_rps=tuple(rates),
        worker_median_rps=median(rates),
        cpu_us=1e6 * sum(worker.used_cores for worker in workers) / max(sum(rates), 1.0),
        cpu_limit_cores=min(worker.limit_cores for worker in workers),
        bytes_each=window.bytes / window.requests,
        fail_percent=window.fail_percent,
        set_by=_set_by(workers, null, run.machine.get("cores")),
        sentence="",
        reservations=tuple(_reservations(evidence, window)),
        machine=run.machine,
        versions=run.versions,
    )
    return replace(calibration, sentence=f"{_made(calibration)} {_why(calibration, workers, null)}")


def rates_of(evidence: Evidence) -> list[WorkerRate]:
    """Return how fast each worker was that told of itself in the measured window."""
    places = evidence.window_places
    columns = evidence.timeline.workers.values()
    told = [(one, places[one.present[places]]) for one in columns if one.present[places].any()]
    return [
        WorkerRate(*(round(float(np.mean(values[seconds])), 6) for values in (one.requests, one.cpu_s, one.cpu_limit)))
        for one, seconds in told
    ]


def _set_by(workers: Sequence[WorkerRate], null: _Null, cores: object) -> SetBy:
    if all(worker.used_cores >= CPU_MOST * worker.limit_cores for worker in workers):
        return SetBy.WORKERS
    used_cores = sum(worker.used_cores for worker in workers) + null.used_cores
    if isinstance(cores, int) and used_cores >= CORES_MOST * cores:
        return SetBy.CORES
    return SetBy.NULL_TARGET if 0 < NULL_MOST * null.limit_cores <= null.used_cores else SetBy.UNKNOWN


def _made(given: Calibration) -> str:
    at = "at least" if given.is_at_least else "at most"
    each = f", {figure(given.worker_median_rps)} each" if given.workers > 1 else ""
    makes = "makes" if given.workers == 1 else "make"
    cost = f"{figure(given.cpu_us)} µs of CPU a request"
    return f"{many(given.workers, 'worker')} {makes} {at} {figure(given.ceiling_rps)} requests/s{each} ({cost})."


def _why(given: Calibration, workers: Sequence[WorkerRate], null: _Null) -> str:
    used = percent(round(100 * median(worker.used_cores / worker.limit_cores for worker in workers)))
    whose = "the worker's" if given.workers == 1 else "the workers'"
    if given.set_by is SetBy.WORKERS:
        quota = "" if given.cpu_limit_cores >= 1 else f", {given.cpu_limit_cores:g} cores each"
        return f"The limit is {whose} CPU{quota}: {used} of it was used."
    if given.set_by is SetBy.CORES:
        cores = many(int(given.machine["cores"]), "core")
        return f"The limit is this machine: workers, master and null target share {cores}, a worker had {used} of one."
    if given.set_by is SetBy.NULL_TARGET:
        share = percent(round(100 * null.used_cores / null.limit_cores))
        return f"The null target was busy, with {share} of its CPU, while {used} of {whose} was used."
    return f"Only {used} of {whose} CPU was used: users paused within a task, or other programs had the cores."


def doubts(evidence: Evidence) -> list[Reason]:
    """Return why a calibration says nothing: the target itself gave no answer. None of any other run."""
    target = evidence.run.plan.get("calibrates")
    served = cross_check.served(evidence.timeline.target) if target else None
    if served is None or not (answered := sum(served.counts.values())) or _made_up(served) < answered:
        return []
    text = f"Nothing answered at {target}: all answers were made up, and what the scenario makes of them is no ceiling."
    return [invalid("no-answers", text)]


def _made_up(served: cross_check.Served) -> int:
    return sum(count for kind, count in served.counts.items() if kind.endswith("(made up)"))


def _reservations(evidence: Evidence, window: Load) -> Iterator[str]:
    if str(evidence.run.plan["calibrates"]).startswith("https:"):
        yield "The null target speaks plain HTTP: the target's TLS costs a worker more."
    if window.failures:
        yield (
            f"{percent(window.fail_percent)} of the requests failed: the locustfile does not take the null target's "
            "answers for right, and a failure costs a worker more than a success."
        )
    served = cross_check.served(evidence.timeline.target)
    if served is None:
        yield "The null target told nothing of itself: whether it answered, and whether it was busy, is not known."
        return
    answered = sum(served.counts.values())
    made_up = _made_up(served)
    if made_up and answered:
        share = percent(100 * made_up / answered)
        yield f"{share} of the answers were made up (an empty list, or no content): the target gave none to copy."
    elsewhere = 1 - answered / evidence.totals.requests
    if elsewhere > ELSEWHERE_MOST:
        share = percent(round(100 * elsewhere))
        yield f"{share} of the requests were answered by others: the locustfile asks more than its target."
