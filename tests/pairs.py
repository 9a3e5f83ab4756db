"""Pairs of runs to compare, made as runs are: the target slows down and recovers for seconds at a time."""

from __future__ import annotations

import math
import random

from loadlab.analysis import summarise
from loadlab.analysis.likeness import Measured
from loadlab.analysis.recording import Cell, Recording, Times
from tests import recordings
from tests.recordings import EndpointRecipe, LatencyMs, Recipe


def swinging(
    median_ms: float, seed: int, *, swing: float = 0.04, memory: float = 0.7, of_run: float = 0.0, sigma: float = 0.5
) -> LatencyMs:
    """Return response times whose median wanders from second to second (a first-order autoregression).

    `swing` is the standard deviation of its logarithm, `memory` how much of it lasts to the next second, `of_run` the
    standard deviation of what is the same in all of a run and another in the next one.
    """
    chance = random.Random(f"swing {seed}")
    offset, level, levels = chance.gauss(0, of_run), chance.gauss(0, swing), []
    for _ in range(400):
        level = memory * level + math.sqrt(1 - memory**2) * chance.gauss(0, swing)
        levels.append(math.log(median_ms) + offset + level)
    return lambda source, t: source.lognormvariate(levels[int(t)], sigma)


def one_endpoint(median_ms: float, seed: int, **options: float) -> list[EndpointRecipe]:
    """Return a single endpoint that swings."""
    return [EndpointRecipe("GET", "/tests", 1.0, swinging(median_ms, seed, **options))]


def recorded(seed: int, *, median_ms: float = 40.0, hold_s: float = 60, users: int = 50, **options: float) -> Recording:
    """Return a run of its own for each seed, all of them of the same plan."""
    endpoints = one_endpoint(median_ms, seed, **options)
    recipe = Recipe(steps=((users, hold_s),), spawn_rate=50, endpoints=endpoints, seed=seed, instances=0)
    recording = recordings.make(recipe)
    recording.run.id = f"20251009-{seed:06}"
    return recording


def measured(recording: Recording) -> Measured:
    """Return a run with what it means."""
    return Measured(recording, summarise.summarise(recording))


def of_recipe(recipe: Recipe) -> Measured:
    """Return a run of a recipe, its id being its name and its seed."""
    recording = recordings.make(recipe)
    recording.run.id = f"{recording.run.id}-{recipe.seed}"
    return measured(recording)


def run(seed: int, **options: float) -> Measured:
    """Return what `recorded` makes, with what it means."""
    return measured(recorded(seed, **options))  # type: ignore[arg-type]


def slow_times(cell: Cell, ms: int = 2000) -> Times:
    """Return the times of as many successes as a cell has, each of which took so long."""
    assert cell.ok is not None
    made = recordings.times([1000 * ms] * cell.ok.n)
    assert made is not None
    return made
