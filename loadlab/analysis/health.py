"""How the two sides were: each worker in all of the run, each instance of the target in the measured window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from loadlab.analysis.cross_check import counted
from loadlab.analysis.evidence import Evidence
from loadlab.analysis.recording import TargetSecond, WorkerCounters
from loadlab.analysis.saturation import busiest_share, p99_ms, throttled_share
from loadlab.analysis.summary import TargetHealth, WorkerHealth
from loadlab.analysis.timeline import WorkerColumns


def workers(evidence: Evidence) -> tuple[WorkerHealth, ...]:
    """Return every worker that told of itself, or was counted."""
    counted = {one.worker: one for one in evidence.run.counters}
    numbers = sorted(evidence.timeline.workers.keys() | counted.keys())
    return tuple(_worker(evidence, number, counted.get(number)) for number in numbers)


def _worker(evidence: Evidence, number: int, counters: WorkerCounters | None) -> WorkerHealth:
    column = evidence.timeline.workers.get(number)
    name, fate = counters.id if counters else "", _fate(evidence, number)
    if column is None:
        return WorkerHealth(number, name, 0, 0, None, None, None, None, None, 0, 0.0, fate)
    lag = evidence.lags.run[number]
    told = np.flatnonzero(column.present)
    allowed = float(column.cpu_limit.sum())
    busiest, throttled = busiest_share(column, told), throttled_share([column], told)
    return WorkerHealth(
        worker=number,
        id=name,
        requests=int(column.requests.sum()),
        users_max=int(column.users.max()),
        lag_p99_ms=p99_ms(lag),
        lag_max_ms=float(column.lag_max_us.max()) / 1000 if lag.count else None,
        cpu_mean_percent=100 * float(column.cpu_s.sum()) / allowed if allowed else None,
        cpu_max_percent=None if busiest is None else 100 * busiest,
        throttled_percent=None if throttled is None else 100 * throttled,
        rss_max_bytes=int(column.rss_bytes.max()),
        clock_offset_ms=1000 * _furthest(column),
        fate=fate,
    )


def _furthest(column: WorkerColumns) -> float:
    return float(column.clock_offset_s[np.abs(column.clock_offset_s).argmax()])


def _fate(evidence: Evidence, number: int) -> str:
    own = [one for one in evidence.absences if one.worker == number]
    if own and own[-1].has_left:
        return "left"
    return "lost" if own and own[-1].end_s is None else "stayed"


def target(evidence: Evidence) -> tuple[TargetHealth, ...]:
    """Return every instance of the target that told of itself in the measured window."""
    inside = {t for stretch in evidence.window for t in stretch}
    looks = {
        name: [(t, one) for t, one in told if t in inside] for name, told in sorted(evidence.timeline.target.items())
    }
    requested = {f"{method} {name.partition('?')[0]}" for method, name in evidence.timeline.cells}
    served = {name: _served([counts for _, counts in counted(told)], requested) for name, told in looks.items()}
    total = sum(number for number in served.values() if number)
    return tuple(_instance(name, told, served[name], total) for name, told in looks.items() if told)


def _instance(name: str, told: list[tuple[int, TargetSecond]], served: int | None, total: int) -> TargetHealth:
    lasts = [one for _, one in told]
    cpu = [(t, one.cpu_s) for t, one in told if one.cpu_s is not None]
    steps = [(t - s, b - a) for (s, a), (t, b) in pairwise(cpu) if t > s and b >= a]
    lasted = sum(span for span, _ in steps)
    periods = _rise([one.periods for one in lasts])
    throttled = _rise([one.throttled for one in lasts])
    return TargetHealth(
        instance=name,
        requests=served,
        share_percent=100 * served / total if served is not None and total else None,
        cpu_mean_cores=sum(used for _, used in steps) / lasted if steps else None,
        cpu_max_cores=max((used / span for span, used in steps), default=None),
        cpu_limit_cores=_last([one.cpu_limit for one in lasts]),
        throttled_percent=100 * throttled / periods if periods and throttled is not None else None,
        memory_max_bytes=max((one.memory_bytes for one in lasts if one.memory_bytes is not None), default=None),
        memory_limit_bytes=_last([one.memory_limit_bytes for one in lasts]),
    )


def _served(counts: Sequence[dict[str, int]], requested: set[str]) -> int | None:
    """Return how many requests an instance counted: of the endpoints' names, or all where it knows none of them."""
    if not counts:
        return None
    keys = {key for count in counts for key in count}
    wanted = keys & requested or keys
    return sum(_rise([count.get(key, 0) for count in counts]) or 0 for key in wanted)


def _rise(told: Sequence[int | None]) -> int | None:
    """Return by how much a counter rose; where it fell, it had begun anew at 0. None where it was not told."""
    values = [value for value in told if value is not None]
    if not values:
        return None
    return sum(after - before if after >= before else after for before, after in pairwise(values))


def _last(told: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(told) if value is not None), None)
