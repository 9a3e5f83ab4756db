"""How a run is going, while it goes: redrawn in place on a terminal, else a plain line every few seconds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadlab.analysis.recording import Status
from loadlab.analysis.search import StepOutcome
from loadlab.analysis.slo import Outcome
from loadlab.analysis.summary import Level
from loadlab.analysis.wording import many
from loadlab.plan import RunPlan
from loadlab.report import words

LINE_EVERY_S = 5.0
WIDEST = 110
LAST_LINE = Text()  # empty: the terminal writes ^C there, and a wrapped line would spoil the redrawing
MOST_REASONS = 4
STATES = {
    Status.WAITING: "waiting for workers",
    Status.RUNNING: "running",
    Status.DRAINING: "draining: last answers and reports come in",
    Status.FINISHED: "finished: the report is being made",
    Status.INTERRUPTED: "interrupted: the report is being made",
    Status.ABORTED: "aborted: the report is being made",
}
OUTCOMES = {Outcome.PASS: ("✓", "green"), Outcome.FAIL: ("✗", "bold red"), Outcome.INSUFFICIENT: ("?", "yellow")}
STEPS = {
    StepOutcome.PASS: ("✓", "green"),
    StepOutcome.FAIL: ("✗", "red"),
    StepOutcome.COLLAPSED: ("!", "bold red"),
    StepOutcome.INVALID: ("∅", "yellow"),
    StepOutcome.INSUFFICIENT: ("?", "yellow"),
}
MOST_STEPS = 8
DOINGS = {
    "ramp": "users come or go",
    "settle": "it settles",
    "measure": "it is measured",
    "recover": "the target collapsed, and is waited for",
    "over": "the search is over",
}
LEVELS = {Level.VALID: "green", Level.DEGRADED: "yellow", Level.INVALID: "bold red"}


class TerminalView:
    """Draws one panel and redraws it; it is gone when the run is over, as the verdict says it all."""

    def __init__(self, out: Console) -> None:
        self._live = Live(console=out, auto_refresh=False, transient=True)
        self._said = ""

    def __enter__(self) -> TerminalView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, document: dict[str, Any]) -> None:
        """Draw what the master says now."""
        self._live.update(Group(*panel(document, self._said, self._live.console.width)), refresh=True)

    def say(self, text: str) -> None:
        """Keep a sentence under the panel."""
        self._said = text


class PlainView:
    """Prints a line every five seconds, and at each change of the run's state."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._state = ""
        self._line_at = float("-inf")

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def update(self, document: dict[str, Any]) -> None:
        """Print a line when it is time for one."""
        state = str(document["status"])
        if state == self._state and time.monotonic() - self._line_at < LINE_EVERY_S:
            return
        self._state, self._line_at = state, time.monotonic()
        self._out.print(line(document), markup=False)

    def say(self, text: str) -> None:
        """Print a sentence."""
        self._out.print(text, markup=False)


def view(out: Console) -> TerminalView | PlainView:
    """Return the view that suits the output."""
    return TerminalView(out) if out.is_terminal else PlainView(out)


def describe(plan: RunPlan) -> str:
    """Return a plan in a line: shape, users, spawn rate, time, workers."""
    held = "until stopped" if plan.time_s is None else words.span(plan.time_s)
    parts = [plan.shape, many(plan.users, "user"), f"{plan.spawn_rate:g} users/s", held]
    if plan.workers is not None:
        parts.append(many(plan.workers, "worker"))
    return ", ".join(parts)


def line(document: dict[str, Any]) -> str:
    """Return how a run is going in one line without colour."""
    status, live = document["status"], document["live"]
    if live is None:
        return STATES[Status(status)]
    if status == Status.WAITING:
        return f"waiting for workers: {_of(live['workers_ready'], live['workers_expected'])}"
    slos = ", ".join(f"{slo['text']} {slo['outcome']}" for slo in live["slos"])
    search = live.get("search")
    parts = [
        f"{words.clock(live['elapsed_s'])} {status}",
        f"{live['users']:,} of {many(live['target_users'], 'user')}",
        f"{live['workers_ready']:,} of {many(live['workers_expected'], 'worker')}",
        f"{words.number(live['throughput_rps'])} requests/s",
        f"p50 {words.milliseconds(live['p50_ms'])}",
        f"p95 {words.milliseconds(live['p95_ms'])}",
        f"p99 {words.milliseconds(live['p99_ms'])} in the last 5 s",
        f"{words.percent(live['fail_percent'])} failed in all",
        *([f"SLOs {'of the step' if search else 'so far'}: {slos}"] if slos else []),
        *([f"{_step(search)}, {_bracket(search)}"] if search else []),
        "; ".join([live["validity"]["level"], *live["validity"]["reasons"][:1]]),
    ]
    return words.plain(", ".join(parts))


def panel(document: dict[str, Any], said: str, width: int) -> list[RenderableType]:
    """Return how a run is going, for a terminal of so many columns."""
    status, live = Status(document["status"]), document["live"]
    width = min(width, WIDEST)
    if live is None:
        return [Text(STATES[status]), *_note(said), LAST_LINE]
    return [_progress(live, status, width), _figures(live, status), *_note(said), LAST_LINE]


