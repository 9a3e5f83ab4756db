"""Which ports of this host are free: asked before anything starts, so that a taken one is a clear error."""

from __future__ import annotations

import errno
import socket

from loadlab.errors import LabError
from loadlab.rig.settings import RigSettings


def check_free(settings: RigSettings) -> None:
    """Check every port that the rig publishes.

    Raises:
        LabError: names each port that cannot be had and the knob that moves it.
    """
    address = str(settings.bind_address)
    lines = [line for knob, port in settings.ports if (line := refusal(address, port, knob))]
    if any("taken" in line for line in lines):
        lines.append("'./lab status' tells whether another rig holds it; 'ss -ltnp' tells which process does.")
    if lines:
        raise LabError("\n".join(dict.fromkeys(lines)))


def refusal(address: str, port: int, knob: str) -> str | None:
    """Return why a server could not listen on a port, with the remedy; None when it could."""
    number = _try(address, port)
    if number is None:
        return None
    if number == errno.EADDRNOTAVAIL:
        return f"{address} is not an address of this host: set BIND_ADDRESS to one that is, such as 127.0.0.1, in .env."
    if number in (errno.EACCES, errno.EPERM):
        return f"Port {port} of {address} is only for root: set {knob} to one above 1023 in .env."
    return f"Port {port} of {address} is taken: set {knob} to a free one in .env."


def is_free(address: str, port: int) -> bool:
    """Tell whether a server could listen on a port."""
    return _try(address, port) is None


def _try(address: str, port: int) -> int | None:
    with socket.socket() as probe:
        # As servers do: without it, a connection that ended a moment ago would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno
    return None


def free_port(address: str) -> int:
    """Return a port that is free now, chosen by the kernel."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
