"""What the page says of its figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadlab.report.explain import SWEEP_TERMS, TERMS

METRICS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
EVERY = TERMS | SWEEP_TERMS
NUMBER = re.compile(r"\d+(?:\.\d+)?(?=%| ms| s\b)")


@pytest.mark.parametrize("key", EVERY)
def test_a_term_is_one_that_is_defined(key: str) -> None:
    """Each figure that the page explains is in docs/metrics.md, under the same words."""
    defined = " ".join(METRICS.read_text().lower().replace("-", " ").split())
    for word in EVERY[key].name.lower().replace("-", " ").split():
        assert word in defined


@pytest.mark.parametrize("key", EVERY)
def test_a_meaning_gives_the_numbers_that_are_defined(key: str) -> None:
    """Every percentage and time in a meaning stands in docs/metrics.md as well: neither is changed alone."""
    defined = set(NUMBER.findall(METRICS.read_text()))
    assert set(NUMBER.findall(EVERY[key].meaning)) <= defined | {"95"}


@pytest.mark.parametrize("key", EVERY)
def test_a_meaning_is_short(key: str) -> None:
    """A hint is read at a glance."""
    meaning = EVERY[key].meaning
    assert meaning.endswith(".")
    assert len(meaning) <= 160
