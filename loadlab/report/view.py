"""What the page says, as values that its template only has to place: words, tones, rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loadlab.analysis.recording import Run
from loadlab.analysis.slo import Outcome, SloError, parse
from loadlab.analysis.summary import (
    Bottleneck,
    Drift,
    Finding,
    Headroom,
    Interval,
    Level,
    Limit,
    PhaseTimes,
    Reliability,
    SloResult,
    Summary,
    Verdict,
)
from loadlab.report import reading, words

OF_A_SEARCH = ("start_users", "precision_percent")  # of a plan
VERDICTS = {
    Verdict.PASS: ("PASS", "pass"),
    Verdict.FAIL: ("FAIL", "fail"),
    Verdict.UNDECIDED: ("UNDECIDED", "undecided"),
    Verdict.NONE: ("INVALID", "invalid"),
}
OUTCOMES = {
    Outcome.PASS: ("pass", "pass", "✓"),
    Outcome.FAIL: ("fail", "fail", "✗"),
    Outcome.INSUFFICIENT: ("too few samples", "undecided", "?"),
}
VOID = ("void", "void", "∅")
FATES = {"stayed": "valid", "left": "plain", "lost": "fail"}
LIMITS = {
    Limit.LIMITING: ("at its limit", "fail"),
    Limit.NEAR: ("near", "undecided"),
    Limit.NOT: ("not near", "valid"),
    Limit.UNKNOWN: ("not told", "plain"),
}
SHOWN_RANKS = ("p50", "p95", "p99")


@dataclass(frozen=True)
class Tile:
    """A figure in large type. `key` is its term's, see explain."""

    key: str
    name: str
    value: str
    under: str = ""
    bad: bool = False


def of(summary: Summary, run: Run) -> dict[str, Any]:
    """Return the template's values that come from the summary and run.json."""
    word, tone = VERDICTS[summary.verdict]
    void = summary.validity.level is Level.INVALID
    account = summary.validity.accounting
    return {
        "w": words,
        "summary": summary,
        "title": words.plain(summary.name or summary.run),
        "verdict": {"word": word, "tone": tone},
        "headline": words.headline(summary.headline, word),
        "facts": [words.plain(fact) for fact in _facts(summary, run)],
        "notices": list(_notices(summary, run)),
        "reasons": reading.doubts(summary),
        "notes": [reason for reason in summary.validity.reasons if reason.level is Level.VALID],
        "window_s": reading.held_s(summary),
        "stretch": reading.stretch(summary),
        "slos": [_promise(slo, void) for slo in summary.slos],
        "tiles": list(_tiles(summary)),
        "endpoints": reading.busiest(summary),
        "errors": sorted(summary.totals.errors.items(), key=lambda item: (-item[1], item[0])),
        "stages": [
            {"users": stage.users, "load": stage.load, "slos": [_promise(slo, void) for slo in stage.slos]}
            for stage in summary.stages
        ],
        "fates": FATES,
        "drift": list(_drift(summary.drift)) if summary.drift else [],
        "bottleneck": _bottleneck(summary.bottleneck) if summary.bottleneck else None,
        "phases": list(_phases(summary.window.phases)) if summary.window.phases else [],
        "instances": list(_instances(summary.window.phases)) if summary.window.phases else [],
        "reliability": list(_reliability(summary.reliability)),
        "outages": summary.reliability.outages,
        "account": account,
        "balance": account.started - account.answered - account.killed - account.in_flight,
        "about": list(about(run)),
    }


def _facts(summary: Summary, run: Run) -> Iterator[str]:
    if summary.name:
        yield summary.run
    yield _moment(run.started or run.created)
    yield words.span(summary.totals.end_s - summary.totals.start_s)
    yield words.many(summary.users_max, "user")
    yield words.many(summary.workers_max, "worker")
    yield f"own shape {run.own_shape}" if run.own_shape else f"shape {run.plan.get('shape', 'steady')}"
    yield f"target {run.plan.get('host') or 'not told'}"
    yield f"started by {run.started_by}"


def _notices(summary: Summary, run: Run) -> Iterator[dict[str, str]]:
    cut = reading.ending(summary, run)
    if cut:
        yield {"badge": str(summary.status), "text": cut}
    if summary.partial:
        yield {"badge": "partial", "text": reading.PARTIAL}


