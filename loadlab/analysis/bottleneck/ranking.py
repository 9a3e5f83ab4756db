"""Puts the findings in order: what explains others comes before them, and the sentence says the first, or says no more.

A queue is where the limit is not: it stands in front of it. So what is seen of a queue is only said to limit where no
resource behind it is at its limit.
"""

from __future__ import annotations

from dataclasses import replace

from loadlab.analysis.bottleneck.causes import CAUSES, CODES
from loadlab.analysis.bottleneck.facts import LEAST_REQUESTS, LEAST_S, Facts
from loadlab.analysis.bottleneck.waiting import PRESSING_FROM
from loadlab.analysis.summary import Bottleneck, Finding, Limit
from loadlab.analysis.wording import listed, many, ms

LEVELS = (Limit.LIMITING, Limit.NEAR, Limit.NOT, Limit.UNKNOWN)
# What follows from what: where the first is at its limit, the others look as if they were, too.
FOLLOWS: dict[str, tuple[str, ...]] = {
    "machine": ("slots", "backlog", "store", "application", "replica", "network"),
    "target-cpu": ("slots", "backlog", "store", "application", "network"),
    "memory": ("errors", "network"),
    "descriptors": ("network", "backlog"),
    "ports": ("network",),
    "slots": ("backlog", "store", "application", "network"),
    "backlog": ("network",),
    "store": ("application",),
    "replica": ("target-cpu", "balance", "store", "application", "slots"),
    "balance": ("target-cpu", "slots"),
}
# A generator that is late sees late answers: what is only known by its clock says nothing then.
BY_ITS_CLOCK = ("slots", "backlog", "store", "application", "replica", "network")
TURNED_AWAY = ("HTTP 503", "HTTP 429", "HTTP 504", "HTTP 502")


def ranked(facts: Facts, findings: list[Finding]) -> Bottleneck:
    """Return the findings in order and the sentence that says the first."""
    found = sorted(_explained(facts, findings), key=_rank)
    start, end = (facts.seconds[0].start, facts.seconds[-1].stop) if facts.seconds else (0, 0)
    first, sentence = _said(facts, found)
    return Bottleneck(first, sentence, tuple(found), float(start), float(end))


def _rank(one: Finding) -> tuple[int, float, int]:
    # Of those at their limit, the cause comes before what may follow from it; of all others, the nearest to its limit.
    score = 0.0 if one.level is Limit.LIMITING else -(one.score or 0.0)
    return LEVELS.index(one.level), score, CODES.index(one.code)


def _explained(facts: Facts, findings: list[Finding]) -> list[Finding]:
    """Return the findings, those that follow from another marked as no more than near."""
    found = {one.code: one for one in findings}
    if _is_at_limit(found, "generator"):
        for code in BY_ITS_CLOCK:
            if code in found and found[code].level is not Limit.NOT:
                text = "It cannot be told apart from the generator's own lateness."
                found[code] = replace(found[code], level=Limit.UNKNOWN, evidence=(*found[code].evidence, text))
    causes = sorted(FOLLOWS, key=lambda code: (code not in ("replica", "balance"), CODES.index(code)))
    for cause in causes:  # one instance at its limit is not the target at its limit: that is seen to first
        if _is_at_limit(found, cause):
            for code in _followers(facts, cause):
                if _is_at_limit(found, code):
                    found[code] = _follows(found[code], cause)
    _excuse_errors(facts, found)
    return list(found.values())


def _followers(facts: Facts, cause: str) -> tuple[str, ...]:
    """Return what follows from a cause; a target on a machine of its own does not suffer from the generator's."""
    own = ("store", "application") if cause == "machine" and not facts.shares_cores else ()
    return tuple(code for code in FOLLOWS[cause] if code not in own)


def _is_at_limit(found: dict[str, Finding], code: str) -> bool:
    return code in found and found[code].level is Limit.LIMITING


def _follows(one: Finding, cause: str) -> Finding:
    return replace(one, level=Limit.NEAR, evidence=(*one.evidence, f"It follows from {CAUSES[cause].subject}."))


def _excuse_errors(facts: Facts, found: dict[str, Finding]) -> None:
    """Take errors for what follows where most of them say that the target turned requests away, and it is known why."""
    turned = sum(count for text, count in facts.tally.errors.items() if text.startswith(TURNED_AWAY))
    if not _is_at_limit(found, "errors") or 2 * turned < facts.tally.failures:
        return
    cause = next((c for c in ("machine", "target-cpu", "memory", "slots", "store") if _is_at_limit(found, c)), None)
    if cause is not None:
        found["errors"] = _follows(found["errors"], cause)


def _said(facts: Facts, found: list[Finding]) -> tuple[str | None, str]:
    requests, lasted_s = facts.tally.requests, facts.lasted_s
    if requests < LEAST_REQUESTS or lasted_s < LEAST_S:
        said = f"{many(requests, 'request')} in {many(lasted_s, 'second')}"
        return None, f"Not enough evidence: {said} say nothing of what gives out first."
    limiting = [one for one in found if one.level is Limit.LIMITING]
    if limiting:
        besides = f" Besides, at its limit: {listed([one.name for one in limiting[1:]])}." if limiting[1:] else ""
        return limiting[0].name, f"The first thing to give out is {_clause(limiting[0])}{besides}"
    near = next((one for one in found if one.level is Limit.NEAR), None)
    if near is not None and max(facts.pressure.latency, facts.pressure.fails) < 1:
        return near.name, f"Nothing has given out. The nearest to its limit is {_clause(near)}"
    return None, _open(facts, found)


def _clause(one: Finding) -> str:
    return f"{CAUSES[one.code].subject}: {_lower(one.evidence[0])}"


def _open(facts: Facts, found: list[Finding]) -> str:
    """Say that nothing is near its limit; or, where something must be, that it is not known what."""
    known = [one for one in found if one.level is not Limit.UNKNOWN and one.score]
    top = max(known, key=lambda one: one.score or 0.0, default=None)
    nearest = f" The nearest to it is {_clause(top)}" if top else ""
    if max(facts.pressure.latency / PRESSING_FROM, facts.pressure.fails) >= 1:
        dark = [one.name for one in found if one.level is Limit.UNKNOWN]
        unknown = f" Nothing is known of: {listed(dark, most=6)}." if dark else ""
        told = f"{_pressed(facts)}, but nothing known is at its limit.{_where(facts)}{nearest}{unknown}"
        return f"Not enough evidence: {told}"
    if not facts.instances and (facts.times is None or facts.times.app is None):
        return f"Nothing is near its limit, as far as is known: the target tells nothing of itself.{nearest}"
    return f"Nothing is near its limit.{nearest}"


def _pressed(facts: Facts) -> str:
    pressure = facts.pressure
    if pressure.latency < PRESSING_FROM:
        return "more failed than may"
    return f"{pressure.text} {'was broken' if pressure.latency >= 1 else 'was nearly broken'}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _where(facts: Facts) -> str:
    """Say where the time goes when no part of it makes most."""
    times = facts.times
    if times is None or times.app is None:
        return ""
    parts = {
        "waiting to be taken up": times.queue,
        "in the application": times.app,
        "in its store": times.store,
        "on the way": (times.network or 0.0) + (times.transfer or 0.0),
    }
    told = [f"{ms(value)} {name}" for name, value in parts.items() if value is not None]
    return f" Of {ms(times.total)}, {listed(told, most=4)}."
