"""The end of the analysis: verdict, exit code, and the one line that says it to people."""

from __future__ import annotations

from collections.abc import Sequence

from loadlab.analysis.recording import ENDS, Run, Status
from loadlab.analysis.slo import Outcome
from loadlab.analysis.summary import Level, Load, SloResult, Validity, Verdict
from loadlab.analysis.wording import figure, many, ms, percent, seconds

# Those of `./lab`, see loadlab.errors.Exit: this room imports nothing.
EXIT_PASS, EXIT_INTERRUPTED, EXIT_INVALID, EXIT_FAILED = 0, 97, 98, 99


def verdict(results: Sequence[SloResult], validity: Validity, run: Run) -> Verdict:
    """Return whether the promises were kept; an invalid measurement says nothing of them.

    One broken by the moment at which a recording breaks off is broken; one kept until then might not have been.
    """
    if validity.level is Level.INVALID:
        return Verdict.NONE
    outcomes = {result.outcome for result in results}
    if Outcome.FAIL in outcomes:
        return Verdict.FAIL
    is_open = Outcome.INSUFFICIENT in outcomes or run.status not in ENDS
    return Verdict.UNDECIDED if is_open else Verdict.PASS


def exit_code(found: Verdict, run: Run) -> int:
    """Return what `./lab run` ends with: a run that was cut short first, then what cannot be said, then the verdict."""
    if run.status is not Status.FINISHED:
        return EXIT_INTERRUPTED
    return {Verdict.PASS: EXIT_PASS, Verdict.FAIL: EXIT_FAILED}.get(found, EXIT_INVALID)


def headline(  # noqa: PLR0917
    found: Verdict,
    run: Run,
    results: Sequence[SloResult],
    validity: Validity,
    load: str,
    answer: str | None = None,
) -> str:
    """Return the result in one line: what, then why or how much (`load`), then what has to be known besides.

    `answer` is what a search for the capacity has to say, in place of all that.
    """
    if answer is not None and found is not Verdict.NONE:
        line = f"{found.upper()}: {answer}"
    elif found is Verdict.NONE:
        why = validity.reasons[0].text.rstrip(".")
        line = f"INVALID: {why}; the measurement says nothing about the target"
    elif found is Verdict.FAIL:
        broken = [result for result in results if result.outcome == Outcome.FAIL]
        more = f" and {len(broken) - 1} more broken" if len(broken) > 1 else ""
        line = f"FAIL: {broken[0].text} was broken{_measured(broken[0])}{more}; {load}"
    elif found is Verdict.UNDECIDED:
        open_ = [result for result in results if result.outcome == Outcome.INSUFFICIENT]
        kept = f"no promise was broken as far as the recording goes; {load}"
        line = "UNDECIDED: " + (f"{open_[0].text}: {open_[0].reason.rstrip('.')}" if open_ else kept)
    else:
        line = f"PASS: {load}" + ("" if results or run.plan.get("calibrates") else " (nothing was promised)")
    if validity.level is Level.DEGRADED:
        doubts = sum(reason.level is Level.DEGRADED for reason in validity.reasons)
        line += f" ({many(doubts, 'reservation')})"
    if run.status is not Status.FINISHED and found is not Verdict.NONE:
        line += f" ({_cut(run)})"
    return line


def load_line(window: Load, users: int, *, is_even: bool) -> str:
    """Return what the load was and how it was borne: users (the most where it varied), throughput, p95, failures."""
    parts = [f"{'' if is_even else 'up to '}{many(users, 'user')}", f"{figure(window.throughput_rps)} requests/s"]
    if window.ok:
        parts.append(f"p95 {ms(window.ok.percentiles_ms['p95'])}")
    if window.failures:
        parts.append(f"{percent(window.fail_percent)} failed")
    return ", ".join(parts)


def _measured(result: SloResult) -> str:
    if result.measured is None:
        return ""
    if result.unit == "ms":
        return f" at {ms(result.measured)}"
    return f" at {percent(result.measured) if result.unit == '%' else figure(result.measured) + result.unit}"


def _cut(run: Run) -> str:
    word = run.status if run.status in (Status.INTERRUPTED, Status.ABORTED) else "cut short"
    return f"{word} after {seconds(round(run.duration_s))}" if run.duration_s is not None else str(word)
