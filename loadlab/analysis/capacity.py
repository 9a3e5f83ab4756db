"""What a search for the capacity found, by its events and the seconds of its steps. docs/capacity.md has the method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from loadlab.analysis import stages
from loadlab.analysis.evidence import invalid
from loadlab.analysis.loads import Loads
from loadlab.analysis.recording import Event, EventKind
from loadlab.analysis.search import Ending, StepOutcome
from loadlab.analysis.slo import Slo
from loadlab.analysis.stages import SHORTEST_S, Held, Seconds
from loadlab.analysis.summary import Bottleneck, Capacity, CapacityStep, Load, Reason, Verdict
from loadlab.analysis.wording import figure, listed, many

COLLAPSED = "the target collapsed"
NOT_BACK = ", and a minute after the load was taken away it had not come back"
HEADROOM = 0.8  # of the capacity is recommended: what is left takes a replica's loss, a burst, a slow minute


@dataclass(frozen=True)
class Found:
    """What the events of a search tell. `about` is the step that the run's figures are of: the capacity's own."""

    steps: tuple[Event, ...]
    ending: Ending | None  # None: it was cut short
    low: int
    high: int | None
    is_sure: bool  # the lower end was held for longer
    recoveries_s: tuple[float, ...]
    about: Event | None

    @property
    def window(self) -> Seconds:
        """The seconds of the step that the run's figures are of."""
        return (_span(self.about),) if self.about is not None else ()


def found(events: Iterable[Event], length: int) -> Found | None:
    """Return what a search of a run of so many seconds came to; None of a run that was none."""
    told = sorted(events, key=lambda event: event.t)
    steps = tuple(event for event in told if event.kind is EventKind.STEP)
    ended = [event for event in told if event.kind is EventKind.SEARCH_ENDED]
    if not steps and not ended:
        return None
    ending = Ending(ended[-1].data["ending"]) if ended else None
    passed = [step for step in steps if _outcome(step) is StepOutcome.PASS]
    if ended:
        low, high = int(ended[-1].data["low"]), ended[-1].data["high"]
    else:
        low = max((int(step.data["users"]) for step in passed), default=0)
        high = min((int(step.data["users"]) for step in steps if _broke(step)), default=None)
    recoveries = tuple(float(event.data["after_s"]) for event in told if event.kind is EventKind.RECOVERED)
    measured = [step for step in steps if _is_measured(step, length)]
    is_sure = bool(ended and ended[-1].data["is_sure"])
    return Found(steps, ending, low, high, is_sure, recoveries, _about(measured, ending, low))


def _about(measured: Sequence[Event], ending: Ending | None, low: int) -> Event | None:
    if ending not in (Ending.GENERATOR, Ending.NONE_HELD, Ending.FEW_SAMPLES):
        at_low = [s for s in measured if s.data["users"] == low and _outcome(s) is StepOutcome.PASS]
        if at_low:
            return at_low[-1]
    return measured[-1] if measured else None


def capacity(search: Found | None, loads: Loads, promises: Sequence[Slo], *, is_believed: bool) -> Capacity | None:
    """Return the capacity, or why there is none, with its steps; None of a run that was no search.

    A measurement that is not to be believed gives none, whatever its steps say.
    """
    if search is None:
        return None
    steps = tuple(_step(event, loads) for event in search.steps)
    is_found = search.low > 0 and search.ending in (Ending.FOUND, Ending.TIME, Ending.NOT_RECOVERED)
    is_capacity = is_found and is_believed
    at = loads.load(search.window) if search.about is not None else None
    users = search.low if is_capacity else None
    recommended = int(HEADROOM * search.low) if is_capacity and search.is_sure else None
    made = Capacity(
        ending=str(search.ending or "cut short"),
        users=users,
        throughput_rps=at.throughput_rps if at and is_capacity else None,
        held_users=search.low,
        broke_users=search.high,
        confirmed=search.is_sure,
        limiting=_limiting(search),
        recommended_users=recommended or None,
        recommended_rps=_throughput_at(recommended, steps) if recommended else None,
        knee_users=_knee(steps),
        recoveries_s=search.recoveries_s,
        steps=steps,
        sentence=_sentence(search, at, promises),
    )
    return made


