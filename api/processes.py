"""gunicorn's own processes as /proc tells of them: who they are, and what they use.

Source: the kernel's Documentation/filesystems/proc.rst. Figures are absent where there is no such file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
#: Fields of /proc/PID/stat, counted from behind the command's name.
_PARENT, _USER, _SYSTEM, _ENDED_USER, _ENDED_SYSTEM = 1, 11, 12, 13, 14
_INIT = 1


def siblings(proc: Path = _PROC) -> list[int]:
    """The processes of all gunicorn workers; this one alone where the kernel does not list a process's children."""
    parent = os.getppid()
    try:
        return [int(pid) for pid in (proc / f"{parent}/task/{parent}/children").read_text().split()] or [os.getpid()]
    except OSError:
        return [os.getpid()]


def has_own_cgroup(proc: Path = _PROC) -> bool:
    """Whether gunicorn is a container's or a service's first process, or was started by it.

    Elsewhere, such as in a shell, its cgroup holds other programs too, and tells nothing of gunicorn.
    """
    master = os.getppid()
    return master == _INIT or (_stat(master, proc) or [0, 0])[_PARENT] == _INIT


def cpu_s(pid: int, proc: Path = _PROC) -> float | None:
    """CPU time of a process, all of its threads added up, to 10 ms; None when it is gone."""
    fields = _stat(pid, proc)
    return None if fields is None else (fields[_USER] + fields[_SYSTEM]) / os.sysconf("SC_CLK_TCK")


def all_cpu_s(workers: Iterable[int], proc: Path = _PROC) -> float | None:
    """CPU time of gunicorn's master and its workers, also of those that have ended; None where it is not told."""
    fields = _stat(os.getppid(), proc)
    if fields is None:
        return None
    ticks = sum(fields[place] for place in (_USER, _SYSTEM, _ENDED_USER, _ENDED_SYSTEM))
    return ticks / os.sysconf("SC_CLK_TCK") + sum(cpu_s(pid, proc) or 0 for pid in workers)


def all_memory_bytes(workers: Iterable[int], proc: Path = _PROC) -> int | None:
    """Memory of gunicorn's master and its workers, the pages of files that they share counted once."""
    told = [pages for pid in (os.getppid(), *workers) if (pages := _pages(pid, proc)) is not None]
    if not told:
        return None
    private = sum(resident - shared for resident, shared in told)
    return (private + max(shared for _, shared in told)) * os.sysconf("SC_PAGE_SIZE")


def _pages(pid: int, proc: Path) -> tuple[int, int] | None:
    """The resident pages of a process, and those of them that are a file's."""
    try:
        fields = (proc / str(pid) / "statm").read_text().split()
    except OSError:
        return None
    return int(fields[1]), int(fields[2])


def _stat(pid: int, proc: Path) -> list[int] | None:
    try:
        text = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field, the command's name in parentheses, may hold anything: fields are counted from its end.
    state, *numbers = text.rpartition(")")[2].split()
    return [ord(state), *map(int, numbers)]
