"""What a machine must have for the stack tests.

LAB_REQUIRE=engine,browser,... names what must be there: where it is not, a test fails instead of being skipped.
"""

from __future__ import annotations

import os

import pytest


def missing(part: str, remedy: str) -> None:
    """Fail where LAB_REQUIRE names the part, else skip; either way say what mends it."""
    message = f"no {part} on this machine: {remedy}"
    if part in os.environ.get("LAB_REQUIRE", "").split(","):
        pytest.fail(message)
    pytest.skip(message)