def _promise(slo: SloResult, void: bool) -> dict[str, Any]:
    word, tone, mark = VOID if void else OUTCOMES[Outcome(slo.outcome)]
    return {
        "text": slo.text,
        "word": word,
        "tone": tone,
        "mark": mark,
        "measured": words.quantity(slo.measured, slo.unit),
        "used": _used(slo),
        "limit": words.limit(slo.limit, slo.unit),
        "interval": interval(slo.interval, slo.unit),
        "samples": words.count(slo.samples),
        "beyond": words.count(slo.beyond),
        "reason": slo.reason,
    }


def _used(slo: SloResult) -> float | None:
    """Return which part of an upper limit was used; None of a lower one."""
    try:
        is_upper = parse(slo.text).operator in ("<", "<=")
    except SloError:
        return None
    return slo.measured / slo.limit if is_upper and slo.measured is not None and slo.limit else None


def interval(given: Interval | None, unit: str) -> str:
    """Return a confidence interval in words."""
    return words.between(given.low, given.high, unit) if given else words.NOTHING


def _tiles(summary: Summary) -> Iterator[Tile]:
    window = summary.window
    yield Tile("throughput", "Throughput", f"{words.number(window.throughput_rps)}/s", "requests per second")
    yield Tile("requests", "Requests", words.count(window.requests), f"{words.size(window.bytes)} received")
    failed = f"{words.count(window.failures)} of {words.count(window.requests)}"
    broken = any(slo.unit == "%" and slo.outcome == Outcome.FAIL for slo in summary.slos)
    yield Tile("failed", "Failed", words.percent(window.fail_percent), failed, bad=broken)
    yield Tile("users", "Most users", words.count(summary.users_max), words.many(summary.workers_max, "worker"))
    percentiles = window.ok.percentiles_ms if window.ok else {}
    for rank in SHOWN_RANKS:
        yield Tile("percentile", rank, words.milliseconds(percentiles.get(rank)), "of successes")
    yield Tile("in-flight", "In flight", words.number(window.in_flight), "requests at a time, mean")
    if summary.headroom:
        yield _headroom(summary.headroom)
    if summary.calibration:
        under = f"requests/s for each of {words.many(summary.calibration.workers, 'worker')}"
        yield Tile("ceiling", "Ceiling", words.number(summary.calibration.worker_median_rps), under)
        yield Tile("cpu-each", "CPU a request", f"{words.number(summary.calibration.cpu_us)} µs", "of a worker")


def _headroom(given: Headroom) -> Tile:
    at = time.strftime("%Y-%m-%d", time.gmtime(given.calibrated))
    if given.ratio is None:
        return Tile("headroom", "Headroom", words.NOTHING, f"the calibration of {at} is of another kind")
    return Tile("headroom", "Headroom", words.times(given.ratio, is_at_least=given.is_at_least), f"calibrated {at}")


def _phases(given: PhaseTimes) -> Iterator[Tile]:
    yield Tile("phases", "Sending", words.milliseconds(given.send_mean_ms), "mean")
    yield Tile("phases", "Waiting", words.milliseconds(given.wait_mean_ms), "mean, for the first byte")
    yield Tile("server-timing", "In the target", words.milliseconds(given.app_mean_ms), "mean, as it says itself")
    yield Tile("server-timing", "In its store", words.milliseconds(given.db_mean_ms), "mean, as it says itself")
    slowest = f"longest {words.milliseconds(given.connect_max_ms)}" if given.connects else "none was made"
    yield Tile("connecting", "Connecting", words.milliseconds(given.connect_mean_ms), f"mean, {slowest}")
    found_closed = f"{words.count(given.reconnects)} in place of a closed one"
    yield Tile("connecting", "Connections", words.count(given.connects), found_closed)


def _instances(given: PhaseTimes) -> Iterator[dict[str, Any]]:
    """Yield how each of several instances answered, the slowest first."""
    total, waits = sum(given.instances.values()), given.instances_wait_ms
    if len(given.instances) > 1:
        for name in sorted(given.instances, key=lambda one: (-waits.get(one, 0.0), one)):
            count = given.instances[name]
            share = 100 * count / total
            yield {"name": words.plain(name), "answers": count, "share": share, "wait_ms": waits.get(name)}


