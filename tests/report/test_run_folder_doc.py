"""docs/run-folder.md, held against the code."""

from __future__ import annotations

import ast
import base64
import json
import re
import zlib
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from loadlab import runfolder
from loadlab.analysis.histogram import Histogram, bounds_of
from loadlab.analysis.recording import EventKind, Second, Status
from loadlab.columns import to_rows
from loadlab.runfolder import RunFolder, RunFolderError
from tests import recordings
from tests.report import folders
from tests.schemas import validator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "run-folder.md").read_text()
NAMED = set(re.findall(r"`([^`]+)`", re.sub(r"^    .*$", "", PAGE, flags=re.MULTILINE)))


def fields(schema: dict[str, Any]) -> set[str]:
    """Return the names of all fields of a schema, those of its parts included."""
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}


@pytest.mark.parametrize("file", ["run", "timeline", "events", "calibration"])
def test_every_field_is_described(file: str) -> None:
    """No field of the recording is without a word."""
    schema = runfolder.schemas()[f"{file}.schema.json"]
    assert fields(schema) - NAMED == set()


def test_every_word_of_the_format_is_described() -> None:
    """All kinds of events and all statuses."""
    assert {str(word) for word in (*EventKind, *Status)} - NAMED == set()


def test_the_examples_are_as_the_schemas_say() -> None:
    """What is shown could stand in a file."""
    blocks = re.findall(r"(?:^    .+\n)+", PAGE, re.MULTILINE)
    second, event = (json.loads(block) for block in blocks if block.startswith("    {"))
    assert list(validator("timeline.jsonl").iter_errors(second)) == []
    assert list(validator("events.jsonl").iter_errors(event)) == []


def test_the_shown_histogram_can_be_read() -> None:
    """The text on the page is one, and holds as many times as it says."""
    found = re.search(r'add_text\("(.+)"\)\n.*\n    (\d+)', PAGE)
    assert found is not None
    times = Histogram()
    times.add_text(found[1])
    assert times.count == int(found[2])


def test_buckets_are_where_the_page_says() -> None:
    """The formula, for buckets of all sizes."""
    for bucket in (*range(256), *range(256, 4000, 37)):
        shift = bucket // 128 - 1
        low = bucket if bucket < 256 else (bucket - 128 * shift) * 2**shift
        assert bounds_of(bucket)[0] == low


def test_readers_ignore_what_they_do_not_know(tmp_path: Path) -> None:
    """A field that a later version adds within the format hurts nobody; one of a later format is refused by name."""
    folder = folders.write(recordings.make(), tmp_path)
    document = json.loads(folder.run.read_text())
    folder.run.write_text(json.dumps(document | {"of_tomorrow": 1}))
    lines = folder.timeline.read_text().splitlines()
    folder.timeline.write_text("\n".join(json.dumps(json.loads(line) | {"of_tomorrow": [1]}) for line in lines))
    read = RunFolder(folder.path).read()
    assert (len(read.seconds), read.unreadable_lines, read.partial) == (len(lines), 0, False)
    folder.run.write_text(json.dumps(document | {"format": 3}))
    with pytest.raises(RunFolderError, match="has format 3"):
        folder.read()


def test_without_its_lines_a_run_is_empty(tmp_path: Path) -> None:
    """Only run.json must be there."""
    folder = folders.write(recordings.make(), tmp_path)
    folder.timeline.unlink()
    folder.events.unlink()
    read = folder.read()
    assert (read.seconds, read.events, read.unreadable_lines) == ([], [], 0)


def test_a_histogram_is_laid_out_as_the_page_says() -> None:
    """Whoever follows the page, without our code, reads the counts that were written."""
    written = Histogram()
    for value, times in ((3, 1), (200, 2), (70_000, 300), (5_000_000, 70_000)):
        written.add(value, times)
    packed = zlib.decompress(base64.b85decode(written.to_text()))
    widths = [1 << (packed[0] >> 4), 1 << (packed[0] & 15)]
    number = (len(packed) - 1) // sum(widths)
    split = 1 + number * widths[0]
    read = [
        [int.from_bytes(part[at : at + width], "little") for at in range(0, len(part), width)]
        for part, width in zip((packed[1:split], packed[split:]), widths, strict=True)
    ]
    assert dict(zip(accumulate(read[0]), read[1], strict=True)) == written.counts


def test_the_first_format_is_read_still(tmp_path: Path) -> None:
    """Its lines had lists of objects."""
    recording = recordings.plausible()
    folder = folders.write(recording, tmp_path)
    lines = TypeAdapter(Second)
    rows = (lines.dump_json(second, exclude_defaults=True) for second in recording.seconds)
    folder.timeline.write_bytes(b"\n".join(rows) + b"\n")
    folder.run.write_text(json.dumps(json.loads(folder.run.read_text()) | {"format": 1}))
    read = folder.read()
    assert (read.seconds, read.unreadable_lines) == (recording.seconds, 0)


def test_the_shown_columns_can_be_read() -> None:
    """The objects on the page are those of the columns above them."""
    found = re.search(r"to_rows\((.+)\)\n    (.+)", PAGE)
    assert found is not None
    assert to_rows(ast.literal_eval(found[1])) == ast.literal_eval(found[2])
