"""The seconds of a run as columns: lines of one second added up, one array entry for each second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from loadlab.analysis.recording import Cell, MachineSecond, Second, TargetSecond, WorkerSecond

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Key: TypeAlias = tuple[str, str]  # method, name


@dataclass(eq=False, slots=True)
class WorkerColumns:
    """One worker, an entry a second; 0 where it was not `present`. Units as in recording.WorkerSecond."""

    worker: int
    present: NDArray[np.bool_]
    users: Counts
    requests: Counts
    in_flight: Floats
    cpu_s: Floats
    cpu_limit: Floats
    periods: Counts
    throttled: Counts
    lag_max_us: Counts
    rss_bytes: Counts
    clock_offset_s: Floats
    files: Counts
    lags: list[tuple[int, str]] = field(default_factory=list)  # the second, and the text of its histogram


@dataclass(eq=False, slots=True)
class Timeline:
    """All of a run by second, from 0 to before `length`. `missing` are seconds without a line of their own."""

    length: int
    missing: Counts
    users: Counts
    target_users: Counts
    answers: Counts
    failures: Counts
    in_flight: Floats
    cells: dict[Key, list[tuple[int, Cell]]]
    workers: dict[int, WorkerColumns]
    target: dict[str, list[tuple[int, TargetSecond]]]  # from -1, a look before the run, to `length` or later
    machine: dict[int, MachineSecond] = field(default_factory=dict)


def columns(seconds: Iterable[Second]) -> Timeline:
    """Return the columns of some lines, in whatever order they are.

    Looks at the target before the run and after its end have lines of their own: they are no seconds of the run.
    """
    lines = sorted(seconds, key=lambda second: second.t)
    of_run = [line for line in lines if line.t >= 0 and not (line.target and _is_look_only(line))]
    length = of_run[-1].t + 1 if of_run else 0
    own = {line.t for line in lines if not line.late}
    made = _nothing(length)
    made.missing = np.array([t for t in range(length) if t not in own], dtype=np.int64)
    for line in lines:
        for told in line.target:
            made.target.setdefault(told.instance, []).append((line.t, told))
        if 0 <= line.t < length:
            _add(made, line)
    return made


def _is_look_only(line: Second) -> bool:
    return not (line.cells or line.workers or line.users or line.target_users)


def contiguous(wanted: Sequence[int] | Counts) -> list[tuple[int, int]]:
    """Return the first and last of each unbroken stretch of rising whole numbers."""
    stretches: list[tuple[int, int]] = []
    for t in map(int, wanted):
        if stretches and stretches[-1][1] == t - 1:
            stretches[-1] = (stretches[-1][0], t)
        else:
            stretches.append((t, t))
    return stretches


def _add(made: Timeline, second: Second) -> None:
    t = second.t
    made.users[t] += second.users
    made.target_users[t] = max(made.target_users[t], second.target_users)
    if second.machine is not None:
        made.machine[t] = second.machine
    for cell in second.cells:
        ok, failed = cell.ok.n if cell.ok else 0, cell.failed.n if cell.failed else 0
        made.answers[t] += ok + failed
        made.failures[t] += failed
        made.cells.setdefault((cell.method, cell.name), []).append((t, cell))
    for line in second.workers:
        if line.worker not in made.workers:
            made.workers[line.worker] = _no_worker(line.worker, made.length)
        _add_worker(made.workers[line.worker], t, line)
        made.in_flight[t] += line.in_flight


def _nothing(length: int) -> Timeline:
    return Timeline(
        length,
        missing=_ints(0),
        users=_ints(length),
        target_users=_ints(length),
        answers=_ints(length),
        failures=_ints(length),
        in_flight=np.zeros(length),
        cells={},
        workers={},
        target={},
    )


def _no_worker(worker: int, length: int) -> WorkerColumns:
    return WorkerColumns(
        worker,
        present=np.zeros(length, dtype=np.bool_),
        users=_ints(length),
        requests=_ints(length),
        in_flight=np.zeros(length),
        cpu_s=np.zeros(length),
        cpu_limit=np.zeros(length),
        periods=_ints(length),
        throttled=_ints(length),
        lag_max_us=_ints(length),
        rss_bytes=_ints(length),
        clock_offset_s=np.zeros(length),
        files=_ints(length),
    )


def _ints(length: int) -> Counts:
    return np.zeros(length, dtype=np.int64)


def _add_worker(column: WorkerColumns, t: int, line: WorkerSecond) -> None:
    """Add a line: what is counted adds up, what is a level is the greatest said."""
    column.present[t] = True
    column.users[t] = max(column.users[t], line.users)
    column.requests[t] += line.requests
    column.in_flight[t] += line.in_flight
    column.cpu_s[t] += line.cpu_s
    column.cpu_limit[t] = max(column.cpu_limit[t], line.cpu_limit)
    column.periods[t] += line.periods
    column.throttled[t] += line.throttled
    column.lag_max_us[t] = max(column.lag_max_us[t], line.lag_max_us)
    column.rss_bytes[t] = max(column.rss_bytes[t], line.rss_bytes)
    column.files[t] = max(column.files[t], line.files)
    if abs(line.clock_offset_s) > abs(column.clock_offset_s[t]):
        column.clock_offset_s[t] = line.clock_offset_s
    if line.lag:
        column.lags.append((t, line.lag))
