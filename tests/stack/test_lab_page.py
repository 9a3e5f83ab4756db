"""The Lab page and the Lab tab of Locust's own UI in a real browser; a fake conductor leads the runs.

LAB_SCREENSHOTS names a folder to keep the screenshots in.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from loadlab.analysis.recording import Status
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Accounting, Level, Reason, Validity, Verdict
from loadlab.generator.live import SERIES_S, WINDOW_S
from loadlab.plan import make
from loadlab.runfolder import RunFolder
from tests import searches
from tests.masters import Master, begun, finish, kept, live

from .browsers import note_complaints
from .rig import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

DESKTOP, PHONE = (1280, 800), (390, 844)
PLAN = {"users": 200, "spawn_rate": 50, "time_s": 60, "name": "before the release"}
NASTY = "<img src=x onerror=alert(1)>"
Open = Callable[..., Page]


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    """A master without runs."""
    made = Master(tmp_path / "results")
    yield made
    made.close()


@pytest.fixture
def url(master: Master) -> Iterator[str]:
    """Its address."""
    with master.served() as address:
        yield address


@pytest.fixture
def visit(browser: Browser, url: str, complaints: list[str]) -> Iterator[Open]:
    """Return a function that opens a path in a window of a size and a colour scheme."""
    contexts = []

    def visit(path: str = "/lab", size: tuple[int, int] = DESKTOP, scheme: Literal["light", "dark"] = "light") -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        note_complaints(page, complaints, lambda asked: asked.startswith((f"{url}/", "data:", "blob:")))
        page.goto(url + path)
        return page

    yield visit
    for context in contexts:
        context.close()


def row(page: Page, name: str) -> Locator:
    """Return the row of a run in the table."""
    return page.locator("table.runs tbody tr").filter(has_text=name)


def card(page: Page) -> Locator:
    """Return the card of the run that is shown."""
    return page.locator("#run")


def test_a_run_from_start_to_report(visit: Open, master: Master, complaints: list[str]) -> None:
    """Started from the form, watched, ended: each step is on the page without a reload, and it complains of nothing."""
    page = visit()
    expect(card(page)).to_contain_text("No run yet")
    page.locator("[name=users]").fill("200")
    page.locator("[name=spawn_rate]").fill("50")
    page.get_by_label("Shape").select_option("steps")
    page.locator("[name=time]").fill("2m30s")
    page.get_by_role("textbox", name="Workers").fill("8")
    page.get_by_label("SLOs").fill("p95<450ms\nGET /a,b: fail<1%\n\n")
    page.get_by_label("Name").fill("night")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#run-title")).to_have_text("night")
    ((plan, by),) = master.conductor.plans
    assert by == "http"
    assert plan == make(
        {
            "users": 200, "spawn_rate": 50, "shape": "steps", "time_s": 150, "workers": 8, "scenario": "masters",
            "name": "night", "slos": ["p95<450ms", "GET /a,b: fail<1%"],
        }
    )  # fmt: skip
    expect(page.locator("#plan")).to_be_hidden()
    expect(card(page)).to_contain_text("Holding 200 users")
    expect(row(page, "night")).to_contain_text("running")
    folder = RunFolder(master.conductor.root / str(master.conductor.active))
    master.conductor.active = None
    finish(folder, reported=False)
    mark_fresh(folder)
    expect(card(page)).to_contain_text("The report is being made")
    finish(folder)
    expect(card(page)).to_contain_text("PASS: 200 users on 8 workers")
    expect(row(page, "night")).to_contain_text("pass")
    expect(page.locator("#plan")).to_be_visible()
    expect(page).to_have_title("pass · night · Lab")
    expect(page.locator("#announce")).to_contain_text("PASS: 200 users")
    assert complaints == []


def load_without(page: Page, path: str) -> None:
    """Load a page again; what it asks of a path has no answer until the page is let ask."""
    page.route(re.compile(path), lambda _: None)
    with page.expect_request(re.compile(path)):
        page.reload()


def test_nothing_is_said_before_the_master_is_heard(visit: Open) -> None:
    """That there is no run is said once it is known."""
    page = visit()
    load_without(page, r"/runs\?")
    for part in ("#run", "#past"):
        expect(page.locator(part)).to_contain_text("Loading…")
    expect(page.locator("main")).not_to_contain_text(re.compile("No run yet|none yet"))
    page.unroute_all()
    expect(card(page)).to_contain_text("No run yet")
    expect(card(page)).to_contain_text("or with ./lab run.")
    expect(page.locator("#past")).to_contain_text("There is none yet.")
    expect(page.locator("main")).not_to_contain_text("Loading…")


def test_a_run_that_is_listed_but_not_heard_of_yet(visit: Open, master: Master) -> None:
    """Above the list with it, nothing is said of no run."""
    master.conductor.start(make(PLAN), by="ui")
    page = visit()
    load_without(page, r"/runs/")
    expect(row(page, "before the release")).to_be_visible()
    expect(card(page)).to_have_text(re.compile(r"^\s*Loading…\s*$"))
    page.unroute_all()
    expect(card(page)).to_contain_text("Holding 200 users")


def test_the_lab_tab_says_nothing_before_the_master_is_heard(visit: Open, master: Master) -> None:
    """As the page."""
    master.runner.state = "running"  # else Locust's own UI has no tabs
    page = visit("/")
    load_without(page, r"/runs\?")
    page.get_by_role("tab", name="Lab").click()
    expect(page.locator("lab-runs")).to_have_text("Loading…")
    page.unroute_all()
    expect(page.locator("lab-runs")).to_contain_text("There is no run yet.")


def test_a_search_from_start_to_capacity(visit: Open, master: Master, complaints: list[str]) -> None:
    """The form asks for what it needs, its steps are shown as they come, and at the end there is what was found."""
    page = visit()
    expect(page.locator("[name=start_users]")).to_be_hidden()
    page.locator("[name=users]").fill("33")
    page.get_by_label("Shape").select_option("capacity")
    expect(page.get_by_label("Most users")).to_have_value("10000")
    expect(page.get_by_label("Most time")).to_have_value("360s")
    expect(page.locator("#shape-hint")).to_contain_text("until an SLO breaks")
    page.get_by_label("Shape").select_option("steady")
    expect(page.get_by_label("Users", exact=True)).to_have_value("33")
    page.get_by_label("Shape").select_option("capacity")
    page.get_by_label("Most users").fill("2000")
    page.get_by_label("Start users").fill("20")
    page.get_by_label("Name").fill("search")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#run-title")).to_have_text("search")
    ((plan, _),) = master.conductor.plans
    assert (plan.shape, plan.users, plan.start_users, plan.precision_percent, plan.time_s) == (
        *("capacity", 2000, 20, 3, 360),
    )
    recorded = searches.found()
    master.conductor.view = live(planned_s=360.0, stages=None, search=searches.document(recorded, 105))
    expect(card(page)).to_contain_text("Step 8, bisect: 125\u00a0users, settling")
    expect(card(page)).to_contain_text("120\u00a0users held, 130\u00a0users broke; up to 2,000\u00a0users.")
    steps = page.locator("table.steps tbody tr")
    expect(steps).to_have_count(8)
    expect(steps.nth(3)).to_contain_text("fail")
    expect(steps.nth(7)).to_contain_text("settling")
    summary = summarise(recorded)
    changes = {"capacity": summary.capacity, "window": summary.window, "headline": summary.headline}
    master.conductor.end(**changes)
    expect(card(page)).to_contain_text("this target takes 122 users and 492 requests/s")
    expect(page.locator("#run .tiles")).to_contain_text("122\u00a0users")
    step = next(one for one in summary.capacity.steps if one.start_s == summary.window.start_s)  # type: ignore[union-attr]
    assert {name: of for name, (_, *of) in told(page).items() if of} == {
        "Throughput": ["at the capacity"], "Held": ["users"], "Broke": ["users"], "Recommended": ["users"],
        "Knee": ["users"], "p95": [f"step {step.number}"], "Failed": [f"step {step.number}"],
        "Requests": ["whole run"], "Workers": ["most at once"],
    }  # fmt: skip
    expect(steps).to_have_count(10)
    expect(row(page, "search")).to_contain_text("capacity 122\u00a0users")
    assert complaints == []


def test_a_search_whose_target_collapsed(visit: Open, master: Master) -> None:
    """It is said that it is waited for."""
    master.conductor.start(make(PLAN | {"shape": "capacity"}), by="ui")
    master.conductor.view = live(planned_s=360.0, stages=None, search=searches.document(searches.collapsed(), 30))
    page = visit()
    expect(card(page)).to_contain_text("The target collapsed at 80\u00a0users: waiting until it answers again")
    expect(page.locator("table.steps tbody tr").last).to_contain_text("collapsed")


def told(page: Page) -> dict[str, list[str]]:
    """Return what the tiles say: by their names, a value and what it is of."""
    tiles = page.locator("#run .tiles > div").all()
    return {tile.locator("dt").inner_text(): tile.locator("dd").all_inner_texts() for tile in tiles}


def mark_fresh(folder: RunFolder) -> None:
    """Have a run begun a minute ago."""
    run = folder.read_run()
    run.started = time.time() - 60
    folder.write_run(run)


def test_what_a_live_run_shows(visit: Open, master: Master) -> None:
    """Progress, figures, charts, SLOs, validity with its reasons, and each worker; and it moves on each second."""
    master.conductor.start(make(PLAN), by="ui")
    page = visit()
    texts = ["Holding 200 users", "38 s of 1 min 4 s", "191/s", "12.5 ms", "96.2 ms", "1,208 ms", "1.70%", "7,011"]
    for text in [*texts, "p95<450ms", "worker 3 does not answer", "degraded"]:
        expect(card(page)).to_contain_text(
            text.replace(" ms", "\u00a0ms").replace("8 s of 1 min 4 s", "8\u00a0s of 1\u00a0min\u00a04\u00a0s")
        )
    assert float(page.locator("progress").get_attribute("value") or 0) == pytest.approx(38 / 64)
    assert page.locator("#run table tbody tr").count() == 8
    charts = page.locator(".chart svg")
    assert [re.sub(r",.*", "", str(chart.get_attribute("aria-label"))) for chart in charts.all()] == [
        "Throughput", "p95", "Users", "Failed",
    ]  # fmt: skip
    gaps = str(page.locator(".chart .line").nth(1).get_attribute("d")).count("M")
    assert gaps == 2  # no p95 in seconds 0 and 20: two lines, not one through zero
    master.conductor.view = live(elapsed_s=39.0, users=150, target_users=100)
    expect(card(page)).to_contain_text("150 of 100")
    master.conductor.view = live(planned_s=None)
    expect(card(page)).to_contain_text("until it is stopped")
    assert page.locator("progress").get_attribute("value") is None


def test_figures_say_over_what_time_they_are(visit: Open, master: Master) -> None:
    """Three are named p95, and none is of the time that another is of; so too when the run is over."""
    master.conductor.start(make(PLAN), by="ui")
    page = visit()
    expect(card(page)).to_contain_text("Holding 200 users")
    recent = f"last {WINDOW_S} s"
    assert {name: of for name, (_, of) in told(page).items()} == {
        "Users": "now", "Throughput": recent, "p50": recent, "p95": recent, "p99": recent,
        "Failed": "since the start", "Requests": "since the start",
    }  # fmt: skip
    heads = [f"Each second of the last {SERIES_S / 60:g} min", "SLOs, since the first ramp", "Validity", "Workers"]
    assert card(page).locator("h3").all_inner_texts() == heads
    master.conductor.end()
    expect(card(page)).to_contain_text("PASS: 200 users")
    of_window = dict.fromkeys(("Throughput", "p50", "p95", "p99", "Failed"), "measured window")
    most = dict.fromkeys(("Users", "Workers"), "most at once")
    assert {name: of for name, (_, of) in told(page).items()} == {**of_window, "Requests": "whole run", **most}


def test_waiting_and_stopping(visit: Open, master: Master) -> None:
    """It says for what it waits; a stop is asked for once, and shown at once."""
    master.conductor.start(make(PLAN), by="ui")
    folder = RunFolder(master.conductor.root / str(master.conductor.active))
    set_status(folder, Status.WAITING)
    nothing: dict[str, Any] = {name: [] for name in live()["series"]}
    figures = ("fail_percent", "p50_ms", "p95_ms", "p99_ms")
    master.conductor.view = live(workers_ready=6, workers=[], series=nothing, **dict.fromkeys(figures))
    page = visit()
    expect(card(page)).to_contain_text("Waiting for workers: 6 of 8 are ready")
    expect(card(page)).to_contain_text("There is no worker")
    set_status(folder, Status.RUNNING)
    master.conductor.view = live()
    expect(card(page)).to_contain_text("Holding 200 users")
    stop = page.get_by_role("button", name="Stop")
    stop.click()
    expect(stop).to_be_disabled()
    assert master.conductor.stopped == [(folder.id, "user")]
    set_status(folder, Status.DRAINING)
    expect(card(page)).to_contain_text("the last reports come in")
    expect(stop).to_be_hidden()


def set_status(folder: RunFolder, status: Status) -> None:
    """Write a run's status."""
    run = folder.read_run()
    run.status = status
    folder.write_run(run)