def _bottleneck(given: Bottleneck) -> dict[str, Any]:
    """Return the sentence, the findings that it speaks of, and the others."""
    shown = [_finding(one) for one in given.findings if one.level in (Limit.LIMITING, Limit.NEAR)]
    others = [_finding(one) for one in given.findings if one.level not in (Limit.LIMITING, Limit.NEAR)]
    word, tone = LIMITS[given.findings[0].level] if given.first and given.findings else ("nothing named", "plain")
    return {
        "first": words.plain(given.first) if given.first else "",
        "word": word,
        "tone": tone,
        "sentence": words.plain(given.sentence),
        "from": words.clock(given.start_s),
        "to": words.clock(given.end_s),
        "groups": [group for group in (shown, others) if group],
        "is_some": bool(shown),
    }


def _finding(one: Finding) -> dict[str, Any]:
    word, tone = LIMITS[one.level]
    return {
        "name": one.name,
        "word": word,
        "tone": tone,
        "score": one.score,
        "evidence": [words.plain(text) for text in one.evidence],
        "advice": one.advice,
    }


def _reliability(given: Reliability) -> Iterator[Tile]:
    failures = len(given.outages)
    found = words.many(failures, "outage") + (f", {words.span(given.down_s)} in all" if failures else "")
    value = words.percent(given.availability_percent)
    yield Tile("availability", "Availability", value, _range(given.availability, words.percent), bad=failures > 0)
    for key, name, mean, spread in (
        ("mtbf", "MTBF", given.mtbf_s, given.mtbf),
        ("mttf", "MTTF", given.mttf_s, given.mttf),
        ("mttr", "MTTR", given.mttr_s, given.mttr),
    ):
        yield Tile(key, name, words.span(mean), _range(spread, words.span))
    yield Tile("success", "Success", words.percent(given.success_percent), _range(given.success, words.percent))
    yield Tile("outage", "Outages", words.count(failures), found, bad=failures > 0)


def _range(given: Interval | None, say: Any) -> str:
    if given is None or (given.low is None and given.high is None):
        return "no interval can be given"
    confidence = f"{given.confidence_percent:g}%"
    if given.high is None:
        return f"at least {say(given.low)} ({confidence})"
    if given.low is None:
        return f"at most {say(given.high)} ({confidence})"
    return f"{say(given.low)} to {say(given.high)} ({confidence})"


def _drift(given: Drift) -> Iterator[dict[str, str]]:
    pairs: list[tuple[str, float | None, float | None, Any]] = [
        ("p95", given.p95_first_ms, given.p95_last_ms, words.milliseconds),
        ("requests/s", given.throughput_first_rps, given.throughput_last_rps, words.number),
        ("target memory", given.memory_first_bytes, given.memory_last_bytes, words.size),
    ]
    for name, first, last, say in pairs:
        if first is not None or last is not None:
            change = f"{100 * (last - first) / first:+.1f}%" if first and last is not None else words.NOTHING
            yield {"name": name, "first": say(first), "last": say(last), "change": change}


def about(run: Run) -> Iterator[dict[str, Any]]:
    """Yield what is told of where a run took place, and of what: cards of names and values."""
    yield {"title": "Plan", "rows": plan_rows(run.plan)}
    versions: dict[str, Any] = dict(run.versions)
    if run.revision:
        versions["revision"] = run.revision
    yield {"title": "Versions", "rows": rows(versions)}
    booted = run.machine.get("booted")
    machine = run.machine | ({"booted": _moment(booted)} if isinstance(booted, int) else {})
    yield {"title": "Machine of the master", "rows": rows(machine)}
    ends = {"started": run.started, "ended": run.ended}
    times = {name: _moment(at) for name, at in ends.items() if at}
    more = {"status": run.status, "started by": run.started_by, "stopped by": run.stopped_by or words.NOTHING}
    yield {"title": "Run", "rows": rows({"id": run.id, **times, **more, "format": run.format})}


def _moment(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix_s))


def plan_rows(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a plan says: of one that is no search, not how it would search."""
    aside = () if plan.get("shape") == "capacity" else OF_A_SEARCH
    return rows({key: value for key, value in plan.items() if value not in (None, "") and key not in aside})


def rows(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return names and values as people read them."""
    return [(_label(name), _value(name, value)) for name, value in values.items()] or [("nothing", "told")]


def _label(name: str) -> str:
    return name.removesuffix("_bytes").removesuffix("_s").replace("_", " ")


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes") and isinstance(value, int | float):
        return words.size(value)
    if name == "time_s" and isinstance(value, int | float):
        return words.span(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(str(key), inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value("", item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
