"""The verdict in a terminal: the answer in the first line, then why, on 80 columns, with or without colour."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loadlab.analysis.recording import Run
from loadlab.analysis.slo import Outcome
from loadlab.analysis.summary import Level, Load, SloResult, Summary, Verdict, WorkerHealth
from loadlab.report import reading, words

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
VOID = ("void", "dim")  # what a measurement that cannot be believed says of a promise
LEVELS = {Level.VALID: ("·", "dim"), Level.DEGRADED: ("!", "yellow"), Level.INVALID: ("✗", "bold red")}
MOST_ENDPOINTS = 10
MOST_REASONS = 6
LONGEST_NAME = 34
PLAIN_WIDTH = 80


def render(summary: Summary, run: Run, *, report: str = "") -> RenderableType:
    """Return what a terminal shows of a run; `report` is where its page is, not shown where empty."""
    parts: list[RenderableType] = [_first_line(summary), *_validity(summary), *_ending(summary, run)]
    if summary.slos:
        parts += [Text(), _slos(summary)]
        if summary.validity.level is not Level.INVALID:
            parts += [_reason(slo) for slo in summary.slos if slo.outcome != Outcome.PASS]
    parts += [Text(), _endpoints(summary), Text(), _facts(summary, report)]
    return Group(*parts)


def plain(summary: Summary, run: Run, *, report: str = "", width: int = PLAIN_WIDTH) -> str:
    """Return the same as plain text without colour."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(render(summary, run, report=report))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


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
        lines.append(_item(mark, style, reason.text))
    if len(reasons) > MOST_REASONS:
        lines.append(_item("·", "dim", f"and {len(reasons) - MOST_REASONS} more, see the report"))
    return lines


def _item(mark: str, style: str, text: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(mark, style), Text(words.plain(text)))
    return Padding(grid, (0, 0, 0, 2))


def _ending(summary: Summary, run: Run) -> list[RenderableType]:
    told = [reading.ending(summary, run), reading.PARTIAL if summary.partial else None]
    return [Text(line, "yellow") for line in told if line]


def _slos(summary: Summary) -> Table:
    void = summary.validity.level is Level.INVALID
    table = _table("SLO", "result", ">measured", ">limit", ">samples", ">95% interval")
    for slo in summary.slos:
        word, style = VOID if void else OUTCOMES[Outcome(slo.outcome)]
        interval = slo.interval
        table.add_row(
            Text(words.plain(slo.text)),
            Text(word, style),
            words.quantity(slo.measured, slo.unit),
            words.limit(slo.limit, slo.unit),
            words.count(slo.samples),
            words.between(interval.low, interval.high, slo.unit) if interval else words.NOTHING,
        )
    return table


def _reason(slo: SloResult) -> RenderableType:
    mark, style = ("✗", "bold red") if slo.outcome == Outcome.FAIL else ("?", "yellow")
    return _item(mark, style, f"{slo.text}: {slo.reason}")


def _endpoints(summary: Summary) -> Table:
    table = _table("endpoint", ">requests", ">failed", ">req/s", ">p50 ms", ">p95 ms", ">p99 ms")
    by_size = reading.busiest(summary)
    for endpoint in by_size[:MOST_ENDPOINTS]:
        _add_load(table, _short(words.plain(f"{endpoint.method} {endpoint.name}".strip())), endpoint.load)
    if len(by_size) > MOST_ENDPOINTS:
        table.add_row(Text(f"and {len(by_size) - MOST_ENDPOINTS} more", "dim"))
    if len(by_size) != 1:
        _add_load(table, "all", summary.window, "bold")
    return table


def _short(name: str) -> str:
    """Return a name cut in its middle: what tells one from another is mostly at its end."""
    if len(name) <= LONGEST_NAME:
        return name
    kept = LONGEST_NAME - 3
    return f"{name[: kept // 3]}...{name[kept // 3 - kept :]}"


def _add_load(table: Table, name: str, load: Load, style: str = "") -> None:
    percentiles = load.ok.percentiles_ms if load.ok else {}
    times = [words.number(percentiles.get(rank)) for rank in ("p50", "p95", "p99")]
    failed = Text(words.percent(load.fail_percent), "red" if load.failures else "")
    throughput = words.number(load.throughput_rps)
    table.add_row(Text(name), words.count(load.requests), failed, throughput, *times, style=style)


def _facts(summary: Summary, report: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    window = summary.window
    lasted = words.span(reading.held_s(summary))
    users = words.many(summary.users_max, "user")
    grid.add_row("load", f"{users}, {words.number(window.throughput_rps)} requests/s, measured for {lasted}")
    grid.add_row("workers", Text(_workers(summary.workers)))
    if summary.bottleneck:
        grid.add_row("bottleneck", Text(words.plain(summary.bottleneck.sentence)))
    if report:
        grid.add_row("report", Text(words.plain(report)))
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


def _table(*headings: str) -> Table:
    """Return a table without lines; a heading that begins with > is of numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        if heading.startswith(">"):
            table.add_column(heading[1:], justify="right", no_wrap=True)
        else:
            table.add_column(heading, overflow="fold")
    return table
