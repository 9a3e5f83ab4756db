"""Is the load spread evenly over the target's instances, and are they equally fast?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from scipy import special

from loadlab.analysis.bottleneck.causes import LIMITING_FROM, finding, unknown
from loadlab.analysis.bottleneck.facts import TOLD_MOST, Facts
from loadlab.analysis.bottleneck.target import cpu_use
from loadlab.analysis.bottleneck.waiting import PRESSING_FROM, pressing
from loadlab.analysis.recording import Phases
from loadlab.analysis.summary import Finding, Limit
from loadlab.analysis.wording import figure, listed, ms, percent

LEAST_EACH = 30  # answers of an instance; fewer say little of it
UNEVEN_FROM = 1.25  # times an even share: the busiest gives out at four fifths of what all could take
BY_CHANCE = 0.001
IDLE_UP_TO = 0.7
SLOW_FROM = 1.5  # times as long as the others
SLOW_MS = 5.0  # longer than the others: less is a matter of where it runs
SLOW_SECONDS = 0.8  # of the seconds in which it and others answered
SECONDS_LEAST = 10
QUEUED_LIMITING = 1.0  # requests that wait in the balancer, on average


@dataclass(frozen=True, slots=True)
class Slow:
    """An instance that was slower than the others: `excess` is the share of all waiting that it alone made (0-1)."""

    name: str
    mean_ms: float
    others_ms: float
    excess: float


def replica(facts: Facts) -> Finding | None:
    """Judge whether one instance was slower than the rest; None where there is but one."""
    told = facts.tally.phases
    if len([name for name, count in told.instances.items() if count >= LEAST_EACH]) < 2:
        return None
    if not _are_timed(told):
        return unknown("replica", "How long each instance took was not recorded.")
    slow = slowest(facts)
    if slow is None:
        return finding("replica", Limit.NOT, 0.0, [f"Mean times to the first byte: {_each(told)}."])
    # A replica that is out of step with its like is a fault, whatever was promised; it limits where that is pressing.
    level, _ = pressing(facts, slow.excess)
    text = f"Requests waited {ms(slow.mean_ms)} on average for {slow.name} and {ms(slow.others_ms)} for the others"
    evidence = [
        f"{text}: {percent(round(100 * slow.excess))} of all waiting was on its account.",
        *_own_cpu(facts, slow),
    ]
    return finding("replica", Limit.LIMITING if level is Limit.LIMITING else Limit.NEAR, slow.excess, evidence)


def slowest(facts: Facts) -> Slow | None:
    """Return the one instance that was slower than the others all the time, endpoint by endpoint; None without one."""
    told = facts.tally.phases
    enough = [name for name, count in told.instances.items() if count >= LEAST_EACH]
    name = max(enough, key=lambda one: told.instances_us.get(one, 0) / told.instances[one])
    extra_us, others_us, slower, compared = 0.0, 0.0, 0, 0
    for phases in _cells(facts):
        own, rest = _mean_us(phases, name), [_mean_us(phases, one) for one in phases.instances if one != name]
        known = [value for value in rest if value is not None]
        if own is None or not known:
            continue
        usual = median(known)
        count = phases.instances[name]
        extra_us, others_us = extra_us + count * (own - usual), others_us + count * usual
        slower, compared = slower + (own > usual), compared + 1
    if compared < SECONDS_LEAST or slower < SLOW_SECONDS * compared or extra_us <= 0:
        return None
    of_each = told.instances[name]
    mean_ms = told.instances_us[name] / of_each / 1000
    others_ms = mean_ms - extra_us / of_each / 1000
    is_slow = extra_us + others_us >= SLOW_FROM * others_us and mean_ms - others_ms >= SLOW_MS
    excess = extra_us / max(1, sum(told.instances_us.values()))
    return Slow(name, mean_ms, max(0.0, others_ms), min(1.0, excess)) if is_slow else None


def balance(facts: Facts) -> Finding | None:
    """Judge how evenly the instances were asked, and whether requests queue in front of them; None of but one."""
    queue = max((one.queue for one in facts.instances if one.queue is not None), default=None)
    shares = _asked(facts)
    if len(shares) < 2 and queue is None:
        return None
    evidence, level, score = [], Limit.NOT, 0.0
    if queue is not None:
        level = Limit.LIMITING if queue >= QUEUED_LIMITING else Limit.NOT
        score = min(1.0, queue / QUEUED_LIMITING)
        evidence.append(f"In the load balancer {figure(queue)} requests waited at a time, on average.")
    if len(shares) >= 2:
        uneven = _unevenness(shares)
        evidence.append(_even_text(shares))
        if uneven is not None and slowest_or_none(facts) is None:
            hot = _hot(facts)
            pressed = hot or facts.pressure.latency >= PRESSING_FROM
            level = Limit.LIMITING if hot else Limit.NEAR if pressed and level is Limit.NOT else level
            score = max(score, min(1.0, uneven - 1) if not hot else 1.0)
            evidence.append(hot or f"The busiest will give out when all together do {percent(round(100 / uneven))}.")
    return finding("balance", level, score, evidence)


def slowest_or_none(facts: Facts) -> Slow | None:
    """Return the slow instance, None where there is none or it cannot be told."""
    told = facts.tally.phases
    enough = [name for name, count in told.instances.items() if count >= LEAST_EACH]
    return slowest(facts) if len(enough) >= 2 and _are_timed(told) else None


def jain(shares: Mapping[str, int]) -> float:
    """Return Jain's index of fairness: 1 where all have the same, 1/n where one has all (Jain, Chiu, Hawe 1984)."""
    total = sum(shares.values())
    return total**2 / (len(shares) * sum(share**2 for share in shares.values())) if total else 1.0


