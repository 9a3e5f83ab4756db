"""May two runs be compared? Only what was run alike says something of the target, and only what can be believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from loadlab.analysis.comparison import Differing
from loadlab.analysis.recording import Recording, Status
from loadlab.analysis.summary import Level, Summary
from loadlab.analysis.wording import listed, many, noun, seconds

NOT_OF_THE_LOAD = ("name", "workers")  # of a plan; of workers it counts how many there were
MEASURES = ("loadlab", "python", "locust", "gevent", "geventhttpclient")  # versions of what makes and times requests
MACHINE = ("cpu", "cores", "kernel")  # and memory; not its name, which each container has anew
MEMORY_OFF_MOST = 0.01  # a kernel's update takes a little more or less for itself
MIB = 1 << 20


class Measured(NamedTuple):
    """A run, and what it means."""

    recording: Recording
    summary: Summary


def differing(a: Sequence[Measured], b: Sequence[Measured]) -> tuple[Differing, ...]:
    """Return in what the runs were not run alike: each is held against the first of A."""
    found: dict[str, Differing] = {}
    for other in [*a[1:], *b]:
        for each in _differing(a[0], other):
            found.setdefault(each.what, each)
    return tuple(found.values())


def doubts(many: Iterable[Measured]) -> tuple[str, ...]:
    """Return why some runs cannot be held against others, whatever these are: a sentence for each."""
    return tuple(sentence for measured in many for sentence in _doubts(*measured))


def _doubts(recording: Recording, summary: Summary) -> Iterator[str]:
    run = recording.run
    if run.status is not Status.FINISHED:
        lasted = f" after {seconds(round(run.duration_s))}" if run.duration_s is not None else ""
        yield f"Run {run.id} did not reach its end: it was {run.status}{lasted}."
    if recording.partial:
        yield f"The recording of run {run.id} is partial."
    if summary.validity.level is Level.INVALID:
        yield f"The measurement of run {run.id} is invalid: {summary.validity.reasons[0].text}"


def _differing(a: Measured, b: Measured) -> Iterator[Differing]:
    one, other = a.recording.run, b.recording.run
    for field in one.plan:  # one that a plan does not have is of another loadlab, whose version differs, too
        if field in other.plan and field not in NOT_OF_THE_LOAD:
            yield from _told(f"plan: {field}", one.plan[field], other.plan[field])
    yield from _told("workers", a.summary.workers_max, b.summary.workers_max)
    yield from _told("own shape", one.own_shape, other.own_shape)
    yield from _told("stages", _stages(a.summary), _stages(b.summary))
    for name in MACHINE:
        yield from _told(f"machine: {name}", one.machine.get(name), other.machine.get(name))
    memory = one.machine.get("memory_bytes"), other.machine.get("memory_bytes")
    if not _is_about(*memory):
        yield Differing("machine: memory", *map(_mib, memory))
    for name in MEASURES:
        yield from _told(f"version: {name}", one.versions.get(name), other.versions.get(name))
    yield from _told("workers' CPU limit", _worker_limit(a.recording), _worker_limit(b.recording))
    yield from _told("target", _target(a.summary), _target(b.summary))


def _told(what: str, one: Any, other: Any) -> Iterator[Differing]:
    if one != other:
        yield Differing(what, _said(one), _said(other))


def _is_about(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one == other
    return abs(one - other) <= MEMORY_OFF_MOST * max(one, other)


def _mib(value: float | None) -> str:
    return "not told" if value is None else f"{value / MIB:,.0f} MiB"


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return listed([_said(item) for item in value], most=20) or "none"
    return "not told" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _stages(summary: Summary) -> list[str]:
    return [many(stage.users, "user") for stage in summary.stages]


def _worker_limit(recording: Recording) -> float | None:
    """Return how many cores a worker may use at most, all of them together being as they are."""
    return max((line.cpu_limit for second in recording.seconds for line in second.workers), default=None)


def _target(summary: Summary) -> str | None:
    """Return how many instances there were, and their limits, as far as they tell; None where they do not."""
    if not summary.target:
        return None
    limits = {one.cpu_limit_cores for one in summary.target}
    memory = {one.memory_limit_bytes for one in summary.target}
    count = len(summary.target)
    parts = [many(count, "instance")]
    parts += [f"{limit:g} {noun(limit, 'core')}" for limit in sorted(filter(None, limits))]
    parts += [_mib(limit) for limit in sorted(filter(None, memory))]
    return ", ".join(parts)
