"""`./lab runs` lists the runs on this host, `./lab report` makes the report of one anew."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from loadlab.analysis.recording import Status
from loadlab.analysis.summary import Level, Verdict
from loadlab.commands import collecting, reporting, sweep
from loadlab.commands.screen import aside, console
from loadlab.errors import LabError
from loadlab.report import overview, words
from loadlab.rig import fleet
from loadlab.runfolder import RunFolder, RunFolderError, find, find_sweep, folders

COLUMNS = ("run", "name", "when", "shape", "workers", "users", "verdict", "validity", "p95", "req/s")
NUMBERS = ("workers", "users", "p95", "req/s")
GAP = 2
# What goes first where there is no room for all: what the id says already, then what is least missed.
DISPENSABLE = ("name", "when", "shape", "workers", "users", "req/s", "validity", "p95")
STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.UNDECIDED: "yellow", Verdict.NONE: "dim"}
LEVELS = {Level.VALID: "", Level.DEGRADED: "yellow", Level.INVALID: "bold red"}


def table(*, as_json: bool) -> None:
    """List the runs, the newest first, those of the rig that is up among them."""
    collect()
    found = [line for folder in folders(collecting.results()) if (line := _line(folder)) is not None]
    if as_json:
        print(json.dumps(found, indent=2))
    elif not found:
        console.print("There is no run yet: './lab run' makes one.")
    else:
        console.print(_fitting(found), soft_wrap=False, crop=False)


def report(wanted: str, *, as_json: bool) -> None:
    """Make the report of a run anew from its folder, and print its verdict; of a sweep, where that is what is wanted.

    Raises:
        LabError: there is no such run, or its report cannot be made.
    """
    if "/" not in wanted:
        collect()
    try:
        folder = find(collecting.results(), wanted)
    except RunFolderError:
        with suppress(RunFolderError):
            sweep.show(find_sweep(collecting.results(), wanted), as_json=as_json, out=aside if as_json else console)
            return
        raise
    summary = reporting.make(folder)
    if summary is None:
        raise LabError(f"There is no report of {folder.path}.")
    if as_json:
        reporting.print_json(folder.summary)
    else:
        reporting.show(folder, summary, collecting.shown(folder.html), console)


def collect() -> None:
    """Bring here what the rig that is up has, if any."""
    found = fleet.find()
    if found:
        collecting.collect(found[1].ui_url)


def _line(folder: RunFolder) -> dict[str, Any] | None:
    try:
        return overview.line(folder) | {"path": str(folder.path)}
    except RunFolderError as error:
        aside.print(f"Left out: {error}", style="yellow", markup=False)
        return None


def _fitting(lines: list[dict[str, Any]]) -> Table:
    """Return the list with as many columns as there is room for: ids are copied, and stay whole on a line."""
    rows = [_cells(line) for line in lines]
    headings = list(COLUMNS)
    for heading in DISPENSABLE:
        if sum(_width(rows, one) + GAP for one in headings) - GAP <= console.width:
            break
        headings.remove(heading)
    return _table(rows, headings)


def _table(rows: list[dict[str, Text]], headings: list[str]) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in NUMBERS else "left"
        # Nothing is cut either: an id that is longer than the terminal is wide goes on behind its edge.
        grid.add_column(heading, justify=justify, no_wrap=True, min_width=_width(rows, heading))
    for row in rows:
        grid.add_row(*(row[heading] for heading in headings))
    return grid


def _width(rows: list[dict[str, Text]], heading: str) -> int:
    return max(len(heading), *(row[heading].cell_len for row in rows))


def _cells(line: dict[str, Any]) -> dict[str, Text]:
    """Return what each column says of a run."""
    verdict, validity = line["verdict"], line["validity"]
    if verdict is None:
        shown = Text("no report", "dim")
    else:
        shown = Text("-" if verdict == Verdict.NONE else verdict, STYLES[Verdict(verdict)])
    if line["status"] in (Status.INTERRUPTED, Status.ABORTED):
        shown = Text(line["status"], "yellow")
    return {
        "run": Text(line["id"]),
        "name": Text(line["name"]),
        "when": Text(_when(line["started"])),
        "shape": Text(words.plain(str(line["shape"] or words.NOTHING))),
        "workers": Text(words.count(line["workers"])),
        "users": Text(words.count(line["users"])),
        "verdict": shown,
        "validity": Text(validity or words.NOTHING, LEVELS[Level(validity)] if validity else "dim"),
        "p95": Text(words.milliseconds(line["p95_ms"])),
        "req/s": Text(words.number(line["throughput_rps"])),
    }


def _when(started: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(started))
