"""Debian's Chromium, and what a page in it complains of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from .needs import missing

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser without a window; without one on this machine the test is skipped, or fails if it must not be."""
    if not CHROMIUM.exists():
        missing("browser", "tests/stack/browser.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def screenshots_folder(otherwise: Path) -> Path:
    """Return the folder that screenshots go to: LAB_SCREENSHOTS, else the one given."""
    folder = Path(os.environ.get("LAB_SCREENSHOTS") or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def note_complaints(page: Page, complaints: list[str], is_ours: Callable[[str], bool]) -> None:
    """Add to a list what a page complains of: errors on its console, requests that failed or went elsewhere."""

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"console: {message.text}")

    def note_request(request: Request) -> None:
        if not is_ours(request.url):
            complaints.append(f"asked {request.url}")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("request", note_request)
    page.on(
        "response", lambda answer: complaints.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
    )