def test_a_bad_plan_is_explained_at_its_field(visit: Open, master: Master) -> None:
    """The master's words, beside the button; the fields it names are marked, the first one has the focus."""
    page = visit()
    page.locator("[name=users]").fill("0")
    page.get_by_label("SLOs").fill("fast")
    page.get_by_role("button", name="Start").click()
    refusal = page.locator("#refusal")
    expect(refusal).to_contain_text("users 0 is not allowed")
    expect(refusal).to_contain_text("'fast' is not an SLO")
    expect(page.locator("[name=users]")).to_be_focused()
    assert page.locator("[aria-invalid]").count() == 2
    page.locator("[name=time]").fill("soon")
    page.get_by_role("button", name="Start").click()
    expect(refusal).to_contain_text("time soon is not allowed")
    page.locator("[name=time]").fill("10")
    page.locator("[name=users]").fill("1")
    page.get_by_label("SLOs").fill("")
    page.get_by_role("button", name="Start").click()
    wait_for("a run", lambda: master.conductor.plans)
    assert (master.conductor.plans[0][0].slos, master.conductor.plans[0][0].time_s) == ((), 10)


def test_past_runs_lead_to_their_figures_reports_and_files(visit: Open, master: Master, complaints: list[str]) -> None:
    """Each run can be looked at; its report draws itself under its policy; its archive is a file."""
    first, invalid, cut = kept(master.conductor.root, 3)
    reasons = (Reason("cpu", Level.INVALID, "Worker 2 used 97% of its CPU."), Reason("x", Level.VALID, "A note."))
    finish(
        invalid, verdict=Verdict.NONE, headline="INVALID: worker 2 was busy",
        validity=Validity(Level.INVALID, reasons, Accounting(1, 1, 0, 0, 1, 0, 0, None), None),
    )  # fmt: skip
    set_status(cut, Status.RUNNING)
    for file in (cut.summary, cut.html):
        file.unlink()
    page = visit()
    expect(card(page)).to_contain_text("It was cut short")
    expect(row(page, "run 2")).to_contain_text("aborted")
    row(page, "run 1").get_by_role("link", name="run 1").first.click()
    expect(card(page)).to_contain_text("INVALID: worker 2 was busy")
    expect(card(page)).to_contain_text("Worker 2 used 97% of its CPU.")
    expect(card(page)).not_to_contain_text("A note.")
    assert page.locator(".slos .badge").all_inner_texts() == ["void", "void"]  # as in its report
    expect(page.locator(".slos .badge.good, .slos .badge.bad")).to_have_count(0)
    expect(row(page, "run 1")).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(card(page)).to_contain_text("It was cut short")
    with page.expect_download() as download:
        row(page, "run 0").get_by_role("link", name="All files of run 0").click()
    assert download.value.suggested_filename == f"{first.id}.tar.gz"
    row(page, "run 0").get_by_role("link", name="run 0").first.click()
    expect(page.locator(".slos .badge.good")).to_have_text(["pass", "pass"])
    row(page, "run 0").get_by_role("link", name="Report of run 0").click()
    expect(page).to_have_title("drawn")
    assert page.evaluate("self.origin") == "null"
    assert complaints == []


