"""Looks at .env before its values are read: a line or a name that means nothing is refused, not passed over."""

from __future__ import annotations

import difflib
import io
import re
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from loadlab.errors import UsageError

# Names that .env may hold beside our own knobs: Docker and Compose read them themselves.
FOREIGN = ("COMPOSE_", "DOCKER_", "BUILDKIT_", "BUILDX_")


def check(dotenv: Path, known: set[str]) -> None:
    """Check that each line is NAME=value and each name one of `known`. A file that is not there has no faults.

    Raises:
        UsageError: names the line or the name, and the known name that is nearest.
    """
    if dotenv.exists():
        _check_lines(dotenv)
        _check_names(dotenv, known)


def _check_lines(dotenv: Path) -> None:
    """Refuse what python-dotenv would skip: a knob on such a line would be lost without a word."""
    try:
        text = dotenv.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{dotenv} cannot be read: {error}. Restore it from the repository.") from None
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            before, bad, _ = re.split(r"(\S[^\n]*)", binding.original.string, maxsplit=1)
            number = binding.original.line + before.count("\n")  # empty lines before it count as its own
            raise UsageError(f"Line {number} of {dotenv.name} is not NAME=value: {bad}. Correct or remove it.")


def _check_names(dotenv: Path, known: set[str]) -> None:
    for name in dotenv_values(dotenv):
        if name not in known and not name.startswith(FOREIGN):
            close = difflib.get_close_matches(name, known, 1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise UsageError(f"{name} in {dotenv.name} is not a knob of the rig.{meant} README.md lists them all.")
