"""The report's page in a real browser, opened as a file: drawn, alive, readable on a phone, offline, and unharmed by
what texts from outside want of it.

LAB_SCREENSHOTS names a folder to keep the screenshots in.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from loadlab import report
from loadlab.analysis.recording import EventKind
from tests import recordings, searches
from tests.report import folders

from .report_pages import DESKTOP, FRAME, LABEL_BRIGHTNESS, PAINTED, PHONE, SHOWN, Opener, keep

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

# Where in a chart by users the point of so many users is drawn.
POINT = """([id, users]) => {
    const view = Array.from(Bokeh.index.roots).find(view => view.el.parentElement.id == id), frame = view.frame;
    const sources = view.model.renderers.filter(one => one.glyph.type === 'Scatter').map(one => one.data_source.data);
    const data = sources.find(one => Array.from(one.x).includes(users));
    const y = Array.from(data.y)[Array.from(data.x).indexOf(users)];
    return {x: frame.x_scale.compute(users), y: frame.y_scale.compute(y)};
}"""


@pytest.fixture(scope="module")
def tame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with failures and a worker lost."""
    folder = folders.write(recordings.plausible(), tmp_path_factory.mktemp("tame"))
    report.make(folder)
    return folder.html


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a search for the capacity whose target fails some answers."""
    folder = folders.write(searches.failed(), tmp_path_factory.mktemp("search"))
    report.make(folder)
    return folder.html


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which every text from outside wants to be run."""
    folder = folders.write(folders.hostile(recordings.plausible()), tmp_path_factory.mktemp("wild"))
    report.make(folder)
    return folder.html


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_page_is_drawn(opener: Opener, complaints: list[str], tame: Path, dark: bool, phone: bool) -> None:
    """Every chart is painted, the verdict is in sight, nothing is wider than the screen, nothing is asked for."""
    page = opener.open(tame, dark=dark, phone=phone)
    keep(page, f"{'dark' if dark else 'light'}-{'phone' if phone else 'desktop'}")
    expect(page.locator("#verdict")).to_have_text("FAIL")
    expect(page.locator("#verdict")).to_be_in_viewport()
    expect(page.locator("#validity")).to_be_in_viewport()
    width = PHONE["width"] if phone else DESKTOP["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    places = page.locator(".plot").evaluate_all("places => places.map(place => place.id)")
    assert len(places) == 10
    for place in places:
        assert page.evaluate(PAINTED, place) > 500, place
    assert complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_a_search_is_drawn(opener: Opener, complaints: list[str], search: Path, dark: bool, phone: bool) -> None:
    """The answer is in sight, the charts by users are painted, nothing is wider than the screen."""
    page = opener.open(search, dark=dark, phone=phone)
    keep(page, f"search-{'dark' if dark else 'light'}-{'phone' if phone else 'desktop'}")
    expect(page.locator(".verdict .headline")).to_contain_text("takes 100 users and")
    expect(page.locator(".verdict .headline")).to_be_in_viewport()
    width = PHONE["width"] if phone else DESKTOP["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for place in ("capacity-latency", "capacity-throughput", "capacity-failed"):
        assert page.evaluate(PAINTED, f"chart-{place}") > 500, place
    steps = sum(event.kind is EventKind.STEP for event in searches.failed().events)
    expect(page.locator("table.steps tbody tr")).to_have_count(steps)
    assert complaints == []


def test_pointing_at_a_step_tells_of_it(opener: Opener, complaints: list[str], search: Path) -> None:
    """Its number, what it was for, how it came out and its figures; a click on an outcome hides its points."""
    page = opener.open(search)
    chart = page.locator("#chart-capacity-throughput")
    chart.scroll_into_view_if_needed()
    box, at = chart.bounding_box(), page.evaluate(POINT, ["chart-capacity-throughput", 160])
    assert box is not None
    page.mouse.move(box["x"] + at["x"], box["y"] + at["y"])
    told = page.locator(".bk-Tooltip").filter(has_text="outcome").first
    for text in ("4, grow", "160", "fail", "/s"):
        expect(told).to_contain_text(text)
    page.mouse.move(0, 0)
    before = page.evaluate(PAINTED, "chart-capacity-throughput")
    card = page.locator(".chart", has=chart)
    card.get_by_role("button", name="fail", exact=True).click()
    page.wait_for_function(f"before => ({PAINTED})('chart-capacity-throughput') < before - 100", arg=before)
    assert complaints == []


def test_the_charts_follow_the_theme(opener: Opener, complaints: list[str], tame: Path) -> None:
    """The system's theme at first, the button's from then on, on page and charts alike; kept for the next time."""
    page = opener.open(tame)
    light = page.evaluate(LABEL_BRIGHTNESS, "chart-latency")
    page.get_by_role("button", name="Light / dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_function(f"before => ({LABEL_BRIGHTNESS})('chart-latency') > before + 40", arg=light)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    other = opener.open(tame, dark=True)
    assert other.evaluate(LABEL_BRIGHTNESS, "chart-latency") > light + 40
    other.emulate_media(color_scheme="light")
    expect(other.locator("html")).to_have_attribute("data-theme", "light")
    assert complaints == []


def test_charts_over_time_are_zoomed_together(opener: Opener, complaints: list[str], tame: Path) -> None:
    """Dragging over one zooms all of them, and the button shows the whole run again; the distribution stays."""
    page = opener.open(tame)
    whole = page.evaluate(SHOWN)
    drag(page, "chart-throughput", 0.4, 0.6)
    page.wait_for_function(f"whole => JSON.stringify(({SHOWN})()) != JSON.stringify(whole)", arg=whole)
    zoomed = page.evaluate(SHOWN)
    over_time = {(start, end) for name, start, end in zoomed if name == "time"}
    ((start, end),) = over_time
    assert 20_000 < start < 60_000 < end < 90_000
    assert [one for one in zoomed if one[0] != "time"] == [one for one in whole if one[0] != "time"]
    page.get_by_role("button", name="Pan").click()
    drag(page, "chart-latency", 0.6, 0.5)
    page.wait_for_function(f"zoomed => JSON.stringify(({SHOWN})()) != JSON.stringify(zoomed)", arg=zoomed)
    page.get_by_role("button", name="Whole run").click()
    page.wait_for_function(f"whole => JSON.stringify(({SHOWN})()) == JSON.stringify(whole)", arg=whole)
    assert complaints == []


def drag(page: Page, place: str, start: float, end: float) -> None:
    """Drag over a chart, from one share of its width to another."""
    chart = page.locator(f"#{place}")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], height)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], height, steps=8)
    page.mouse.up()


