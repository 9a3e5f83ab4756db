"""How much CPU the workers and the whole machine used while the figures of a run were measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

import numpy as np

from loadlab.analysis import capacity, stages
from loadlab.analysis.recording import Recording
from loadlab.analysis.stages import Seconds
from loadlab.analysis.timeline import Timeline, columns


@dataclass(frozen=True, slots=True)
class Used:
    """CPU that was used in the measured window, on average; None: nothing was told of it.

    `generator_cores` is that of all workers together, in cores; `machine_percent` that of everything on the master's
    machine, in % of all its cores.
    """

    generator_cores: float | None
    machine_percent: float | None


def used(recording: Recording) -> Used:
    """Return the CPU used in the window that the figures are of: of a search, the one step, as in its summary."""
    timeline = columns(recording.seconds)
    search = capacity.found(recording.events, timeline.length)
    held = stages.held(recording.events, timeline.length)
    window = capacity.window(search, held, timeline.length)
    return Used(_generator_cores(timeline, window), _machine_percent(timeline, window))


def _generator_cores(timeline: Timeline, window: Seconds) -> float | None:
    """Return the workers' CPU by the seconds that any of them told of: a gap in the record is not idleness."""
    places, workers = stages.places(window), list(timeline.workers.values())
    told = np.any([column.present[places] for column in workers], axis=0) if workers else np.zeros(0, dtype=np.bool_)
    seconds = int(np.count_nonzero(told))
    return sum(float(column.cpu_s[places].sum()) for column in workers) / seconds if seconds else None


def _machine_percent(timeline: Timeline, window: Seconds) -> float | None:
    """Return how busy the machine was; what its host took away was no more to be had than what programs used."""
    told = [timeline.machine[t] for stretch in window for t in stretch if t in timeline.machine]
    return 100 * fmean(one.busy + one.stolen for one in told) if told else None
