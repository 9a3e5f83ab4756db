"""What was requested and answered in any set of seconds: histograms merged, counters added, figures made of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from loadlab.analysis.distribution import Distribution
from loadlab.analysis.recording import Cell, Phases
from loadlab.analysis.stages import Seconds, count, places
from loadlab.analysis.summary import PERCENTILES, Endpoint, Latency, Load, PhaseTimes
from loadlab.analysis.timeline import Counts, Key, Timeline


@dataclass(eq=False, slots=True)
class Tally:
    """What adds up. `slow` counts the successes of at least each of the run's thresholds.

    `slow_counted` is how many successes those counters cover: all of them, unless a recorder of another mind wrote.
    """

    slow: Counts
    slow_counted: int = 0
    ok: Distribution = field(default_factory=Distribution)
    failed: Distribution = field(default_factory=Distribution)
    bytes: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    phases: Phases = field(default_factory=Phases)

    @property
    def successes(self) -> int:
        """How many answers were successes."""
        return self.ok.count

    @property
    def failures(self) -> int:
        """How many failed."""
        return self.failed.count

    @property
    def requests(self) -> int:
        """How many there were of both kinds."""
        return self.successes + self.failures

    def add(self, other: Tally) -> None:
        """Add all that another one holds."""
        self.slow += other.slow
        self.slow_counted += other.slow_counted
        self.ok.add(other.ok)
        self.failed.add(other.failed)
        self.bytes += other.bytes
        self.phases.add(other.phases)
        for kind, number in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + number

    def add_cells(self, cells: Sequence[Cell]) -> None:
        """Add what was recorded.

        Raises:
            ValueError: a histogram is damaged.
        """
        self.ok.add_times(cell.ok for cell in cells if cell.ok)
        self.failed.add_times(cell.failed for cell in cells if cell.failed)
        for cell in cells:
            self.bytes += cell.bytes
            if cell.phases is not None:
                self.phases.add(cell.phases)
            if cell.ok and len(cell.slow) == len(self.slow):
                self.slow += np.array(cell.slow, dtype=np.int64)
                self.slow_counted += cell.ok.n
            for kind, number in cell.errors.items():
                self.errors[kind] = self.errors.get(kind, 0) + number


@dataclass(eq=False, slots=True)
class Tallies:
    """Tallies of the pieces that a run is cut into, so that any set of whole pieces can be added up.

    `cuts` are the pieces' first seconds, rising from 0; `answers` are counted by second.
    """

    cuts: list[int]
    pieces: list[Tally]
    answers: Counts

    def over(self, seconds: Seconds) -> Tally:
        """Return the tally of some seconds, which must begin and end at cuts."""
        total = Tally(np.zeros_like(self.pieces[0].slow))
        for stretch in seconds:
            first, last = bisect_right(self.cuts, stretch.start) - 1, bisect_right(self.cuts, stretch.stop - 1) - 1
            for piece in self.pieces[first : last + 1] if len(stretch) else ():
                total.add(piece)
        return total

    def add(self, other: Tallies) -> None:
        """Add another's of the same cuts."""
        for own, piece in zip(self.pieces, other.pieces, strict=True):
            own.add(piece)
        self.answers += other.answers


@dataclass(eq=False, slots=True)
class Loads:
    """A run's requests: `all` together, and those of the endpoints that were asked for by name."""

    timeline: Timeline
    all: Tallies
    named: dict[Key, Tallies]
    endpoints: tuple[Endpoint, ...]

    def load(self, seconds: Seconds, end_s: float | None = None) -> Load:
        """Return the figures of some seconds; a run's last second may end early, at `end_s`."""
        flying = self.timeline.in_flight[places(seconds)]
        in_flight = float(flying.mean()) if len(flying) and self.timeline.workers else None
        return figures(self.all.over(seconds), seconds, in_flight=in_flight, end_s=end_s)


