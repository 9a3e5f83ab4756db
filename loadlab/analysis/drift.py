"""Did it get worse with time? The last quarter of a long stage against its first."""

from __future__ import annotations

from loadlab.analysis.evidence import Evidence
from loadlab.analysis.loads import Loads, figures
from loadlab.analysis.stages import Held
from loadlab.analysis.summary import Drift, Load
from loadlab.analysis.timeline import Timeline

SHORTEST_S = 60  # a quarter of less than 15 s differs from another by chance


def quarters(held: list[Held]) -> tuple[range, range] | None:
    """Return the first and the last quarter of the seconds of a run's one stage; None where that would say nothing."""
    if len(held) != 1 or len(held[0].seconds) < SHORTEST_S:
        return None  # the load itself changed from stage to stage
    seconds = held[0].seconds
    quarter = len(seconds) // 4
    return seconds[:quarter], seconds[-quarter:]


def drift(evidence: Evidence, loads: Loads, compared: tuple[range, range] | None) -> Drift | None:
    """Return how the two quarters compare."""
    if compared is None:
        return None
    first, last = (figures(loads.all.over((stretch,)), (stretch,)) for stretch in compared)
    memory = [_memory_bytes(evidence.timeline, stretch) for stretch in compared]
    return Drift(_p95_ms(first), _p95_ms(last), first.throughput_rps, last.throughput_rps, memory[0], memory[1])


def _p95_ms(load: Load) -> float | None:
    return load.ok.percentiles_ms["p95"] if load.ok else None


def _memory_bytes(timeline: Timeline, seconds: range) -> float | None:
    """Return the mean memory of all instances of the target together."""
    means = []
    for told in timeline.target.values():
        values = [one.memory_bytes for t, one in told if t in seconds and one.memory_bytes is not None]
        means += [sum(values) / len(values)] if values else []
    return sum(means) if means else None
