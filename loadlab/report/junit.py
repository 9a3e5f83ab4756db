"""The verdict as JUnit XML, for CI: green only when every promise was kept, and the measurement can be believed.

A promise that was broken is a failure, one with too few samples an error. In a measurement that cannot be believed all
of them are skipped, beside the error that says why: none of that lets CI go green.
"""

from __future__ import annotations

import io
import time

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from loadlab.analysis.recording import Run
from loadlab.analysis.search import Ending
from loadlab.analysis.slo import Outcome
from loadlab.analysis.summary import Capacity, Level, SloResult, Summary
from loadlab.report import reading, words

CAPACITY_CASE = "capacity was found"
VALID_CASE = "measurement is valid"
END_CASE = "run reached its end"


def document(summary: Summary, run: Run) -> bytes:
    """Return the XML: one suite for the run, one case for each promise, one for the validity and one for the end.

    A search for the capacity has one more, for what it found.
    """
    suite = TestSuite(words.plain(f"loadlab {summary.name or summary.run}"))
    suite.timestamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(run.started or run.created))
    for name, value in properties(summary).items():
        suite.add_property(name, value)
    for slo in summary.slos:
        suite.add_testcase(_promise(slo, summary))
    if summary.capacity:
        suite.add_testcase(_capacity(summary.capacity, summary))
    suite.add_testcase(_validity(summary))
    suite.add_testcase(_end(summary, run))
    whole = JUnitXml("loadlab")
    whole.add_testsuite(suite)
    whole.update_statistics()  # type: ignore[no-untyped-call]
    whole.time = suite.time = round(summary.totals.end_s - summary.totals.start_s, 3)
    stream = io.BytesIO()
    whole.write(stream, pretty=True)
    return stream.getvalue()


def properties(summary: Summary) -> dict[str, str]:
    """Return the key figures by name, as text; what cannot be said is left out."""
    window = summary.window
    figures: dict[str, object] = {
        "run": summary.run,
        "headline": summary.headline,
        "verdict": summary.verdict.value,
        "validity": summary.validity.level.value,
        "exit_code": summary.exit_code,
        "users_max": summary.users_max,
        "workers_max": summary.workers_max,
        "requests": window.requests,
        "failures": window.failures,
        "fail_percent": round(window.fail_percent, 4),
        "throughput_rps": round(window.throughput_rps, 3),
        "availability_percent": summary.reliability.availability_percent,
    }
    if summary.capacity:
        figures |= _found(summary.capacity)
    for name, value in (window.ok.percentiles_ms if window.ok else {}).items():
        figures[f"{name}_ms"] = round(value, 3)
    return {name: words.plain(str(value)) for name, value in figures.items() if value is not None}


def _found(capacity: Capacity) -> dict[str, object]:
    rps = capacity.throughput_rps
    return {
        "capacity_users": capacity.users,
        "capacity_rps": None if rps is None else round(rps, 3),
        "held_users": capacity.held_users,
        "broke_users": capacity.broke_users,
        "recommended_users": capacity.recommended_users,
        "knee_users": capacity.knee_users,
    }


def _promise(slo: SloResult, summary: Summary) -> TestCase:
    case = TestCase(words.plain(slo.text), "loadlab.slo")
    reason = words.plain(slo.reason)
    if summary.validity.level is Level.INVALID:
        case.result = [Skipped(f"The measurement is invalid, so this says nothing: {reason}")]
    elif slo.outcome == Outcome.FAIL:
        case.result = [Failure(reason, "slo failed")]
    elif slo.outcome == Outcome.INSUFFICIENT:
        case.result = [Error(reason, "insufficient samples")]
    else:
        case.system_out = reason
    return case


def _capacity(found: Capacity, summary: Summary) -> TestCase:
    """Return the case of what a search found: green for a capacity that is sure, and where nothing broke at all."""
    case = TestCase(CAPACITY_CASE, "loadlab.capacity")
    sentence = words.plain(found.sentence)
    if summary.validity.level is Level.INVALID:
        case.result = [Skipped(f"The measurement is invalid, so this says nothing: {sentence}")]
    elif found.ending in (Ending.NONE_HELD, Ending.NOT_RECOVERED):
        case.result = [Failure(sentence, found.ending)]
    elif found.confirmed or found.ending == Ending.ALL_HELD:
        case.system_out = sentence
    else:
        case.result = [Error(sentence, "no sure capacity")]
    return case


def _validity(summary: Summary) -> TestCase:
    case = TestCase(VALID_CASE, "loadlab.measurement")
    level = summary.validity.level
    reasons = [words.plain(reason.text) for reason in reading.doubts(summary)]
    if level is Level.INVALID:
        error = Error(reasons[0] if reasons else "The measurement is invalid.", "invalid measurement")
        error.text = "\n".join(reasons)
        case.result = [error]
    elif reasons:
        case.system_out = "\n".join([f"The measurement is {level}:", *reasons])
    return case


def _end(summary: Summary, run: Run) -> TestCase:
    case = TestCase(END_CASE, "loadlab.measurement")
    cut = reading.ending(summary, run)
    if cut:
        case.result = [Error(cut, "interrupted")]
    return case
