"""Can the measurement be believed? Puts together what every check has to say; docs/metrics.md has their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from loadlab.analysis import accounting, cross_check, fleet, littles_law, saturation
from loadlab.analysis.evidence import Evidence, degraded
from loadlab.analysis.outages import silent
from loadlab.analysis.summary import Accounting, Level, Little, Reason, Validity
from loadlab.analysis.wording import many

# Of two reasons of a level, the one that comes first here explains the other: no CPU makes lag, lag breaks the rest.
FIRST = (
    "generator-limited",
    "target-silent",
    "no-requests",
    "aborted",
    "load-not-restored",
    "throttled",
    "cpu",
    "lag",
    "blocked",
)
ORDER = (Level.INVALID, Level.DEGRADED, Level.VALID)


def check(evidence: Evidence, known: Iterable[Reason] = ()) -> Validity:
    """Return whether the measurement can be believed, and why not: the worst reasons first, those known among them."""
    counts = accounting.account(evidence, cross_check.total_served(evidence))
    law = littles_law.little(evidence)
    found = sorted([*known, *_reasons(evidence, counts, law)], key=_severity)
    level = found[0].level if found else Level.VALID
    return Validity(level, tuple(found), counts, law)


def _severity(reason: Reason) -> tuple[int, int]:
    place = FIRST.index(reason.code) if reason.code in FIRST else len(FIRST)
    return ORDER.index(reason.level), place


def _reasons(evidence: Evidence, counts: Accounting, law: Little | None) -> Iterator[Reason]:
    yield from fleet.reasons(evidence)
    if not evidence.run.plan.get("calibrates"):  # a calibration is there to saturate the generator
        yield from saturation.reasons(evidence)
    yield from accounting.reasons(evidence)
    if evidence.totals.requests:
        yield from cross_check.reasons(evidence, counts)
    yield from littles_law.reasons(evidence, law)
    yield from _stalled(evidence)


def _stalled(evidence: Evidence) -> Iterator[Reason]:
    """Say when a stall of the target hides in the percentiles: users who wait ask for nothing new."""
    stalled = int(np.count_nonzero(silent(evidence.timeline, evidence.totals)[evidence.window_places]))
    if stalled:
        yield degraded(
            "stalled",
            f"No answer came in {many(stalled, 'second')} of the measured time while requests waited: a user who waits "
            "asks for nothing new, so that percentiles show each stall once a user, however long it was.",
        )
