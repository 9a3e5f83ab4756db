"""Makes reports of run folders on this host, and shows them. What computes and draws is imported only then."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from loadlab.analysis.summary import Summary
from loadlab.commands.screen import aside, escape
from loadlab.rig.settings import ROOT
from loadlab.runfolder import RunFolder

PATIENCE_S = 120.0


class Making:
    """The report of a folder being made, in a process of its own, as the master does it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadlab.report", str(folder.path)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us
            text=True,
        )

    def wait(self) -> Summary | None:
        """Return what the run means once the report is made; None, and a word on stderr, when it cannot be."""
        try:
            _, said = self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            said = f"it took more than {PATIENCE_S:g} s"
        finally:
            self._process.kill()
            self._process.wait()
        if self._process.returncode != 0:
            aside.print(f"The report of {self.folder.path} could not be made: {said.strip()}", markup=False)
            return None
        return self.folder.read_summary()

    def is_made_by(self, deadline: float) -> bool:
        """Wait until a time of the monotonic clock, and tell whether it is over by then; else it goes on by itself."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        return self._process.poll() is not None


def make(folder: RunFolder) -> Summary | None:
    """Make summary.json, report.html and junit.xml of a folder, and return what the run means."""
    return Making(folder).wait()


def show(folder: RunFolder, summary: Summary, page: str, out: Console) -> None:
    """Print the verdict, and where the page is."""
    from loadlab.report import text

    run = folder.read_run()
    if out.is_terminal:
        out.print(text.render(summary, run), soft_wrap=False)
    else:
        out.print(text.plain(summary, run), end="", markup=False)
    out.print(f"[dim]report[/dim]   {escape(page)}")  # in one line, however long: it is there to be copied


def print_json(path: Path) -> None:
    """Print summary.json, and nothing else, to stdout."""
    print(path.read_text(), end="")
