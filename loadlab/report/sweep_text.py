"""What a sweep means, in a terminal: the answer first, then the table, then what should be known."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loadlab.analysis.scaling_told import meaning
from loadlab.analysis.summary import Level
from loadlab.analysis.sweep import Axis, Row, Spread, State, Sweep
from loadlab.report import words

PLAIN_WIDTH = 80
LEVELS = {Level.VALID: "", Level.DEGRADED: "yellow", Level.INVALID: "bold red"}


def render(sweep: Sweep) -> RenderableType:
    """Return what a terminal shows of a sweep that was analysed."""
    assert sweep.scaling is not None
    notes = [*([sweep.scaling.refusal] if sweep.scaling.refusal else []), *sweep.scaling.notes]
    return Group(
        Text(words.plain(sweep.scaling.headline), "bold"),
        Text(),
        *([Text(words.plain(meaning(sweep)), "dim"), Text()] if sweep.is_search else []),
        _table(sweep, sweep.scaling.rows),
        Text(),
        *(_item(note) for note in (*notes, *_errors(sweep))),
    )


def plain(sweep: Sweep, *, width: int = PLAIN_WIDTH) -> str:
    """Return the same as plain text without colour."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(render(sweep))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _table(sweep: Sweep, rows: tuple[Row, ...]) -> Table:
    has_repeats, has_balance = sweep.repeats > 1, any(row.balance is not None for row in rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("workers" if sweep.axis is Axis.WORKERS else "replicas", justify="right", no_wrap=True)
    # Of a search, the users are half of the answer: on 80 columns, the median has to give way to them.
    headings = [*(["users"] if sweep.is_search else []), "req/s", *(["range"] if has_repeats else [])]
    headings += ["growth", "efficiency", *([] if sweep.is_search else ["p50 ms"]), "p95 ms", "busy"]
    for heading in (*headings, *(["balance"] if has_balance else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("validity", no_wrap=True)
    for row in rows:
        spread = [_range(row.throughput_rps)] if has_repeats else []
        balance = [words.NOTHING if row.balance is None else f"{row.balance:.3f}"] if has_balance else []
        times = [_value(one) for one in ([row.p95_ms] if sweep.is_search else [row.p50_ms, row.p95_ms])]
        growth = words.NOTHING if row.growth is None else f"{row.growth:.2f} x"
        users = [words.count(row.capacity_users.value if row.capacity_users else None)] if sweep.is_search else []
        cells = [*users, _value(row.throughput_rps), *spread, growth, _share(row.efficiency), *times]
        table.add_row(str(row.count), *cells, _percent(row.busy_percent), *balance, _level(sweep, row))
    return table


def _value(spread: Spread | None) -> str:
    return words.number(spread.value if spread else None)


def _range(spread: Spread | None) -> str:
    return words.NOTHING if spread is None else f"{words.number(spread.low)}-{words.number(spread.high)}"


def _share(ratio: float | None) -> str:
    return words.NOTHING if ratio is None else f"{100 * ratio:.0f}%"


def _percent(value: float | None) -> str:
    return words.NOTHING if value is None else f"{value:.0f}%"


def _level(sweep: Sweep, row: Row) -> Text:
    if row.validity is None:
        return Text("not measured", "red")
    # What was measured to no avail may have been measured well.
    if sweep.is_search and not row.runs and row.validity is not Level.INVALID:
        return Text("no capacity", "yellow")
    return Text(row.validity, LEVELS[row.validity])


def _errors(sweep: Sweep) -> list[str]:
    failed = [point for point in sweep.points if point.state is State.FAILED]
    return [f"{point.count} {sweep.axis}: {words.plain(point.error)}" for point in failed]


def _item(note: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text("·", "dim"), Text(words.plain(note)))
    return Padding(grid, (0, 0, 0, 2))