def point(page: Page, place: str, t: float) -> None:
    """Point at a second of a chart over time."""
    chart = page.locator(f"#{place}")
    chart.scroll_into_view_if_needed()
    frame = page.evaluate(FRAME, place)
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(
        box["x"] + frame["x"] + frame["width"] * 1000 * t / frame["end"], box["y"] + frame["y"] + frame["height"] * 0.3
    )


def test_pointing_tells_figures_and_events(opener: Opener, complaints: list[str], tame: Path) -> None:
    """A second of a chart tells its figures; a mark tells what happened, in every chart over time."""
    page = opener.open(tame)
    point(page, "chart-throughput", 72.5)
    expect(page.locator(".bk-Tooltip").first).to_contain_text("1:12")
    expect(page.locator(".bk-Tooltip").first).to_contain_text("200")
    for place in ("chart-throughput", "chart-latency"):
        point(page, place, 44.2)
        expect(page.locator(".bk-Tooltip").filter(has_text="does not answer")).to_be_visible()
    assert complaints == []


def test_a_legend_hides_and_shows_its_line(opener: Opener, complaints: list[str], tame: Path) -> None:
    """A click on a name takes the line away, another brings it back."""
    page = opener.open(tame)
    card = page.locator(".chart", has=page.locator("#chart-latency"))
    before = page.evaluate(PAINTED, "chart-latency")
    button = card.get_by_role("button", name="p99", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.wait_for_function(f"before => ({PAINTED})('chart-latency') < before - 300", arg=before)
    button.click()
    page.wait_for_function(f"before => ({PAINTED})('chart-latency') > before - 100", arg=before)
    assert complaints == []


def test_a_finger_on_a_chart_scrolls_the_page(opener: Opener, tame: Path) -> None:
    """On a phone, no tool takes the drag until one is chosen."""
    page = opener.open(tame, phone=True)
    active = "() => Bokeh.documents[0].roots().map(root => root.toolbar.active_drag && root.toolbar.active_drag.type)"
    assert set(page.evaluate(active)) == {None}
    page.get_by_role("button", name="Zoom").click()
    assert "BoxZoomTool" in page.evaluate(active)


def test_wide_tables_scroll_in_their_box(opener: Opener, tame: Path) -> None:
    """On a phone the page does not scroll sideways; a wide table does, with its first column kept in sight."""
    page = opener.open(tame, phone=True)
    box = page.locator("#workers .scroll")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.evaluate("box => box.scrollLeft = 200")
    left = box.locator("td").first.evaluate("cell => cell.getBoundingClientRect().left")
    assert left >= 0


def test_texts_from_outside_run_nothing(opener: Opener, complaints: list[str], wild: Path) -> None:
    """Names that want to be script, markup or formula: no dialog, no element, no request, also when pointed at."""
    page = opener.open(wild)
    keep(page, "hostile")
    for t in (44.2, 72.5):
        point(page, "chart-failures", t)
        expect(page.locator(".bk-Tooltip").filter(has_text="onerror=alert(1)").first).to_be_visible()
    assert page.locator("img").count() == 0
    assert page.locator(".bk-Tooltip").evaluate_all("all => all.every(one => !one.shadowRoot.querySelector('img'))")
    assert complaints == []


def test_the_policy_holds_off_what_would_get_in(
    opener: Opener, complaints: list[str], tame: Path, tmp_path: Path
) -> None:
    """Were a text not escaped after all, its script would not run and its request would not be made."""
    with socket.create_server(("127.0.0.1", 0)) as thief:
        url = f"http://127.0.0.1:{thief.getsockname()[1]}/"
        attack = f"<script>window.stolen = 1</script><img src='{url}' onerror='window.stolen = 1'>"
        broken = tmp_path / "broken.html"
        broken.write_text(tame.read_text().replace("<footer>", attack + "<footer>"))
        page = opener.open(broken)
        assert page.evaluate("window.stolen") is None
        assert sum("Content Security Policy" in complaint for complaint in complaints) >= 3
        thief.setblocking(False)
        with pytest.raises(BlockingIOError):
            thief.accept()
