"""The verdict in a terminal."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from loadlab.analysis.summary import Level, Summary
from loadlab.report import text
from tests.report import folders, summaries


def lines_of(summary: Summary, **changes: object) -> list[str]:
    """Return the lines that a pipe of 80 columns gets."""
    return text.plain(
        summary, summaries.run(**changes), report="results/20251009-085320-nightly/report.html"
    ).splitlines()


@pytest.mark.parametrize(
    ("summary", "beginning"),
    [
        (summaries.summary(), "PASS  200 users"),
        (summaries.failed(), "FAIL  p95 612 ms"),
        (summaries.invalid(), "INVALID  The generator was starved"),
        (summaries.undecided(), "UNDECIDED  p95 cannot be judged"),
        (summaries.summary(headline="PASS: 200 users"), "PASS  200 users"),
    ],
)
def test_the_first_line_is_the_answer(summary: Summary, beginning: str) -> None:
    """The first word is the verdict, said once, and the headline stands beside it."""
    assert lines_of(summary)[0].startswith(beginning)


def test_the_promises_have_their_figures() -> None:
    """Each promise has a line with measured value, limit, samples and interval; one that was broken has its reason."""
    lines = lines_of(summaries.failed())
    row = next(line for line in lines if line.startswith("p95<450ms"))
    assert row.split() == ["p95<450ms", "FAIL", "612", "ms", "450", "ms", "23,112", "594", "to", "630", "ms"]
    assert "  ✗ p95<450ms: p95 was 612 ms, and less than 450 ms was promised." in lines
    assert any(line.startswith("fail<1%") and " pass " in line for line in lines)


def test_an_invalid_measurement_passes_and_fails_nothing() -> None:
    """The reasons stand right below the first line, and no promise is said to be kept or broken."""
    lines = lines_of(summaries.invalid())
    assert lines[1] == "Measurement INVALID:"
    assert lines[2].startswith("  ✗ 4 of 4 workers")
    assert lines[4].startswith("  ! Worker 2")
    assert {row.split()[1] for row in lines if row.startswith(("p95<", "fail<"))} == {"void"}


def test_too_few_samples_are_said() -> None:
    """A promise that cannot be judged is neither pass nor fail, and says what it wants."""
    lines = lines_of(summaries.undecided())
    assert "p95<450ms  too few" in "\n".join(lines)
    assert "  ? p95<450ms: 12 samples are too few: 59 are needed." in lines


def test_a_run_that_was_cut_short_says_so() -> None:
    """Who ended it, and after how much of the plan."""
    lines = lines_of(summaries.summary(status="interrupted", partial=True), stopped_by="user")
    assert "The run was interrupted by user after 2 min of 2 min planned." in lines
    assert any("partial" in line for line in lines)


def test_the_headroom_is_told_where_it_is_known() -> None:
    """In one sentence, be it why there is none; of a calibration, what takes from it."""
    assert not any(line.startswith("headroom") for line in lines_of(summaries.summary()))
    lines = lines_of(summaries.summary(headroom=summaries.headroom()))
    assert "headroom  4 workers can make 20,000 requests/s (5,000 each), 200 were made: 100" in lines
    calibration = summaries.summary(headline="PASS: 4 workers make", calibration=summaries.calibration())
    assert "but      25% of the requests failed." in "\n".join(lines_of(calibration)).replace("but       ", "but      ")


def test_notes_are_no_reservations() -> None:
    """A reason that changes nothing is not shown as one."""
    assert "clocks" not in "\n".join(lines_of(summaries.summary()))
    assert lines_of(summaries.summary())[1] == "Measurement valid"


def test_endpoints_and_workers_are_told() -> None:
    """The endpoints by size, all together below them; the workers with the worst of their health; the report."""
    lines = lines_of(summaries.summary(workers=(*summaries.workers(3), replace(summaries.workers(4)[3], fate="lost"))))
    place = next(number for number, line in enumerate(lines) if line.startswith("endpoint"))
    assert [line.split()[0] for line in lines[place + 1 : place + 4]] == ["GET", "POST", "all"]
    assert "workers  4 workers, 1 lost, CPU at most 42%, loop lag p99 1.50 ms" in lines
    assert lines[-1] == "report   results/20251009-085320-nightly/report.html"


def test_the_most_frequent_failures_are_named() -> None:
    """The three of which there were most in the whole run, ramp included, and how many kinds more there were."""
    kinds = {"HTTP 503": 7, "ConnectionRefusedError: [Errno 111] Connection refused": 23, "TimeoutError": 7, "a": 1}
    dead = replace(summaries.load(100, 38, 0.0, 10.0), errors=kinds)
    lines = lines_of(summaries.summary(totals=dead))
    place = next(number for number, line in enumerate(lines) if line.startswith("failure, whole run"))
    assert [line.split() for line in lines[place + 1 : place + 5]] == [
        ["ConnectionRefusedError:", "[Errno", "111]", "Connection", "refused", "23", "23%"],
        ["HTTP", "503", "7", "7%"],
        ["TimeoutError", "7", "7%"],
        ["and", "1", "more", "kind"],
    ]
    fine = summaries.summary(totals=summaries.load(100, 0, 0.0, 10.0))
    assert not any(line.startswith("failure") for line in lines_of(fine))
    two_more = replace(dead, errors=kinds | {"b": 1})
    assert "and 2 more kinds" in lines_of(summaries.summary(totals=two_more))


def test_a_long_kind_of_failure_leaves_its_count_in_sight() -> None:
    """It is folded within its column, and what controls a terminal is replaced."""
    wild = replace(summaries.load(100, 40, 0.0, 10.0), errors={folders.HOSTILE: 30, "x" * 120: 10})
    lines = lines_of(summaries.summary(totals=wild))
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "\n".join(lines)
    assert any(line.split()[-2:] == ["10", "10%"] for line in lines)


def test_what_gives_out_first_is_said() -> None:
    """In a line, which goes on below itself; a summary of before it was known has none."""
    lines = lines_of(summaries.summary(bottleneck=summaries.bottleneck()))
    (place,) = (number for number, line in enumerate(lines) if line.startswith("bottleneck"))
    assert lines[place].startswith("bottleneck  The first thing to give out is the target's CPU: it used")
    assert lines[place + 1].startswith("            ")
    assert lines[place - 1].startswith("workers")
    assert not any(line.startswith("bottleneck") for line in lines_of(summaries.summary()))


def test_everything_fits_80_columns_without_colour() -> None:
    """Long names are wrapped, many endpoints cut, nothing is longer than the line, and no escape codes are written."""
    long = "GET /a/very/long/path/" + "x" * 150 + ": p99<800ms"
    endpoints = tuple(replace(summaries.summary().endpoints[0], name=f"/{'long' * 30}/{n}") for n in range(25))
    reasons = (replace(summaries.invalid().validity.reasons[0], level=Level.DEGRADED, text="word " * 60),) * 9
    validity = replace(summaries.summary().validity, level=Level.DEGRADED, reasons=reasons)
    slos = (replace(summaries.P95, text=long),)
    lines = lines_of(summaries.summary(endpoints=endpoints, slos=slos, validity=validity, headline="long " * 40))
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "\n".join(lines)
    assert any("and 15 more" in line for line in lines)
    assert any("and 3 more, see the report" in line for line in lines)


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colour; the words are the same."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=80)
    console.print(text.render(summaries.summary(), summaries.run()))
    assert "\x1b[1;32mPASS" in stream.getvalue()


def test_texts_from_outside_do_nothing() -> None:
    """Neither an escape sequence nor rich's own markup in a name has any effect."""
    name = folders.HOSTILE
    endpoint = replace(summaries.summary().endpoints[0], name=name)
    slo = summaries.broken(replace(summaries.P95, text=name), 900.0, name)
    shown = "\n".join(lines_of(summaries.summary(endpoints=(endpoint,), slos=(slo,), headline=name)))
    assert "\x1b" not in shown
    assert shown.count("[red]") == 5  # headline, promise, its reason with its text, endpoint


def test_nothing_at_all_can_be_shown() -> None:
    """A run without a request, a promise or a worker has a text, too."""
    nothing = summaries.load(0, 0, 0.0, 1.0)
    summary = summaries.summary(slos=(), endpoints=(), workers=(), window=nothing, totals=nothing)
    assert "workers  none" in lines_of(summary)


def test_the_text_needs_no_charts_and_no_arrays() -> None:
    """`./lab` shows a verdict without waiting for bokeh, numpy or jinja2 to be imported."""
    heavy = "{'bokeh', 'numpy', 'scipy', 'jinja2', 'junitparser'}"
    code = f"import sys, loadlab.report, loadlab.report.text; print(*{heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
