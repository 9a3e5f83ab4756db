"""What do the failures say? An answer that fails, a connection that breaks, a generator out of files or ports."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loadlab.analysis.bottleneck.causes import finding, worst
from loadlab.analysis.bottleneck.facts import Facts, fail_percent_allowed
from loadlab.analysis.bottleneck.waiting import part, pressing
from loadlab.analysis.summary import Finding, Limit
from loadlab.analysis.wording import listed, many, percent

LEAST_FAILURES = 5  # fewer may be anything
NEAR_FROM = 0.5  # of the share that may fail

# As the recorder names kinds of failures: HTTP and a status, else an exception's class and words.
_STATUS = re.compile(r"^HTTP [1-5]\d\d\b")
_FILES = re.compile(r"Errno 24\b|Too many open files", re.IGNORECASE)
_PORTS = re.compile(r"Errno 99\b|Cannot assign requested address|EADDRNOTAVAIL", re.IGNORECASE)
_NETWORK = re.compile(
    r"refused|reset|timed? ?out|closed|broken pipe|unreachable|gaierror|name or service|name resolution|disconnected|"
    r"aborted|retriesexceeded|sslerror|badstatusline|remoteprotocol|connection ?error|errno 1[01]\d\b",
    re.IGNORECASE,
)


def kind_of(text: str) -> str:
    """Return which cause a kind of failure speaks for: descriptors, ports, network, or errors of the answers."""
    if _STATUS.match(text):
        return "errors"
    for code, words in (("descriptors", _FILES), ("ports", _PORTS), ("network", _NETWORK)):
        if words.search(text):
            return code
    return "errors"  # such as what a locustfile itself calls failed


def errors(facts: Facts) -> Finding:
    """Judge answers that fail: more than may, while they need not be slow."""
    level, score, evidence = _failed(facts, "errors")
    return finding("errors", level, score, evidence or ["No answer failed."])


def ports(facts: Facts) -> Finding:
    """Judge whether the generator found no port for a connection."""
    level, score, evidence = _failed(facts, "ports", first=Limit.LIMITING)
    return finding("ports", level, score, evidence or ["No connection failed for want of a port."])


def with_failures(facts: Facts, files: Finding) -> Finding:
    """Return what was found of open files together with the failures for want of them."""
    level, score, evidence = _failed(facts, "descriptors", first=Limit.LIMITING)
    if level is Limit.NOT:
        return files
    return finding(
        "descriptors", worst(level, files.level), max(score, files.score or 0.0), (*evidence, *files.evidence)
    )


def network(facts: Facts) -> Finding:
    """Judge what is between generator and target: connections that break, and the time of the way."""
    level, score, evidence = _failed(facts, "network")
    way = part(facts, lambda times: times.network)
    transfer = part(facts, lambda times: times.transfer)
    for what, spent in (("The way there and back", way), ("Sending and receiving", transfer)):
        if spent is not None:
            by_time, time_score = pressing(facts, spent[0])
            level, score = worst(level, by_time), max(score, time_score)
            told = f"{what} took {spent[1]}{' at most' if spent is way else ''}."
            evidence = [*evidence, told] if by_time is Limit.NOT else [told, *evidence]
    return finding("network", level, score, evidence or ["No connection failed; the time of the way was not told."])


def _failed(facts: Facts, code: str, first: Limit | None = None) -> tuple[Limit, float, list[str]]:
    """Return how near the failures that speak for a cause came to what may fail; `first` is the level of any at all."""
    kinds = {text: count for text, count in facts.tally.errors.items() if kind_of(text) == code}
    count, requests = sum(kinds.values()), facts.tally.requests
    if not count:
        return Limit.NOT, 0.0, []
    share, allowed = 100 * count / requests, fail_percent_allowed(facts)
    used = share / allowed if allowed else 1.0
    level = Limit.LIMITING if used >= 1 else Limit.NEAR if used >= NEAR_FROM else Limit.NOT
    level = level if count >= LEAST_FAILURES else Limit.NOT
    if first is not None:
        level = worst(level, first if count >= LEAST_FAILURES else Limit.NEAR)
    text = (
        f"{percent(share)} of {many(requests, 'request')} failed so, {percent(allowed)} may: {_kinds(kinds.items())}."
    )
    return level, min(1.0, used) if first is None else 1.0, [text]


def _kinds(kinds: Iterable[tuple[str, int]]) -> str:
    ranked = sorted(kinds, key=lambda item: (-item[1], item[0]))
    return listed([f"{text} ({count:,})" for text, count in ranked])
