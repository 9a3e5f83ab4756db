"""The run folder: the only contract between the generator, which writes it, and the report, which reads it.

run.json        the plan, versions, machine; replaced whole at each change of status
timeline.jsonl  a line a second, appended
events.jsonl    a line for each happening, appended
summary.json    the analysis of the three above
report.html, junit.xml   made from the folder; docs/run-folder.md and the JSON Schemas in docs/schemas describe it

Beside the folders of runs lie calibration.json, what the newest calibration of each kind showed, and `comparisons`, a
page for each two sides that were compared.
A sweep has a folder beside those of its runs: sweep.json and report.html.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from loadlab import columns
from loadlab.analysis.comparison import Comparison
from loadlab.analysis.recording import ENDS, Calibration, Event, Recording, Run, Second
from loadlab.analysis.summary import Summary
from loadlab.analysis.sweep import Sweep
from loadlab.errors import LabError

FORMAT = 2  # 1 had the objects of a second as lists of objects; it is read still
SWEEP_FORMAT = 1
LISTED = ("cells", "workers", "target")  # of a second: lists of objects, which are written as columns
LONGEST_S = 31 * 24 * 3600  # a second beyond it is damage: each second up to the last has room in the analysis
COMPARISONS = "comparisons"
LONGEST_NAME = 200  # of a file, without its ending
STAMP_LENGTH = len("20260131-235959")  # of the time that an id begins with
T = TypeVar("T")
F = TypeVar("F", "RunFolder", "SweepFolder")


class RunFolderError(LabError):
    """A run folder that is not there, or cannot be read: names it, and what is wrong."""


class _Kind(Generic[T]):
    """One kind of document: reads and writes it, and describes itself as a JSON Schema."""

    def __init__(self, type_: type[T]) -> None:
        self.adapter: TypeAdapter[T] = TypeAdapter(type_)

    def dump(self, value: T, *, short: bool = False) -> bytes:
        return self.adapter.dump_json(value, indent=None if short else 2, exclude_defaults=short)

    def load(self, text: bytes) -> T:
        return self.adapter.validate_json(text)

    def schema(self, title: str) -> dict[str, Any]:
        schema = self.adapter.json_schema(mode="serialization")
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


class _SecondKind(_Kind[Second]):
    """A line of the timeline: its lists of objects are written as columns, which takes two thirds of the room."""

    def dump(self, value: Second, *, short: bool = True) -> bytes:
        line = self.adapter.dump_python(value, mode="json", exclude_defaults=short)
        written = {name: columns.to_columns(part) if name in LISTED else part for name, part in line.items()}
        return pydantic_core.to_json(written)

    def load(self, text: bytes) -> Second:
        line = pydantic_core.from_json(text)
        if isinstance(line, dict):
            for name in LISTED:
                if isinstance(line.get(name), dict):
                    line[name] = columns.to_rows(line[name])
        second = self.adapter.validate_python(line)
        if second.t > LONGEST_S:
            raise ValueError(f"not a second of a run: {second.t}")
        return second

    def schema(self, title: str) -> dict[str, Any]:
        made = super().schema(title)
        parts = made["$defs"]
        for name in LISTED:
            one = parts[made["properties"][name]["items"]["$ref"].rpartition("/")[2]]
            made["properties"][name] = columns.schema(one, parts)
        return made


RUN = _Kind(Run)
SECOND = _SecondKind(Second)
EVENT = _Kind(Event)
SUMMARY = _Kind(Summary)
CALIBRATION = _Kind(Calibration)
CALIBRATIONS = _Kind(tuple[Calibration, ...])
CALIBRATION_FILE = "calibration.json"
COMPARISON = _Kind(Comparison)
SWEEP = _Kind(Sweep)


def write_schemas(folder: Path) -> list[Path]:
    """Write the JSON Schema of each document into a folder, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in schemas().items():
        files.append(folder / name)
        files[-1].write_text(json.dumps(schema, indent=2) + "\n")
    return files


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each document by the name of its file in docs/schemas."""
    kinds: dict[str, _Kind[Any]] = {"run": RUN, "timeline": SECOND, "events": EVENT, "summary": SUMMARY}
    kinds["calibration"] = CALIBRATIONS
    kinds["comparison"] = COMPARISON
    kinds["sweep"] = SWEEP
    formats = {name: SWEEP_FORMAT if name == "sweep" else FORMAT for name in kinds}
    return {
        f"{name}.schema.json": kind.schema(f"loadlab {name}, format {formats[name]}") for name, kind in kinds.items()
    }


class RunFolder:
    """Paths and files of one run. Appends are whole lines, flushed: a crash costs at most the line being written."""

    MARK = "run.json"  # the file that makes a folder one
    WORD = "run"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / self.MARK
        self.timeline = path / "timeline.jsonl"
        self.events = path / "events.jsonl"
        self.summary = path / "summary.json"
        self.html = path / "report.html"
        self.junit = path / "junit.xml"

    @property
    def id(self) -> str:
        """Return the run's id: the folder's name."""
        return self.path.name

    def write_run(self, run: Run) -> None:
        """Replace run.json in one step."""
        replace_file(self.run, RUN.dump(run))

    def append_second(self, second: Second) -> None:
        """Append a line to the timeline."""
        self._append(self.timeline, SECOND.dump(second))

    def append_event(self, event: Event) -> None:
        """Append a line to the events."""
        self._append(self.events, EVENT.dump(event, short=True))

    def write_summary(self, summary: Summary) -> None:
        """Replace summary.json in one step."""
        replace_file(self.summary, SUMMARY.dump(summary))

    def write_report(self, *, junit: bytes, html: bytes) -> None:
        """Replace junit.xml, then report.html, each in one step: the page is the last file of a report."""
        replace_file(self.junit, junit)
        replace_file(self.html, html)

    def read_run(self) -> Run:
        """Return run.json.

        Raises:
            RunFolderError: it is not there, is damaged, or is of a newer format.
        """
        try:
            run = RUN.load(self.run.read_bytes())
        except FileNotFoundError:
            raise RunFolderError(f"{self.path} is not a run folder: it has no run.json.") from None
        except (OSError, ValidationError) as error:
            raise RunFolderError(f"{self.run} cannot be read: {_first_line(error)}.") from None
        if run.format > FORMAT:
            raise RunFolderError(f"{self.run} has format {run.format}; this loadlab reads up to {FORMAT}. Update it.")
        return run

    def read_summary(self) -> Summary | None:
        """Return summary.json, None when there is none yet or it is of another version."""
        try:
            return SUMMARY.load(self.summary.read_bytes())
        except (OSError, ValidationError):
            return None

    def read(self) -> Recording:
        """Return all that was recorded; what a crash left half written is counted and left out.

        Raises:
            RunFolderError: as `read_run`.
        """
        run = self.read_run()
        seconds, bad_seconds = _lines(self.timeline, SECOND)
        events, bad_events = _lines(self.events, EVENT)
        unreadable = bad_seconds + bad_events
        partial = run.status not in ENDS or unreadable > 0
        return Recording(run, seconds, events, partial, unreadable)

    def _append(self, file: Path, line: bytes) -> None:
        with file.open("ab") as stream:
            stream.write(line + b"\n")


class SweepFolder:
    """Paths and files of one sweep."""

    MARK = "sweep.json"  # the file that makes a folder one
    WORD = "sweep"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sweep = path / self.MARK
        self.html = path / "report.html"

    @property
    def id(self) -> str:
        """Return the sweep's id: the folder's name."""
        return self.path.name

    def run(self, run_id: str) -> RunFolder:
        """Return the folder of one of its runs."""
        return RunFolder(self.path.parent / run_id)

    def write_sweep(self, sweep: Sweep) -> None:
        """Replace sweep.json in one step."""
        replace_file(self.sweep, SWEEP.dump(sweep))

    def write_report(self, html: bytes) -> None:
        """Replace report.html in one step."""
        replace_file(self.html, html)

    def read_sweep(self) -> Sweep:
        """Return sweep.json.

        Raises:
            RunFolderError: it is not there, is damaged, or is of a newer format.
        """
        try:
            sweep = SWEEP.load(self.sweep.read_bytes())
        except (OSError, ValidationError) as error:
            raise RunFolderError(f"{self.sweep} cannot be read: {_first_line(error)}.") from None
        if sweep.format > SWEEP_FORMAT:
            raise RunFolderError(f"{self.sweep} has format {sweep.format}; this loadlab reads up to {SWEEP_FORMAT}.")
        return sweep


def create(root: Path, name: str = "", *, at: float | None = None) -> RunFolder:
    """Make a new folder under `root`, named by its time in UTC, its name, and a number where that is taken."""
    return RunFolder(_new(root, name, at))


def create_sweep(root: Path, name: str = "", *, at: float | None = None) -> SweepFolder:
    """Make the folder of a sweep, named as a run's is."""
    return SweepFolder(_new(root, name, at))


