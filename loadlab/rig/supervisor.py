"""The parent of a process rig: starts its parts, sees which of them end, scales them, and takes all down at its end.

Runs as `python -m loadlab.rig.supervisor FOLDER [PARENT]`. SIGHUP: read wanted.json anew. SIGTERM: take all down.
On Linux the kernel ends each part when the supervisor dies, and a supervisor that was given its parent's pid when
that one does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from loadlab.rig import rigfolder
from loadlab.rig.parts import Fleet, Part, parts
from loadlab.rig.rigfolder import RigFolder
from loadlab.rig.settings import ROOT

PR_SET_PDEATHSIG = 1
TICK_S = 0.1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies (Linux; elsewhere the next `./lab down` finds what is left)."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Holds the running parts of one rig and makes them what wanted.json says."""

    def __init__(self, folder: RigFolder) -> None:
        self.folder = folder
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.ended: dict[str, int] = {}
        self.grace_s = 0.0
        self.stopping = False
        self.changed = True

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then take every part down."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        try:
            while not self.stopping:
                if self.changed:
                    self.changed = False
                    self.reconcile()
                elif self.reap():
                    self.report()
                time.sleep(TICK_S)
        finally:
            self.take_down(list(self.children))
            self.folder.running.unlink(missing_ok=True)

    def reconcile(self) -> None:
        """End the parts that are no longer wanted and start the missing ones, all of them at once."""
        wanted = rigfolder.read(self.folder.wanted)
        if wanted is None:
            return
        fleet = Fleet.from_json(wanted)
        self.grace_s = fleet.grace_s
        named = {part.name: part for part in parts(fleet)}
        self.reap()
        # A part that ended by itself is started again when the rig is asked for once more, as `compose up` does.
        self.ended.clear()
        for name, part in named.items():
            if name not in self.children:
                self.children[name] = self.start(part)
        self.report()
        self.take_down([name for name in self.children if name not in named])
        self.report()

    def start(self, part: Part) -> subprocess.Popen[bytes]:
        """Start one part in a session of its own, its output in its log file."""
        with self.folder.log(part.name).open("ab") as log:
            return subprocess.Popen(
                part.command,
                cwd=ROOT,
                env={**os.environ, **part.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread
            )

    def reap(self) -> bool:
        """Note the parts that ended by themselves, and tell whether there are new ones."""
        gone = {name: code for name, child in self.children.items() if (code := child.poll()) is not None}
        for name in gone:
            del self.children[name]
        self.ended |= gone
        return bool(gone)

    def take_down(self, names: list[str]) -> None:
        """End some parts with SIGTERM, all together, and what is left of them after the grace period with SIGKILL."""
        going = {name: self.children.pop(name) for name in names}
        for child in going.values():
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + self.grace_s
        for child in going.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def report(self) -> None:
        """Write down what runs and what has ended."""
        document = {
            "pid": os.getpid(),
            "running": {name: child.pid for name, child in self.children.items()},
            "ended": self.ended,
        }
        rigfolder.write(self.folder.running, document)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _reload(self, _signal: int, _frame: FrameType | None) -> None:
        self.changed = True


def main() -> None:
    """Supervise the rig of the folder named on the command line."""
    folder, *parent = sys.argv[1:]
    if parent:
        die_with_parent()
        if os.getppid() != int(parent[0]):  # it died before the kernel was asked
            return
    Supervisor(RigFolder(Path(folder))).run()


if __name__ == "__main__":
    main()
