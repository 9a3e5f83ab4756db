"""Seconds drawn anew in blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loadlab.analysis import resampling


def drawn(lengths: tuple[int, ...], seed: str = "a run", unit_s: int = 1) -> resampling.Draws:
    """Return draws that there are."""
    made = resampling.draws(lengths, seed, unit_s)
    assert made is not None
    return made


def test_a_draw_is_as_long_as_what_it_is_of() -> None:
    """Each draw has as many seconds as each stage has, and on average every second is in it once."""
    weights = drawn((60, 31)).weights
    assert weights.shape == (resampling.DRAWS, 91)
    assert set(weights[:, :60].sum(axis=1)) == {60}
    assert set(weights[:, 60:].sum(axis=1)) == {31}
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.25


def test_the_same_seed_draws_the_same() -> None:
    """A comparison made again is the same; other runs are drawn from in another way."""
    assert np.array_equal(drawn((60,)).weights, drawn((60,)).weights)
    assert not np.array_equal(drawn((60,)).weights, drawn((60,), "another run").weights)


@pytest.mark.parametrize(
    ("seconds", "block_s", "blocks"), [(20, 5, 4), (30, 5, 6), (60, 5, 12), (66, 5, 13), (120, 10, 12), (240, 20, 12)]
)
def test_blocks_grow_with_the_run(seconds: int, block_s: int, blocks: int) -> None:
    """At least 5 s, and a dozen of them in a run that is long enough."""
    made = drawn((seconds,))
    assert (made.block_s, made.blocks) == (block_s, blocks)


def test_units_of_several_seconds_make_blocks_of_as_many_seconds() -> None:
    """An hour in units of 15 s has blocks of five minutes; of 3 s, at least two units are a block."""
    assert drawn((240,), unit_s=15).block_s == 300
    assert drawn((12,), unit_s=3).block_s == 6


def test_too_few_seconds_are_not_drawn_from() -> None:
    """Three blocks say nothing of how they scatter."""
    assert resampling.draws((19,), "a run") is None
    assert resampling.draws((), "a run") is None


def test_neighbours_stay_together() -> None:
    """In most draws of a second the next one is drawn as often: that is what a block is."""
    weights = drawn((60,)).weights
    together = (weights == np.roll(weights, -1, axis=1)).mean()
    alone = np.random.default_rng(1).multinomial(60, [1 / 60] * 60, size=1000)
    assert together > 2 * (alone == np.roll(alone, -1, axis=1)).mean()


def autoregression(length: int, memory: float, chance: np.random.Generator) -> np.ndarray:
    """Return a series that remembers, of deviation 1."""
    values, level = np.empty(length), chance.normal()
    for place in range(length):
        level = memory * level + math.sqrt(1 - memory**2) * chance.normal()
        values[place] = level
    return values


def test_the_scatter_of_a_mean_of_what_remembers_is_not_underestimated_by_far() -> None:
    """Of 120 s that remember, the mean scatters 2.4 times as far as that of independent ones: most of that is seen."""
    chance = np.random.default_rng(7)
    series = [autoregression(120, 0.7, chance) for _ in range(200)]
    truth = np.std([one.mean() for one in series])
    found = [
        math.sqrt(made.variance(made.sums(one) / 120)) for one in series[:60] for made in [drawn((120,), str(one[0]))]
    ]
    assert truth > 2.1 / math.sqrt(120)
    assert 0.8 * truth < np.median(found) < 1.1 * truth


def test_the_scatter_of_independent_seconds_is_the_usual_one() -> None:
    """Blocks take nothing and add nothing where there is nothing to remember."""
    chance = np.random.default_rng(8)
    found = []
    for number in range(60):
        made = drawn((120,), str(number))
        found.append(math.sqrt(made.variance(made.sums(chance.normal(size=120)) / 120)))
    assert np.mean(found) == pytest.approx(1 / math.sqrt(120), rel=0.1)


def test_runs_are_drawn_from_each_by_itself() -> None:
    """Two runs joined have the blocks of both, and each draw has all seconds' worth of either."""
    made = resampling.joined([drawn((60,)), drawn((30,), "another run")])
    assert (made.blocks, made.runs) == (18, 2)
    assert set(made.weights[:, :60].sum(axis=1)) == {60}
    assert made.freedom == 1.5 * 16


def test_a_figure_that_some_draws_do_not_have_scatters_without_end() -> None:
    """An endpoint that was asked in one second only is in some draws not at all."""
    made = drawn((60,))
    assert made.variance(np.array([1.0, math.nan])) == math.inf
