"""What becomes of the CPU time of the machine that this process runs on: is there any left?

Generator and target on one machine share its cores; and of a virtual machine, the host may take some away. What gives
way to this process by its priority is as good as idle.
"""

from __future__ import annotations

import psutil

from loadlab.analysis.recording import MachineSecond

IDLE = ("idle", "iowait")
YIELDING = "nice"  # what gives way to programs of the usual priority
WITHIN_OTHERS = ("guest", "guest_nice")  # counted in user and nice, too
DIGITS = 3


class Machine:
    """Tells of the time since it was last asked."""

    def __init__(self) -> None:
        self._before = _times()
        self._idle = IDLE if psutil.Process().nice() > 0 else (*IDLE, YIELDING)

    def sample(self) -> MachineSecond | None:
        """Return what became of the CPU time since the last sample; None where no time has passed."""
        before, self._before = self._before, _times()
        spent = {name: max(0.0, value - before.get(name, 0.0)) for name, value in self._before.items()}
        total = sum(spent.values())
        if total <= 0:
            return None
        stolen, idle = spent.get("steal", 0.0), sum(spent.get(name, 0.0) for name in self._idle)
        return MachineSecond(round((total - stolen - idle) / total, DIGITS), round(stolen / total, DIGITS))


def _times() -> dict[str, float]:
    """Return the CPU time since the boot by what it was for, in s, all cores added up."""
    return {name: value for name, value in psutil.cpu_times()._asdict().items() if name not in WITHIN_OTHERS}
