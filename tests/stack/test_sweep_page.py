"""The page of a sweep in a real browser, opened as a file. LAB_SCREENSHOTS names a folder for screenshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from loadlab.report import sweep_html
from tests.analysis import sweeps
from tests.analysis.sweeps import figures
from tests.report.test_sweep_page import NAMES, capacities, law, replicas, scaled, spoilt

from .report_pages import CANVAS, DESKTOP, FRAME, PAINTED, PHONE, Opener, keep

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
# The widths of the bars near the bottom of the cores' chart, in px: runs of painted ones in a row of its frame.
BARS = f"""() => {{
    const image = ({CANVAS})("chart-cores"), frame = ({FRAME})("chart-cores");
    const scale = image.width / document.getElementById("chart-cores").clientWidth;
    const [left, right] = [frame.x * scale + 4, (frame.x + frame.width) * scale];
    const y = Math.round((frame.y + frame.height) * scale) - 6, widths = [];
    for (let x = Math.round(left), before = false; x < right; x++) {{
        const painted = image.data[4 * (y * image.width + x) + 3] > 150;
        if (painted) before ? widths[widths.length - 1]++ : widths.push(1);
        before = painted;
    }}
    return widths.filter(width => width > 8);
}}"""
LOOK_OF_MARKS = """marks => marks.map(mark => {
    const { height, borderTop, borderRadius, backgroundColor, opacity } = getComputedStyle(mark);
    return [height, borderTop, borderRadius, backgroundColor, opacity].join();
})"""
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


def test_the_marks_of_a_legend_differ(opener: Opener, pages: dict[str, Path]) -> None:
    """Each entry of the throughput's legend looks other than the rest."""
    page = opener.open(pages["scaled"])
    marks = page.locator(".chart", has=page.locator("#chart-throughput")).locator(".legend i")
    looks = marks.evaluate_all(LOOK_OF_MARKS)
    assert len(set(looks)) == len(looks) == 5


def test_bars_are_equally_wide(opener: Opener, tmp_path: Path) -> None:
    """The last one too: of two workers beside one, the bar is not cut at the chart's end."""
    made = sweeps.finished(sweeps.sweep({count: figures(law(count)) for count in (1, 2)}))
    path = tmp_path / "two.html"
    path.write_bytes(sweep_html.page(made))
    for phone in (False, True):
        page = opener.open(path, phone=phone)
        keep(page, f"sweep-two-{'phone' if phone else 'desktop'}")
        one, two = page.evaluate(BARS)
        assert abs(one - two) <= 2, (one, two)


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