def with_cause(found: Capacity | None, cause: Bottleneck | None) -> Capacity | None:
    """Return the capacity with what gives out first in its sentence, where it was found and that is known."""
    if found is None or found.users is None or cause is None or cause.first is None:
        return found
    return replace(found, sentence=f"{found.sentence}; the first thing to give out is {cause.first}")


def verdict(search: Found | None, reached: Verdict) -> Verdict:
    """Return the verdict of a search; `reached` is what the promises on the window of its capacity make it."""
    if search is None or reached is not Verdict.PASS:
        return reached
    if search.ending is Ending.NOT_RECOVERED:
        return Verdict.FAIL
    is_answer = search.ending is Ending.ALL_HELD or (search.ending is not None and search.is_sure)
    return Verdict.PASS if is_answer else Verdict.UNDECIDED


def doubts(search: Found | None) -> list[Reason]:
    """Return why a search found no capacity, where the measurement is to blame."""
    if search is None or search.ending is not Ending.GENERATOR:
        return []
    last = search.steps[-1]
    held = f"; {many(search.low, 'user')} held" if search.low else ""
    why = str(last.data["reason"]).rstrip(".")
    return [invalid("generator-limited", f"Generator-limited at {many(last.data['users'], 'user')}{held}: {why}.")]


def _step(event: Event, loads: Loads) -> CapacityStep:
    data = event.data
    load = loads.load((_span(event),)) if _is_measured(event, loads.timeline.length) else None
    ok = load.ok if load else None
    return CapacityStep(
        number=int(data["number"]),
        phase=str(data["phase"]),
        attempt=int(data["attempt"]),
        users=int(data["users"]),
        start_s=data["start_s"],
        end_s=data["end_s"],
        outcome=str(data["outcome"]),
        reason=str(data["reason"]),
        throughput_rps=load.throughput_rps if load else None,
        fail_percent=load.fail_percent if load and load.requests else None,
        mean_ms=ok.mean_ms if ok else None,
        p50_ms=ok.percentiles_ms["p50"] if ok else None,
        p95_ms=ok.percentiles_ms["p95"] if ok else None,
        p99_ms=ok.percentiles_ms["p99"] if ok else None,
    )


def window(search: Found | None, held: Sequence[Held], length: int) -> Seconds:
    """Return the seconds that the figures are of: of a search, the one step; of other runs, all stages."""
    return (search.window if search else ()) or stages.window(held, length)


def spans(search: Found | None, length: int) -> list[range]:
    """Return the windows of all steps that have one."""
    if search is None:
        return []
    return [_span(step) for step in search.steps if _is_measured(step, length)]


def first_broken(search: Found | None, length: int) -> range | None:
    """Return the window of the step with the fewest users that broke the promises; None where none has one."""
    broken = [step for step in (search.steps if search else ()) if _broke(step) and _is_measured(step, length)]
    return _span(min(broken, key=lambda step: int(step.data["users"]))) if broken else None


def _span(event: Event) -> range:
    return range(event.data["start_s"], event.data["end_s"])


def _is_measured(event: Event, length: int) -> bool:
    start, end = event.data["start_s"], event.data["end_s"]
    return start is not None and end is not None and end <= length and end - start >= SHORTEST_S


def _outcome(event: Event) -> StepOutcome:
    return StepOutcome(event.data["outcome"])


def _broke(event: Event) -> bool:
    return _outcome(event) in (StepOutcome.FAIL, StepOutcome.COLLAPSED)


def _limiting(search: Found) -> str | None:
    """Return what broke at the upper end of the bracket: a promise, or several."""
    at_high = [step for step in search.steps if step.data["users"] == search.high and _broke(step)]
    if not at_high:
        return None
    broken = at_high[-1].data["broken"]
    return listed([str(one) for one in broken]) if broken else COLLAPSED


