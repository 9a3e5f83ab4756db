"""An engine that is none, for commands that bring up rigs of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from loadlab.analysis.recording import Status
from loadlab.analysis.summary import Summary
from loadlab.errors import LabError
from loadlab.report import overview
from loadlab.rig import fleet
from loadlab.rig.engine import RigState
from loadlab.rig.settings import RigSettings
from tests.rig.fakes import FakeMaster, document, packed, run_record, summary, write_run

ENDS = [document(Status.RUNNING), document(Status.FINISHED), document(Status.FINISHED, reported=True)]


class FakeEngine:
    """An engine that brings up nothing: its one master answers for each rig, with a run of its own.

    `results` is what the run means, and `troubles` what goes wrong, by the number of the rig, from 1.
    """

    name: ClassVar[str] = "processes"
    renews: ClassVar[bool] = False

    def __init__(self, home: Path, master: FakeMaster) -> None:
        self.home = home
        self.master = master
        self.ups: list[RigSettings] = []
        self.downs: list[bool] = []
        self.results: dict[int, Summary] = {}
        self.troubles: dict[int, Callable[[], None]] = {}
        self.down_trouble: LabError | None = None
        self.keeps = False
        self.is_up = False

    def chosen(self, name: str) -> FakeEngine:
        """Be the engine of every name that there is."""
        fleet.check_name(name)
        return self

    def up(self, settings: RigSettings, *, tied: bool) -> None:
        """Note what is asked for, and have the master ready with a run."""
        assert tied
        assert not self.is_up
        self.ups.append(settings)
        self.is_up = True
        number = len(self.ups)
        self.master.run_id = f"20260102-0304{number:02}-run"
        result = self.results.get(number, summary())
        load = replace(result.window, throughput_rps=100.0 * number)
        record = run_record(Status(result.status), created=float(number))
        folder = write_run(self.home / "kept" / self.master.run_id, record, replace(result, window=load))
        self.master.archive = packed(folder)
        self.master.listed = [overview.line(folder)]
        self.master.script = list(ENDS)
        self.troubles.get(number, lambda: None)()

    def down(self, *, volumes: bool) -> None:
        """Note it."""
        self.downs.append(volumes)
        self.is_up = False
        if self.down_trouble:
            raise self.down_trouble

    def state(self) -> RigState | None:
        """Return the rig, if one is up."""
        return RigState(self.name, ("master-1",), (), self.master.url) if self.is_up else None

    def is_keeping(self) -> bool:
        """Tell whether an earlier rig left something."""
        return self.keeps

    def logs(self, services: list[str], *, follow: bool) -> int:
        """Have none."""
        raise NotImplementedError

    def salvage(self, run_id: str, to: Path) -> bool:  # noqa: ARG002 - nothing is to be had
        """Have nothing."""
        return False