def test_a_report_can_do_nothing_but_draw(visit: Open, url: str, master: Master) -> None:
    """Were something smuggled into it, it could neither start a run nor tell anyone."""
    (folder,) = kept(master.conductor.root, 1)
    asks = f"fetch('{url}/runs'), fetch('{url}/runs', {{mode: 'no-cors', method: 'POST', body: '{{}}'}})"
    tell = "() => document.title = 'sent', () => document.title = 'held'"
    folder.html.write_text(f"<!doctype html><title>x</title><script>Promise.any([{asks}]).then({tell})</script>")
    page = visit(f"/runs/{folder.id}/report")
    expect(page).to_have_title("held")


def test_names_are_text(visit: Open, master: Master, complaints: list[str]) -> None:
    """What a target or a user's file calls itself is shown as it is, nowhere read as HTML."""
    folder = begun(master.conductor.root, make(PLAN))
    run = folder.read_run()
    run.plan["name"] = NASTY
    folder.write_run(run)
    finish(folder, headline=NASTY, reported=True)
    page = visit()
    expect(page.locator("#run-title")).to_have_text(NASTY)
    expect(page.locator(".headline")).to_have_text(NASTY)
    expect(row(page, NASTY)).to_be_visible()
    assert page.locator("main img").count() == 0
    other = visit("/")
    expect(other.locator("#lab-bar")).to_contain_text(NASTY)
    assert other.locator("#lab-bar img").count() == 0
    assert complaints == []


