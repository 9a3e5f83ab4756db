"""Is B better than A, worse, or can no difference be told? docs/decisions/0010-compare.md says how, and why so.

Each figure of each side has a scatter, from drawing its seconds anew in blocks (resampling). To that comes what runs of
the same thing differ by. All intervals together hold the truth with the confidence given: a difference whose interval
excludes 0 is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loadlab.analysis import differences, likeness, slo, telling
from loadlab.analysis.comparison import Change, ComparedRun, ComparedSlo, Comparison, Differing, Figure, Method, Outcome
from loadlab.analysis.differences import Pair
from loadlab.analysis.likeness import Measured
from loadlab.analysis.resampling import DRAWS
from loadlab.analysis.sides import METRICS, Metric, ScopeKey, Side, estimates, side
from loadlab.analysis.summary import Summary
from loadlab.analysis.timeline import Key
from loadlab.analysis.verdict import EXIT_FAILED, EXIT_INVALID, EXIT_PASS

SLO_OUTCOMES = (slo.Outcome.FAIL, slo.Outcome.INSUFFICIENT, slo.Outcome.PASS)  # the worst first


class _Scopes(NamedTuple):
    """What is compared: all together (None), then each endpoint, the busiest first.

    `alone` are endpoints of one side only; `only` is the single endpoint of both, which is all that there is.
    """

    keys: list[ScopeKey]
    alone: list[Key]
    only: Key | None

    def holds(self, promise: slo.Slo, key: ScopeKey) -> bool:
        """Tell whether a promise is about one of them."""
        if promise.method is None or promise.name is None:
            return key is None
        asked = (promise.method, promise.name)
        return key == asked or (key is None and asked == self.only)


def compare(
    a: Sequence[Measured], b: Sequence[Measured], *, allow_percent: float = 0.0, differs: tuple[Differing, ...] = ()
) -> Comparison:
    """Return how B differs from A, each one run or several of the same. The same runs, the same result.

    `allow_percent` is by how much a figure may be worse. Whether the runs may be compared at all is asked of
    `likeness`; `differs` is what that found, where it is done all the same.

    Raises:
        ValueError: a histogram is damaged.
    """
    sides = side([one.recording for one in a]), side([one.recording for one in b])
    scopes = _scopes(*sides)
    promises = _promises([*a, *b])
    pairs = [pair for key in scopes.keys for pair in _pairs(key, promises, scopes, sides)]
    judged = sum(not pair.lacking for pair in pairs)
    figures = tuple(differences.figure(pair, judged, allow_percent) for pair in pairs)
    outcome, method = _outcome(figures), _method(pairs, judged, sides)
    return Comparison(
        a=tuple(map(_run, a)),
        b=tuple(map(_run, b)),
        outcome=outcome,
        exit_code=_exit_code(figures, outcome),
        headline=telling.headline(figures, outcome),
        allow_percent=allow_percent,
        differs=differs,
        doubts=likeness.doubts([*a, *b]),
        slos=tuple(_slos(promises, figures, scopes, (a, b))),
        figures=figures,
        method=method,
        notes=tuple(telling.notes(figures, scopes.alone, promises, method)),
    )


def _promises(runs: Sequence[Measured]) -> list[slo.Slo]:
    texts = dict.fromkeys(text for one in runs for text in one.recording.run.slo)
    return [slo.parse(text) for text in texts]


def _scopes(a: Side, b: Side) -> _Scopes:
    both = [key for key in a.scopes if key is not None and key in b.scopes]
    both.sort(key=lambda key: (-int(a.scopes[key].by_unit.requests.sum()), key))
    alone = sorted(key for key in a.scopes.keys() ^ b.scopes.keys() if key is not None)
    if len(both) == 1 and not alone:
        return _Scopes([None], [], both[0])
    return _Scopes([None, *both], alone, None)


def _pairs(key: ScopeKey, promises: Sequence[slo.Slo], scopes: _Scopes, sides: tuple[Side, Side]) -> Iterator[Pair]:
    """Yield the figures of a scope: those that are always compared, and those that promises are about."""
    promised = [metric for promise in promises if scopes.holds(promise, key) for metric in _metrics(promise)]
    metrics = list(dict.fromkeys([*METRICS, *promised]))
    for metric, one, other in zip(metrics, *(estimates(each, key, metrics) for each in sides), strict=True):
        yield Pair(key, metric, one, other)


def _metrics(promise: slo.Slo) -> list[Metric]:
    """Return the metric of a promise; none where it cannot be drawn anew: a greatest value, the generator's lag."""
    if promise.rank is not None:
        return [Metric(f"p{promise.rank:g}", promise.rank)]
    return [metric for metric in METRICS if metric.name == promise.metric]


