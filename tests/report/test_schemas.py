"""The published JSON Schemas, and the helper by which tests hold run folders against them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadlab import runfolder
from tests import recordings
from tests.report import folders
from tests.schemas import SCHEMAS, check_folder


def test_the_published_schemas_are_those_of_the_code(tmp_path: Path) -> None:
    """docs/schemas is what `python -m loadlab.runfolder` writes; there is no file more and none less."""
    written = runfolder.write_schemas(tmp_path)
    assert {file.name: file.read_text() for file in written} == {
        file.name: file.read_text() for file in SCHEMAS.iterdir()
    }


def test_what_is_written_is_as_the_schemas_say(tmp_path: Path) -> None:
    """A line a second, a line an event, and run.json."""
    recording = recordings.plausible()
    folder = folders.write(recording, tmp_path)
    assert check_folder(folder.path) == 1 + len(recording.seconds) + len(recording.events)


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("timeline.jsonl", lambda line: line.pop("t"), "'t' is a required property"),
        ("timeline.jsonl", lambda line: line["cells"].update(name=[3]), "3 is not of type 'string'"),
        ("timeline.jsonl", lambda line: line["cells"]["ok"][0].pop(), "is not valid under any of the given schemas"),
        (
            "timeline.jsonl",
            lambda line: line["workers"].update(lag=[3]),
            "3 is not valid under any of the given schemas",
        ),
        ("events.jsonl", lambda line: line.update(kind="invented"), "'invented' is not one of"),
        ("run.json", lambda line: line.update(status="odd"), "'odd' is not one of"),
    ],
)
def test_what_is_not_as_the_schemas_say_is_found(tmp_path: Path, file: str, damage: object, said: str) -> None:
    """A missing field, a wrong type, an array too short, a word that is not known: each is named with its line."""
    folder = folders.write(recordings.make(), tmp_path)
    path = folder.path / file
    lines = [path.read_text()] if file == "run.json" else path.read_text().splitlines()
    place = len(lines) // 2  # at either end are looks at the target only
    document = json.loads(lines[place])
    assert callable(damage)
    damage(document)
    lines[place] = json.dumps(document)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(AssertionError, match=f"{file}:{place + 1} ") as caught:
        check_folder(folder.path)
    assert said in str(caught.value)


def test_half_a_line_is_found(tmp_path: Path) -> None:
    """A line that a crash cut is named, and so is a folder with nothing to check."""
    folder = folders.write(recordings.make(), tmp_path)
    folder.timeline.write_bytes(folder.timeline.read_bytes()[:-40])
    with pytest.raises(AssertionError, match="is not JSON"):
        check_folder(folder.path)
    with pytest.raises(AssertionError, match="has none of"):
        check_folder(tmp_path)
