"""What each figure of the page means, in one sentence with its unit. docs/metrics.md says it at length."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """A figure's name as the page writes it, and what it means."""

    name: str
    meaning: str


# What only a search for the capacity has.
SEARCH_TERMS: dict[str, Term] = {
    "capacity": Term(
        "capacity",
        "The most users, and their throughput, with which every promise was kept; confirmed when they were held for "
        "longer.",
    ),
    "bracket": Term(
        "bracket", "The most users that held the promises, and the fewest that broke one: the capacity lies between."
    ),
    "step": Term("step", "One number of users, tried: started, left to settle, then measured until it can be judged."),
    "phase": Term(
        "phase",
        "What a step is for: grow doubles the users until a promise breaks, bisect halves the bracket, confirm holds "
        "its ends for longer.",
    ),
    "collapsed": Term(
        "collapsed", "Of a target: at least 50% of the answers failed, or none came while requests waited, for 3 s."
    ),
    "recommended": Term(
        "recommended", "80% of the capacity: what is left takes a burst, a slow minute, the loss of a replica."
    ),
    "knee": Term(
        "knee",
        "The users at which throughput by mean response time is greatest: beyond, waiting grows more than what gets "
        "done.",
    ),
    "recovery": Term(
        "recovery time", "How long a target that had collapsed took to answer again, from the load's being taken away."
    ),
}
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
    "headroom": Term(
        "headroom",
        "How many times the throughput of its busiest stage the same workers make against a null target, as "
        "./lab calibrate measured it on this machine.",
    ),
    "ceiling": Term(
        "ceiling", "Requests/s that a worker, the median one, makes against a null target with users who never wait."
    ),
    "cpu-each": Term("CPU a request", "CPU time of the workers' processes by the requests they made, in µs."),
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

COMPARISON_TERMS: dict[str, Term] = {
    "change": Term(
        "change", "From A to B, in % of A's value; of the share of failures, the difference in percentage points."
    ),
    "interval99": Term(
        "interval",
        "The range of the true change: with 99% confidence all intervals of the page hold it, as far as the scatter "
        "within the runs and what is allowed for from run to run go.",
    ),
    "significant": Term(
        "difference",
        "Better or worse when the whole interval is on one side of 0: less time, fewer failures, more throughput are "
        "better.",
    ),
    "hidden": Term("hidden below", "A change smaller than this could not have been seen in these runs."),
}

# What the page of a sweep says beside those that it shares with a run's.
SWEEP_TERMS: dict[str, Term] = {
    **{key: TERMS[key] for key in ("throughput", "percentile", "failed", "verdict", "validity")},
    "capacity": SEARCH_TERMS["capacity"],
    "growth": Term("growth", "Throughput, by that of the row before."),
    "efficiency": Term(
        "efficiency", "Throughput, in % of what it would be had it grown in proportion from the first row on."
    ),
    "busy": Term(
        "busy cores", "CPU time of everything on this machine, in % of all of its cores, in the measured window."
    ),
    "balance": Term(
        "balance", "Jain's index of the requests that each replica served: 1 is even, 1 by their number is all on one."
    ),
    "limit": Term("limit", "What the run itself found to give out first, or why its measurement is in doubt."),
    "usl": Term(
        "Universal Scalability Law",
        "X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): throughput by N.",
    ),
    "lambda": Term("one alone", "lambda: the throughput of one, in requests per second, as fitted."),
    "sigma": Term("contention", "sigma: the share of the work, in %, that only one can do at a time."),
    "kappa": Term("coherency", "kappa: what it costs each pair to keep in agreement, in % of the work of one."),
    "peak": Term("greatest throughput", "Of the curve, and the number at which it is: from there on more make less."),
    "off": Term("off the curve", "The runs' relative distance from the curve: root of the mean square, in %."),
}
