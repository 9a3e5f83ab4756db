"""Lines of a timeline that a crash, a full disk or a hand has spoiled: counted and left out, the others are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import recordings
from tests.report import folders

PLACE = 3


def put(part: str, **columns: Any) -> Any:
    """Return a function that puts values into a part of a line."""

    def spoil(line: dict[str, Any]) -> None:
        line[part] |= columns

    return spoil


DAMAGED: dict[str, Any] = {
    "no second": lambda line: line.pop("t"),
    "a second of no run": lambda line: line.update(t=10**9),
    "a second that is no number": lambda line: line.update(t="x"),
    "lists of different lengths": put("cells", bytes=[1] * 9),
    "no list": put("cells", bytes=1),
    "no objects": put("cells", phases={}),
    "null for what must be there": put("cells", method=[None] * 2),
    "a list of no objects": lambda line: line.update(cells=[1]),
    "no workers' lists": lambda line: line.update(workers="x"),
}
BYTES = {
    "half a line": b'{"t":3,"users":2',
    "no text": b"\xff\xfe\x00",
    "no object": b"[1, 2]",
    "a number too large": b'{"t": 99999999999999999999999999}',
    "deep": b'{"t": 3, "cells": ' * 5000,
}


@pytest.mark.parametrize("what", [*DAMAGED, *BYTES])
def test_a_damaged_line_is_counted_and_left_out(tmp_path: Path, what: str) -> None:
    """And the folder is partial for it."""
    recording = recordings.plausible()
    folder = folders.write(recording, tmp_path)
    lines = folder.timeline.read_bytes().splitlines()
    if what in BYTES:
        lines[PLACE] = BYTES[what]
    else:
        document = json.loads(lines[PLACE])
        DAMAGED[what](document)
        lines[PLACE] = json.dumps(document).encode()
    folder.timeline.write_bytes(b"\n".join(lines) + b"\n")
    read = folder.read()
    assert (read.unreadable_lines, read.partial) == (1, True)
    assert read.seconds == recording.seconds[:PLACE] + recording.seconds[PLACE + 1 :]
