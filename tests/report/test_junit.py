"""The verdict as JUnit XML: green only for a pass that can be believed."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from loadlab.analysis.summary import Level, Summary, Verdict
from loadlab.report import junit
from tests.report import folders, summaries


def suite_of(summary: Summary) -> ElementTree.Element:
    """Return the one suite of the document."""
    root = ElementTree.fromstring(junit.document(summary, summaries.run(stopped_by="user")))
    assert root.tag == "testsuites"
    (suite,) = root
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        key: suite.get(key) for key in ("tests", "failures", "errors")
    }
    return suite


def results_of(summary: Summary) -> dict[str, str]:
    """Return what became of each case: passed, failure, error or skipped."""
    cases = suite_of(summary).findall("testcase")
    bad = ("failure", "error", "skipped")
    return {str(case.get("name")): next((child.tag for child in case if child.tag in bad), "passed") for case in cases}


ALL_GREEN = {"p95<450ms": "passed", "fail<1%": "passed", junit.VALID_CASE: "passed", junit.END_CASE: "passed"}


@pytest.mark.parametrize(
    ("summary", "different"),
    [
        (summaries.summary(), {}),
        (summaries.failed(), {"p95<450ms": "failure"}),
        (summaries.undecided(), {"p95<450ms": "error"}),
        (summaries.invalid(), {"p95<450ms": "skipped", "fail<1%": "skipped", junit.VALID_CASE: "error"}),
        (summaries.summary(status="interrupted", exit_code=97), {junit.END_CASE: "error"}),
        (summaries.summary(status="aborted", exit_code=97), {junit.END_CASE: "error"}),
    ],
)
def test_each_case_has_its_result(summary: Summary, different: dict[str, str]) -> None:
    """A case for each promise, one for the validity and one for the end, each with what became of it."""
    assert results_of(summary) == ALL_GREEN | different


@pytest.mark.parametrize(
    "summary",
    [
        summaries.summary(),
        summaries.failed(),
        summaries.undecided(),
        summaries.invalid(),
        summaries.summary(status="interrupted", exit_code=97),
        summaries.summary(slos=(), verdict=Verdict.NONE, exit_code=98, validity=summaries.invalid().validity),
    ],
)
def test_ci_is_green_exactly_when_the_exit_code_is_0(summary: Summary) -> None:
    """Whatever is not a pass has a failure or an error: what skips does not let CI go green by itself."""
    suite = suite_of(summary)
    bad = int(str(suite.get("failures"))) + int(str(suite.get("errors")))
    assert (bad == 0) == (summary.exit_code == 0)


def test_a_degraded_measurement_is_green_and_says_why() -> None:
    """It is to be believed, with its reservations in the output."""
    reasons = summaries.invalid().validity.reasons[2:]
    validity = replace(summaries.summary().validity, level=Level.DEGRADED, reasons=reasons)
    suite = suite_of(summaries.summary(validity=validity))
    case = next(case for case in suite.findall("testcase") if case.get("name") == junit.VALID_CASE)
    assert "Worker 2 was lost" in str(case.findtext("system-out"))
    assert suite.get("errors") == "0"


def test_the_key_figures_are_properties() -> None:
    """Verdict, validity, load and latency can be read by machines that know JUnit."""
    found = {one.get("name"): one.get("value") for one in suite_of(summaries.summary()).iter("property")}
    expected = {"verdict": "pass", "validity": "valid", "requests": "23142", "p95_ms": "38.2", "exit_code": "0"}
    assert found.items() >= expected.items()


def test_the_suite_has_the_time_of_the_run() -> None:
    """The timestamp is the run's start in UTC, the time its length; both are of the run, not of the report."""
    suite = suite_of(summaries.summary())
    assert (suite.get("timestamp"), suite.get("time")) == ("2025-10-09T08:53:22", "120.0")


def test_texts_from_outside_leave_it_well_formed() -> None:
    """A name with control characters and markup gives XML that can be read, with the name in it as text."""
    slo = summaries.broken(replace(summaries.P95, text=folders.HOSTILE), 900.0, "\x00" + folders.HOSTILE)
    names = results_of(summaries.summary(slos=(slo,), name=folders.HOSTILE))
    assert any("<img src=x" in name for name in names)
