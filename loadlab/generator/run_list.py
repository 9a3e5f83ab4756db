"""The runs that are kept, each in a line: read from their folders, and again only where a file has changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import gevent

from loadlab.generator.run_files import is_name
from loadlab.report import overview
from loadlab.runfolder import RunFolder, RunFolderError

FILES = ("run.json", "summary.json", "report.html")
Stamp = tuple[tuple[int, int, int] | None, ...]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kept:
    """What was read of a folder, and which versions of its files that was; None: it could not be read."""

    stamp: Stamp
    line: dict[str, Any] | None


class RunList:
    """The list of all runs under a folder. `pause` is called between two folders that have to be read."""

    def __init__(self, root: Path, pause: Callable[[], Any] = gevent.sleep) -> None:
        self.root = root
        self._pause = pause
        self._kept: dict[str, _Kept] = {}

    def lines(self, active: str | None = None, latest: int | None = None) -> list[dict[str, Any]]:
        """Return a line for each run, or for the latest so many, newest first.

        A run that neither ended nor is active was cut short: partial.
        """
        names = self._names()
        self._kept = {name: self._kept[name] for name in names if name in self._kept}
        lines = islice(filter(None, map(self._line, names)), latest)
        return [{**line, "partial": line["partial"] and line["id"] != active} for line in lines]

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.root) as entries:
                found = [entry.name for entry in entries if is_name(entry.name) and entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        return sorted(found, reverse=True)

    def _line(self, name: str) -> dict[str, Any] | None:
        stamp = tuple(_stamp(f"{self.root}/{name}/{file}") for file in FILES)
        if stamp[0] is None:
            return None  # not a run, or one that is being made
        kept = self._kept.get(name)
        if kept is None or kept.stamp != stamp:
            self._pause()
            kept = self._kept[name] = _Kept(stamp, _read(RunFolder(self.root / name)))
        return kept.line


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - three of them for each run at each look: Path costs more than the call
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(folder: RunFolder) -> dict[str, Any] | None:
    try:
        return overview.line(folder)
    except RunFolderError as error:
        logger.warning("A run is left out of the list: %s", error)
        return None
