"""Exit code 0 when /readyz answers 200, else 1. Made to start fast: ``python -I -S api/healthcheck.py``.

It asks the first address of GUNICORN_BIND. A raw socket instead of http.client or urllib, which take longer to import
than the whole check takes to run; no annotations that need typing.
"""

import os
import sys
from _socket import AF_INET, AF_INET6, AF_UNIX, socket

TIMEOUT_S = 2.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def ready(family: int, address: "str | tuple[str, int]") -> bool:
    """Whether the answer begins with a 200."""
    connection = socket(family)
    connection.settimeout(TIMEOUT_S)
    try:
        connection.connect(address)
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False
    finally:
        connection.close()


def target(bind: str) -> "tuple[int, str | tuple[str, int]]":
    """Family and address of the first address gunicorn listens on; a wildcard is reached over loopback."""
    first = bind.split(",", maxsplit=1)[0].strip()
    if first.startswith("unix:"):
        return AF_UNIX, first[len("unix:") :]
    host, _, port = first.rpartition(":")
    host = host.strip("[]")
    return (AF_INET6 if ":" in host else AF_INET), (_WILDCARDS.get(host, host), int(port))


if __name__ == "__main__":
    sys.exit(0 if ready(*target(os.environ.get("GUNICORN_BIND") or "0.0.0.0:8000")) else 1)
