"""Checks the files of a run folder, line by line, against the published JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.protocols import Validator

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schemas"
# Each file of a run folder that has a schema, and whether it is a document a line.
FILES = {"run.json": False, "summary.json": False, "timeline.jsonl": True, "events.jsonl": True}
FILES["calibration.json"] = False  # beside the folders of runs
FILES["sweep.json"] = False


@cache
def validator(file: str) -> Validator:
    """Return the validator of a file of a run folder, given by its name; made once."""
    schema = json.loads((SCHEMAS / f"{file.partition('.')[0]}.schema.json").read_text())
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    made: Validator = kind(schema)
    return made


def check_folder(path: Path) -> int:
    """Check every document of a run folder, and return how many there were; a file that is not there is let be.

    Raises:
        AssertionError: names file, line, place and what is wrong there, of up to ten offences.
    """
    wrong: list[str] = []
    checked = 0
    for file, by_line in FILES.items():
        for number, document in _documents(path / file, by_line=by_line):
            checked += 1
            wrong += [f"{file}:{number} {error.json_path}: {error.message}" for error in _errors(file, document)]
    assert not wrong, "\n".join(wrong[:10])
    assert checked, f"{path} has none of {', '.join(FILES)}"
    return checked


def _errors(file: str, document: Any) -> list[jsonschema.ValidationError]:
    return list(validator(file).iter_errors(document))


def _documents(file: Path, *, by_line: bool) -> Iterator[tuple[int, Any]]:
    if not file.exists():
        return
    text = file.read_text()
    for number, line in enumerate(text.splitlines() if by_line else [text], start=1):
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise AssertionError(f"{file.name}:{number} is not JSON: {error}") from None
