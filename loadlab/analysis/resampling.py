"""How far a figure of a run scatters: its seconds are drawn anew, in blocks, many times over.

Seconds that follow one another are alike: a slow one is followed by another. Drawn one by one they would look like so
many independent samples, and every difference would be significant. So blocks of several seconds are drawn: the
circular block bootstrap (Politis and Romano 1992), within each stage by itself. docs/decisions/0010-compare.md says
why blocks are as long as they are.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from loadlab.analysis.timeline import Floats

SHORTEST_BLOCK_S = 5  # a pause of the target, and what follows from it, fits into it
MOST_BLOCKS = 12  # in a run: a longer run has longer blocks, so that slower swings fit into them
FEWEST_BLOCKS = 4  # fewer say nothing of how they scatter
SHORTEST_S = SHORTEST_BLOCK_S * FEWEST_BLOCKS
DRAWS = 1000  # a deviation from so many is 2% off by chance

Weights: TypeAlias = NDArray[np.float32]  # shape (draws, units): how often each unit was drawn


@dataclass(frozen=True, eq=False, slots=True)
class Draws:
    """Units of time, seconds or a few of them, drawn again and again: `blocks` of `block_s` make up one draw.

    Of `runs` runs, each of which was drawn from by itself.
    """

    weights: Weights
    blocks: int
    block_s: int
    runs: int = 1

    @property
    def freedom(self) -> float:
        """The degrees of freedom of a deviation that is estimated from so many blocks.

        Blocks may begin anywhere and overlap: they tell half as much again as those side by side would (Meketon and
        Schmeiser 1984).
        """
        return 1.5 * (self.blocks - self.runs)

    def sums(self, by_unit: NDArray[Any]) -> Floats:
        """Return what is added up in each draw, of what each unit has. Shape (draws, ...) of (units, ...)."""
        return np.asarray(self.weights @ by_unit.astype(np.float32), dtype=np.float64)

    def variance(self, drawn: Floats) -> float:
        """Return the variance of a figure from its values in the draws; infinite where some draws have none.

        Blocks scatter less around the mean of those few that were seen than around the truth, by (k - 1) / k.
        """
        if not np.isfinite(drawn).all():
            return math.inf
        return float(drawn.var()) * self.blocks / (self.blocks - self.runs)


def draws(lengths: Sequence[int], seed: str, unit_s: int = 1) -> Draws | None:
    """Return draws of the units of some stages, given by their lengths; None where they are too few to draw from.

    The same seed, the same draws.
    """
    units = sum(lengths)
    block = max(math.ceil(SHORTEST_BLOCK_S / unit_s), units // MOST_BLOCKS)
    blocks = units // block
    if blocks < FEWEST_BLOCKS:
        return None
    chance = np.random.default_rng(zlib.crc32(seed.encode()))
    weights = [_stage(length, min(block, length), chance) for length in lengths]
    return Draws(np.concatenate(weights, axis=1), blocks, block * unit_s)


def joined(many: Sequence[Draws]) -> Draws:
    """Return the draws of several runs as one, their units one after another."""
    weights = np.concatenate([one.weights for one in many], axis=1)
    return Draws(weights, sum(one.blocks for one in many), many[0].block_s, len(many))


def _stage(length: int, block: int, chance: np.random.Generator) -> Weights:
    """Draw blocks of a stage, which may run over its end to its beginning, until each draw is as long as it is."""
    count = math.ceil(length / block)
    starts = chance.integers(length, size=(DRAWS, count))
    drawn = (starts[:, :, None] + np.arange(block)).reshape(DRAWS, -1)[:, :length] % length
    flat = drawn + length * np.arange(DRAWS)[:, None]
    return np.bincount(flat.ravel(), minlength=DRAWS * length).reshape(DRAWS, length).astype(np.float32)
