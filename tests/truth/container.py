"""The truth server in a container, on the networks of a Compose rig, and faults of the network between containers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack.rig import LOOPBACK, docker, free_ports
from tests.truth.process import Truth
from tests.truth.runs import until

NAME = "truth"  # by which workers reach it
PORT = 8000
TARGET = f"http://{NAME}:{PORT}"
# Takes every interface but loopback down or up. Addresses stay, and with them the routes come back.
SWITCH = """
import fcntl, socket, struct, sys
up = sys.argv[1] == "up"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    for _, name in socket.if_nameindex():
        if name != "lo":
            asked = struct.pack("16sh14x", name.encode(), 0)
            flags = struct.unpack("16xh14x", fcntl.ioctl(any_socket, 0x8913, asked))[0]  # SIOCGIFFLAGS
            flags = flags | 1 if up else flags & ~1
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", name.encode(), flags))  # SIOCSIFFLAGS
"""


@contextmanager
def truth_container(project: str, image: str, tests: Path) -> Iterator[Truth]:
    """Run a truth server as `TARGET` for the workers of a project that is up, until the block is left.

    `tests` is the folder of that name of a checkout, `image` any that has Python.
    """
    name, port = f"{project}-{NAME}", free_ports()
    published = ["--publish", f"{LOOPBACK}:{port}:{PORT}", "--network", f"{project}_edge"]
    mounted = ["--volume", f"{tests}:/truth/tests:ro", "--workdir", "/truth"]
    serve = ["python", "-m", "tests.truth.server", "--host", "0.0.0.0", "--port", str(PORT)]
    docker("run", "--detach", "--rm", "--init", "--name", name, *published, *mounted, image, *serve)
    try:
        docker("network", "connect", "--alias", NAME, f"{project}_load", name)
        truth = Truth(f"http://{LOOPBACK}:{port}")
        until("the truth server answers", truth, 20)
        yield truth
    finally:
        docker("rm", "--force", name)


def switch_network(container: str, image: str, *, up: bool) -> None:
    """Take the network of a container down, as a pulled cable does, or up again."""
    inside = ["--network", f"container:{container}", "--user", "0:0", "--cap-add", "NET_ADMIN"]
    docker("run", "--rm", *inside, image, "python", "-c", SWITCH, "up" if up else "down")
