"""What is known of a stretch of a run: the figures that everything that can give out is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loadlab.analysis import distribution, stages
from loadlab.analysis.bottleneck.instances import Instance, instances
from loadlab.analysis.distribution import Distribution
from loadlab.analysis.evidence import Evidence
from loadlab.analysis.loads import Loads, Tallies, Tally
from loadlab.analysis.recording import EventKind, MachineSecond
from loadlab.analysis.slo import Slo, SloError, parse
from loadlab.analysis.stages import Seconds
from loadlab.analysis.timeline import Counts, Key, WorkerColumns

LEAST_REQUESTS = 30  # fewer say nothing that would be so again
LEAST_S = stages.SHORTEST_S
TOLD_MOST = 0.9  # of the requests must have told where their time went, else the rest could be anywhere
SAME_BOOT_S = 2  # the time of a boot is reckoned from the time of day, and moves when that is set
FAIL_PERCENT = 1.0  # that may fail, where nothing was promised


@dataclass(frozen=True, slots=True)
class Times:
    """Where the mean response time went, in ms; None where it is not told. All but `total` and `connect` add up to it.

    `queue` is from the last byte sent to the application's beginning, and `network` the part of it that a way there and
    back takes; `app` is in the application outside of its store; `transfer` is sending and receiving. `connect` is the
    making of a connection, which is in no response time.
    """

    total: float
    queue: float | None
    network: float | None
    app: float | None
    store: float | None
    transfer: float | None
    connect: float | None


@dataclass(frozen=True, slots=True)
class Pressure:
    """How near its promises the target was: measured by promised, so that 1 and more is broken. 0: none was made.

    `latency` is of response times and throughput, `fails` of failures; `text` is the promise that was nearest.
    """

    latency: float
    text: str
    fails: float


@dataclass(frozen=True)
class Facts:
    """A stretch of a run. `tally` is what was answered in it."""

    evidence: Evidence
    seconds: Seconds
    tally: Tally
    promises: tuple[Slo, ...]
    pressure: Pressure

    @cached_property
    def places(self) -> Counts:
        """The seconds, as the index of an array."""
        return stages.places(self.seconds)

    @property
    def lasted_s(self) -> int:
        """How many seconds there are."""
        return stages.count(self.seconds)

    @property
    def workers(self) -> dict[int, WorkerColumns]:
        """The workers that told of any of these seconds."""
        return {n: one for n, one in self.evidence.timeline.workers.items() if one.present[self.places].any()}

    @cached_property
    def lag(self) -> Distribution:
        """How late the workers' event loops were."""
        inside = set(map(int, self.places))
        texts = [text for one in self.workers.values() for t, text in one.lags if t in inside]
        return distribution.of_texts(texts)

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """The target, by its own account."""
        return instances(self.evidence.timeline.target, self.seconds)

    @property
    def machine(self) -> MachineSecond | None:
        """What became of the CPU time of the master's machine, on average; None where it does not tell."""
        told = [one for t in self.places if (one := self.evidence.timeline.machine.get(int(t))) is not None]
        if not told:
            return None
        return MachineSecond(sum(one.busy for one in told) / len(told), sum(one.stolen for one in told) / len(told))

    @property
    def machine_cores(self) -> int | None:
        """How many cores the master's machine has."""
        cores = self.evidence.run.machine.get("cores")
        return cores if isinstance(cores, int) and cores > 0 else None

    @cached_property
    def workers_here(self) -> set[int]:
        """The workers on the master's machine, as far as they told when that was booted."""
        booted = self.evidence.run.machine.get("booted")
        if not isinstance(booted, int):
            return set()
        joined = {one.worker: one.data.get("booted") for one in self.evidence.of_kind(EventKind.WORKER_JOINED)}
        return {n for n, b in joined.items() if n is not None and isinstance(b, int) and abs(b - booted) <= SAME_BOOT_S}

    @property
    def files_limits(self) -> dict[int, int]:
        """How many files each worker may have open, as far as it told."""
        joined = {one.worker: one.data.get("files_limit") for one in self.evidence.of_kind(EventKind.WORKER_JOINED)}
        return {n: most for n, most in joined.items() if n is not None and isinstance(most, int) and most > 0}

    @property
    def shares_cores(self) -> bool:
        """Tell whether a worker and an instance of the target are on the master's machine."""
        return bool(self.workers_here) and any(one.is_here for one in self.instances)

    @property
    def waiting_share(self) -> float:
        """Which share of their time users waited for an answer (0-1): above a half, answers set the pace, not users."""
        users = float(self.evidence.timeline.users[self.places].sum())
        flying = float(self.evidence.timeline.in_flight[self.places].sum())
        return min(1.0, flying / users) if users else 0.0

    @cached_property
    def times(self) -> Times | None:
        """Where the time went; None without an answer."""
        return _times(self.tally, self.evidence.totals) if self.tally.requests else None