def _new(root: Path, name: str, at: float | None) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at))
    slug = _slug(name)
    base = f"{stamp}-{slug}" if slug else stamp
    number = 1
    while True:
        path = root / (base if number == 1 else f"{base}.{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        return path


def folders(root: Path) -> list[RunFolder]:
    """Return the run folders under `root`, the newest first."""
    return _all(root, RunFolder)


def find(root: Path, wanted: str) -> RunFolder:
    """Return the folder of a run: by its id or the beginning of it, its name or a part of that, a path, or `latest`.

    Raises:
        RunFolderError: there is none such, or several; says which there are.
    """
    return _find(root, wanted, RunFolder)


def sweeps(root: Path) -> list[SweepFolder]:
    """Return the folders of the sweeps under `root`, the newest first."""
    return _all(root, SweepFolder)


def find_sweep(root: Path, wanted: str) -> SweepFolder:
    """Return the folder of a sweep, wanted as a run is: see `find`."""
    return _find(root, wanted, SweepFolder)


def _all(root: Path, kind: type[F]) -> list[F]:
    found = [kind(path.parent) for path in root.glob(f"*/{kind.MARK}")]
    return sorted(found, key=lambda folder: folder.id, reverse=True)


def _find(root: Path, wanted: str, kind: type[F]) -> F:
    if "/" in wanted and (Path(wanted) / kind.MARK).exists():
        return kind(Path(wanted).resolve())
    known = {folder.id: folder for folder in _all(root, kind)}
    if not known:
        raise RunFolderError(f"There is no {kind.WORD} in {root} yet: './lab {kind.WORD}' makes one.")
    return known[_chosen(wanted, list(known), kind.WORD)]


def _chosen(wanted: str, ids: list[str], kind: str) -> str:
    """Return the one id, of those given from the newest on, that is wanted."""
    if wanted == "latest":
        return ids[0]
    matching = _matching(wanted, ids)
    if len(matching) == 1:
        return matching[0]
    some = ", ".join((matching or ids)[:5])
    how = f"names several {kind}s" if matching else f"is not a {kind}"
    what = "Give one's whole id; " if matching else ""
    raise RunFolderError(f"{wanted!r} {how}. There are: {some}. {what}'latest' is the newest.")


def _matching(wanted: str, ids: list[str]) -> list[str]:
    """Return the one of that id; else those of that name, as it was given; else those it is a part of."""
    name, names = _slug(wanted), {one: one[STAMP_LENGTH + 1 :] for one in ids}
    return (
        [one for one in ids if one == wanted]
        or [one for one in ids if name and re.sub(r"\.\d+$", "", names[one]) == name]
        or [one for one in ids if one.startswith(wanted) or (name and name in names[one])]
    )


def _slug(name: str) -> str:
    """Return what an id has of a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def replace_file(file: Path, content: bytes) -> None:
    """Replace a file in one step."""
    draft = file.with_suffix(".draft")
    draft.write_bytes(content + b"\n")
    draft.replace(file)


def comparison_page(root: Path, a: Sequence[str], b: Sequence[str]) -> Path:
    """Return where the page of two sides is kept, given by the ids of their runs."""
    name = "_vs_".join("+".join(side) for side in (a, b))
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 13]}.{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return root / COMPARISONS / f"{name}.html"


def _lines(file: Path, kind: _Kind[T]) -> tuple[list[T], int]:
    good: list[T] = []
    bad = 0
    for line in _raw_lines(file):
        try:
            good.append(kind.load(line))
        except ValueError:  # no JSON, or not what it should be
            bad += 1
    return good, bad


def _raw_lines(file: Path) -> Iterator[bytes]:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return
    yield from _nonempty(content.split(b"\n"))


def _nonempty(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in lines if line.strip())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")


if __name__ == "__main__":  # python -m loadlab.runfolder FOLDER: write the schemas into it
    for written in write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/schemas")):
        print(written)
