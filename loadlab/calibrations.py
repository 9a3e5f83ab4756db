"""What calibrations showed, kept beside the runs: the newest of each kind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loadlab.analysis.recording import Calibration
from loadlab.analysis.summary import Level, Summary
from loadlab.runfolder import CALIBRATION_FILE, CALIBRATIONS, replace_file

MOST = 100


def kept(root: Path) -> tuple[Calibration, ...]:
    """Return what calibrations showed whose runs are under `root`, the newest first; none where that cannot be read."""
    try:
        return CALIBRATIONS.load((root / CALIBRATION_FILE).read_bytes())
    except (OSError, ValidationError):
        return ()


def keep(root: Path, summary: Summary | None) -> Calibration | None:
    """Keep what a calibration showed, in place of an older one of its kind, and return it; None if it cannot be used.

    Raises:
        OSError: the file cannot be written.
    """
    if summary is None or summary.calibration is None or summary.validity.level is Level.INVALID:
        return None
    add(root, [summary.calibration])
    return summary.calibration


def add(root: Path, more: Iterable[Calibration]) -> None:
    """Keep more of them: of each kind the newest.

    Raises:
        OSError: the file cannot be written.
    """
    before = kept(root)
    newest: dict[Any, Calibration] = {}
    for one in sorted([*before, *more], key=lambda one: one.measured):
        newest[_kind(one)] = one
    after = tuple(sorted(newest.values(), key=lambda one: -one.measured)[:MOST])
    if after != before:
        root.mkdir(parents=True, exist_ok=True)
        replace_file(root / CALIBRATION_FILE, CALIBRATIONS.dump(after))


def _kind(one: Calibration) -> Any:
    """Return what two calibrations have in common of which the newer one is worth keeping."""
    machine = {name: value for name, value in one.machine.items() if name != "host"}  # a container's is new each time
    return (
        one.scenario,
        one.target,
        one.workers,
        one.cpu_limit_cores,
        str(sorted(machine.items())),
        str(sorted(one.versions.items())),
    )