def _outcome(figures: Sequence[Figure]) -> Outcome:
    changes = {one.change for one in figures}
    if changes == {Change.UNKNOWN}:
        return Outcome.UNKNOWN
    if Change.WORSE in changes:
        return Outcome.MIXED if Change.BETTER in changes else Outcome.WORSE
    return Outcome.BETTER if Change.BETTER in changes else Outcome.NONE


def _exit_code(figures: Sequence[Figure], outcome: Outcome) -> int:
    if any(one.beyond_allowed for one in figures):
        return EXIT_FAILED
    return EXIT_INVALID if outcome is Outcome.UNKNOWN else EXIT_PASS


def _run(measured: Measured) -> ComparedRun:
    recording, summary = measured
    return ComparedRun(
        run=recording.run.id,
        name=summary.name,
        headline=summary.headline,
        verdict=str(summary.verdict),
        validity=str(summary.validity.level),
        status=str(summary.status),
        started=recording.run.started,
        revision=recording.run.revision,
        users=summary.users_max,
        workers=summary.workers_max,
        window_s=round(_window_s(summary)),
        requests=summary.window.requests,
    )


def _window_s(summary: Summary) -> float:
    held = sum(stage.load.end_s - stage.load.start_s for stage in summary.stages)
    return held or summary.window.end_s - summary.window.start_s


def _slos(
    promises: Sequence[slo.Slo], figures: Sequence[Figure], scopes: _Scopes, sides: tuple[Sequence[Measured], ...]
) -> Iterator[ComparedSlo]:
    for promise in promises:
        a, b = (_kept(promise.text, runs) for runs in sides)
        yield ComparedSlo(promise.text, a, b, _place(promise, figures, scopes))


def _place(promise: slo.Slo, figures: Sequence[Figure], scopes: _Scopes) -> int | None:
    """Return which figure a promise is about, if any."""
    names = {metric.name for metric in _metrics(promise)}
    for place, one in enumerate(figures):
        key = None if one.method is None or one.name is None else (one.method, one.name)
        if one.metric in names and scopes.holds(promise, key):
            return place
    return None


def _kept(text: str, runs: Sequence[Measured]) -> str:
    """Return how a promise was kept, by the worst of several runs; empty where none of them made it."""
    outcomes = {result.outcome for one in runs for result in one.summary.slos if result.text == text}
    return next((str(outcome) for outcome in SLO_OUTCOMES if outcome in outcomes), "")


def _method(pairs: Sequence[Pair], judged: int, sides: tuple[Side, Side]) -> Method | None:
    a, b = (one.draws for one in sides)
    if a is None or b is None:
        return None
    return Method(
        confidence_percent=100 * differences.CONFIDENCE,
        figures=judged,
        draws=DRAWS,
        block_s=max(a.block_s, b.block_s),
        blocks_a=a.blocks,
        blocks_b=b.blocks,
        run_percent=100 * differences.RUN_DEVIATION,
        repeated=len(pairs[0].a.by_run) + len(pairs[0].b.by_run) > 2,
    )
