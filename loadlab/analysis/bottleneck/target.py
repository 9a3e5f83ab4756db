"""Did something of the target give out that it can be short of: its CPU, its memory, its open files?

By the USE method: of each resource its utilisation, its saturation, its errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadlab.analysis.bottleneck.causes import finding, level_of, level_under, unknown, worst
from loadlab.analysis.bottleneck.facts import Facts
from loadlab.analysis.bottleneck.generator import MACHINE_LIMITING
from loadlab.analysis.bottleneck.instances import Instance
from loadlab.analysis.summary import Finding, Limit
from loadlab.analysis.wording import figure, many, noun, percent, seconds

THROTTLED_LIMITING = 0.5  # of the periods: the quota, not the work, sets the pace
THROTTLED_SLOWING = 0.1  # a period that is used up costs up to 100 ms: so many of them can break a p95
THROTTLED_NEAR = 0.05
MEMORY_LIMITING = 0.98  # of its limit, the cached files that it can give up left out
MEMORY_NEAR = 0.9
GROWTH_S = 60  # a shorter look at memory sees its warming up
GROWTH_LEAST = 0.05  # of what it held
SOON_S = 3600.0
FILES_LIMITING = 0.95


@dataclass(frozen=True, slots=True)
class Use:
    """How much of its CPU an instance used, as a share of what it may (0-1), and the sentence that says so."""

    share: float
    text: str
    throttled: float


def cpu(facts: Facts) -> Finding:
    """Judge the CPU of the instance that used most of what it may."""
    uses = [use for one in facts.instances if (use := cpu_use(facts, one)) is not None]
    if not uses:
        told = [one.cpu_cores for one in facts.instances if one.cpu_cores is not None]
        some = f"It used {_cores(sum(told))}; how many it may use was not told." if told else "It was not told."
        return unknown("target-cpu", some)
    most = max(uses, key=lambda use: (use.share, use.throttled))
    held = max(use.throttled for use in uses)
    is_broken = facts.pressure.latency >= 1
    level, evidence = level_under(most.share, is_broken=is_broken), [most.text]
    if held >= THROTTLED_NEAR:
        slows = held >= THROTTLED_SLOWING and is_broken
        level = worst(level, Limit.LIMITING if held >= THROTTLED_LIMITING or slows else Limit.NEAR)
        evidence.append(f"Its quota held it back in {percent(round(100 * held))} of its periods.")
    least = min(use.share for use in uses)
    if len(uses) > 1:
        evidence.append(f"Of {len(uses)} instances the idlest used {percent(round(100 * least))} of what it may.")
    return finding("target-cpu", level, max(most.share, held), evidence)


def cpu_use(facts: Facts, one: Instance) -> Use | None:
    """Return how much of its CPU an instance used; None where it does not tell, or how much it may is not known."""
    known = list(_uses(facts, one))
    return max(known, key=lambda use: use.share) if known else None


def _cores(number: float) -> str:
    return f"{figure(number)} {noun(number, 'core')}"


def _uses(facts: Facts, one: Instance) -> Iterable[Use]:
    throttled = one.throttled or 0.0
    if one.cpu_cores is not None and one.cpu_limit:
        share = one.cpu_cores / one.cpu_limit
        of = f"{figure(one.cpu_cores)} of the {_cores(one.cpu_limit)} that its limit allows"
        yield Use(share, f"It used {of} ({percent(round(100 * share))}).", throttled)
    if one.processes:
        busiest = one.processes[0]
        of = many(len(one.processes), "process", "processes")
        text = f"The busiest of its {of} used {percent(round(100 * busiest))}"
        rest = f", the idlest {percent(round(100 * one.processes[-1]))}" if len(one.processes) > 1 else ""
        yield Use(busiest, f"{text} of the one core that it can use{rest}.", throttled)
    if one.is_here and facts.machine_cores and one.cpu_cores is not None and not one.cpu_limit and not one.processes:
        share = one.cpu_cores / facts.machine_cores
        yield Use(share, f"It used {figure(one.cpu_cores)} of its machine's {_cores(facts.machine_cores)}.", throttled)
    if one.machine_busy is not None and one.machine_cores:
        used = sum(one.processes) or one.cpu_cores or 0.0
        of = f"{percent(round(100 * one.machine_busy))} of its machine's {_cores(one.machine_cores)}"
        share = one.machine_busy if one.machine_busy >= MACHINE_LIMITING else min(one.machine_busy, 0.89)
        yield Use(share, f"All programs used {of}, it {figure(used)} of them.", throttled)


def memory(facts: Facts) -> Finding:
    """Judge the memory of each instance: killed for want of it, near its limit, or growing towards it."""
    kills = sum(one.oom_kills or 0 for one in facts.instances)
    told = [one for one in facts.instances if one.memory]
    if kills:
        text = f"{many(int(kills), 'process', 'processes')} of it were killed for want of memory."
        return finding("memory", Limit.LIMITING, 1.0, [text])
    if not told:
        return unknown("memory", "It was not told.")
    limited = [one for one in told if one.memory_limit]
    if not limited:
        most = max(value for one in told for _, value in one.memory)
        return finding("memory", Limit.NOT, None, [f"It held {_size(most)} at most, and has no limit of its own."])
    fullest = max(limited, key=_fullness)
    share, limit = _fullness(fullest), fullest.memory_limit or 0.0
    level = Limit.LIMITING if share >= MEMORY_LIMITING else Limit.NEAR if share >= MEMORY_NEAR else Limit.NOT
    evidence = [f"It held {_size(share * limit)} of the {_size(limit)} that it may ({percent(round(100 * share))})."]
    full_in_s = min((left for one in limited if (left := _full_in_s(one)) is not None), default=None)
    if full_in_s is not None:
        text = f"It grew all the time; at that pace its limit is reached in {seconds(round(full_in_s))}."
        evidence = [text, *evidence] if level is Limit.NOT else [*evidence, text]
        level = worst(level, Limit.NEAR if full_in_s <= SOON_S else Limit.NOT)
    return finding("memory", level, share, evidence)


def files(facts: Facts) -> Finding:
    """Judge the open files, thus connections, of the processes on both sides."""
    told = [(one.files, one.files_limit, "a process of the target") for one in facts.instances]
    limits = facts.files_limits
    for number, column in facts.workers.items():
        told.append((float(column.files[facts.places].max()), limits.get(number), f"worker {number}"))
    known = [(count / limit, count, limit, who) for count, limit, who in told if count and limit and limit > 0]
    if not known:
        return unknown("descriptors", "How many files are open, and how many may be, was not told.")
    share, count, limit, who = max(known)
    level = Limit.LIMITING if share >= FILES_LIMITING else level_of(min(share, 0.89))
    return finding("descriptors", level, share, [f"At most {count:,.0f} of {limit:,} were open, in {who}."])


def _fullness(one: Instance) -> float:
    return max(value for _, value in one.memory) / (one.memory_limit or float("inf"))


def _full_in_s(one: Instance) -> float | None:
    """Return when memory that grows without an end reaches its limit, in s; None where it does not grow so."""
    first, last = one.memory[0][0], one.memory[-1][0]
    if last - first < GROWTH_S or len(one.memory) < GROWTH_S // 2 or not one.memory_limit:
        return None
    third = (last - first) / 3
    means = [_mean([v for t, v in one.memory if first + n * third <= t <= first + (n + 1) * third]) for n in range(3)]
    early, late = means[1] - means[0], means[2] - means[1]
    if min(early, late) <= 0 or means[2] - means[0] < GROWTH_LEAST * means[0] or late < early / 2:
        return None  # what warms up grows ever more slowly
    return max(0.0, one.memory_limit - one.memory[-1][1]) / (late / third)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _size(value: float) -> str:
    return f"{figure(value / 2**20)} MiB" if value < 2**30 else f"{figure(value / 2**30)} GiB"
