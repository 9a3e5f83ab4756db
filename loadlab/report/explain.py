"""What each figure of the page means, in one sentence with its unit. docs/metrics.md says it at length."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """A figure's name as the page writes it, and what it means."""

    name: str
    meaning: str


TERMS: dict[str, Term] = {
    "verdict": Term(
        "verdict",
        "None when the measurement is invalid, else fail when an SLO was broken, else undecided when one has too few "
        "samples, else pass.",
    ),
    "validity": Term(
        "validity",
        "Whether the measurement can be believed: valid, degraded (the effect is bounded and stated), or invalid.",
    ),
    "slo": Term("SLO", "A service level objective: a promise such as p95<450ms, judged on the measured window."),
    "window": Term(
        "measured window",
        "All stages together: the whole seconds in which exactly the planned number of users ran. Ramps are out.",
    ),
    "samples": Term("samples", "What a promise was judged on: successes, requests, seconds or probes."),
    "interval": Term(
        "95% interval",
        "The range that holds the true value with 95% confidence, as far as chance alone is at work.",
    ),
    "beyond": Term("beyond", "How many of the samples were on the bad side of the limit, counted exactly."),
    "requests": Term("requests", "Requests answered or failed, in the second in which their answer was complete."),
    "throughput": Term("throughput", "Requests by the number of seconds, successes and failures together."),
    "failed": Term(
        "failed",
        "Requests that failed, in % of all: status 400 or more, no answer, or what the locustfile calls failed.",
    ),
    "percentile": Term(
        "percentile",
        "p95 is the least time in ms that at least 95% of the successes did not exceed, at most 0.4% off; failures' "
        "times are apart.",
    ),
    "mean": Term("mean", "The sum of the successes' times by their number, in ms: exact."),
    "max": Term("max", "The greatest time of a success, in ms: exact."),
    "in-flight": Term("in flight", "Requests on their way at a time, on average."),
    "users": Term("users", "Simulated clients that ran, as the workers reported them."),
    "stage": Term("stage", "A stretch in which exactly the planned number of users ran."),
    "worker-cpu": Term(
        "worker CPU",
        "CPU time of a worker's process, in % of what it may use, one core at most; its max is of 10 s on end.",
    ),
    "lag": Term(
        "event loop lag",
        "How late a worker's event loop woke a probe that sleeps for 20 ms, in ms: so late may an answer be read.",
    ),
    "throttled": Term("throttled", "CPU periods of the quota in which the process was held back, in %."),
    "clock": Term("clock", "How far the worker's clock was off the master's at most, in ms; positive when behind."),
    "fate": Term("fate", "Whether the worker stayed, left (said good-bye before the stop) or was lost."),
    "target-cpu": Term("target CPU", "Cores' worth of CPU time that an instance used, as its own metrics page tells."),
    "memory": Term("memory", "The most memory that it held."),
    "share": Term("share", "An instance's part of the requests that all instances counted, in %."),
    "phases": Term(
        "phases",
        "A request is sent, waited for until the first byte of its answer, and read; LeanHttpUser tells these apart.",
    ),
    "server-timing": Term(
        "Server-Timing", "The header by which a target says how long it took itself (app), and its store (db), in ms."
    ),
    "instance-answers": Term("answers", "How many answers an instance gave, by their X-Instance."),
    "instance-wait": Term(
        "waited", "How long the first byte of an instance's answers was waited for, on average, in ms."
    ),
    "cause": Term("cause", "Something that can give out: of the generator, of the target, or between them."),
    "limit": Term(
        "level",
        "At its limit: it keeps the rest from more. Near: next, or it follows from what is. Not told: nobody can say.",
    ),
    "score": Term("score", "How near its limit a cause is, in %: which part of it was used."),
    "evidence": Term(
        "evidence", "The figures that were recorded, of the stage that broke a promise, else of the window."
    ),
    "connecting": Term(
        "connections",
        "The making of a connection, in ms: before the request, and in no response time. A server may close one that "
        "is kept.",
    ),
    "availability": Term("availability", "Time without outage, in % of the observed time."),
    "mtbf": Term("MTBF", "Mean time between failures: the observed time by the number of outages."),
    "mttf": Term("MTTF", "Mean time to failure: the time up by the number of outages."),
    "mttr": Term("MTTR", "Mean time to repair: the time down by the number of outages that ended."),
    "success": Term("success", "Successes, in % of all requests, ramps included."),
    "outage": Term(
        "outage",
        "Begins with a second in which at least 10% of the answers failed, or none came while requests waited; ends "
        "before three seconds on end with less than 5%.",
    ),
    "accounting": Term(
        "accounting",
        "Each request that was started was answered, killed with its user, or in flight at the last report.",
    ),
    "unjudged": Term(
        "unjudged", "Answered requests that the locustfile's own code dropped before Locust told of them."
    ),
    "served": Term("served", "Requests that the target counted itself, of the endpoints that it knows by name."),
    "little": Term(
        "Little's law",
        "Requests in flight = throughput times response time, in any system: where both sides differ, something was "
        "not measured.",
    ),
    "drift": Term("drift", "The last quarter of the window against the first."),
}
