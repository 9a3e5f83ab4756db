"""Open files, thus connections: a process starts with the soft limit, often 1,024, and may raise it to the hard one."""

from __future__ import annotations

import resource

ENOUGH = 65_536


def raise_limit() -> int:
    """Raise this process's soft limit of open files to 65,536 or the hard limit, and return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return soft
