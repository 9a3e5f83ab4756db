"""Starts runs on a rig whose target is a truth server, and reads what they recorded, whatever engine the rig is on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from loadlab.analysis.recording import Event, EventKind, Recording
from loadlab.analysis.summary import Summary
from loadlab.rig import master
from loadlab.runfolder import RunFolder
from tests.schemas import check_folder
from tests.truth.machine import RAN_LATE, STOLEN_MOST, StolenTime, is_disturbed
from tests.truth.process import Truth

T = TypeVar("T")

SCENARIOS = Path(__file__).parent / "scenarios"
POLL_S = 0.1
REPORT_S = 30.0
EXCEPTED_MS = 1.0  # of scheduling and of the way there and back, which the server does not see


def until(what: str, look: Callable[[], T], within_s: float) -> T:
    """Poll until `look` returns something true and return that; no answer counts as not yet.

    Raises:
        AssertionError: it did not within the time; names `what`, and what was seen last.
    """
    deadline = time.monotonic() + within_s
    seen: Any = None
    while time.monotonic() < deadline:
        try:
            seen = look()
        except (OSError, master.SilentError) as error:
            seen = error
        else:
            if seen:
                found: T = seen
                return found
        time.sleep(POLL_S)
    raise AssertionError(f"not within {within_s:g} s: {what}; seen last: {seen!r}")


def add_scenarios(checkout: Path) -> Path:
    """Put the scenarios of these tests into a copy of the checkout, and return it."""
    for file in SCENARIOS.glob("*.py"):
        shutil.copy(file, checkout / "locust" / "scenarios" / file.name)
    return checkout


@dataclass(frozen=True)
class Measured:
    """A run that has ended, and what was said of it. `stolen` is the share of CPU time that the host took meanwhile."""

    path: Path
    recording: Recording
    summary: Summary
    stolen: float = 0.0

    @property
    def is_disturbed(self) -> bool:
        """Tell whether the host alone kept it from being valid."""
        return is_disturbed(self.summary, self.stolen)

    @property
    def ran_late(self) -> bool:
        """Tell whether the host took CPU away, and the generator says that it was late, whatever else it says."""
        late = {reason.code for reason in self.summary.validity.reasons} & RAN_LATE
        return self.stolen > STOLEN_MOST and bool(late)

    @property
    def recorded(self) -> int:
        """How many requests the timeline holds."""
        cells = [cell for second in self.recording.seconds for cell in second.cells]
        return sum(times.n for cell in cells for times in (cell.ok, cell.failed) if times is not None)

    @property
    def reported(self) -> int:
        """How many requests the summary speaks of."""
        return self.summary.totals.requests

    @property
    def lag_p99_ms(self) -> float:
        """The worst worker's stated lag of its event loop."""
        return max(worker.lag_p99_ms or 0.0 for worker in self.summary.workers)

    def events(self, kind: EventKind) -> list[Event]:
        """Return what happened of one kind."""
        return [event for event in self.recording.events if event.kind == kind]

    def reasons(self) -> str:
        """Return why the measurement is not, or not fully, to be believed, in one text."""
        return "; ".join(f"{reason.level} {reason.code}: {reason.text}" for reason in self.summary.validity.reasons)

    def users_by_second(self) -> dict[int, int]:
        """Return how many users ran in each second."""
        users: dict[int, int] = {}
        for second in self.recording.seconds:
            users[second.t] = users.get(second.t, 0) + second.users
        return users

    def longest_ms_by_second(self) -> dict[int, float]:
        """Return the longest response time of each second in which there was an answer."""
        longest: dict[int, float] = {}
        for second in self.recording.seconds:
            for cell in second.cells:
                for times in (cell.ok, cell.failed):
                    if times is not None:
                        longest[second.t] = max(longest.get(second.t, 0.0), times.max_us / 1000)
        return longest


def read(path: Path) -> Measured:
    """Read a run folder, every file of it checked against its schema."""
    check_folder(path)
    folder = RunFolder(path)
    summary = folder.read_summary()
    assert summary is not None, f"{path} has no summary: {sorted(file.name for file in path.iterdir())}"
    return Measured(path, folder.read(), summary)


class Master(master.Master):
    """The HTTP interface of a rig's master, with what tests do with it again and again."""

    def start(self, **plan: Any) -> str:
        """Start a run and return its id; unless the plan says otherwise, promising next to nothing."""
        return self.create({"slos": ["fail<50%"], **plan})

    def latest(self) -> str:
        """Return the id of the newest run."""
        run: str = self.runs()["runs"][0]["id"]
        return run

    def wait_running(self, run: str, users: int, within_s: float = 30.0) -> None:
        """Wait until so many users run."""

        def live() -> bool:
            seen = self.run(run)
            assert seen["status"] in ("waiting", "running"), seen
            return (seen["live"] or {}).get("users") == users

        until(f"{users} users in {run}", live, within_s)

    def wait_reported(self, run: str, within_s: float) -> None:
        """Wait until a run has ended and its report is written."""
        until(f"the report of {run}", lambda: self.run(run)["reported"], within_s + REPORT_S)

    def read(self, run: str, to: Path) -> Measured:
        """Download the folder of a run that has ended into a folder and read it."""
        self.fetch(run, to / run)
        return read(to / run)

    def measure(self, to: Path, *, planned_s: float, **plan: Any) -> Measured:
        """Start a run, wait for its report, and return what it recorded."""
        stolen = StolenTime()
        run = self.start(**plan)
        self.wait_reported(run, planned_s)
        return replace(self.read(run, to), stolen=stolen.share())


def check_nothing_dropped(measured: Measured, truth: Truth) -> None:
    """Check that each request that the server answered is in the timeline, in the summary and in the account, once."""
    seen = truth()
    account = measured.summary.validity.accounting
    assert seen["in_flight"] == 0
    assert seen["answered"] > 0
    counts = (measured.recorded, measured.reported, account.recorded, account.answered)
    assert counts == (seen["answered"],) * 4, f"{counts} of {seen['answered']} served; {account}"
    assert account.started == account.answered + account.killed + account.in_flight
    assert account.killed == seen["abandoned"]
    assert measured.summary.totals.failures == seen["failed"]


def lag_ms(seen: dict[str, Any]) -> float:
    """Return by how much 99% of a truth server's timers were not late: requests are read late by as much."""
    lag: float = seen["lag"]["percentiles_ms"]["p99"]
    return lag


def check_percentiles(measured: Measured, truth: Truth, names: tuple[str, ...] = ("p50", "p95", "p99")) -> None:
    """Check that the reported percentiles of the successes are those that the server saw, to 1% and the lag.

    The lag is what the report states of its event loops, and the server of its own, `EXCEPTED_MS` at least.
    """
    seen = truth()
    served, reported = seen["ok"], measured.summary.totals.ok
    assert reported is not None
    assert reported.count == served["count"]
    excepted_ms = max(EXCEPTED_MS, measured.lag_p99_ms + lag_ms(seen))
    for name in names:
        true_ms, seen_ms = served["percentiles_ms"][name], reported.percentiles_ms[name]
        off_ms = abs(seen_ms - true_ms)
        assert off_ms <= 0.01 * true_ms + excepted_ms, f"{name}: {seen_ms} ms, truly {true_ms} ms, lag {excepted_ms} ms"
