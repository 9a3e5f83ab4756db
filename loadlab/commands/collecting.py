"""Brings run folders from a rig to results/ on this host: the ones that are over, each once."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from loadlab import calibrations
from loadlab.analysis.recording import ENDS
from loadlab.commands import reporting
from loadlab.commands.screen import escape
from loadlab.errors import LabError
from loadlab.rig.master import Master, RefusedError, checked_id
from loadlab.rig.settings import ROOT
from loadlab.runfolder import CALIBRATIONS, RunFolder, RunFolderError

SETTLE_S = 45.0  # the longest stop timeout, and the report
LOOK_EVERY_S = 0.3


@dataclass(frozen=True)
class Copied:
    """A run that was brought here: what it came to, and the path to look at."""

    id: str
    headline: str
    path: Path

    @property
    def shown(self) -> str:
        """Return the path as the user would type it."""
        return shown(self.path)


def results() -> Path:
    """Return the folder of all runs on this host."""
    return Path(os.environ.get("LAB_RESULTS") or ROOT / "results").absolute()


def shown(path: Path) -> str:
    """Return a path as the user would type it: relative where that is shorter."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def keep(run_id: str, copy: Callable[[Path], object]) -> RunFolder:
    """Let `copy` bring a run to a folder, and give it its place among the results.

    Another run that has the same id by chance, made on another rig in the same second, is not overwritten.

    Raises:
        LabError: whatever `copy` raises, or there is no room for it.
    """
    root = results()
    draft = root / ".incoming" / f"{run_id}.{os.getpid()}"
    try:
        copy(draft)
        return RunFolder(_place(draft, root, run_id))
    except OSError as error:
        raise LabError(f"Run {run_id} cannot be kept in {root}: {error}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):
            draft.parent.rmdir()


def _place(draft: Path, root: Path, run_id: str) -> Path:
    created = RunFolder(draft).read_run().created
    number = 1
    while True:
        final = root / (run_id if number == 1 else f"{run_id}.{number}")
        if final.exists() and _created(final) == created:
            shutil.rmtree(final)
        if not final.exists():
            return draft.rename(final)
        number += 1


def check_room() -> None:
    """Check that runs can be kept, before one is made.

    Raises:
        LabError: names the folder, and says how to have another.
    """
    root = results()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise LabError(
            f"Runs cannot be kept in {root}: {error.strerror}. Set LAB_RESULTS to a folder of yours."
        ) from None


def acquaint(master: Master, **known: str) -> None:
    """Tell a master what this host knows and it does not: calibrations of earlier rigs, and what else is given.

    Not by its environment: plain Compose has another one, and each would start the other's containers anew.
    """
    kept = CALIBRATIONS.adapter.dump_python(calibrations.kept(results()), mode="json")
    with suppress(RefusedError):  # one of another version, which does without
        master.tell(calibrations=kept, **known)


def collect(ui: str) -> list[Copied]:
    """Bring here what the rig's master has of runs that are over; an unreachable master has none.

    One that has ended and whose report is being made is left for the next time.
    """
    with suppress(LabError):
        return _collect(Master(ui)).copied
    return []


def settle(ui: str, out: Console) -> None:
    """Bring every run here before its rig goes: one that is active is stopped, and its report waited for.

    Raises:
        LabError: not all of them could be brought.
    """
    master = Master(ui)
    active = master.runs()["active"]
    if active is not None:
        out.print(f"Stopping run {escape(active)}, which is active ...")
        with suppress(RefusedError):
            master.stop(active)
    _wait_for_reports(master)
    bring_all(master, out)


def bring_all(master: Master, out: Console) -> None:
    """Bring every run here that is over, with or without a report, and say what they came to.

    Raises:
        LabError: not all of them could be brought, or one is not over.
    """
    done = _collect(master, even_unreported=True)
    tell(done.copied, out)
    if active := master.runs()["active"]:
        done.errors.append(f"Run {active} is still active, and not copied.")
    if done.errors:
        raise LabError("\n".join(done.errors))


def tell(copied: Sequence[Copied], out: Console) -> None:
    """Say what the runs came to that were brought here."""
    for run in copied:
        out.print(f"Run {escape(run.id)}: {escape(run.headline)} ({escape(run.shown)})")


def _wait_for_reports(master: Master) -> None:
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        document = master.runs()
        due = [line for line in document["runs"] if line["status"] in ENDS and not line["has_report"]]
        if document["active"] is None and all(_is_here(line) for line in due):
            return
        time.sleep(LOOK_EVERY_S)


@dataclass
class _Collected:
    copied: list[Copied] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def _collect(master: Master, *, even_unreported: bool = False) -> _Collected:
    done = _Collected()
    document = master.runs()
    lines = [
        line
        for line in reversed(document["runs"])
        if line["id"] != document["active"]
        and (even_unreported or line["has_report"] or line["status"] not in ENDS)
        and not _is_here(line)
    ]
    for line in lines:
        try:
            done.copied.append(_bring(master, checked_id(line["id"])))
        except LabError as error:  # the others are brought all the same
            done.errors.append(f"Run {line['id']} could not be copied: {error}")
    return done


def _bring(master: Master, run_id: str) -> Copied:
    folder = keep(run_id, lambda to: master.fetch(run_id, to))
    summary = folder.read_summary() or reporting.make(folder)
    path = folder.html if folder.html.exists() else folder.path
    return Copied(folder.id, summary.headline if summary else "no report could be made", path)


def _is_here(line: dict[str, Any]) -> bool:
    """Tell whether a run is among the results as it is on the rig: what was cut short there may have ended since."""
    folder = RunFolder(results() / checked_id(line["id"]))
    with suppress(RunFolderError):
        return folder.summary.exists() and folder.read_run().status == line["status"]
    return False


def _created(path: Path) -> float | None:
    with suppress(RunFolderError):
        return RunFolder(path).read_run().created
    return None
