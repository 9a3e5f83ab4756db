"""Was the generator itself short of CPU? Then it measured its own waiting, not the target.

Judged within the measured window, from what each worker said of itself each second: a ramp may spike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from loadlab.analysis.distribution import MIDDLES_US, Distribution
from loadlab.analysis.evidence import Evidence, degraded, invalid
from loadlab.analysis.summary import Reason
from loadlab.analysis.timeline import Counts, Floats, WorkerColumns, contiguous
from loadlab.analysis.wording import listed, many, ms, percent, seconds

# The longest stretch that a worker may be busy for: what comes in bursts is answered a moment later, a worker that
# is busy for ten seconds on end has a queue. Locust's own warning looks at 10 s and 90%, too.
CPU_STRETCH_S = 10
CPU_MOST = 0.90
ROUNDING = 1e-9  # of sums
CPU_LEAST_TOLD = 0.5  # of a stretch must be told of
# Each throttled period stops a worker for up to 100 ms. At 5% of them, a p95 can be made of nothing else; 1% is where
# a p99 can.
THROTTLED_MOST = 0.05
THROTTLED_NOTABLE = 0.01
# A request's time is read when the event loop gets round to it: 1 in 100 would be read more than 10 ms late.
LAG_MOST_MS = 10.0
LAG_RANK = 99.0
# A probe is one of many however late it is, so that a loop blocked for 200 ms every 3 s has a fine p99. The share of
# the time in which an answer would have been read more than 10 ms late sees it; freezes are told one by one. As with
# throttling, 5% of the time can make a p95, 1% a p99.
BLOCKED_MOST = 0.05
BLOCKED_NOTABLE = 0.01
FROZEN_S = 1.0


def reasons(evidence: Evidence) -> Iterator[Reason]:
    """Yield what is wrong with the generator's own running."""
    yield from _throttled(evidence)
    yield from _busy(evidence)
    yield from _late(evidence)
    yield from _frozen(evidence)


def busiest_share(column: WorkerColumns, places: Counts) -> float | None:
    """Return the greatest mean share of its CPU that a worker used over `CPU_STRETCH_S` of some seconds on end.

    Over all of a stretch that is shorter. None where it did not tell.
    """
    shares = [_busiest(column, np.arange(first, last + 1)) for first, last in contiguous(places)]
    return max((share for share in shares if share is not None), default=None)


def throttled_share(columns: list[WorkerColumns], places: Counts) -> float | None:
    """Return in which share of their CPU periods workers were held back; None where they have no quota."""
    periods = sum(int(column.periods[places].sum()) for column in columns)
    throttled = sum(int(column.throttled[places].sum()) for column in columns)
    return throttled / periods if periods else None


def _busiest(column: WorkerColumns, places: Counts) -> float | None:
    length = min(CPU_STRETCH_S, len(places))
    told = _sums(column.present[places].astype(float), length)
    used, allowed = _sums(column.cpu_s[places], length), _sums(column.cpu_limit[places], length)
    enough = (told >= CPU_LEAST_TOLD * length) & (allowed > 0)
    return float((used[enough] / allowed[enough]).max()) if enough.any() else None


def _sums(values: Floats, length: int) -> Floats:
    """Return the sums of each `length` values on end."""
    sums: Floats = np.concatenate([[0.0], np.cumsum(values)])
    return sums[length:] - sums[:-length]


def _throttled(evidence: Evidence) -> Iterator[Reason]:
    places, columns = evidence.window_places, list(evidence.timeline.workers.values())
    share = throttled_share(columns, places)
    if share is None:
        return
    if share > THROTTLED_MOST:
        told = f"throttled in {percent(100 * share)} of their CPU periods"
        yield invalid("throttled", f"The workers had no CPU left: they were {told}, {_most(THROTTLED_MOST)}.")
        return
    of_each = {column.worker: throttled_share([column], places) or 0.0 for column in columns}
    worst = max(of_each, key=lambda worker: of_each[worker])
    if of_each[worst] > THROTTLED_NOTABLE:
        told = f"throttled in {percent(100 * of_each[worst])} of its CPU periods, {_most(THROTTLED_NOTABLE)}"
        yield degraded("worker-throttled", f"Worker {worst} was {told}: its slowest answers may be slow for that.")


