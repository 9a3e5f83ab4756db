"""Documentation that cannot rot: every knob is in .env, the Compose file, the README and the code with one default."""

from __future__ import annotations

import io
import re
import subprocess
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from dotenv import dotenv_values

from loadlab.cli import app
from loadlab.rig.settings import COMPOSE_FILE, DOTENV, RigSettings, known_names

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
KNOBS = sorted(known_names())
# What a comment in .env has to hold: numbers from one to another, or the words or the form that a value may take.
RANGE = re.compile(
    r"\d+-\d+|\bup to \d|\btrue or false\b|, \w+ or \w+|: \w+ or \w+|\bURL\b|\baddress\b|\bhost name\b|\bsize\b"
)
FORMS = re.compile(r"\bwhole number and b, k, m or g\b|\bgevent or gthread\b|\bdatabase, or memory\b|\bor none\b")
# Not limits but names: what is allowed is said in other words than a range.
NAMES = {
    "SCENARIO": "a file of locust/scenarios",
    "PYTHON_IMAGE": "Python 3.11 or newer",
    "HAPROXY_IMAGE": "HAProxy 2.6 or newer",
}


def committed() -> str:
    """Return .env as it is committed (or about to be): users are told to edit theirs."""
    done = subprocess.run(["git", "show", ":.env"], cwd=ROOT, capture_output=True, text=True, check=False)
    return DOTENV.read_text() if done.returncode else done.stdout


TEXT = committed()
VALUES = dotenv_values(stream=io.StringIO(TEXT))


def comments(text: str) -> dict[str, str]:
    """Return the comment above each knob of a .env; knobs in a row share the one above the first of them."""
    found: dict[str, str] = {}
    comment: list[str] = []
    after_knob = False
    for line in text.splitlines():
        if line.startswith("#"):
            comment = [*([] if after_knob else comment), line.lstrip("# ")]
            after_knob = False
        elif "=" in line:
            found[line.split("=")[0]] = " ".join(comment)
            after_knob = True
        else:
            comment, after_knob = [], False
    return found


def default_of(field: str) -> str:
    """Return a setting's default as .env writes it."""
    value = RigSettings.model_fields[field].default
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def compose_defaults() -> dict[str, set[str]]:
    """Return what docker-compose.yml writes behind `:-`, all that it writes for each knob."""
    found: dict[str, set[str]] = {}
    for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE_FILE.read_text()):
        found.setdefault(name, set()).add(default)
    return found


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command of `./lab` with its flags, long and short."""
    group = typer.main.get_command(app)
    for name, command in typing.cast("dict[str, typing.Any]", vars(group)["commands"]).items():
        flags = [flag for parameter in command.params for flag in parameter.opts if flag.startswith("-")]
        yield name, flags


def test_comments_are_read_as_a_reader_does() -> None:
    """A comment of several lines is whole; knobs in a row share one; an empty line ends it."""
    text = "# Some cores.\n# 0-8.\nA=1\nB=2\n# Its own.\nC=3\n\nD=4\n"
    assert comments(text) == {"A": "Some cores. 0-8.", "B": "Some cores. 0-8.", "C": "Its own.", "D": ""}


@pytest.mark.parametrize("knob", KNOBS)
def test_knob_is_in_dotenv_with_its_range(knob: str) -> None:
    """Every knob is in .env, under a comment that says what it is and what is allowed."""
    comment = comments(TEXT).get(knob)
    assert comment is not None, f"{knob} is not in .env"
    if knob in NAMES:
        assert NAMES[knob] in comment
    else:
        assert RANGE.search(comment) or FORMS.search(comment), f"no range or unit: {comment!r}"


def test_dotenv_has_no_unknown_knob() -> None:
    """What .env sets is read by something."""
    assert set(VALUES) <= set(KNOBS)


@pytest.mark.parametrize("field", sorted(RigSettings.model_fields))
def test_setting_is_a_knob_with_one_default(field: str) -> None:
    """A setting of the rig is a knob of the Compose file, and .env has the default that the code has."""
    assert field.upper() in KNOBS
    assert str(VALUES[field.upper()]) == default_of(field)


@pytest.mark.parametrize(("knob", "defaults"), sorted(compose_defaults().items()))
def test_compose_default_is_that_of_dotenv(knob: str, defaults: set[str]) -> None:
    """Without .env, docker-compose.yml does what it does with the committed one."""
    assert len(defaults) == 1
    if VALUES[knob]:  # an empty one means: what the Compose file says
        assert defaults == {VALUES[knob]}


@pytest.mark.parametrize("knob", KNOBS)
def test_knob_is_in_the_readme_with_its_default(knob: str) -> None:
    """A row of README's table begins with the knob and holds its default."""
    rows = [line for line in README.read_text().splitlines() if re.match(rf"\| *`{knob}`", line)]
    assert len(rows) == 1, f"README.md has {len(rows)} rows for {knob}"
    assert rows[0].split("|")[2].strip().strip("`") == (VALUES.get(knob) or "empty")


@pytest.mark.parametrize(("command", "flags"), list(commands()))
def test_command_is_in_the_readme(command: str, flags: list[str]) -> None:
    """Each command of ./lab and each of its long flags is shown in the README."""
    readme = README.read_text()
    assert f"./lab {command}" in readme
    assert [flag for flag in flags if flag.startswith("--") and flag not in readme] == []
