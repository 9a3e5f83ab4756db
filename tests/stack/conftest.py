"""What the stack tests share: an engine, a clone, a browser.

LAB_REQUIRE=engine,browser,... names what must be there: where it is not, a test fails instead of being skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rig import CHECKOUT, clone_into, docker, leftovers, remove_images, run

PROJECT = f"loadlab-test-{os.getpid()}"


def missing(part: str, remedy: str) -> None:
    """Fail where LAB_REQUIRE names the part, else skip; either way say what mends it."""
    message = f"no {part} on this machine: {remedy}"
    if part in os.environ.get("LAB_REQUIRE", "").split(","):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker Engine that answers, with Compose."""
    if not shutil.which("docker") or run(["docker", "compose", "ls"], CHECKOUT, check=False).returncode:
        missing("engine", "tests/stack/engine.sh up")


@pytest.fixture(scope="session")
def clone(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:  # noqa: ARG001 - it comes first
    """A fresh clone of this checkout; when all is over, nothing that was started from it may be left."""
    yield clone_into(tmp_path_factory.mktemp("clone"))
    left = [name for project in projects() for name in leftovers(project)]
    remove_images()
    assert not left


def projects() -> set[str]:
    """Return the Compose projects of this test session of which the engine still has anything."""
    names = '{{.Label "com.docker.compose.project"}}'
    listings = (["ps", "--all"], ["network", "ls"], ["volume", "ls"])
    listed = {name for listing in listings for name in docker(*listing, "--format", names).split()}
    return {name for name in listed if name.startswith(PROJECT)}
