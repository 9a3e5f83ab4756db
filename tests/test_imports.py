"""Who may import whom, read from the sources: the rules that keep the instrument's rooms apart."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each room of loadlab, and what it may import of the others. `errors` is the root of our exceptions.
ROOMS: dict[str, set[str]] = {
    "": set(),
    "__main__": {"cli"},
    "cli": {"", "commands", "rig", "report", "analysis", "plan", "runfolder", "errors"},
    "commands": {"", "rig", "report", "analysis", "plan", "calibrations", "runfolder", "errors"},
    "rig": {"analysis", "errors"},
    "generator": {"", "analysis", "plan", "calibrations", "runfolder", "report", "errors"},
    "report": {"analysis", "plan", "runfolder", "errors"},
    "calibrations": {"analysis", "runfolder"},
    "runfolder": {"analysis", "columns", "errors"},
    "columns": set(),
    "plan": {"analysis", "errors"},
    "analysis": set(),
    "errors": set(),
    "null_target": set(),
}
# Input, output, clocks and processes: none of them in the room that only computes.
IMPURE = {
    *("os", "io", "pathlib", "shutil", "tempfile", "glob", "sys", "subprocess", "signal", "multiprocessing"),
    *("socket", "ssl", "select", "selectors", "http", "urllib", "asyncio", "threading", "logging", "sqlite3"),
    *("time", "datetime", "random", "secrets", "locust", "gevent", "flask", "psutil", "requests", "rich", "typer"),
}
# It has to be fast and to start at once, thus has no packages at all.
STANDARD_ONLY = {"null_target"}
# The processes of the rig have no Locust: it would patch their sockets and threads.
NOT_IN_RIG = {"locust", "gevent"}


def imports(source: str, package: str = "") -> Iterator[str]:
    """Yield the dotted name of everything that a source imports, relative names made whole within `package`.

    `from a import b` yields `a.b`: whether b is a module or a name in it, the room is the same.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                yield str(node.args[0].value)


def room_of(name: str) -> str:
    """Return the room of loadlab that a dotted name is in: '' for loadlab itself, such as its version."""
    room = name.split(".")[1] if "." in name else ""
    return room if room in ROOMS else ""


def offences(path: str, source: str) -> list[str]:
    """Return what is wrong with the imports of a file, given by its path within the project."""
    parts = Path(path).with_suffix("").parts
    names = list(imports(source, ".".join(parts[:-1])))
    if parts[0] == "loadlab":
        return [f"{path} imports {name}" for name in names if _is_foreign_to_room(parts[1], name)]
    if parts[0] == "api":
        return [f"{path} imports {name}" for name in names if name.partition(".")[0] in ("loadlab", "locust")]
    return [f"{path} imports {name}" for name in names if not _suits_locustfile(name, _siblings())]


def _is_foreign_to_room(file: str, name: str) -> bool:
    room = "" if file == "__init__" else file
    top = name.partition(".")[0]
    if top == "loadlab":
        return room_of(name) not in ROOMS[room] | {room}
    if room in STANDARD_ONLY and top not in sys.stdlib_module_names:
        return True
    return top == "api" or (room == "analysis" and top in IMPURE) or (room == "rig" and top in NOT_IN_RIG)


def _suits_locustfile(name: str, siblings: set[str]) -> bool:
    top = name.partition(".")[0]
    return top in sys.stdlib_module_names | siblings | {"locust"} or f"{name}.".startswith("loadlab.generator.")


def _siblings() -> set[str]:
    return {path.stem for path in (ROOT / "locust").rglob("*.py")}


def sources() -> list[str]:
    """Return the path of every file that a rule is about."""
    files = [path for folder in ("loadlab", "api", "locust") for path in (ROOT / folder).rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in files)


def test_every_import_is_allowed() -> None:
    """Each room imports only the rooms below it; the target and the instrument know nothing of each other."""
    found = [offence for path in sources() for offence in offences(path, (ROOT / path).read_text())]
    assert found == []


def test_every_room_has_a_rule() -> None:
    """A new module or folder of loadlab is given its place in the rules before it is used."""
    rooms = {Path(path).parts[1].removesuffix(".py") for path in sources() if path.startswith("loadlab/")}
    assert rooms - {"__init__"} <= set(ROOMS)
    assert {"rig", "generator", "cli"} <= rooms  # the sources were found at all


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("loadlab/analysis/slo.py", "from loadlab.runfolder import read"),
        ("loadlab/analysis/slo.py", "import loadlab"),
        ("loadlab/analysis/slo.py", "from loadlab import errors"),
        ("loadlab/analysis/slo.py", "import time"),
        ("loadlab/analysis/slo.py", "from os.path import join"),
        ("loadlab/analysis/deep/er.py", "from ...rig import ports"),
        ("loadlab/rig/parts.py", "from loadlab.generator import plugin"),
        ("loadlab/rig/parts.py", "from loadlab import generator"),
        ("loadlab/rig/parts.py", "import loadlab.generator.web as web"),
        ("loadlab/rig/parts.py", "from ..generator import web"),
        ("loadlab/rig/parts.py", "def late():\n    from loadlab import cli"),
        ("loadlab/rig/parts.py", "import locust"),
        ("loadlab/rig/parts.py", "import importlib\nimportlib.import_module('loadlab.generator.web')"),
        ("loadlab/generator/web.py", "from loadlab.rig import ports"),
        ("loadlab/report/text.py", "from loadlab import commands"),
        ("loadlab/report/text.py", "if TYPE_CHECKING:\n    from loadlab.rig.engine import Engine"),
        ("loadlab/commands/run.py", "from loadlab.cli import app"),
        ("loadlab/commands/run.py", "from loadlab.generator import web"),
        ("loadlab/commands/run.py", "from api.settings import Settings"),
        ("loadlab/null_target/book.py", "import psutil"),
        ("loadlab/null_target/book.py", "from loadlab.errors import LabError"),
        ("api/app.py", "import loadlab"),
        ("api/app.py", "from locust import events"),
        ("locust/locustfile.py", "from loadlab.rig import ports"),
        ("locust/locustfile.py", "from loadlab import generator_of_something"),
        ("locust/locustfile.py", "import requests"),
        ("locust/scenarios/own.py", "import api"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str) -> None:
    """Whatever way an import is written, and wherever in the file, a rule that it breaks is seen."""
    assert len(offences(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("loadlab/analysis/slo.py", "import math\nfrom loadlab.analysis import histogram\nfrom . import histogram"),
        ("loadlab/rig/parts.py", "import os\nfrom loadlab.errors import LabError\nfrom .ports import is_free"),
        ("loadlab/generator/web.py", "import locust\nfrom loadlab.analysis.slo import parse"),
        ("loadlab/cli.py", "from loadlab import __version__, commands"),
        ("loadlab/rig/settings.py", "from loadlab.analysis import slo"),
        ("locust/scenarios/own.py", "import json\nfrom locust import task\nfrom locustfile import WebsiteUser"),
        ("locust/locustfile.py", "import loadlab.generator.plugin\nfrom loadlab.generator import plugin"),
    ],
)
def test_an_allowed_import_is_let_be(path: str, source: str) -> None:
    """The checker does not cry at what the rules allow."""
    assert offences(path, source) == []


def test_no_folder_shadows_the_package_locust() -> None:
    """locust/ is no package, and no folder of the tests takes its name: either would hide the installed Locust."""
    assert not (ROOT / "locust" / "__init__.py").exists()
    assert not (ROOT / "tests" / "locust").exists()
