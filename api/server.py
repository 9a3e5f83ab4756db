"""gunicorn as one of its workers sees it: how many requests it serves at a time, who waits, what its workers use.

What a load test wants to know besides the requests themselves: a service may be full without using any CPU.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
#: Of struct tcp_info (linux/tcp.h): on a listening socket, how many connections wait to be accepted, and may at most.
_WAITING_AT, _MOST_AT = 24, 28


@dataclass(frozen=True)
class Server:
    """``slots`` is how many requests all gunicorn workers serve at a time; ``sockets`` gives those listened on."""

    slots: int
    sockets: Callable[[], Iterable[Any]]

    def backlog(self) -> tuple[int, int] | None:
        """How many connections wait to be accepted, and how many may; None where the kernel does not say."""
        if not hasattr(socket, "TCP_INFO"):
            return None
        told = [found for listener in self.sockets() if (found := _queue(listener)) is not None]
        return (sum(waiting for waiting, _ in told), sum(most for _, most in told)) if told else None


def slots(workers: int, threads: int | None, max_in_flight: int) -> int:
    """How many requests are served at a time: those of a gthread worker by its threads, which are fewer as a rule."""
    return workers * min(threads or max_in_flight, max_in_flight)


def open_files(pids: Iterable[int], proc: Path = _PROC) -> int | None:
    """How many files that one of these processes has open which has most; None where none can be looked at."""
    counts = [count for pid in pids if (count := _open_files(proc / str(pid) / "fd")) is not None]
    return max(counts, default=None)


def most_files() -> int | None:
    """How many files this process may have open; None without a limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def overflows(netstat: Path = _PROC / "net/netstat") -> int | None:
    """How many connections were dropped since the start because too many waited; None where it is not counted."""
    try:
        lines = [line.split() for line in netstat.read_text().splitlines() if line.startswith("TcpExt:")]
    except OSError:
        return None
    counted = dict(zip(*lines, strict=False)) if len(lines) == 2 else {}
    return int(counted["ListenOverflows"]) if "ListenOverflows" in counted else None


def _queue(listener: Any) -> tuple[int, int] | None:
    if listener.family == socket.AF_UNIX:
        return None
    try:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _MOST_AT + 4)
    except OSError:
        return None
    waiting, most = struct.unpack_from("=II", info, _WAITING_AT)
    return waiting, most


def _open_files(folder: Path) -> int | None:
    try:
        # Linux from 6.2 on tells the number as the folder's size; to list thousands takes milliseconds.
        return folder.stat().st_size or len(os.listdir(folder))  # noqa: PTH208 - the names alone are wanted
    except OSError:
        return None
