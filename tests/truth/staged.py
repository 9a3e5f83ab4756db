"""The bundled API with faults put in, as the variables STAGED_* have them, for its container:

    python -m gunicorn -c api/gunicorn.conf.py 'tests.truth.staged:create_app()'

STAGED_WAIT_MS        each request waits so long in the application
STAGED_STORE_MS       each use of the store takes so much longer
STAGED_FAIL_PERCENT   so many requests of each gunicorn worker are answered 500, evenly dealt out
STAGED_MEMORY_PERCENT memory is held until so much of the container's limit is used
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, request

import api
from api.cgroup import read_usage

MIB = 2**20
_held: list[bytearray] = []


class SlowStore:
    """A store that takes longer for everything but telling whether it is there."""

    def __init__(self, store: Any, seconds: float) -> None:
        self._store = store
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        """Return what the store has, its uses slowed down."""
        own = getattr(self._store, name)
        if name not in ("add", "get", "page"):
            return own

        def slowed(*arguments: Any) -> Any:
            time.sleep(self._seconds)
            return own(*arguments)

        return slowed


def create_app() -> Flask:
    """Return the API's own application, with the faults."""
    app = api.create_app()
    wait_ms, store_ms, fail_percent, memory_percent = (
        float(os.environ.get(f"STAGED_{name}") or 0)
        for name in ("WAIT_MS", "STORE_MS", "FAIL_PERCENT", "MEMORY_PERCENT")
    )
    if wait_ms:
        app.before_request(_of_tests(lambda: time.sleep(wait_ms / 1000)))
    if store_ms:
        app.extensions["store"] = SlowStore(app.extensions["store"], store_ms / 1000)
    if fail_percent:
        app.before_request(_of_tests(_failing(fail_percent / 100)))
    if memory_percent:
        _hold_memory(memory_percent / 100)
    return app


def _of_tests(happens: Callable[[], None]) -> Callable[[], None]:
    """Return what happens to the requests that users make, not to probes and metrics."""

    def to_request() -> None:
        if request.path.startswith("/tests"):
            happens()

    return to_request


def _failing(share: float) -> Callable[[], None]:
    numbers = itertools.count(1)

    def fail() -> None:
        number = next(numbers)
        if int(number * share) != int((number - 1) * share):
            raise RuntimeError("staged")

    return fail


def _hold_memory(share: float) -> None:
    usage = read_usage()
    while usage.memory_limit_bytes and (usage.memory_bytes or 0) < share * usage.memory_limit_bytes:
        _held.append(bytearray(os.urandom(MIB)))
        usage = read_usage()
