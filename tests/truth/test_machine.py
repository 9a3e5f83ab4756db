"""When a test may take a run for disturbed by the host: never for want of something else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loadlab.analysis.summary import Level, Reason
from tests.report.summaries import summary
from tests.truth.machine import STOLEN_MOST, StolenTime, is_disturbed

LATE = Reason("lag", Level.INVALID, "late")
SHORT = Reason("users-short", Level.DEGRADED, "short")
OTHER = Reason("little", Level.INVALID, "the law")
NOTE = Reason("own-events", Level.VALID, "a note")


@pytest.mark.parametrize(
    ("reasons", "stolen", "expected"),
    [
        ((LATE, SHORT, NOTE), STOLEN_MOST + 0.01, True),
        ((LATE,), STOLEN_MOST, False),
        ((LATE, OTHER), 0.5, False),
        ((OTHER,), 0.5, False),
        ((NOTE,), 0.5, False),
        ((), 0.5, False),
    ],
)
def test_only_the_host_excuses_and_only_lateness(reasons: tuple[Reason, ...], stolen: float, expected: bool) -> None:
    """The host must have taken CPU, and nothing but lateness be said."""
    made = summary()
    made = replace(made, validity=replace(made.validity, reasons=reasons))
    assert is_disturbed(made, stolen) is expected


def test_the_share_is_one() -> None:
    """Of the time since the beginning, from none to all."""
    stolen = StolenTime()
    sum(range(2_000_000))
    assert 0 <= stolen.share() <= 1
