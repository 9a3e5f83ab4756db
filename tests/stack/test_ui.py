"""The master's UI in a real browser: a run from the start form to stop, on eight workers.

LAB_SCREENSHOTS names a folder to keep the screenshots in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .browsers import note_complaints
from .conftest import PROJECT
from .rig import Rig, fresh, request, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

WORKERS = 8
NAME = "from the form"
USERS = 100
SLOW_MS = 15_000  # the UI asks the master every two seconds, on cores that make the load too
# The share of a chart's columns, below its legend, that have a coloured pixel in them.
DRAWN = """canvas => {
    const top = Math.round(canvas.height * 0.2);
    const {data, width, height} = canvas.getContext('2d').getImageData(0, top, canvas.width, canvas.height - top);
    const drawn = new Set();
    for (let i = 0; i < width * height; i++) {
        const [r, g, b, alpha] = data.subarray(4 * i, 4 * i + 4);
        if (alpha > 128 && Math.max(r, g, b) - Math.min(r, g, b) > 80) drawn.add(i % width);
    }
    return drawn.size / width;
}"""


@pytest.fixture(scope="module")
def rig(clone: Path) -> Iterator[Rig]:
    """A rig of eight workers."""
    for rig in fresh(clone, f"{PROJECT}-ui"):
        rig.up(workers=WORKERS)
        yield rig


@pytest.fixture(scope="module")
def complaints() -> list[str]:
    """What the page complained of: errors on its console, and requests that went elsewhere or failed."""
    return []


@pytest.fixture(scope="module")
def page(browser: Browser, rig: Rig, complaints: list[str]) -> Page:
    """The one page of this module, on the start form when it opens."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    note_complaints(page, complaints, lambda url: is_ours(url, rig))
    page.goto(rig.ui)
    return page


@pytest.fixture(scope="module")
def running(page: Page, rig: Rig, screenshots: Path) -> Page:
    """The page, after a run of 100 users of the scenario read_heavy was started from its form."""
    page.get_by_label("Number of users").fill(str(USERS))
    page.get_by_label("Ramp up").fill("50")
    page.get_by_label("Scenario").select_option("read_heavy")
    page.get_by_label("Run Name").fill(NAME)
    page.screenshot(path=screenshots / "start.png")
    page.get_by_role("button", name="Start").click()
    wait_for("100 users", lambda: rig.workers()["users"] == USERS, 15)
    return page


def test_the_form_offers_each_scenario(page: Page, rig: Rig) -> None:
    """The form has the users and the ramp-up of .env, this rig's API as host, and a list of all scenarios."""
    expect(page.get_by_label("Number of users")).to_have_value("200")
    expect(page.get_by_label("Ramp up")).to_have_value("50")
    expect(page.get_by_label("Host")).to_have_value("http://api:8000")
    page.get_by_role("button", name="Custom parameters").click()
    scenario = page.get_by_label("Scenario")
    expect(scenario).to_be_visible()
    files = sorted(path.stem for path in (rig.clone / "locust" / "scenarios").glob("*.py"))
    assert scenario.locator("option").all_inner_texts() == ["locustfile", *files]


def test_the_form_offers_shapes_and_slos(page: Page) -> None:
    """Beside the scenario: how the load goes, what is promised, a name; with the rig's own SLOs filled in."""
    shapes = page.get_by_label("Run Shape").locator("option").all_inner_texts()
    assert shapes == ["steady", "steps", "spike", "soak", "capacity"]
    expect(page.get_by_label("Run Slo")).to_have_value("p95<450ms, fail<1%")
    expect(page.get_by_label("Run Name")).to_have_value("")


def test_a_bad_form_is_refused_above_its_button(page: Page, rig: Rig) -> None:
    """Locust's page shows what is wrong with it, and starts nothing."""
    slos = page.get_by_label("Run Slo")
    slos.fill("p95<fast")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("'p95<fast' is not an SLO")
    assert rig.workers()["state"] == "ready"
    slos.fill("p95<450ms, fail<1%")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_statistics_of_the_chosen_scenario_are_shown(running: Page, screenshots: Path) -> None:
    """The header shows 8 workers and 100 users; the table about nine GETs for each POST, and no failure."""
    header = running.locator("header")
    expect(header).to_contain_text(re.compile(r"running\s*Users\s*100\s*Workers\s*8\s*RPS\s*[1-9]"), timeout=SLOW_MS)
    expect(header).to_contain_text(re.compile(r"Failures\s*0%"))
    running.get_by_role("tab", name="Statistics").click()
    wait_for("500 requests in the table", lambda: cell(running, "GET", "# Requests") > 500, 30)
    running.screenshot(path=screenshots / "statistics.png")
    gets, posts = (cell(running, method, "# Requests") for method in ("GET", "POST"))
    assert 4 < gets / posts < 25
    assert cell(running, "GET", "# Fails") == cell(running, "POST", "# Fails") == 0
    assert 0 < cell(running, "GET", "Median (ms)") <= cell(running, "GET", "95%ile (ms)")


