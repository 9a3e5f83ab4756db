"""The analysis and report of runs that are over, in a process of their own: the master has to answer its workers."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Sequence

from loadlab import calibrations
from loadlab.errors import Exit, LabError
from loadlab.runfolder import RunFolder

PATIENCE_S = 120.0

REFUSALS = (Exit.USAGE, Exit.INVALID_MEASUREMENT)  # the runs were not alike, or not valid

logger = logging.getLogger(__name__)
_comparing = threading.Lock()  # one at a time: each takes some seconds of CPU


class RefusedError(LabError):
    """Runs that are not to be compared, unless it is asked for again: says why."""


def report(folder: RunFolder) -> bool:
    """Make summary.json, report.html and junit.xml, and tell whether that went well. Blocks this greenlet only."""
    command = [sys.executable, "-m", "loadlab.report", str(folder.path)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.error("The report of run %s could not be made: %s", folder.id, error)
        return False
    if done.returncode:
        logger.error("The report of run %s could not be made: %s", folder.id, (done.stderr or done.stdout).strip())
    return done.returncode == 0


def remember(folder: RunFolder) -> None:
    """Keep what a calibration showed for the runs to come."""
    try:
        calibrations.keep(folder.path.parent, folder.read_summary())
    except OSError as error:
        logger.error("What run %s showed of the generator could not be kept: %s", folder.id, error)


def compare(a: Sequence[RunFolder], b: Sequence[RunFolder], *, force: bool = False) -> bytes:
    """Return the page of two sides, each of one run or several. Blocks this greenlet only.

    Raises:
        RefusedError: they were not run alike, or one is not valid, and it is not forced.
        LabError: it cannot be made.
    """
    sides = [",".join(str(folder.path) for folder in side) for side in (a, b)]
    command = [sys.executable, "-m", "loadlab.report.comparing", *sides, *(["--force"] if force else [])]
    try:
        with _comparing:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE_S
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"The comparison could not be made: {error}.") from None
    if done.returncode == Exit.OK:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode in REFUSALS:
        raise RefusedError(said)
    logger.error("The comparison of %s could not be made: %s", " and ".join(sides), said)
    raise LabError(f"The comparison could not be made: {said.splitlines()[-1] if said else 'no reason was given'}")
