"""Which ports of this host are free: asked before anything starts, so that a taken one is a clear error."""

from __future__ import annotations

import socket

from loadlab.errors import LabError
from loadlab.rig.settings import RigSettings


def check_free(settings: RigSettings) -> None:
    """Check every port that the rig publishes.

    Raises:
        LabError: names each port that is taken and the knob that moves it.
    """
    address = str(settings.bind_address)
    wanted = [("UI_PORT", settings.ui_port)] + [("API_PORT", port) for port in settings.api_ports]
    taken = [(knob, port) for knob, port in wanted if not is_free(address, port)]
    if taken:
        lines = [f"Port {port} of {address} is taken: set {knob} to a free one in .env." for knob, port in taken]
        lines.append("'./lab status' tells whether another rig holds it; 'ss -ltnp' tells which process does.")
        raise LabError("\n".join(lines))


def is_free(address: str, port: int) -> bool:
    """Tell whether a server could listen on a port."""
    with socket.socket() as probe:
        # As servers do: without it, a connection that ended a moment ago would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def free_port(address: str) -> int:
    """Return a port that is free now, chosen by the kernel."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
