"""What do requests wait for: to be accepted, to be taken up, for the application, for its store?

The response time is taken apart by what the client sees and what the target tells of itself by `Server-Timing`. A part
that makes most of it limits what is asked for only where that is pressing: where a promise on response times breaks,
or users wait for their answers most of the time, so that the answers set their pace.
"""

from __future__ import annotations

from collections.abc import Callable

from loadlab.analysis.bottleneck.causes import finding, level_under, unknown, worst
from loadlab.analysis.bottleneck.facts import Facts, Times, fail_percent_allowed
from loadlab.analysis.bottleneck.instances import Instance
from loadlab.analysis.bottleneck.target import cpu_use
from loadlab.analysis.summary import Finding, Limit
from loadlab.analysis.wording import figure, many, ms, percent

DOMINANT = 0.5  # of the response time: nothing else can make more of it
PRESSING_FROM = 0.8  # of a promise
WAITING_FROM = 0.5  # of the users' time
SLOW_MS = 10.0  # users without a pause always wait for an answer, be it as quick as can be
SYN_AGAIN_MS = 900.0  # whoever is not accepted asks again after 1 s, then 2, 4 (RFC 6298), and so finds room
SLOW_CONNECTS = 0.01
BACKLOG_FULL = 0.9
TURNED_AWAY = 0.5  # of the share that may fail


def pressing(facts: Facts, share: float) -> tuple[Limit, float]:
    """Return how near its limit something is that takes such a share of the response time (0-1), and the score."""
    promised, waiting = min(1.0, facts.pressure.latency), facts.waiting_share
    total_ms = facts.times.total if facts.times else 0.0
    sets_pace = waiting >= WAITING_FROM and total_ms >= SLOW_MS
    score = share * max(promised, waiting if sets_pace else 0.0)
    if share < DOMINANT:
        return Limit.NOT, score
    if facts.pressure.latency >= 1:
        return Limit.LIMITING, score
    return (Limit.NEAR if facts.pressure.latency >= PRESSING_FROM or sets_pace else Limit.NOT), score


def part(facts: Facts, of: Callable[[Times], float | None]) -> tuple[float, str] | None:
    """Return a part of the mean response time, as a share and in words; None where it is not told."""
    times = facts.times
    value = of(times) if times else None
    if times is None or value is None or not times.total:
        return None
    return min(1.0, value / times.total), f"{ms(value)} of the mean response time of {ms(times.total)}"


def slots(facts: Facts) -> Finding:
    """Judge how full the target was: slots that were busy, requests turned away, requests that were not taken up."""
    level, score, evidence = Limit.UNKNOWN, None, []
    uses = [(one.busy / one.slots, one) for one in facts.instances if one.busy is not None and one.slots]
    if uses:
        score, fullest = max(uses, key=lambda use: use[0])
        level = level_under(score, is_broken=facts.pressure.latency >= 1)
        evidence.append(_slots_text(fullest, score))
    refused = sum(one.refused or 0 for one in facts.instances)
    if refused:
        level = worst(level, _turned_away(facts, refused))
        evidence.append(f"It turned {many(int(refused), 'request')} away with 503: as many as it may were in flight.")
        score = max(score or 0.0, 1.0 if level is Limit.LIMITING else 0.0)
    queued = part(facts, lambda times: times.queue)
    if queued is not None:
        share, text = queued
        evidence.append(f"Requests waited {text} until the application took them up.")
        by_time, time_score = pressing(facts, share)
        if not uses and by_time is not Limit.NOT:
            if not is_cpu_known(facts):
                evidence.append("Whether for a free slot or for a CPU, the target does not tell.")
                return unknown("slots", *evidence)
            level, score = worst(level, by_time), max(score or 0.0, time_score)
        elif not uses:
            level, score = worst(level, Limit.NOT), max(score or 0.0, time_score)
    if level is Limit.UNKNOWN:
        return unknown("slots", *(evidence or ["How many requests it serves at a time was not told."]))
    return finding("slots", level, score, evidence)


