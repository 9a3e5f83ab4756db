"""`./lab runs` lists the runs on this host, `./lab report` makes the report of one anew."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

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

WIDE = 110  # columns, from which on there is room for what the id says already
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
        console.print(_table(found, wide=console.width >= WIDE), soft_wrap=False)


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


def _table(lines: list[dict[str, Any]], *, wide: bool) -> Table:
    """Return the list; on a narrow terminal without what each id says by itself: the name and the time."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("run", overflow="fold", min_width=15)
    if wide:
        grid.add_column("name", overflow="fold")
        grid.add_column("when", no_wrap=True)
    for heading in ("shape", ">workers" if wide else ">wrk", ">users", "verdict", "validity", ">p95", ">req/s"):
        right = heading.startswith(">")
        grid.add_column(heading.lstrip(">"), justify="right" if right else "left", no_wrap=True)
    for line in lines:
        own = [Text(line["name"]), Text(_when(line["started"]))] if wide else []
        grid.add_row(Text(line["id"]), *own, *_cells(line))
    return grid


def _cells(line: dict[str, Any]) -> list[Text]:
    verdict, validity = line["verdict"], line["validity"]
    if verdict is None:
        shown = Text("no report", "dim")
    else:
        shown = Text("-" if verdict == Verdict.NONE else verdict, STYLES[Verdict(verdict)])
    if line["status"] in (Status.INTERRUPTED, Status.ABORTED):
        shown = Text(line["status"], "yellow")
    return [
        Text(words.plain(str(line["shape"] or words.NOTHING))),
        Text(words.count(line["workers"])),
        Text(words.count(line["users"])),
        shown,
        Text(validity or words.NOTHING, LEVELS[Level(validity)] if validity else "dim"),
        Text(words.milliseconds(line["p95_ms"])),
        Text(words.number(line["throughput_rps"])),
    ]


def _when(started: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(started))
