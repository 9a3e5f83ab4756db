"""Was the machine ours? On a virtual one the host may take its cores away, which no program can do anything about.

Loadlab then says that its measurement cannot be believed, as it should. What a test expects of an undisturbed
measurement it can only expect of a machine that was there.
"""

from __future__ import annotations

from pathlib import Path

from loadlab.analysis.summary import Level, Summary

STOLEN_MOST = 0.04  # of the CPU time; on a machine of one's own it is none
# Reasons that say that the generator ran late, and no more than that.
RAN_LATE = {"lag", "worker-lag", "blocked", "frozen", "users-short"}


class StolenTime:
    """Which share of the machine's CPU time the host has taken since the beginning."""

    def __init__(self) -> None:
        self._begun = _cpu_times()

    def share(self) -> float:
        """Return it, from 0 to 1."""
        total, stolen = (now - before for now, before in zip(_cpu_times(), self._begun, strict=True))
        return stolen / total if total > 0 else 0.0


def is_disturbed(summary: Summary, stolen: float) -> bool:
    """Tell whether a measurement is not valid for no other reason than that the host took the CPU away meanwhile."""
    codes = {reason.code for reason in summary.validity.reasons if reason.level is not Level.VALID}
    return stolen > STOLEN_MOST and bool(codes) and codes <= RAN_LATE


def _cpu_times() -> tuple[int, int]:
    """Return all CPU time so far, and what of it was stolen, in ticks (proc(5))."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, idle, iowait, irq, softirq, steal, *_ = map(int, line.split()[1:])
    return user + nice + system + idle + iowait + irq + softirq + steal, steal
