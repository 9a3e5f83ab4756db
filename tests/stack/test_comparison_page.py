"""Two runs compared with a click on the Lab page, and the page of a comparison, in a real browser.

LAB_SCREENSHOTS names a folder to keep the screenshots in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from loadlab.report import comparing
from loadlab.runfolder import RunFolder
from tests import pairs
from tests.masters import Master
from tests.recordings import EndpointRecipe, Recipe, lognormal
from tests.report import folders

from .browsers import note_complaints

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

DESKTOP, TABLET, PHONE, SMALL_PHONE = (1280, 900), (905, 900), (390, 844), (320, 640)
# The badges that stick out of what they stand in, and its padding.
STICKING_OUT = """() => [...document.querySelectorAll(':is(.verdict, .tile, .reflow) .badge')].filter(badge => {
    const place = badge.closest('.tile, td, .badges'), style = getComputedStyle(place);
    const end = place.getBoundingClientRect().right - parseFloat(style.paddingRight);
    return badge.getBoundingClientRect().right > end + 1 || badge.scrollWidth > badge.clientWidth + 1;
}).map(badge => badge.textContent)"""
Open = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, complaints: list[str]) -> Iterator[Open]:
    """Return a function that opens an address in a window of a size and a colour scheme."""
    contexts = []

    def visit(url: str, size: tuple[int, int] = DESKTOP, scheme: Literal["light", "dark"] = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, is_mobile=size[0] <= PHONE[0]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        note_complaints(page, complaints, lambda asked: asked.startswith((url.partition("/lab")[0], "data:", "blob:")))
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()


def keep_run(root: Path, seed: int, name: str, *, slower: float = 1.0, workers: int = 4) -> RunFolder:
    """Keep a run of two endpoints that is over and has a report."""
    ends = [
        EndpointRecipe("GET", "/tests", 0.8, lognormal(12 * slower)),
        EndpointRecipe("POST", "/tests", 0.2, lognormal(26 * slower)),
    ]
    recipe = Recipe(steps=((50, 60),), endpoints=ends, seed=seed, name=name, workers=workers)
    measured = pairs.of_recipe(recipe)
    measured.recording.run.id = f"20251009-{seed:06}-{name}"
    folder = folders.write(measured.recording, root)
    folder.write_summary(measured.summary)
    folder.html.write_text("<title>report</title>")
    return folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a target that became slower by a third."""
    root = tmp_path_factory.mktemp("compared")
    sides = [[keep_run(root, 1, "before")], [keep_run(root, 2, "after", slower=1.33)]]
    page = root / "page.html"
    page.write_bytes(comparing.page(comparing.make(*sides, allow_percent=5)))
    return page


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two runs of the same: its words are the longest."""
    root = tmp_path_factory.mktemp("alike")
    page = root / "page.html"
    page.write_bytes(comparing.page(comparing.make([keep_run(root, 1, "before")], [keep_run(root, 2, "after")])))
    return page


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of the Lab page of a master that has runs of four workers, and of two."""
    for seed, name, workers in ((1, "first", 4), (2, "second", 4), (3, "small", 2), (4, "third", 4)):
        keep_run(tmp_path, seed, name, workers=workers)
    master = Master(tmp_path)
    with master.served() as address:
        yield f"{address}/lab"
    master.close()


def row(page: Page, name: str) -> Locator:
    """Return the row of a run in the table."""
    return page.locator("table.runs tbody tr").filter(has_text=name)


def test_runs_of_one_worker_count(visit: Open, url: str, complaints: list[str]) -> None:
    """The choice has the counts that there are; chosen, only such runs are listed, until any is again."""
    page = visit(url)
    expect(page.locator("table.runs tbody tr")).to_have_count(4)
    choice = page.locator("#by-workers")
    assert choice.locator("option").all_inner_texts() == ["any number", "2", "4"]
    choice.select_option("2")
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    expect(row(page, "small")).to_be_visible()
    choice.select_option("any number")
    expect(page.locator("table.runs tbody tr")).to_have_count(4)
    assert complaints == []