def _progress(live: dict[str, Any], status: Status, width: int) -> RenderableType:
    """Return the bar with the time that has passed and that is left; a run without an end has none."""
    elapsed, planned = live["elapsed_s"], live["planned_s"]
    if not planned:
        return Text(f"{words.clock(elapsed)} so far, until it is stopped")
    done = elapsed if status in (Status.WAITING, Status.RUNNING) else planned
    left = max(0.0, planned - done)
    most = "at most " if live.get("search") else ""
    times = f"{words.clock(min(elapsed, planned))} of {most}{words.clock(planned)}, {words.clock(left)} left"
    grid = Table.grid(padding=(0, 2, 0, 0))
    bar = ProgressBar(total=planned, completed=min(done, planned), width=max(10, width - len(times) - 2))
    grid.add_row(bar, Text(times))
    return grid


def _figures(live: dict[str, Any], status: Status) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    stages = live["stages"] or 0
    stage = f", stage {live['stage']} of {stages}" if stages > 1 and live["stage"] else ""
    grid.add_row("state", Text(STATES[status] + stage))
    if search := live.get("search"):
        _add_search(grid, search)
    grid.add_row("users", _pairs(("", _of(live["users"], live["target_users"]), ""), *_workers(live)))
    failed = f"{words.count(live['failures'])} ({words.percent(live['fail_percent'])})"
    grid.add_row(
        "requests",
        _pairs(
            ("", f"{words.number(live['throughput_rps'])}/s", "bold"),
            ("in all", words.count(live["requests"]), ""),
            ("failed", failed, "red" if live["failures"] else ""),
        ),
    )
    times = [(rank, words.milliseconds(live[f"{rank}_ms"]), "bold") for rank in ("p50", "p95", "p99")]
    grid.add_row("answers in", _pairs(*times, ("", "of the last 5 s", "dim")))
    for number, slo in enumerate(live["slos"]):
        grid.add_row(("SLOs, step" if search else "SLOs so far") if number == 0 else "", _slo(slo))
    grid.add_row("validity", _validity(live["validity"]))
    return grid


def _add_search(grid: Table, search: dict[str, Any]) -> None:
    """Add the step that is on, what is known by now, and the last steps, each as a mark and its users."""
    grid.add_row("search", Text(f"{_step(search)}: {DOINGS[search['state']]}"))
    grid.add_row("bracket", Text(f"{_bracket(search)}; at most {words.count(search['most_users'])} are tried"))
    ended = [step for step in search["steps"] if step["outcome"] is not None]
    chain = Text("... " if len(ended) > MOST_STEPS else "")
    for step in ended[-MOST_STEPS:]:
        chain.append_text(_mark(step)).append("  ")
    if ended:
        grid.add_row("steps", chain)
        grid.add_row("last step", Text.assemble(_mark(ended[-1]), f" users: {words.plain(ended[-1]['reason'])}"))


def _step(search: dict[str, Any]) -> str:
    step = search["steps"][-1]
    again = ", again" if step["attempt"] > 1 else ""
    return f"step {step['number']} ({step['phase']}) at {many(step['users'], 'user')}{again}"


def _bracket(search: dict[str, Any]) -> str:
    held, broke = search["held_users"], search["broke_users"]
    return f"{words.count(held) if held else 'none'} held, {words.count(broke) if broke else 'none'} broke"


def _mark(step: dict[str, Any]) -> Text:
    mark, style = STEPS[StepOutcome(step["outcome"])]
    return Text.assemble((mark, style), "\N{NO-BREAK SPACE}", words.count(step["users"]))


def _workers(live: dict[str, Any]) -> list[tuple[str, str, str]]:
    ready, expected = live["workers_ready"], live["workers_expected"]
    return [("workers", _of(ready, expected), "" if ready == expected else "yellow")]


def _slo(slo: dict[str, Any]) -> Text:
    mark, style = OUTCOMES[Outcome(slo["outcome"])]
    measured = "no sample yet" if slo["measured"] is None else words.quantity(slo["measured"], slo["unit"])
    return Text.assemble((mark, style), " ", words.plain(slo["text"]), "  ", (measured, style))


def _validity(validity: dict[str, Any]) -> Text:
    text = Text(validity["level"], LEVELS[Level(validity["level"])])
    reasons = validity["reasons"]
    for reason in reasons[:MOST_REASONS]:
        text.append(f"\n· {words.plain(reason)}")
    if len(reasons) > MOST_REASONS:
        text.append(f"\n· and {len(reasons) - MOST_REASONS} more", "dim")
    return text


def _note(said: str) -> list[RenderableType]:
    return [Text(said, "yellow")] if said else []


def _pairs(*pairs: tuple[str, str, str]) -> Text:
    """Return labels and values in a row; the labels are dim, the values have a style each."""
    text = Text()
    for label, value, style in pairs:
        text.append("   " if text else "")
        text.append(f"{label} " if label else "", "dim")
        text.append(value, style)
    return text


def _of(count: int, wanted: int) -> str:
    return f"{count:,} of {wanted:,}"
