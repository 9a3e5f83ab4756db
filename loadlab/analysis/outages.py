"""When the target failed: outages by the share of failures in each second, with hysteresis. See docs/metrics.md."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from loadlab.analysis.loads import Tally
from loadlab.analysis.summary import Outage
from loadlab.analysis.timeline import Timeline, contiguous

# An outage begins with a second in which a tenth of the answers failed: ten times what the lab's own promise allows.
# It is over when less than half of that failed for three seconds on end, so that one bad second in between two good
# ones makes no second outage.
BEGINS_SHARE = 0.10
ENDS_SHARE = 0.05
ENDS_AFTER_S = 3
# Or with a second without an answer while at least one request waited all of it, in a silence of more than twice the
# mean response time: shorter ones are what slow answers look like.
WAITING_LEAST = 1.0
SILENT_RESPONSES = 2.0


def silent(timeline: Timeline, totals: Tally) -> NDArray[np.bool_]:
    """Return the seconds in which no answer came though requests waited, longer than slow answers explain."""
    mute = (timeline.answers == 0) & (timeline.in_flight >= WAITING_LEAST)
    mean_s = (totals.ok.mean_us or 0.0) / 1e6
    least = math.floor(SILENT_RESPONSES * mean_s) + 1
    found = np.zeros(timeline.length, dtype=np.bool_)
    for first, last in contiguous(np.flatnonzero(mute)):
        found[first : last + 1] = last - first + 1 >= least
    return found


def outages(timeline: Timeline, totals: Tally, end: int) -> list[Outage]:
    """Return the outages up to second `end`; one that is not over by then has no end."""
    quiet = silent(timeline, totals)
    found: list[Outage] = []
    begun: int | None = None
    good_since, good = 0, 0
    for t in range(min(end, timeline.length)):
        answers = int(timeline.answers[t])
        share = timeline.failures[t] / answers if answers else 1.0
        if not answers and not quiet[t]:
            continue  # nobody asked, or slow answers are on their way: this second says nothing
        if begun is None:
            begun, good = (t, 0) if share >= BEGINS_SHARE else (None, 0)
        elif share < ENDS_SHARE:
            good_since, good = (t, 1) if not good else (good_since, good + 1)
            if good == ENDS_AFTER_S:
                found.append(Outage(float(begun), float(good_since)))
                begun, good = None, 0
        else:
            good = 0
    if begun is not None:
        found.append(Outage(float(begun), None))
    return found
