"""The verdict in a terminal: the answer in the first line, then why, on 80 columns, with or without colour."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from loadlab.analysis.recording import Run
from loadlab.analysis.search import RECOVERY_PATIENCE_S, Ending, StepOutcome
from loadlab.analysis.slo import Outcome
from loadlab.analysis.summary import Capacity, CapacityStep, Level, Load, SloResult, Summary, Verdict, WorkerHealth
from loadlab.report import reading, words
from loadlab.report.terminal import PLAIN_WIDTH, item, plain_text, short, table

WORDS = {
    Verdict.PASS: ("PASS", "bold green"),
    Verdict.FAIL: ("FAIL", "bold red"),
    Verdict.UNDECIDED: ("UNDECIDED", "bold yellow"),
    Verdict.NONE: ("INVALID", "bold red"),
}
OUTCOMES = {
    Outcome.PASS: ("pass", "green"),
    Outcome.FAIL: ("FAIL", "bold red"),
    Outcome.INSUFFICIENT: ("too few", "yellow"),
}
STEPS = {
    StepOutcome.PASS: ("pass", "green"),
    StepOutcome.FAIL: ("FAIL", "red"),
    StepOutcome.COLLAPSED: ("COLLAPSED", "bold red"),
    StepOutcome.INVALID: ("invalid", "yellow"),
    StepOutcome.INSUFFICIENT: ("too few", "yellow"),
}
VOID = ("void", "dim")  # what a measurement that cannot be believed says of a promise
LEVELS = {Level.VALID: ("·", "dim"), Level.DEGRADED: ("!", "yellow"), Level.INVALID: ("✗", "bold red")}
MOST_ENDPOINTS = 10
MOST_REASONS = 6
MOST_KINDS = 3  # of failures


def render(summary: Summary, run: Run, *, report: str = "") -> RenderableType:
    """Return what a terminal shows of a run; `report` is where its page is, not shown where empty."""
    parts: list[RenderableType] = [_first_line(summary), *_validity(summary), *_ending(summary, run)]
    if summary.capacity:
        parts += [Text(), _capacity(summary.capacity, summary), Text(), *_steps(summary.capacity)]
    if summary.slos:
        parts += [Text(), _slos(summary)]
        if summary.validity.level is not Level.INVALID:
            parts += [_reason(slo) for slo in summary.slos if slo.outcome != Outcome.PASS]
    parts += [Text(), _endpoints(summary), *_failures(summary.totals), Text(), _facts(summary, report)]
    return Group(*parts)


def plain(summary: Summary, run: Run, *, report: str = "", width: int = PLAIN_WIDTH) -> str:
    """Return the same as plain text without colour."""
    return plain_text(render(summary, run, report=report), width)


def _first_line(summary: Summary) -> Text:
    word, style = WORDS[summary.verdict]
    return Text.assemble((word, style), "  ", (words.headline(summary.headline, word), "bold"))


def _validity(summary: Summary) -> list[RenderableType]:
    level = summary.validity.level
    reasons = reading.doubts(summary)
    what = {Level.VALID: "valid", Level.DEGRADED: "degraded", Level.INVALID: "INVALID"}[level]
    if not reasons:
        return [Text.assemble(f"Measurement {what}")]
    lines: list[RenderableType] = [Text(f"Measurement {what}:", LEVELS[level][1])]
    for reason in reasons[:MOST_REASONS]:
        mark, style = LEVELS[reason.level]
        lines.append(item(mark, style, reason.text))
    if len(reasons) > MOST_REASONS:
        lines.append(item("·", "dim", f"and {len(reasons) - MOST_REASONS} more, see the report"))
    return lines


def _ending(summary: Summary, run: Run) -> list[RenderableType]:
    told = [reading.ending(summary, run), reading.PARTIAL if summary.partial else None]
    return [Text(line, "yellow") for line in told if line]


def _capacity(found: Capacity, summary: Summary) -> Table:
    grid = _grid()
    value, sure = reading.capacity(found, summary)
    rps = f", {words.number(found.throughput_rps)} requests/s" if found.throughput_rps is not None else ""
    grid.add_row("capacity", Text.assemble((f"{value}{rps}", "bold"), f" ({sure})"))
    limiting = f": {words.plain(found.limiting)}" if found.limiting else ""
    broke = f"{words.count(found.broke_users)} broke{limiting}" if found.broke_users else "nothing broke"
    held = words.count(found.held_users) if found.held_users else "none"
    grid.add_row("bracket", Text(f"{held} held, {broke}"))
    if found.recommended_users:
        rps = f", {words.number(found.recommended_rps)} requests/s" if found.recommended_rps else ""
        grid.add_row("recommended", f"{words.many(found.recommended_users, 'user')}{rps}")
    if found.knee_users:
        grid.add_row("knee", words.many(found.knee_users, "user"))
    if found.ending == Ending.NOT_RECOVERED:
        grid.add_row("recovery", Text(f"none in {words.span(RECOVERY_PATIENCE_S)} after it collapsed", "bold red"))
    elif found.recoveries_s:
        grid.add_row("recovery", f"{words.span(max(found.recoveries_s))} at most after it collapsed")
    return grid


def _steps(found: Capacity) -> list[RenderableType]:
    """Return the steps, and why those ended as they did that say most: the upper end, and what does not count."""
    steps = table(">step", "phase", ">users", "outcome", ">req/s", ">failed", ">p50 ms", ">p95 ms", ">p99 ms")
    for step in found.steps:
        steps.add_row(*_step(step))
    doubtful = (StepOutcome.INVALID, StepOutcome.INSUFFICIENT)
    last_broken = [step for step in found.steps if step.users == found.broke_users and step.outcome != StepOutcome.PASS]
    told = [*last_broken[-1:], *(step for step in found.steps if step.outcome in doubtful)]
    reasons = {f"{words.many(step.users, 'user')}: {step.reason}": STEPS[StepOutcome(step.outcome)] for step in told}
    return [steps, *(item("✗" if "red" in style else "?", style, text) for text, (_, style) in reasons.items())]


def _step(step: CapacityStep) -> tuple[str | Text, ...]:
    word, style = STEPS[StepOutcome(step.outcome)]
    figures = (step.throughput_rps, step.p50_ms, step.p95_ms, step.p99_ms)
    throughput, *times = (words.number(figure) for figure in figures)
    failed = Text(words.percent(step.fail_percent), "red" if step.fail_percent else "")
    return (
        str(step.number),
        reading.phase(step),
        words.count(step.users),
        Text(word, style),
        throughput,
        failed,
        *times,
    )


def _slos(summary: Summary) -> Table:
    void = summary.validity.level is Level.INVALID
    grid = table("SLO", "result", ">measured", ">limit", ">samples", ">95% interval")
    for slo in summary.slos:
        word, style = VOID if void else OUTCOMES[Outcome(slo.outcome)]
        interval = slo.interval
        grid.add_row(
            Text(words.plain(slo.text)),
            Text(word, style),
            words.quantity(slo.measured, slo.unit),
            words.limit(slo.limit, slo.unit),
            words.count(slo.samples),
            words.between(interval.low, interval.high, slo.unit) if interval else words.NOTHING,
        )
    return grid


def _reason(slo: SloResult) -> RenderableType:
    mark, style = ("✗", "bold red") if slo.outcome == Outcome.FAIL else ("?", "yellow")
    return item(mark, style, f"{slo.text}: {slo.reason}")


def _endpoints(summary: Summary) -> Table:
    grid = table("endpoint", ">requests", ">failed", ">req/s", ">p50 ms", ">p95 ms", ">p99 ms")
    by_size = reading.busiest(summary)
    for endpoint in by_size[:MOST_ENDPOINTS]:
        _add_load(grid, short(words.plain(f"{endpoint.method} {endpoint.name}".strip())), endpoint.load)
    if len(by_size) > MOST_ENDPOINTS:
        grid.add_row(Text(f"and {len(by_size) - MOST_ENDPOINTS} more", "dim"))
    if len(by_size) != 1:
        _add_load(grid, "all", summary.window, "bold")
    return grid


def _add_load(grid: Table, name: str, load: Load, style: str = "") -> None:
    percentiles = load.ok.percentiles_ms if load.ok else {}
    times = [words.number(percentiles.get(rank)) for rank in ("p50", "p95", "p99")]
    failed = Text(words.percent(load.fail_percent), "red" if load.failures else "")
    throughput = words.number(load.throughput_rps)
    grid.add_row(Text(name), words.count(load.requests), failed, throughput, *times, style=style)


def _failures(whole: Load) -> list[RenderableType]:
    """Return the most frequent kinds of failures: of the whole run, for a target may be dead before it is measured."""
    kinds = sorted(whole.errors.items(), key=lambda kind: (-kind[1], kind[0]))
    if not kinds:
        return []
    grid = table("failure, whole run", ">count", ">of requests")
    for kind, count in kinds[:MOST_KINDS]:
        share = words.percent(100 * count / whole.requests) if whole.requests else words.NOTHING
        grid.add_row(Text(words.plain(kind)), Text(words.count(count), "red"), share)
    if len(kinds) > MOST_KINDS:
        grid.add_row(Text(f"and {words.many(len(kinds) - MOST_KINDS, 'more kind')}", "dim"))
    return [Text(), grid]


def _facts(summary: Summary, report: str) -> Table:
    grid = _grid()
    window = summary.window
    lasted = words.span(reading.held_s(summary))
    users = words.many(reading.users(summary), "user")
    grid.add_row("load", f"{users}, {words.number(window.throughput_rps)} requests/s, measured for {lasted}")
    grid.add_row("workers", Text(_workers(summary.workers)))
    if summary.bottleneck:
        grid.add_row("bottleneck", Text(words.plain(summary.bottleneck.sentence)))
    if summary.headroom:
        grid.add_row("headroom", Text(words.plain(summary.headroom.sentence)))
    for reservation in summary.calibration.reservations if summary.calibration else ():
        grid.add_row("but", Text(words.plain(reservation)))
    if report:
        grid.add_row("report", Text(words.plain(report)))
    return grid


def _grid() -> Table:
    """Return an empty table of names and what there is to say of them."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _workers(workers: tuple[WorkerHealth, ...]) -> str:
    if not workers:
        return "none"
    parts = [words.many(len(workers), "worker")]
    lost = sum(worker.fate == "lost" for worker in workers)
    if lost:
        parts.append(f"{lost} lost")
    cpu = [worker.cpu_max_percent for worker in workers if worker.cpu_max_percent is not None]
    lag = [worker.lag_p99_ms for worker in workers if worker.lag_p99_ms is not None]
    throttled = [worker.throttled_percent for worker in workers if worker.throttled_percent]
    if cpu:
        parts.append(f"CPU at most {max(cpu):.0f}%")
    if lag:
        parts.append(f"loop lag p99 {words.milliseconds(max(lag))}")
    if throttled:
        parts.append(f"throttled in up to {max(throttled):.0f}% of periods")
    return ", ".join(parts)
