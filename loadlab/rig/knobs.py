"""The knobs in which a rig that is up differs from the one that is asked for. Secrets stay unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadlab.rig.settings import known_names

SECRET = frozenset({"DATABASE_URL"})  # it may hold a password
SCALED = frozenset({"WORKERS"})  # what may differ
# Of containers alone, whose limits and networks processes do not have. Those of the API are its own knobs, too.
CONTAINERS = (*(f"{part}_{what}" for part in ("MASTER", "WORKER", "LB") for what in ("CPUS", "MEMORY", "PIDS")),
              "LOAD_INTERNAL", "PYTHON_IMAGE", "HAPROXY_IMAGE")  # fmt: skip


def differing(up: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield a text for each knob that has another value in the environment of what is up than in the one wanted now.

    Other variables of the shell are nobody's business, whatever their names begin with.
    """
    for name in sorted(known_names() - SCALED - {*CONTAINERS}):
        there, here = up.get(name, ""), wanted.get(name, "")
        if there == here:
            continue
        if name in SECRET or "?" in there + here:  # what a URL asks for may be a token
            yield f"{name} differs (it may hold a secret, and is not shown)"
        else:
            yield f"{name} is {there or 'empty'} there, and {here or 'empty'} was asked for"
