"""Run folders in, what they differ in out: python -m loadlab.report.comparing A B > page.html.

A and B are run folders, several of a side separated by commas. It exits with 0 whatever the page says, with 2 when the
sides were not run alike, with 98 when one cannot be believed, and with 1 for anything else; the reason is on stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from loadlab.analysis import compare, likeness, summarise
from loadlab.analysis.comparison import Comparison, Differing
from loadlab.analysis.likeness import Measured
from loadlab.errors import Exit, LabError, UsageError
from loadlab.report import words
from loadlab.runfolder import RunFolder, RunFolderError


class UnlikeError(UsageError):
    """Two sides that were not run alike: names what differs."""


class DoubtfulError(LabError):
    """A side that cannot be believed: names the run, and why."""

    exit_code = Exit.INVALID_MEASUREMENT


class Compared(NamedTuple):
    """What came of it, and of what."""

    comparison: Comparison
    a: list[Measured]
    b: list[Measured]


def make(
    a: Sequence[RunFolder], b: Sequence[RunFolder], *, allow_percent: float = 0.0, force: bool = False
) -> Compared:
    """Compare two sides, each of one run or several.

    Raises:
        UsageError: a run is on both sides.
        UnlikeError: they were not run alike. DoubtfulError: one cannot be believed. Neither when forced.
        RunFolderError: a folder cannot be read.
    """
    if twice := {one.id for one in a} & {one.id for one in b}:
        raise UsageError(f"Run {min(twice)} is on both sides: choose two different runs.")
    sides = [_measured(folder) for folder in a], [_measured(folder) for folder in b]
    differs = likeness.differing(*sides)
    if not force:
        _check(differs, likeness.doubts([*sides[0], *sides[1]]))
    try:
        comparison = compare.compare(*sides, allow_percent=allow_percent, differs=differs)
    except ValueError as error:
        raise RunFolderError(f"{' or '.join(str(one.path) for one in [*a, *b])} is damaged: {error}.") from error
    return Compared(comparison, *sides)


def page(compared: Compared) -> bytes:
    """Return the page of a comparison."""
    from loadlab.report import comparison_html

    return comparison_html.page(*compared)


def _measured(folder: RunFolder) -> Measured:
    recording = folder.read()
    try:
        return Measured(recording, folder.read_summary() or summarise.summarise(recording))
    except ValueError as error:
        raise RunFolderError(f"{folder.path} is damaged: {error}.") from error


def _check(differs: Iterable[Differing], doubts: Sequence[str]) -> None:
    unlike = [f"  {one.what}: {words.plain(one.a)} in A, {words.plain(one.b)} in B" for one in differs]
    doubtful = [f"  {words.plain(doubt)}" for doubt in doubts]
    if unlike:
        head = "These were not run alike, so that a difference would say nothing of the target:"
        raise UnlikeError("\n".join([head, *unlike, *doubtful]))
    if doubtful:
        raise DoubtfulError("\n".join(["There is nothing to compare with:", *doubtful]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadlab.report.comparing", description="Compare two sides.")
    parser.add_argument("a", metavar="A", help="a run folder, or several separated by commas")
    parser.add_argument("b", metavar="B")
    parser.add_argument("--force", action="store_true", help="compare what was not run alike, or is not valid, too")
    options = parser.parse_args(arguments)
    sides = [[RunFolder(Path(path)) for path in side.split(",")] for side in (options.a, options.b)]
    try:
        sys.stdout.buffer.write(page(make(*sides, force=options.force)))
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
