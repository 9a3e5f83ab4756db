"""The analysis and report of a run that is over, in a process of their own: the master has to answer its workers."""

from __future__ import annotations

import logging
import subprocess
import sys

from loadlab.runfolder import RunFolder, keep_calibration

PATIENCE_S = 120.0

logger = logging.getLogger(__name__)


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
        keep_calibration(folder.path.parent, folder.read_summary())
    except OSError as error:
        logger.error("What run %s showed of the generator could not be kept: %s", folder.id, error)