def test_a_master_that_goes_away_and_comes_back(browser: Browser, master: Master) -> None:
    """The page says since when, keeps what it showed, and goes on by itself."""
    master.conductor.start(make(PLAN), by="ui")
    with master.served() as address:
        page = browser.new_page()
        page.goto(f"{address}/lab")
        expect(card(page)).to_contain_text("Holding 200 users")
    expect(page.locator("#away")).to_contain_text("has not answered since", timeout=15_000)
    expect(card(page)).to_contain_text("Holding 200 users")
    master.conductor.view = live(users=7, target_users=7)
    with master.served(int(address.rpartition(":")[2])):
        expect(page.locator("#away")).to_be_hidden(timeout=15_000)
        expect(card(page)).to_contain_text("Holding 7 users")
    page.close()


def test_an_unknown_run_is_said_to_be_one(visit: Open, master: Master) -> None:
    """An old link leads to a sentence, and the rest of the page works."""
    kept(master.conductor.root, 1)
    page = visit("/lab#run=20200101-000000")
    expect(card(page)).to_contain_text("There is no run '20200101-000000'")
    expect(row(page, "run 0")).to_be_visible()


def test_many_runs(visit: Open, master: Master) -> None:
    """Fifty are shown; the rest on demand."""
    kept(master.conductor.root, 60)
    page = visit()
    rows = page.locator("table.runs tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show all runs").click()
    expect(rows).to_have_count(60)
    expect(page.get_by_role("button", name="Show all runs")).to_be_hidden()