def gather(evidence: Evidence, loads: Loads, seconds: Seconds, promises: Sequence[Slo] | None = None) -> Facts:
    """Return what is known of some seconds, judged by the run's own promises unless others are given.

    Raises:
        ValueError: a histogram is damaged.
    """
    seconds = tuple(stretch for stretch in seconds if len(stretch))
    promised = _own_promises(evidence) if promises is None else tuple(promises)
    pressure = _pressure(evidence, loads, seconds, promised)
    return Facts(evidence, seconds, _tally(evidence, loads.all, seconds), promised, pressure)


def _tally(evidence: Evidence, tallies: Tallies | None, seconds: Seconds, key: Key | None = None) -> Tally:
    """Return what was answered: out of the pieces that the run is cut into where they fit, else added up anew."""
    length = evidence.timeline.length
    edges = {edge for stretch in seconds for edge in (stretch.start, stretch.stop) if edge < length}
    if tallies is not None and edges <= set(tallies.cuts):
        return tallies.over(seconds)
    inside = {t for stretch in seconds for t in stretch}
    made = Tally(np.zeros(len(evidence.run.thresholds_us), dtype=np.int64))
    for name, cells in evidence.timeline.cells.items():
        if key in (None, name):
            made.add_cells([cell for t, cell in cells if t in inside])
    return made


def _pressure(evidence: Evidence, loads: Loads, seconds: Seconds, promises: Sequence[Slo]) -> Pressure:
    latency, text, fails = 0.0, "", 0.0
    lasted_s = stages.count(seconds)
    for slo in promises:
        key = (slo.method, slo.name) if slo.method is not None and slo.name is not None else None
        tallies = loads.named.get(key) if key else loads.all
        used = _used(slo, _tally(evidence, tallies, seconds, key), lasted_s)
        if slo.metric == "fail":
            fails = max(fails, used)
        elif used > latency:
            latency, text = used, slo.text
    return Pressure(latency, text, fails)


def _own_promises(evidence: Evidence) -> tuple[Slo, ...]:
    found = []
    for text in evidence.run.slo:
        try:
            found.append(parse(text))
        except SloError:  # of another version
            continue
    return tuple(found)


def _used(slo: Slo, tally: Tally, lasted_s: int) -> float:
    """Return which part of a promise was used, 0 where that cannot be said. Not of a longest time: one may be slow."""
    measured = None
    if slo.rank is not None:
        value = tally.ok.percentiles_us([slo.rank])[0]
        measured = None if value is None else value / 1000
    elif slo.metric == "mean":
        measured = None if tally.ok.mean_us is None else tally.ok.mean_us / 1000
    elif slo.metric == "fail" and tally.requests:
        measured = 100 * tally.failures / tally.requests
    elif slo.metric == "rps" and lasted_s:
        measured = tally.requests / lasted_s
    if measured is None:
        return 0.0
    if slo.operator in ("<", "<="):
        return measured / slo.limit if slo.limit else float(measured > 0)
    return slo.limit / measured if measured and slo.metric == "rps" else 0.0


def fail_percent_allowed(facts: Facts) -> float:
    """Return how many of all requests may fail, in %: what was promised, else 1%."""
    limits = [slo.limit for slo in facts.promises if slo.metric == "fail" and slo.method is None]
    return min(limits, default=FAIL_PERCENT)


def _times(tally: Tally, totals: Tally) -> Times:
    told, requests = tally.phases, tally.requests
    total = (tally.ok.sum_us + tally.failed.sum_us) / requests / 1000
    connect = told.connect_us / told.connects / 1000 if told.connects else None
    if told.timed < TOLD_MOST * requests:
        return Times(total, None, None, None, None, None, connect)
    wait = told.wait_us / told.timed / 1000
    transfer = max(0.0, total - wait)
    if told.app < TOLD_MOST * told.timed:
        return Times(total, None, None, None, None, transfer, connect)
    served = min(wait, told.app_us / told.app / 1000)
    store = min(served, told.db_us / told.app / 1000) if told.db else None
    network = min(wait - served, _way_ms(totals))
    return Times(total, wait - served - network, network, served - (store or 0.0), store, transfer, connect)


def _way_ms(totals: Tally) -> float:
    """Return how long a way there and back takes at most, in ms.

    A connection is made in one of them, or several with TLS; and no answer can have come faster than in one.
    """
    fastest = (totals.ok.min_us or 0) / 1000
    told = totals.phases
    return min(fastest, told.connect_us / told.connects / 1000) if told.connects else fastest
