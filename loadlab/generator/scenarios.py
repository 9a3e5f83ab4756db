"""Scenarios: each locustfile's own User classes, one scenario to a file, picked by name in the UI or by $SCENARIO."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from locust import User
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

DEFAULT = "locustfile"


def add_option(parser: LocustArgumentParser) -> None:
    """Add `--scenario`, a list to choose from, when the locustfiles define any (a bare `--version` has none)."""
    names = available()
    if not names:
        return
    parser.add_argument(
        "--scenario",
        env_var="SCENARIO",
        choices=names,
        default=names[0],
        help="Which file's users to run",
    )


def available() -> list[str]:
    """Return the names of the scenarios that are loaded, the locustfile's own first."""
    names = {scenario_of(user_class) for user_class in _runnable(User)}
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def select(environment: Environment) -> None:
    """Make the users of the scenario that was chosen the only ones that the next test spawns."""
    chosen = getattr(environment.parsed_options, "scenario", None)
    # Locust's annotation says instances; they are classes.
    classes = cast("list[type[User]]", list((environment.available_user_classes or {}).values()))
    environment.user_classes = [c for c in classes if scenario_of(c) == chosen] or classes


def scenario_of(user_class: type[User]) -> str:
    """Return the name of the file, without its ending, that defines a User class."""
    return user_class.__module__.rpartition(".")[2]


def fingerprint() -> str:
    """Return what the files of the scenarios, and those beside them, say: twelve hexadecimal digits of a digest."""
    modules = {sys.modules.get(user_class.__module__) for user_class in _runnable(User)}
    folders = {Path(module.__file__).parent for module in modules if module is not None and module.__file__}
    digest = hashlib.sha256()
    for file in sorted(file for folder in folders for file in folder.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _runnable(base: type[User]) -> Iterator[type[User]]:
    for user_class in base.__subclasses__():
        if not user_class.abstract and not user_class.__module__.startswith("locust."):
            yield user_class
        yield from _runnable(user_class)