def test_locusts_own_ui_tells_of_runs(visit: Open, master: Master, complaints: list[str]) -> None:
    """Its Lab tab lists them with links; the bar above follows the one that is on, to its verdict."""
    kept(master.conductor.root, 2)
    master.conductor.start(make(PLAN), by="ui")
    master.runner.state = "running"
    page = visit("/")
    page.get_by_role("tab", name="Lab").click()
    expect(row(page, "before the release")).to_contain_text("running")
    expect(row(page, "run 0").get_by_role("link", name="Report of run 0")).to_be_visible()
    bar = page.locator("#lab-bar")
    expect(bar).to_contain_text("now before the release")
    master.runner.state = "stopping"
    for _ in range(2):  # an answer is up to two seconds old: the second one knows
        with page.expect_response("**/stats/requests"):
            pass
    master.runner.state = "stopped"
    master.conductor.end()
    expect(page.locator("header")).to_contain_text("stopped")
    expect(bar).to_contain_text("last run before the release")
    expect(bar).to_contain_text("pass")
    expect(row(page, "before the release")).to_contain_text("valid")
    bar.get_by_role("link", name="Lab", exact=True).click()
    expect(page).to_have_title(re.compile("Lab$"))
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_every_window(
    visit: Open, master: Master, screenshots: Path, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    """Nothing sticks out to the side, text stands out from what is behind it, every field has a label."""
    kept(master.conductor.root, 3)
    page = visit(size=size, scheme=scheme)
    expect(card(page)).to_contain_text("PASS")
    end = f"{'phone' if size == PHONE else 'desktop'}-{scheme}.png"
    page.screenshot(path=screenshots / f"lab-{end}", full_page=True)
    check_looks(page, size)
    void = RunFolder(master.conductor.root / page.locator("#run-id").inner_text())
    invalid = Validity(Level.INVALID, (), Accounting(1, 1, 0, 0, 1, 0, 0, None), None)
    finish(void, verdict=Verdict.NONE, validity=invalid, headline="INVALID: worker 2 was busy")
    page.reload()
    expect(page.locator(".slos")).to_contain_text("void")
    page.screenshot(path=screenshots / f"lab-void-{end}", full_page=True)
    check_looks(page, size)
    unlabelled = "[...document.querySelectorAll('input, select, textarea')].filter(each => !each.labels.length).length"
    assert page.evaluate(unlabelled) == 0
    master.conductor.start(make(PLAN), by="ui")
    page.reload()
    expect(card(page)).to_contain_text("Holding 200 users")
    page.screenshot(path=screenshots / f"lab-running-{end}", full_page=True)
    check_looks(page, size)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_search_fits_every_window(
    visit: Open, master: Master, screenshots: Path, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    """While it goes on, when it is over, and in the form."""
    recorded, end = searches.failed(), f"{'phone' if size == PHONE else 'desktop'}-{scheme}.png"
    page = visit(size=size, scheme=scheme)
    page.get_by_label("Shape").select_option("capacity")
    page.screenshot(path=screenshots / f"lab-search-form-{end}", full_page=True)
    check_looks(page, size)
    master.conductor.start(make(PLAN | {"shape": "capacity"}), by="ui")
    master.conductor.view = live(planned_s=360.0, stages=None, search=searches.measuring(recorded, 100))
    page.reload()
    expect(card(page)).to_contain_text("measuring")
    page.screenshot(path=screenshots / f"lab-search-{end}", full_page=True)
    check_looks(page, size)
    summary = summarise(recorded)
    changes = {"capacity": summary.capacity, "window": summary.window, "headline": summary.headline}
    master.conductor.end(**changes)
    expect(card(page)).to_contain_text("takes 100 users")
    page.screenshot(path=screenshots / f"lab-search-over-{end}", full_page=True)
    check_looks(page, size)


def check_looks(page: Page, size: tuple[int, int]) -> None:
    """Check that a page is as wide as its window, and the contrast of each text on it."""
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    faint = page.evaluate(FAINT)
    assert faint == []


# The texts whose contrast to what is behind them is below 4.5, as WCAG AA asks of them, but for disabled ones.
FAINT = """() => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const light = colour => colour.slice(0, 3).map(v => linear(v / 255))
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const behind = node => {
        for (; node; node = node.parentElement) {
            const colour = parts(getComputedStyle(node).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        const isSeen = node.checkVisibility() && !node.closest('script, noscript, .unseen, :disabled');
        if (!walker.currentNode.data.trim() || !isSeen) continue;
        const [one, other] = [light(parts(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
        const contrast = (one + .05) / (other + .05);
        if (contrast < 4.5) found.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
    }
    return found;
}"""
