"""A worker's sign of life: a file, touched at each heartbeat that the master answers.

A worker listens on no port, so its container's healthcheck looks at the age of this file: `python -I -S alive.py`
exits 0 when the worker heard its master within the last ten seconds, 1 when not. Off unless WORKER_ALIVE_FILE is set.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locust.env import Environment

FRESH_S = 10.0


def attach(environment: Environment) -> None:
    """Touch the file whenever the master answers this worker."""
    file = os.environ.get("WORKER_ALIVE_FILE")
    if not file:
        return

    def touch(**_: Any) -> None:
        with open(file, "w"):  # noqa: PTH123 - pathlib would cost the healthcheck half its time
            pass

    environment.events.heartbeat_received.add_listener(touch)


def main() -> int:
    """Return the healthcheck's exit code."""
    try:
        age_s = time.time() - os.stat(os.environ["WORKER_ALIVE_FILE"]).st_mtime  # noqa: PTH116 - as above
    except (OSError, KeyError):
        print("the master has not answered this worker yet")
        return 1
    print(f"the master answered {age_s:.0f} s ago")
    return int(age_s > FRESH_S)


if __name__ == "__main__":
    sys.exit(main())