def test_two_runs_are_compared_with_a_click(visit: Open, url: str, complaints: list[str], screenshots: Path) -> None:
    """Two that are ticked, the older one as A; a third takes the place of the first; the page opens beside."""
    page = visit(url)
    link = page.get_by_role("link", name="Compare", exact=True)
    expect(link).to_be_hidden()
    page.get_by_label("Compare third").check()
    expect(page.locator("#picked")).to_have_text("Tick the one to compare it with.")
    page.get_by_label("Compare first").check()
    expect(page.locator("#picked")).to_have_text("A is first, B is third.")
    page.get_by_label("Compare second").check()
    expect(page.locator("#picked")).to_have_text("A is first, B is second.")
    expect(page.get_by_label("Compare third")).not_to_be_checked()
    page.screenshot(path=screenshots / "lab-compare.png", full_page=True)
    with page.expect_popup() as popup:
        link.click()
    expect(popup.value.locator("#verdict")).to_have_text("NO SIGNIFICANT DIFFERENCE", timeout=30_000)
    expect(popup.value.locator("html")).to_have_attribute("data-drawn", "yes")
    assert complaints == []


def test_a_tick_is_kept_when_the_list_is_drawn_anew(visit: Open, url: str, tmp_path: Path) -> None:
    """A run that comes in meanwhile takes away neither ticks nor focus for long."""
    page = visit(url)
    page.get_by_label("Compare first").check()
    keep_run(tmp_path, 9, "late")
    expect(row(page, "late")).to_be_visible(timeout=15_000)
    expect(page.get_by_label("Compare first")).to_be_checked()


def test_unlike_runs_are_explained(visit: Open, url: str, complaints: list[str]) -> None:
    """What differs, the way back, and the way on."""
    page = visit(url)
    page.get_by_label("Compare first").check()
    page.get_by_label("Compare small").check()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Compare", exact=True).click()
    other = popup.value
    expect(other.locator("h1")).to_have_text("Not compared", timeout=30_000)
    expect(other.locator("li").filter(has_text="workers: 4 in A, 2 in B")).to_be_visible()
    other.get_by_role("link", name="Compare them all the same").click()
    expect(other.locator("#verdict")).to_be_visible(timeout=30_000)
    expect(other.locator("#reasons")).to_contain_text("Not run alike: workers is 4 in A and 2 in B")
    assert complaints == []


@pytest.mark.parametrize(
    ("size", "scheme"), [(size, scheme) for size in (DESKTOP, PHONE) for scheme in ("light", "dark")], ids=str
)
def test_the_page_fits_every_window(
    visit: Open,
    compared: Path,
    complaints: list[str],
    screenshots: Path,
    *,
    size: tuple[int, int],
    scheme: Literal["light", "dark"],
) -> None:
    """Drawn, the answer in sight, nothing wider than the window, each interval within its cell."""
    page = visit(compared.as_uri(), size, scheme)
    expect(page.locator("html")).to_have_attribute("data-drawn", "yes", timeout=30_000)
    page.screenshot(
        path=screenshots / f"compare-{'phone' if size == PHONE else 'desktop'}-{scheme}.png", full_page=True
    )
    expect(page.locator("#verdict")).to_have_text("WORSE")
    expect(page.locator("#verdict")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    inside = """() => [...document.querySelectorAll('.forest')].every(each => {
        const whole = each.getBoundingClientRect(), line = each.querySelector('i').getBoundingClientRect();
        return whole.width > 100 && line.left >= whole.left - 1 && line.right <= whole.right + 1 && line.width > 0;
    })"""
    assert page.evaluate(inside)
    assert page.locator(".forest").count() > 12
    assert complaints == []


@pytest.mark.parametrize("size", [DESKTOP, TABLET, PHONE, SMALL_PHONE], ids=str)
def test_the_longest_words_stay_in_their_place(
    visit: Open, alike: Path, complaints: list[str], screenshots: Path, size: tuple[int, int]
) -> None:
    """No badge runs out of its card, its tile or its cell, or is cut."""
    page = visit(alike.as_uri(), size)
    expect(page.locator("html")).to_have_attribute("data-drawn", "yes", timeout=30_000)
    page.screenshot(path=screenshots / f"compare-alike-{size[0]}.png", full_page=True)
    expect(page.locator("#verdict")).to_have_text("NO SIGNIFICANT DIFFERENCE")
    assert page.locator(".tile .badge").all_inner_texts() == ["no significant difference"] * 4
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert page.evaluate(STICKING_OUT) == []
    assert complaints == []


def test_a_legend_hides_a_side(visit: Open, compared: Path, complaints: list[str]) -> None:
    """A click on A takes its line out of the chart."""
    page = visit(compared.as_uri())
    expect(page.locator("html")).to_have_attribute("data-drawn", "yes", timeout=30_000)
    button = page.locator(".chart", has=page.locator("#chart-p95")).get_by_role("button", name="A", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    shown = "() => Bokeh.documents[0].roots().map(root => root.renderers.filter(one => one.name == 'p95-0')).flat()"
    assert page.evaluate(f"() => ({shown})().map(one => one.visible)") == [False]
    assert complaints == []