def backlog(facts: Facts) -> Finding:
    """Judge whether connections waited to be accepted: by the target's kernel, else by how long connecting took."""
    dropped = sum(one.overflows or 0 for one in facts.instances)
    is_told = any(one.overflows is not None for one in facts.instances)
    connects, evidence = facts.tally.phases.connects, list(_connecting(facts))
    full = [(one.backlog / one.backlog_limit, one) for one in facts.instances if one.backlog and one.backlog_limit]
    score = max((share for share, _ in full), default=0.0)
    level = Limit.NEAR if score >= BACKLOG_FULL else Limit.NOT
    if full:
        _, one = max(full, key=lambda item: item[0])
        evidence.append(
            f"At most {one.backlog:.0f} of {one.backlog_limit} connections waited, as it looked each second."
        )
    if dropped:
        much = dropped >= SLOW_CONNECTS * max(1, connects)
        level, score = (Limit.LIMITING, 1.0) if much else (Limit.NEAR, max(score, BACKLOG_FULL))
        text = f"Its kernel dropped {many(int(dropped), 'connection')}, because too many waited to be accepted"
        evidence.insert(0, f"{text}; {many(connects, 'connection')} were made.")
    elif not is_told and not full:
        # A connection of a second and more was dropped at first: here, or on the way.
        slow = facts.tally.phases.connect_max_us / 1000 >= SYN_AGAIN_MS
        mean = facts.times.connect if facts.times else None
        if not slow or not mean or mean / SYN_AGAIN_MS < SLOW_CONNECTS:
            return unknown("backlog", "How many connections waited to be accepted was not told.", *evidence)
        level, score = Limit.NEAR, BACKLOG_FULL
        evidence.append("So long takes one that was dropped first, by a full backlog or on its way.")
    return finding("backlog", level, score, evidence or ["No connection was dropped."])


def store(facts: Facts) -> Finding:
    """Judge the target's store by the time spent in it, and by what failed for it."""
    failed = sum(one.store_failures or 0 for one in facts.instances)
    spent = part(facts, lambda times: times.store)
    level, score, evidence = Limit.UNKNOWN, None, []
    if spent is not None:
        level, score = pressing(facts, spent[0])
        evidence.append(f"Its store took {spent[1]} ({percent(round(100 * spent[0]))}).")
    if failed:
        level = worst(level, _turned_away(facts, failed))
        score = max(score or 0.0, 1.0 if level is Limit.LIMITING else 0.0)
        evidence.insert(0, f"{many(int(failed), 'request')} failed because its store was away or too busy.")
    if level is Limit.UNKNOWN:
        return unknown("store", "How long its store took was not told (Server-Timing: db).")
    return finding("store", level, score, evidence)


def application(facts: Facts) -> Finding:
    """Judge the application by the time spent in it, its store left out."""
    spent = part(facts, lambda times: times.app)
    if spent is None:
        return unknown("application", "How long the application took was not told (Server-Timing: app).")
    level, score = pressing(facts, spent[0])
    beside = "" if facts.times and facts.times.store is None else " outside of its store"
    evidence = [f"The application itself{beside} took {spent[1]} ({percent(round(100 * spent[0]))})."]
    cost = _cpu_ms(facts)
    if cost is not None:
        evidence.append(f"Each request cost {ms(cost)} of CPU.")
    elif level is not Limit.NOT:
        return unknown("application", *evidence, "Whether it computes or waits is not known: its CPU was not told.")
    return finding("application", level, score, evidence)


def is_cpu_known(facts: Facts) -> bool:
    """Tell whether the target says how much of its CPU it used."""
    return any(cpu_use(facts, one) is not None for one in facts.instances)


def _slots_text(one: Instance, share: float) -> str:
    busy, slots = figure(one.busy or 0.0), many(one.slots or 0, "slot")
    return f"It served {busy} requests at a time on average and has {slots} ({percent(round(100 * share, 1))})."


def _turned_away(facts: Facts, count: float) -> Limit:
    share = 100 * count / max(1, facts.tally.requests)
    return Limit.LIMITING if share >= TURNED_AWAY * fail_percent_allowed(facts) else Limit.NEAR


def _connecting(facts: Facts) -> list[str]:
    told = facts.tally.phases
    if not told.connects:
        return []
    mean, most = told.connect_us / told.connects / 1000, told.connect_max_us / 1000
    return [f"Connecting took {ms(mean)} on average and {ms(most)} at most."]


def _cpu_ms(facts: Facts) -> float | None:
    """Return the CPU time that each request cost the target, in ms."""
    used = [sum(one.processes) or one.cpu_cores for one in facts.instances]
    told = [cores for cores in used if cores is not None]
    rate = facts.tally.requests / facts.lasted_s
    return 1000 * sum(told) / rate if told and rate else None
