"""CPU time of one request inside the application, in µs: no sockets, no gunicorn, no client.

    python bench/api/per_request.py [--requests N] [--profile GET|POST]

CPU time of this process, so that a busy machine disturbs it little; the least of several rounds is shown too.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

ROUNDS = 7
_BODY = json.dumps({"name": "load testing", "description": "checking if a software can handle the load"}).encode()


def environ(method: str, path: str, query: str = "") -> dict[str, Any]:
    """What gunicorn hands over for such a request."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(_BODY if method == "POST" else b""),
    }
    if method == "POST":
        made |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(_BODY))}
    return made


def cpu_us(call: Callable[[], None], requests: int) -> list[float]:
    """CPU µs for each request, one figure a round."""
    figures = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(requests):
            call()
        figures.append((time.process_time() - began) / requests * 1e6)
    return figures


def main() -> None:
    """Print a line for each kind of request."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=1_000, help="requests a round")
    options.add_argument("--profile", help="profile this line's name instead")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/tests.db"
        from api import create_app

        app = create_app().wsgi_app

        def request(method: str, path: str, query: str = "") -> Callable[[], None]:
            def call() -> None:
                b"".join(app(environ(method, path, query), lambda *_: None))  # type: ignore[arg-type]

            return call

        kinds = {
            "livez": request("GET", "/livez"),
            "one": request("GET", "/tests/1"),
            "list-1": request("GET", "/tests", "limit=1"),
            "post": request("POST", "/tests"),
            "list-100": request("GET", "/tests"),
        }
        for name, call in kinds.items():
            call()
            if given.profile == name:
                with cProfile.Profile() as profile:
                    cpu_us(call, given.requests)
                profile.print_stats("tottime")
            elif not given.profile or name == "post":  # the lists need its items
                figures = cpu_us(call, given.requests)
                print(f"{name:10} median {statistics.median(figures):7.1f} µs   least {min(figures):7.1f} µs")


if __name__ == "__main__":
    main()