def tallied(
    timeline: Timeline, spans: Iterable[range], window: Seconds, thresholds: int, named: Iterable[Key]
) -> Loads:
    """Add up a run, so that the figures of any of the spans, of the window and of whole of it can be had.

    Histograms are read here, each once. `thresholds` is how many the successes were counted against.

    Raises:
        ValueError: a histogram is damaged.
    """
    edges = {0, *(edge for span in (*spans, *window) for edge in (span.start, span.stop))}
    cuts = sorted(edge for edge in edges if edge < max(1, timeline.length))
    everything = _nothing(cuts, timeline.length, thresholds)
    wanted, kept, endpoints = set(named), {}, []
    for key, cells in sorted(timeline.cells.items()):
        own = _cut(cells, cuts, timeline.length, thresholds)
        everything.add(own)
        if key in wanted:
            kept[key] = own
        tally = own.over(window)
        if tally.requests:
            endpoints.append(Endpoint(*key, figures(tally, window)))
    return Loads(timeline, everything, kept, tuple(endpoints))


def figures(tally: Tally, seconds: Seconds, *, in_flight: float | None = None, end_s: float | None = None) -> Load:
    """Return a tally of some seconds as figures; `end_s` is where the last of them really ended."""
    start, stop = (seconds[0].start, seconds[-1].stop) if seconds else (0, 0)
    end = float(stop) if end_s is None else end_s
    lasted = count(seconds) - (stop - end)
    requests, failures = tally.requests, tally.failures
    return Load(
        start_s=float(start),
        end_s=end,
        requests=requests,
        failures=failures,
        fail_percent=100 * failures / requests if requests else 0.0,
        throughput_rps=requests / lasted if lasted > 0 else 0.0,
        bytes=tally.bytes,
        in_flight=in_flight,
        ok=latency(tally.ok),
        failed=latency(tally.failed),
        errors=_most_first(tally.errors),
        phases=phases(tally.phases),
    )


def phases(told: Phases) -> PhaseTimes | None:
    """Return what is known of how requests came to pass as figures; None where no client told."""
    if not (told.timed or told.connects or told.connect_us or told.reconnects):
        return None
    return PhaseTimes(
        requests=told.timed,
        send_mean_ms=_mean_ms(told.send_us, told.timed),
        wait_mean_ms=_mean_ms(told.wait_us, told.timed),
        connects=told.connects,
        reconnects=told.reconnects,
        connect_mean_ms=_mean_ms(told.connect_us, told.connects),
        connect_max_ms=told.connect_max_us / 1000 if told.connects else None,
        app_mean_ms=_mean_ms(told.app_us, told.app),
        db_mean_ms=_mean_ms(told.db_us, told.db),
        instances=_most_first(told.instances),
        instances_wait_ms={
            name: told.instances_us[name] / count / 1000
            for name, count in sorted(told.instances.items())
            if name in told.instances_us and count
        },
    )


def _mean_ms(sum_us: int, count: int) -> float | None:
    return sum_us / count / 1000 if count else None


def latency(times: Distribution) -> Latency | None:
    """Return response times as figures; None of none."""
    if times.mean_us is None or times.min_us is None or times.max_us is None:
        return None
    values = times.percentiles_us(PERCENTILES)
    named = {f"p{rank:g}": value / 1000 for rank, value in zip(PERCENTILES, values, strict=True) if value is not None}
    return Latency(times.count, times.mean_us / 1000, times.min_us / 1000, times.max_us / 1000, named)


def _most_first(errors: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(errors.items(), key=lambda item: (-item[1], item[0])))


def _nothing(cuts: list[int], length: int, thresholds: int) -> Tallies:
    pieces = [Tally(np.zeros(thresholds, dtype=np.int64)) for _ in cuts]
    return Tallies(cuts, pieces, np.zeros(length, dtype=np.int64))


def _cut(cells: Sequence[tuple[int, Cell]], cuts: list[int], length: int, thresholds: int) -> Tallies:
    made = _nothing(cuts, length, thresholds)
    by_piece: list[list[Cell]] = [[] for _ in cuts]
    for t, cell in cells:
        by_piece[bisect_right(cuts, t) - 1].append(cell)
        made.answers[t] += (cell.ok.n if cell.ok else 0) + (cell.failed.n if cell.failed else 0)
    for piece, some in zip(made.pieces, by_piece, strict=True):
        piece.add_cells(some)
    return made