def _busy(evidence: Evidence) -> Iterator[Reason]:
    shares = {
        worker: share
        for worker, column in evidence.timeline.workers.items()
        if (share := busiest_share(column, evidence.window_places)) is not None and share > CPU_MOST + ROUNDING
    }
    if shares:
        worst = max(shares, key=lambda worker: shares[worker])
        of = f"{len(shares)} of {many(len(evidence.timeline.workers), 'worker')}"
        stretch = min(CPU_STRETCH_S, len(evidence.window_places))
        told = f"over {percent(100 * CPU_MOST)} of what they may for {stretch} s on end"
        most = percent(round(100 * shares[worst], 1))
        yield invalid("cpu", f"The workers had no CPU left: {of} used {told} (worker {worst}: {most}).")


def _late(evidence: Evidence) -> Iterator[Reason]:
    fleet = evidence.lags.fleet
    fleet_ms = p99_ms(fleet)
    if fleet_ms is not None and fleet_ms > LAG_MOST_MS:
        text = f"The workers' event loops were too late: p99 {ms(fleet_ms)}, at most {ms(LAG_MOST_MS)} are allowed."
        yield invalid("lag", text)
        return
    share = _blocked_share(evidence, fleet)
    text = f"The workers' event loops were more than {ms(LAG_MOST_MS)} late in {percent(100 * share)} of the time"
    if share > BLOCKED_MOST:
        yield invalid("blocked", f"{text}, {_most(BLOCKED_MOST)}.")
        return
    if share > BLOCKED_NOTABLE:
        yield degraded("blocked", f"{text}: the slowest answers may be slow for that.")
    of_each = {worker: p99_ms(lag) or 0.0 for worker, lag in evidence.lags.window.items()}
    late = [worker for worker in sorted(of_each) if of_each[worker] > LAG_MOST_MS]
    if late:
        who = listed([f"worker {worker} (p99 {ms(of_each[worker])})" for worker in late])
        yield degraded("worker-lag", f"Late event loops on {who}: what they measured may be too long by that much.")


def p99_ms(lag: Distribution) -> float | None:
    """Return the lag that 99% of the probes did not exceed; None without probes."""
    value = lag.percentiles_us([LAG_RANK])[0]
    return None if value is None else value / 1000


def _blocked_share(evidence: Evidence, fleet: Distribution) -> float:
    """Return the share of the workers' time in which they were late by more than `LAG_MOST_MS`, freezes aside."""
    told = sum(int(column.present[evidence.window_places].sum()) for column in evidence.timeline.workers.values())
    counted = fleet.counts * (MIDDLES_US < FROZEN_S * 1e6)
    late_s = float(counted @ np.maximum(0.0, MIDDLES_US - LAG_MOST_MS * 1000)) / 1e6
    return late_s / told if told else 0.0


def _frozen(evidence: Evidence) -> Iterator[Reason]:
    frozen = [
        (worker, t, float(column.lag_max_us[t]) / 1e6)
        for worker, column in sorted(evidence.timeline.workers.items())
        for t in map(int, np.flatnonzero(column.lag_max_us >= FROZEN_S * 1e6))
    ]
    if frozen:
        # A loop that stood still says so when it runs again.
        who = [f"worker {worker} for {seconds(round(lasted, 1))} until second {t + 1}" for worker, t, lasted in frozen]
        yield degraded("frozen", f"Stood still: {listed(who)}; answers that came meanwhile were read late.")


def _most(share: float) -> str:
    return f"at most {percent(100 * share)} is allowed"
