"""Scenarios: which there are, and whose users are spawned."""

from __future__ import annotations

import gc
import os
import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from locust import FastHttpUser, HttpUser, User
from locust.env import Environment

from loadlab.generator import scenarios


@pytest.fixture(autouse=True)
def _only_own_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's list of User classes is of the whole process: count only those that are made in a test."""
    gc.collect()
    earlier = set(_below(User))
    found = scenarios._runnable
    monkeypatch.setattr(scenarios, "_runnable", lambda base: [c for c in found(base) if c not in earlier])


def _below(base: type[User]) -> Iterator[type[User]]:
    for user_class in base.__subclasses__():
        yield user_class
        yield from _below(user_class)


def make(name: str, module: str, base: type[User] = User, abstract: bool = False) -> type[User]:
    """Make a User class as a locustfile of a name defines it."""
    return type(name, (base,), {"__module__": module, "abstract": abstract})


def environment_of(*classes: type[User], scenario: str | None) -> Environment:
    """Make an environment as Locust does of its locustfiles and options."""
    environment = Environment(user_classes=list(classes), parsed_options=Namespace(scenario=scenario))
    environment.available_user_classes = {c.__name__: c for c in classes}  # type: ignore[misc]
    return environment


def test_each_file_with_users_is_a_scenario() -> None:
    """The locustfile comes first, the others by name; a class built upon another counts for its own file."""
    base = make("Website", "locustfile", HttpUser)
    kept = [base, make("B", "write_heavy", base), make("A", "read_heavy", base), make("A2", "read_heavy", FastHttpUser)]
    assert scenarios.available() == ["locustfile", "read_heavy", "write_heavy"]
    assert len(kept) == 4


def test_files_without_runnable_users_are_none() -> None:
    """Locust's own classes and abstract ones are no scenario; an abstract one's children are."""
    base = make("Base", "common", abstract=True)
    assert scenarios.available() == []
    child = make("Child", "shop", base)
    assert scenarios.available() == ["shop"]
    assert scenarios.scenario_of(child) == "shop"


def test_a_scenario_in_a_package_goes_by_its_last_name() -> None:
    """A dotted module is known by its file."""
    assert scenarios.scenario_of(make("A", "scenarios.deep.checkout")) == "checkout"


def test_all_classes_of_the_chosen_file_are_spawned() -> None:
    """A file with two User classes spawns both, in the file's order, and no other file's."""
    one, two, other = make("One", "shop"), make("Two", "shop"), make("Other", "locustfile")
    environment = environment_of(other, one, two, scenario="shop")
    scenarios.select(environment)
    assert environment.user_classes == [one, two]
    vars(environment.parsed_options)["scenario"] = "locustfile"
    scenarios.select(environment)
    assert environment.user_classes == [other]


@pytest.mark.parametrize("scenario", ["nosuch", None, ""])
def test_without_a_known_scenario_every_class_is_spawned(scenario: str | None) -> None:
    """Where nothing was chosen, or what is not there, Locust's own way holds."""
    one, two = make("One", "first"), make("Two", "second")
    environment = environment_of(one, two, scenario=scenario)
    scenarios.select(environment)
    assert environment.user_classes == [one, two]


def test_the_fingerprint_is_of_what_the_files_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all files of a folder that has a scenario, whatever their order and times; of another folder none."""
    for name, text in (("shop.py", "a = 1"), ("helper.py", "b = 2"), ("notes.txt", "c")):
        (tmp_path / name).write_text(text)
    (tmp_path / "elsewhere").mkdir()
    module = ModuleType("shop")
    module.__file__ = str(tmp_path / "shop.py")
    monkeypatch.setitem(sys.modules, "shop", module)
    kept = make("Shop", "shop")
    first = scenarios.fingerprint()
    assert re.fullmatch("[0-9a-f]{12}", first)
    (tmp_path / "notes.txt").write_text("other")
    (tmp_path / "elsewhere" / "x.py").write_text("d = 4")
    os.utime(tmp_path / "shop.py", (1, 1))
    assert scenarios.fingerprint() == first
    (tmp_path / "helper.py").write_text("b = 3")
    assert scenarios.fingerprint() != first
    assert kept.__module__ == "shop"


def test_a_scenario_without_a_file_has_a_fingerprint() -> None:
    """One that was made by code is nobody's file."""
    kept = make("Made", "of_no_file")
    assert len(scenarios.fingerprint()) == 12
    assert kept is not None
