"""Where a run takes place: versions and the machine, for run.json."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from loadlab import __version__

PACKAGES = ("locust", "gevent", "geventhttpclient", "requests", "numpy", "scipy", "bokeh")


def place() -> dict[str, Any]:
    """Return `versions` and `machine` of a Run: what the master runs on; workers tell of themselves."""
    versions = {name: version(name) for name in PACKAGES}
    return {
        "versions": {"loadlab": __version__, "python": platform.python_version(), **versions},
        "machine": {
            "host": platform.node(),
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "booted": int(psutil.boot_time()),
            "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
            **({"engine": engine} if (engine := os.environ.get("LAB_ENGINE")) else {}),
        },
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
