"""The process engine's folder: what is wanted, what runs, the logs and the API's data. Supervisor and engine share it.

wanted.json    the fleet to run; the engine writes it, the supervisor reads it at start and at SIGHUP
running.json   the supervisor and its parts; the supervisor writes it at each change and removes it at its end
logs/          a file for each part, and the supervisor's own
data/          the API's store, kept until `down --volumes`
results/       the run folders of the master, kept likewise
metrics/       the API's counters, of one start of the rig
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import psutil

MARK = "LOADLAB_RIG"  # in the environment of each process of a rig, with the path of its folder


class RigFolder:
    """Paths and files of one rig's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wanted = path / "wanted.json"
        self.running = path / "running.json"
        self.logs = path / "logs"
        self.results = path / "results"

    def prepare(self) -> None:
        """Make the folders, and throw away what an earlier rig left: its logs and counters, not its data or runs."""
        for name in ("logs", "metrics"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("logs", "metrics", "data", "results"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def has_data(self) -> bool:
        """Tell whether there is anything that `remove_data` would throw away."""
        return any(path.is_dir() and any(path.iterdir()) for path in (self.path / "data", self.results))

    def remove_data(self) -> None:
        """Throw away the API's store and the master's run folders."""
        for name in ("data", "results"):
            shutil.rmtree(self.path / name, ignore_errors=True)

    def log(self, part: str) -> Path:
        """Return a part's log file."""
        return self.logs / f"{part}.log"

    def last_lines(self, part: str, count: int = 15) -> tuple[str, ...]:
        """Return the last lines that a part logged."""
        try:
            text = self.log(part).read_text(errors="replace")
        except OSError:
            return ()
        return tuple(line for line in text.splitlines() if line.strip())[-count:]

    def processes(self) -> list[psutil.Process]:
        """Return every living process that carries this rig's mark, whoever its parent is by now."""
        return [process for process in psutil.process_iter() if self.is_marked(process)]

    def is_marked(self, process: psutil.Process) -> bool:
        """Tell whether a process belongs to this rig; what may not be asked does not, and neither do we ourselves."""
        try:
            return process.pid != os.getpid() and process.environ().get(MARK) == str(self.path)
        except psutil.Error:
            return False


def write(file: Path, document: dict[str, Any]) -> None:
    """Replace a JSON file in one step: a reader sees the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(document))
    draft.replace(file)


def read(file: Path) -> dict[str, Any] | None:
    """Return the JSON object that a file holds, None when there is none."""
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
