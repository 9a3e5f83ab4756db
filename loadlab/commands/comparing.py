"""`./lab compare`: is B better than A, worse, or can no difference be told?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.commands import collecting, runs
from loadlab.commands.screen import aside, console, escape
from loadlab.errors import LabError, UsageError
from loadlab.runfolder import COMPARISON, RunFolder, comparison_page, find

if TYPE_CHECKING:
    from loadlab.report.comparing import Compared

FORCE = "Add --force to compare them all the same."


@dataclass(frozen=True)
class Wanted:
    """The command line as it was typed."""

    a: str
    b: str
    allow: str
    html: str | None
    force: bool
    as_json: bool


def compare(wanted: Wanted) -> int:
    """Compare two sides, print what came of it, write its page, and return the exit code.

    Raises:
        LabError: there is no such run; they may not be compared; or the page cannot be written.
    """
    allow_percent = _percent(wanted.allow)
    if not all("/" in name for side in (wanted.a, wanted.b) for name in side.split(",")):
        runs.collect()
    sides = [_side(text) for text in (wanted.a, wanted.b)]
    compared = _compared(sides, allow_percent, force=wanted.force)
    file = Path(wanted.html) if wanted.html else _default_page(sides)
    _write(compared, file)
    _show(compared, collecting.shown(file.absolute()), as_json=wanted.as_json)
    return compared.comparison.exit_code


def _percent(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"--allow {text} is not allowed. Allowed: a percentage of 0 or more, such as 5.")
    return value


def _side(text: str) -> list[RunFolder]:
    """Return the runs of a side, each once."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{text!r} names no run: write its id, the beginning of it, its name, a path, or latest.")
    found = [find(collecting.results(), name) for name in names]
    return list({folder.id: folder for folder in found}.values())


def _compared(sides: list[list[RunFolder]], allow_percent: float, *, force: bool) -> Compared:
    from loadlab.report import comparing

    try:
        return comparing.make(*sides, allow_percent=allow_percent, force=force)
    except (comparing.UnlikeError, comparing.DoubtfulError) as error:
        raise type(error)(f"{error}\n{FORCE}") from None


def _default_page(sides: list[list[RunFolder]]) -> Path:
    a, b = ([folder.id for folder in side] for side in sides)
    return comparison_page(collecting.results(), a, b)


def _write(compared: Compared, file: Path) -> None:
    """Write the page, whole or not at all."""
    from loadlab.report import comparing

    draft = file.with_suffix(".draft")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(comparing.page(compared))
        draft.replace(file)
    except OSError as error:
        raise LabError(
            f"The page cannot be written to {file}: {error.strerror}. --html FILE puts it elsewhere."
        ) from None


def _show(compared: Compared, page: str, *, as_json: bool) -> None:
    from loadlab.report import comparison_text

    comparison = compared.comparison
    if as_json:
        print(COMPARISON.dump(comparison).decode())
        aside.print(f"page {escape(page)}")
        return
    if console.is_terminal:
        console.print(comparison_text.render(comparison), soft_wrap=False)
    else:
        console.print(comparison_text.plain(comparison), end="", markup=False)
    console.print(f"[dim]page[/dim]   {escape(page)}")