def chance(shares: Mapping[str, int]) -> float:
    """Return how probable so uneven shares are when each is as likely: Pearson's chi-squared test."""
    even = sum(shares.values()) / len(shares)
    distance = sum((share - even) ** 2 / even for share in shares.values()) if even else 0.0
    return float(special.chdtrc(len(shares) - 1, distance))


def _asked(facts: Facts) -> dict[str, int]:
    """Return the answers of each instance: as the clients tell, else as the instances count."""
    told = facts.tally.phases.instances
    return told or {one.name: one.served for one in facts.instances if one.served is not None}


def _unevenness(shares: Mapping[str, int]) -> float | None:
    """Return how many even shares the busiest had, where that is more than chance would give; else None."""
    even = sum(shares.values()) / len(shares)
    if even < LEAST_EACH or chance(shares) > BY_CHANCE:
        return None
    most = max(shares.values()) / even
    return most if most >= UNEVEN_FROM else None


def _even_text(shares: Mapping[str, int]) -> str:
    total = max(1, sum(shares.values()))
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    each = [f"{name} {percent(round(100 * share / total, 1))}" for name, share in ranked]
    return f"Answers by instance: {listed(each, most=6)}; Jain's index is {figure(jain(shares))}, 1 is even."


def _hot(facts: Facts) -> str | None:
    """Return in words that one instance is at its limit while another is not; None where that is not so."""
    uses = [(use.share, one.name) for one in facts.instances if (use := cpu_use(facts, one)) is not None]
    if len(uses) < 2 or max(uses)[0] < LIMITING_FROM or min(uses)[0] > IDLE_UP_TO:
        return None
    (most, busiest), (least, idlest) = max(uses), min(uses)
    used = f"{busiest} used {percent(round(100 * most))} of its CPU, {idlest} {percent(round(100 * least))}"
    return f"One has work for two: {used}."


def _own_cpu(facts: Facts, slow: Slow) -> list[str]:
    uses = {one.name: use for one in facts.instances if (use := cpu_use(facts, one)) is not None}
    if slow.name not in uses or len(uses) < 2:
        return []
    others = median(use.share for name, use in uses.items() if name != slow.name)
    own = percent(round(100 * uses[slow.name].share))
    return [f"It used {own} of its CPU, the others {percent(round(100 * others))}."]


def _cells(facts: Facts) -> Iterator[Phases]:
    inside = set(map(int, facts.places))
    for cells in facts.evidence.timeline.cells.values():
        yield from (cell.phases for t, cell in cells if t in inside and cell.phases is not None)


def _mean_us(phases: Phases, name: str) -> float | None:
    count = phases.instances.get(name, 0)
    return phases.waits_us.get(name, 0) / count if count else None


def _are_timed(told: Phases) -> bool:
    return sum(told.instances_us.values()) >= TOLD_MOST * told.wait_us > 0


def _each(told: Phases) -> str:
    means = {name: told.instances_us.get(name, 0) / count / 1000 for name, count in told.instances.items() if count}
    return listed([f"{name} {ms(mean)}" for name, mean in sorted(means.items(), key=lambda item: -item[1])], most=6)
