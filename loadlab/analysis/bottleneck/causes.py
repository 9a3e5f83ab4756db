"""What can give out: its code, its name, and what to do about it. In the order in which one explains the next.

Whoever is at a limit of its own comes before the machine: it was given all that it may use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadlab.analysis.summary import Finding, Limit

LIMITING_FROM = 0.9  # of what there is: beyond it queues grow without bounds, whatever waits (utilisation near 1)
NEAR_FROM = 0.8


@dataclass(frozen=True, slots=True)
class Cause:
    """`name` stands alone in a table, `subject` in a sentence."""

    name: str
    subject: str
    advice: str


CAUSES: dict[str, Cause] = {
    "generator": Cause(
        "generator",
        "the generator, not the target",
        "Run more workers, or give them more CPU (WORKER_CPUS), on cores that the target does not use; LeanHttpUser "
        "costs least for each request.",
    ),
    "target-cpu": Cause(
        "target CPU",
        "the target's CPU",
        "Give it more CPU (API_CPUS), more gunicorn workers where cores are idle (GUNICORN_WORKERS), or replicas; or "
        "find by a profile what each request costs.",
    ),
    "machine": Cause(
        "machine CPU",
        "the CPU of the machine",
        "Run generator and target on different machines, or give each cores of its own; or use a larger machine.",
    ),
    "memory": Cause(
        "target memory",
        "the target's memory",
        "Raise its limit (API_MEMORY), run fewer gunicorn workers, or look for what keeps growing.",
    ),
    "descriptors": Cause(
        "open files",
        "the number of files that a process may have open",
        "Raise the limit of open files (ulimit nofile): each connection is one.",
    ),
    "ports": Cause(
        "ports",
        "the ports of the generator",
        "Keep connections alive, spread the users over more workers, or widen net.ipv4.ip_local_port_range.",
    ),
    "slots": Cause(
        "worker slots",
        "the number of requests that the target serves at a time",
        "More gunicorn workers or threads (GUNICORN_WORKERS, GUNICORN_THREADS), a higher API_MAX_IN_FLIGHT, or "
        "replicas; or hold each slot for a shorter time.",
    ),
    "backlog": Cause(
        "listen backlog",
        "the target's listen backlog",
        "Let more connections wait (GUNICORN_BACKLOG, net.core.somaxconn), keep them alive instead of making new ones, "
        "or accept them faster: more gunicorn workers.",
    ),
    "store": Cause(
        "store",
        "the target's store",
        "Look at its slowest statements, its locks and its disk; a larger pool (API_POOL_SIZE); PostgreSQL where many "
        "write to SQLite.",
    ),
    "application": Cause(
        "application",
        "the application itself",
        "Trace one slow request by its X-Request-ID: what does it compute, or wait for? Another service, a lock?",
    ),
    "replica": Cause(
        "slow replica",
        "one slow replica",
        "Look at that replica: its CPU, its neighbours, its version. Balancing by least connections sends it less.",
    ),
    "balance": Cause(
        "load balancer",
        "the balance of the load",
        "Balance by least connections, and by request rather than by connection: users who keep theirs stay where they "
        "are.",
    ),
    "errors": Cause(
        "errors",
        "the target's answers, which fail before they are slow",
        "Look for these errors in the target's log.",
    ),
    "network": Cause(
        "network",
        "the way between generator and target",
        "Look at what is between them: bandwidth, distance, proxies, and whether the target restarted.",
    ),
}
CODES = tuple(CAUSES)


def finding(code: str, level: Limit, score: float | None, evidence: Iterable[str]) -> Finding:
    """Return what was found of one cause; scores are cut to 0-1."""
    cause = CAUSES[code]
    bounded = None if score is None else min(1.0, max(0.0, score))
    return Finding(code, cause.name, level, bounded, tuple(evidence), cause.advice)


def unknown(code: str, *evidence: str) -> Finding:
    """Return that nothing can be said of a cause, and why."""
    return finding(code, Limit.UNKNOWN, None, evidence)


def level_of(score: float) -> Limit:
    """Return how near its limit something is that is used to such a share (0-1)."""
    return Limit.LIMITING if score >= LIMITING_FROM else Limit.NEAR if score >= NEAR_FROM else Limit.NOT


def level_under(score: float, *, is_broken: bool) -> Limit:
    """Return the same where a promise on response times may be broken: then what is near its limit is what breaks it.

    In a queue a request waits for U / (1 - U) times as long as it is served: at 80% in use, four times.
    """
    level = level_of(score)
    return Limit.LIMITING if is_broken and level is Limit.NEAR else level


def worst(*levels: Limit) -> Limit:
    """Return the nearest to the limit."""
    order = (Limit.LIMITING, Limit.NEAR, Limit.NOT, Limit.UNKNOWN)
    return min(levels, key=order.index)
