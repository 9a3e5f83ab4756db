"""The root of our exceptions, and every exit code of `./lab`. Only `cli.main` turns them into text and a status."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `./lab`, all of them."""

    OK = 0
    TOOL_ERROR = 1
    USAGE = 2
    WRITES_LOST = 96
    INTERRUPTED = 97
    INVALID_MEASUREMENT = 98
    SLO_FAILED = 99


class LabError(Exception):
    """Something that the user can be told in one message: what is wrong, and what to do."""

    exit_code = Exit.TOOL_ERROR


class UsageError(LabError):
    """A flag, a knob or a plan that is not allowed: names the bad value, what is allowed, and what to do."""

    exit_code = Exit.USAGE


class InterruptedRunError(LabError):
    """Ended by Ctrl-C or SIGTERM before it was done."""

    exit_code = Exit.INTERRUPTED
