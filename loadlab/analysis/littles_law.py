"""Little's law: requests on their way = throughput x response time. It holds for any system, whatever is in it.

Both sides come from counts that know nothing of each other: those on their way are counted where requests start and
return, response times are what Locust reports. (J. D. C. Little, Operations Research 9, 1961.)
"""

from __future__ import annotations

from collections.abc import Iterator

from loadlab.analysis.evidence import Evidence, invalid, note
from loadlab.analysis.summary import Little, Reason
from loadlab.analysis.wording import figure, ms, percent

OFF_MOST = 0.05
# What passes between the two clocks of a request: hooks and scheduling. A share of a very short time says little.
OFF_MOST_MS = 1.0
# The law is about the same requests on both sides: with more than so many on one side only, it says nothing.
UNSHARED_MOST = 0.01


def little(evidence: Evidence) -> Little | None:
    """Return both sides over the whole run; None without a request. Time spent in killed requests is taken out."""
    requests, length = evidence.totals.requests, evidence.timeline.length
    if not requests or not length:
        return None
    lasted = evidence.run.duration_s or float(length)
    connecting_us = evidence.totals.phases.connect_us  # on their way too, but in no response time
    waited_s = (evidence.totals.ok.sum_us + evidence.totals.failed.sum_us + connecting_us) / 1e6
    busy_s = _busy_s(evidence)
    off = abs(busy_s - waited_s) / waited_s if waited_s else 0.0
    return Little(busy_s / lasted, requests / lasted, waited_s / requests, 100 * off)


def reasons(evidence: Evidence, found: Little | None) -> Iterator[Reason]:
    """Yield a reason when the law does not hold."""
    if found is None:
        return
    if _unshared(evidence) > UNSHARED_MOST * evidence.totals.requests:
        text = "Little's law was not checked: too many requests are known to one side only."
        yield note("little-unchecked", text)
        return
    each_ms = 1000 * abs(found.in_flight / found.throughput_rps - found.response_s)
    slack_ms = 1000 * _slack_s(evidence) / evidence.totals.requests
    if found.off_percent > 100 * OFF_MOST and each_ms - slack_ms > OFF_MOST_MS:
        yield invalid(
            "little",
            f"Little's law does not hold: {figure(found.in_flight)} requests were on their way on average, but "
            f"{figure(found.throughput_rps)} per second of {ms(1000 * found.response_s)} each make "
            f"{figure(found.throughput_rps * found.response_s)} ({percent(round(found.off_percent, 1))} off).",
        )


def _busy_s(evidence: Evidence) -> float:
    """Return the time that answered requests were on their way, all added up."""
    counters = evidence.run.counters
    if counters and evidence.run.duration_s is not None:
        return sum(one.busy_s - one.killed_busy_s for one in counters)
    return float(evidence.timeline.in_flight.sum())


def _unshared(evidence: Evidence) -> int:
    """Return how many requests are in one of the two sides only."""
    counters = evidence.run.counters
    answered = sum(one.answered for one in counters)
    dropped = sum(abs(one.answered - one.recorded) for one in counters)
    return max(dropped, abs(answered - evidence.totals.requests)) if counters else 0


def _slack_s(evidence: Evidence) -> float:
    """Return how long requests can have been on their way that never came to an end: lost with their worker."""
    longest_us = max(evidence.totals.ok.max_us or 0, evidence.totals.failed.max_us or 0)
    return sum(one.in_flight for one in evidence.run.counters) * longest_us / 1e6
