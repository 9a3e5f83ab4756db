"""docs/capacity.md, held against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadlab import plan
from loadlab.analysis import capacity, search
from loadlab.analysis.search import Phase

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "capacity.md").read_text()
ROWS = re.findall(r"^\| `([A-Z_]+)`(?: (\w+))? \| ([\d., ]+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("name", "phase", "told"), ROWS)
def test_a_constant_is_what_the_page_says(name: str, phase: str, told: str) -> None:
    """Each row of the table has the value that the code has."""
    (module,) = [module for module in (plan, search, capacity) if name in vars(module)]
    value = vars(module)[name]
    value = value[Phase(phase)] if phase else value
    known = list(value) if isinstance(value, tuple) else [value]
    assert [float(number) for number in told.split(", ")] == known


def test_no_constant_is_without_a_word() -> None:
    """All numbers that a search goes by are in the table, those of each phase too."""
    numbers = {name for name, value in vars(search).items() if re.fullmatch(r"[A-Z_]+_(S|SHARE)", name) and value}
    told = {name for name, _, _ in ROWS}
    assert numbers - told == {"CONFIRM_S"}  # which is PASS_AFTER_S
    assert {"HEADROOM", "START_USERS", "PRECISION_PERCENT", "MOST_USERS"} <= told
    for name in ("LOOKS_S", "PASS_AFTER_S"):
        assert {phase for row, phase, _ in ROWS if row == name} == set(vars(search)[name])


def test_every_source_is_referred_to() -> None:
    """No number in brackets leads nowhere, and no source is listed for show."""
    text, sources = PAGE.split("## Sources")
    listed = set(re.findall(r"^(\d+)\. ", sources, re.MULTILINE))
    assert set(re.findall(r"\[(\d+)\]", text)) == listed
