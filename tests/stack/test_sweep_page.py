"""The page of a sweep in a real browser, opened as a file. LAB_SCREENSHOTS names a folder for screenshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from loadlab.report import sweep_html
from tests.report.test_sweep_page import NAMES, capacities, replicas, scaled, spoilt

from .report_pages import DESKTOP, FRAME, PAINTED, PHONE, Opener, keep

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
LOOKS = [(dark, phone) for dark in (False, True) for phone in (False, True)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of a sweep with a fit, of one without, of one of replicas, and of one of searches."""
    folder = tmp_path_factory.mktemp("sweeps")
    made = {"scaled": scaled(), "spoilt": spoilt(), "replicas": replicas(), "capacities": capacities()}
    paths = {}
    for name, sweep in made.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_bytes(sweep_html.page(sweep))
    return paths


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("look", LOOKS, ids=["light", "light phone", "dark", "dark phone"])
def test_the_page_is_drawn(
    opener: Opener,
    complaints: list[str],
    pages: dict[str, Path],
    name: str,
    look: tuple[bool, bool],
) -> None:
    """Every chart is painted, the answer is in sight, nothing is wider than the screen, nothing is asked for."""
    dark, phone = look
    page = opener.open(pages[name], dark=dark, phone=phone)
    keep(page, f"sweep-{name}-{'dark' if dark else 'light'}-{'phone' if phone else 'desktop'}")
    expect(page.locator("#headline")).to_be_in_viewport()
    width = PHONE["width"] if phone else DESKTOP["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    places = page.locator(".plot").evaluate_all("places => places.map(place => place.id)")
    assert len(places) == (4 if name == "capacities" else 3)
    for place in places:
        assert page.evaluate(PAINTED, place) > 500, place
    assert complaints == []


def test_pointing_tells_the_figures(
    opener: Opener,
    complaints: list[str],
    pages: dict[str, Path],
) -> None:
    """Near a number of workers: its throughput with its range, its growth, its efficiency."""
    page = opener.open(pages["scaled"])
    chart = page.locator("#chart-throughput")
    chart.scroll_into_view_if_needed()
    frame, box = page.evaluate(FRAME, "chart-throughput"), chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + frame["x"] + frame["width"] * 4 / frame["end"], box["y"] + frame["y"] + 40)
    tooltip = page.locator(".bk-Tooltip").first
    expect(tooltip).to_contain_text("workers")
    expect(tooltip).to_contain_text("efficiency")
    assert complaints == []
