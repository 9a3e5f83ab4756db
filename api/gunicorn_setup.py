"""What gunicorn's master needs before it forks: how many gunicorn workers, and where they share their metrics."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from api.cgroup import read_usage
from api.settings import EXIT_BAD_SETTINGS, default_metrics_dir

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
WORKERS_MIN = 2
WORKERS_MAX = 8
#: Listening sockets, database connections, metrics files, the libraries' own.
_OTHER_DESCRIPTORS = 256
_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def worker_count(asked: int) -> int:
    """``asked``, or for 0 one for each core this process may use, by affinity and by cgroup, from 2 to 8."""
    if asked:
        return asked
    cores: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = read_usage().cpu_limit_cores
    cores = min(cores, limit) if limit else cores
    return max(WORKERS_MIN, min(WORKERS_MAX, round(cores)))


def allow_descriptors(connections: int, log: Any) -> None:
    """Raise the limit of open files as far as this process may, and say so when it stays below ``connections``."""
    wanted = connections + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "only %d open files are allowed: a gunicorn worker cannot hold GUNICORN_WORKER_CONNECTIONS=%d;"
            " raise the nofile limit",
            allowed,
            connections,
        )


def end_at_once_in_boot() -> None:
    """Have a gunicorn worker end that is told to before it has handlers of its own: it serves nothing yet.

    Until then gunicorn leaves it the master's handlers, by which it puts the signal into a queue that it never reads,
    and the master waits for it until the graceful timeout. With gevent's worker that is a tenth of a second after each
    fork: a stop soon after a start, or after a worker was lost.
    """

    def listen() -> None:
        for number in _TO_END:
            signal.signal(number, lambda *_: os._exit(0))
        _unblock()

    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=listen)


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _TO_END)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TO_END)


class MetricsFolder:
    """The folder of ``PROMETHEUS_MULTIPROC_DIR``: emptied at start, locked against a second instance."""

    def __init__(self, folder: Path | None) -> None:
        self._own = folder is None
        self._path = folder or default_metrics_dir()
        self._lock: int | None = None
        # prometheus_client looks at the environment when it is imported, in each gunicorn worker.
        os.environ[_VARIABLE] = str(self._path)

    def open(self) -> None:
        """Make it and empty it of the last run's figures; exit code 2 with one line when that cannot be done."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._path / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._empty()
        except BlockingIOError:
            self._give_up("is in use by another instance; give each its own, or unset it")
        except OSError as error:
            self._give_up(f"cannot be used: {error.strerror}; name a folder this user can write, or unset it")

    def forget(self, pid: int) -> None:
        """Drop the gauges of a gunicorn worker that has ended."""
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid, str(self._path))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Leave nothing behind in a folder made for this run alone."""
        if self._own:
            with suppress(OSError):
                self._empty()
                (self._path / ".lock").unlink()
                self._path.rmdir()

    def _empty(self) -> None:
        # Nothing but metrics files: the folder may have been given by mistake.
        for file in self._path.glob("*.db"):
            file.unlink(missing_ok=True)

    def _give_up(self, why: str) -> None:
        print(f"api: {_VARIABLE}={self._path} {why}.", file=sys.stderr)
        raise SystemExit(EXIT_BAD_SETTINGS)
