"""How busy the cores of this machine are while a run holds its load: all that runs on it, not only the rig."""

from __future__ import annotations

from typing import Any

import psutil

from loadlab.analysis.recording import Status

IDLE = ("idle", "iowait")
COUNTED_TWICE = ("guest", "guest_nice")  # they are in user and nice, too


class CpuWatch:
    """Is told what the master says of a run, and looks at the clock of the cores from the planned users on."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None

    def look(self, document: dict[str, Any]) -> None:
        """Take a look where the planned users run."""
        live = document["live"]
        if document["status"] == Status.RUNNING and live and live["users"] >= live["target_users"] > 0:
            self._last = _times()
            self._first = self._first or self._last

    @property
    def busy_percent(self) -> float | None:
        """The mean of all cores, in % of what they have; None where there were not two looks."""
        if self._first is None or self._last is None or self._last[1] <= self._first[1]:
            return None
        return 100 * (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])


def _times() -> tuple[float, float]:
    """Return the seconds that all cores were busy, and those that have passed on them; what a host took is busy."""
    times = psutil.cpu_times()._asdict()
    passed = sum(value for name, value in times.items() if name not in COUNTED_TWICE)
    return passed - sum(times.get(name, 0.0) for name in IDLE), passed
