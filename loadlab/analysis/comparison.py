"""What came of two sides: the result of `compare`, which `./lab compare --json` prints. docs/metrics.md defines it all.

A side is one run, or several of the same plan. A is what was, B what is: a change is from A to B.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loadlab.analysis.summary import Interval


class Change(StrEnum):
    """What a difference is called."""

    BETTER = "better"
    WORSE = "worse"
    NONE = "no significant difference"
    UNKNOWN = "cannot be said"


class Outcome(StrEnum):
    """What all differences together come to."""

    BETTER = "better"
    WORSE = "worse"
    MIXED = "mixed"
    NONE = "no significant difference"
    UNKNOWN = "cannot be said"


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run of a side. `window_s` is how long it was measured, `revision` the git revision that it ran on."""

    run: str
    name: str
    headline: str
    verdict: str
    validity: str
    status: str
    started: float | None
    revision: str | None
    users: int
    workers: int
    window_s: int
    requests: int


@dataclass(frozen=True, slots=True)
class Differing:
    """Something in which the two sides were not run alike, and what each had."""

    what: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of both sides: of one endpoint, or of all together where method and name are None.

    `a`, `b` and `difference`, which is b - a, are in `unit`. `interval` is of the change, in `interval_unit`: "%" of
    A's value, or "points" of a share. A change within `hidden_below` (same unit) of 0 could not have been seen.
    `beyond_allowed`: it is worse, and by more than is allowed.
    """

    method: str | None
    name: str | None
    metric: str
    unit: str
    a: float | None
    b: float | None
    samples_a: int
    samples_b: int
    difference: float | None
    change_percent: float | None
    interval: Interval | None
    interval_unit: str
    hidden_below: float | None
    change: Change
    beyond_allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ComparedSlo:
    """A promise as each side's runs kept it (the worst outcome of several), and what became of its figure.

    `figure` is a place in Comparison.figures, None where the metric is not compared.
    """

    text: str
    a: str
    b: str
    figure: int | None


@dataclass(frozen=True, slots=True)
class Method:
    """How it was computed. The confidence is that of all `figures` intervals together.

    `run_percent` is the standard deviation that is allowed for between runs of the same thing; where sides have several
    runs (`repeated`), it is the least, and what they do differ by counts where that is more.
    """

    confidence_percent: float
    figures: int
    draws: int
    block_s: int
    blocks_a: int
    blocks_b: int
    run_percent: float
    repeated: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared. `exit_code` is what `./lab compare` ends with; `differs` is empty unless it was forced."""

    a: tuple[ComparedRun, ...]
    b: tuple[ComparedRun, ...]
    outcome: Outcome
    exit_code: int
    headline: str
    allow_percent: float
    differs: tuple[Differing, ...]
    doubts: tuple[str, ...]
    slos: tuple[ComparedSlo, ...]
    figures: tuple[Figure, ...]
    method: Method | None
    notes: tuple[str, ...]
    format: int = 1
