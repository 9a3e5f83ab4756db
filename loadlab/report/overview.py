"""A run in a line: what a list of runs shows of each, read from its folder."""

from __future__ import annotations

from typing import Any

from loadlab.analysis.recording import ENDS, Run
from loadlab.analysis.summary import Summary
from loadlab.report import reading
from loadlab.runfolder import RunFolder

FIGURES = (
    *("verdict", "validity", "headline", "exit_code", "requests", "throughput_rps", "p95_ms", "fail_percent"),
    "capacity_users",
)


def line(folder: RunFolder) -> dict[str, Any]:
    """Return a run as `GET /runs` lists it; figures are None until it is analysed.

    Raises:
        RunFolderError: it is no run folder, or cannot be read.
    """
    run = folder.read_run()
    summary = folder.read_summary()
    found = _of_run(folder.id, run) | (_of_summary(summary) if summary else dict.fromkeys(FIGURES))
    found["partial"] = summary.partial if summary else run.status not in ENDS
    found["has_report"] = folder.html.is_file()
    return found


def _of_run(identifier: str, run: Run) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": str(run.plan.get("name") or ""),
        "status": run.status.value,
        "started": run.started or run.created,
        "duration_s": run.duration_s,
        "shape": run.own_shape or run.plan.get("shape"),
        "workers": run.expected_workers,
        "users": None if run.own_shape else run.plan.get("users"),
    }


def _of_summary(summary: Summary) -> dict[str, Any]:
    """Return the figures: those of the window that the SLOs are judged on, and the number of all requests.

    The users of a search are those that its figures are of: of its capacity, where it found one.
    """
    window = summary.window
    return {
        "verdict": summary.verdict.value,
        "validity": summary.validity.level.value,
        "headline": summary.headline,
        "exit_code": summary.exit_code,
        "requests": summary.totals.requests,
        "throughput_rps": window.throughput_rps,
        "p95_ms": window.ok.percentiles_ms.get("p95") if window.ok else None,
        "fail_percent": window.fail_percent,
        "workers": summary.workers_max,
        "users": reading.users(summary),
        "capacity_users": summary.capacity.users if summary.capacity else None,
    }