def test_the_charts_are_drawn(running: Page, screenshots: Path) -> None:
    """Requests per second, response times and users are each a line that spans most of its chart."""
    running.get_by_role("tab", name="Charts").click()
    charts = running.locator("[_echarts_instance_] canvas")
    expect(charts).to_have_count(3)

    def drawn() -> bool:
        return all(chart.evaluate(DRAWN) > 0.6 for chart in charts.all())

    wait_for("a line across each chart", drawn, 20)
    running.screenshot(path=screenshots / "charts.png", full_page=True)


def test_the_workers_share_the_users(running: Page, screenshots: Path) -> None:
    """The tab of the workers lists eight that run, and 12 or 13 users for each."""
    running.get_by_role("tab", name="Workers").click()
    rows = running.locator("tbody tr")
    expect(rows).to_have_count(WORKERS)
    running.screenshot(path=screenshots / "workers.png")
    cells = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert {state for _, state, *_ in cells} == {"running"}
    assert sorted(int(users) for _, _, users, *_ in cells) == [12] * 4 + [13] * 4


def test_the_lab_page_follows_the_run(running: Page, rig: Rig, complaints: list[str], screenshots: Path) -> None:
    """The bar above Locust's page leads to it; it shows the load, and the workers' health."""
    with running.context.expect_page() as opened:
        running.locator("#lab-bar").get_by_role("link", name=NAME).click(modifiers=["ControlOrMeta"])
    page = opened.value
    note_complaints(page, complaints, lambda url: is_ours(url, rig))
    card = page.locator("#run")
    expect(card).to_contain_text(NAME, timeout=SLOW_MS)
    expect(card).to_contain_text(f"{USERS} of {USERS}")
    expect(card).to_contain_text("until it is stopped")
    expect(card.locator("table tbody tr")).to_have_count(WORKERS)
    expect(card).to_contain_text(re.compile(r"(pass|fail)\s*p95<450ms"), timeout=SLOW_MS)
    page.screenshot(path=screenshots / "lab-run.png", full_page=True)
    page.close()


def test_stop_stops(running: Page, rig: Rig, screenshots: Path) -> None:
    """The stop button ends the run, and the page then offers a new one."""
    running.get_by_role("button", name="Stop").click()
    expect(running.locator("header")).to_contain_text("stopped", timeout=SLOW_MS)
    expect(running.get_by_role("button", name="New")).to_be_visible()
    running.screenshot(path=screenshots / "stopped.png")
    assert rig.workers()["users"] == 0


def test_the_run_has_left_its_verdict_and_report(running: Page, rig: Rig, screenshots: Path) -> None:
    """The bar and the Lab tab tell of it without a reload, with its workers; the report draws itself."""
    bar = running.locator("#lab-bar")
    expect(bar).to_contain_text(f"last run {NAME}", timeout=SLOW_MS)
    expect(bar.get_by_role("link", name="report")).to_be_visible(timeout=60_000)
    running.get_by_role("tab", name="Lab").click()
    row = lab_row(running)
    expect(row.locator("[data-label=Workers]")).to_have_text(str(WORKERS))
    expect(row).to_contain_text(f"{USERS} users, steady")
    running.screenshot(path=screenshots / "lab-tab.png")
    (run,) = request(f"{rig.ui}/runs").json["runs"]
    assert (run["name"], run["status"], run["workers"], run["users"]) == (NAME, "finished", WORKERS, USERS)
    assert run["validity"] in ("valid", "degraded", "invalid")
    assert run["requests"] == sum(row["requests"] for (method, _), row in rig.stats().items() if method)
    with running.context.expect_page() as opened:
        row.get_by_role("link", name="Report").click()
    report = opened.value
    expect(report.locator("html")).to_have_attribute("data-drawn", "yes", timeout=SLOW_MS)
    report.screenshot(path=screenshots / "report.png", full_page=True)
    report.close()


def test_the_page_complained_of_nothing(running: Page, complaints: list[str]) -> None:
    """No error on the console, no failed request, and nothing was asked of any other host."""
    expect(running.locator("header")).to_be_visible()
    assert complaints == []


def lab_row(page: Page) -> Locator:
    """Return the row of the run in the Lab tab."""
    return page.locator("lab-runs tbody tr").filter(has_text=NAME)


def is_ours(url: str, rig: Rig) -> bool:
    """Tell whether a URL is the master's, or carries its content itself."""
    return url.startswith((rig.ui + "/", "data:", "blob:"))


def cell(page: Page, method: str, column: str) -> float:
    """Return a number of the table of statistics, 0 while there is no such row."""
    columns = [re.sub(r"\s+", " ", text) for text in page.locator("thead th").all_inner_texts()]
    row = page.locator("tbody tr").filter(has=page.get_by_role("cell", name=method, exact=True))
    texts = row.locator("td").all_inner_texts()
    return float(texts[columns.index(column)]) if texts else 0