def _throughput_at(users: int, steps: Sequence[CapacityStep]) -> float | None:
    """Return the throughput at so many users, on the line between the steps that were measured on either side."""
    known = sorted({step.users: step.throughput_rps for step in steps if step.throughput_rps and _counts(step)}.items())
    below = [(0, 0.0), *(pair for pair in known if pair[0] <= users)][-1]
    above = next((pair for pair in known if pair[0] >= users), None)
    if above is None:
        return None
    if above[0] == below[0]:
        return above[1]
    return below[1] + (above[1] - below[1]) * (users - below[0]) / (above[0] - below[0])


def _knee(steps: Sequence[CapacityStep]) -> int | None:
    """Return the users at which throughput by response time was greatest: Kleinrock's power (1979).

    None where it still rose with the most users: the knee is beyond.
    """
    powers = {step.users: step.throughput_rps / step.mean_ms for step in steps if _has_power(step)}  # type: ignore[operator]
    knee = max(powers, key=lambda users: powers[users], default=None)
    return None if knee == max(powers, default=None) else knee


def _has_power(step: CapacityStep) -> bool:
    return bool(step.throughput_rps and step.mean_ms and _counts(step))


def _counts(step: CapacityStep) -> bool:
    return step.outcome in (StepOutcome.PASS, StepOutcome.FAIL)


def _sentence(search: Found, at: Load | None, promises: Sequence[Slo]) -> str:
    """Return the answer in a sentence, as the one who reads the charts would say it."""
    promised = f"With {listed([slo.text for slo in promises])} this target" if promises else "This target"
    broke = _broke_words(search)
    if search.ending is Ending.NONE_HELD:
        return f"{promised} takes not even one user: {_what_broke(search)}"
    if not search.low:
        return _nothing_held(search, broke)
    load = f" and {figure(at.throughput_rps)} requests/s" if at else ""
    held, last = many(search.low, "user"), _last_users(search)
    at_least = f"at least {held} {'holds' if search.low == 1 else 'hold'}"
    takes = f"{promised} takes {held}{load} on this machine"
    more = (
        f"{promised} takes at least {held}{load} on this machine, and the time was up before it was known how many more"
    )
    sentences = {
        None: f"{takes}, unconfirmed (the search was cut short); {broke}",
        Ending.FOUND: f"{takes}; {broke}",
        Ending.TIME: f"{more if search.is_sure else f'{takes}, unconfirmed (the time was up)'}; {broke}",
        Ending.ALL_HELD: f"{promised} takes at least {held}{load}, the most that were to be tried: nothing broke",
        Ending.GENERATOR: f"generator-limited at {last}: {at_least}, more could not be measured",
        Ending.NOT_RECOVERED: f"{takes}; {broke}{NOT_BACK}",
        Ending.FEW_SAMPLES: f"too few answers came to judge {last}; {at_least}",
    }
    return sentences[search.ending]


def _nothing_held(search: Found, broke: str) -> str:
    """Return the answer of a search in which no number of users held: that, and why there was none."""
    shown = "no number of users was shown to hold the promises"
    last = _last_users(search)
    if search.ending is Ending.FEW_SAMPLES:
        reason = str(search.steps[-1].data["reason"]).rstrip(".")
        shown += f": too few answers came to judge {last} ({reason})"
    elif search.ending is Ending.GENERATOR:
        shown = f"generator-limited at {last}: {shown}"
    elif search.ending is Ending.TIME:
        shown += " when the time was up"
    elif search.ending is Ending.NOT_RECOVERED:
        broke += NOT_BACK
    return f"{shown}; {broke}"


def _last_users(search: Found) -> str:
    return many(int(search.steps[-1].data["users"]), "user") if search.steps else ""


def _broke_words(search: Found) -> str:
    if search.high is None:
        return "nothing broke"
    return f"at {many(search.high, 'user')} {_what_broke(search)}"


def _what_broke(search: Found) -> str:
    limiting = _limiting(search)
    return "it collapsed" if limiting == COLLAPSED else f"{limiting} broke"
