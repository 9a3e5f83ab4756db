"""What the stack tests share: an engine, a clone, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .browsers import chromium, screenshots_folder
from .needs import missing
from .report_pages import Opener
from .rig import CHECKOUT, clone_into, docker, leftovers, remove_images, run

PROJECT = f"loadlab-test-{os.getpid()}"


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser; of a module, since its event loop is in the way of others'."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that screenshots go to."""
    return screenshots_folder(tmp_path_factory.mktemp("screenshots"))


@pytest.fixture
def complaints() -> list[str]:
    """What the pages of a test complained of."""
    return []


@pytest.fixture
def opener(browser: Browser, complaints: list[str]) -> Iterator[Opener]:
    """Opens reports; they are closed at the test's end."""
    opener = Opener(browser, complaints)
    yield opener
    for context in opener.contexts:
        context.close()
