"""How often the target failed and for how long: MTBF, MTTF, MTTR and availability, each with its interval."""

from __future__ import annotations

from loadlab.analysis import intervals
from loadlab.analysis.loads import Tally
from loadlab.analysis.outages import outages
from loadlab.analysis.summary import Interval, Outage, Reliability
from loadlab.analysis.timeline import Timeline


def reliability(timeline: Timeline, totals: Tally, stop_s: float) -> Reliability:
    """Return the reliability that was seen in the whole seconds until the users were told to stop."""
    observed_s = float(max(0, min(timeline.length, int(stop_s))))
    found = outages(timeline, totals, int(observed_s))
    down_s = sum(((observed_s if one.end_s is None else one.end_s) - one.start_s for one in found), 0.0)
    return of_outages(tuple(found), observed_s, down_s, totals.requests, totals.failures)


def of_outages(found: tuple[Outage, ...], observed_s: float, down_s: float, requests: int, failed: int) -> Reliability:
    """Return the figures of some outages. Times up and down are taken for exponential, the watch for cut at its end."""
    failures = len(found)
    repairs = sum(outage.end_s is not None for outage in found)
    up_s = observed_s - down_s
    is_down = repairs < failures
    shares = intervals.availability(up_s, failures, down_s, repairs)
    return Reliability(
        observed_s=observed_s,
        down_s=down_s,
        outages=found,
        mtbf_s=observed_s / failures if failures else None,
        mtbf=_mean_time(observed_s, failures),
        mttf_s=up_s / failures if failures else None,
        mttf=_mean_time(up_s, failures),
        mttr_s=down_s / repairs if repairs else None,
        mttr=_mean_time(down_s, repairs, truncated=is_down) if failures else None,
        availability_percent=100 * up_s / observed_s if observed_s else None,
        availability=Interval(100 * shares[0], 100 * shares[1]) if shares else None,
        success_percent=100 * (requests - failed) / requests if requests else None,
        success=_success(requests, failed),
    )


def _mean_time(total_s: float, ends: int, *, truncated: bool = True) -> Interval | None:
    if total_s <= 0:
        return None
    return Interval(*intervals.mean_time(total_s, ends, truncated=truncated))


def _success(requests: int, failed: int) -> Interval | None:
    if not requests:
        return None
    low, high = intervals.proportion(requests - failed, requests)
    return Interval(100 * low, 100 * high)
