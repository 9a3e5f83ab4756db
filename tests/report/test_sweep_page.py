"""The page of a sweep, and what a terminal shows of it. tests/stack/test_sweep_page.py opens it in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from bokeh.models.glyphs import VBar

from loadlab.analysis.sweep import Axis, Point, State, Sweep, SweepStatus
from loadlab.report import sweep_charts, sweep_html, sweep_text
from tests.analysis import sweeps
from tests.analysis.sweeps import NO_CPU, SHORT, UNMEASURED, capacity, figures, invalid, no_capacity, point
from tests.report.folders import HOSTILE
from tests.report.test_page import MOST_BYTES, Parsed, charts_json, policy

NAMES = ["scaled", "spoilt", "replicas", "capacities"]


def law(n: int) -> float:
    """Return the throughput of N with some contention."""
    return 400 * n / (1 + 0.08 * (n - 1) + 0.01 * n * (n - 1))


def scaled() -> Sweep:
    """Return a sweep that can be fitted, each point twice."""
    off = {1: 1.01, 2: 0.98}
    runs = [point(n, figures(law(n) * off[repeat]), repeat) for repeat in (1, 2) for n in (1, 2, 4, 8)]
    return sweeps.finished(sweeps.sweep(runs))


def spoilt() -> Sweep:
    """Return a sweep in which everything that can be amiss is."""
    points = [
        point(1, invalid(390, NO_CPU)),
        point(2, figures(700, machine_percent=97.0)),
        point(3, invalid(100, SHORT)),
        point(4, None),
        Point(8, 1, State.INTERRUPTED, "20260102-030408-sweep"),
        Point(16, 1),
    ]
    return sweeps.finished(sweeps.sweep(points, status=SweepStatus.INTERRUPTED, name="spoilt"))


def replicas() -> Sweep:
    """Return a sweep of replicas."""
    given = {1: figures(300), 2: figures(500, balance=0.999), 4: figures(700, balance=0.7)}
    return sweeps.finished(sweeps.sweep(given, axis=Axis.API, balancer="lb"))


def capacities() -> Sweep:
    """Return a sweep of searches for the capacity, each point twice; one number was to no avail."""
    found = {1: (100, 104), 2: (180, 187), 8: (300, 310)}
    runs = [point(n, capacity(users[r - 1], 2.5 * users[r - 1]), r) for r in (1, 2) for n, users in found.items()]
    runs += [point(4, no_capacity(900, UNMEASURED, NO_CPU), 1), point(4, no_capacity(2), 2)]
    made = sweeps.searches(sorted(runs, key=lambda one: (one.repeat, one.count)), axis=Axis.API, balancer="lb")
    return sweeps.finished(made)


def test_the_answer_stands_on_top() -> None:
    """What the last step brought, what the machine's cores do to it, and then the rest."""
    parsed = Parsed(sweep_html.page(spoilt()))
    text = parsed.text().partition("sweep report")[2]
    wanted = [
        "spoilt",
        "3 of 6 points measured",
        "interrupted",
        "2 workers make 1.79 x the load of 1",
        "share the 2 cores",
    ]
    positions = [text.index(word) for word in (*wanted, "Growth", "Runs")]
    assert positions == sorted(positions)


def test_every_run_is_led_to() -> None:
    """Each has a line with a link to its own report; one that failed has its reason, and none is lost."""
    parsed = Parsed(sweep_html.page(spoilt()))
    links = {link["href"] for link in parsed.all("a") if not str(link["href"]).startswith("#")}
    made = [one for one in spoilt().points if one.run]
    assert links == {f"../{one.run}/report.html" for one in made}
    text = parsed.text()
    for said in ("The rig was not ready within 120 s.", "The load was 20% below", "pending", "failed"):
        assert said in text


def test_the_charts_have_their_places() -> None:
    """Throughput, response times and cores; with a fit, its curve, its band, and proportional growth beside them."""
    parsed = Parsed(sweep_html.page(scaled()))
    content = json.loads(charts_json(parsed))
    places = {attributes["id"] for attributes in parsed.all("div") if attributes.get("class") == "plot"}
    assert set(content["roots"].values()) == places == {"chart-throughput", "chart-latency", "chart-cores"}
    legends = parsed.text("button")
    for item in ("Universal Scalability Law", "95% of the fit", "in proportion to 1", "runs", "all else"):
        assert item in legends
    without = Parsed(sweep_html.page(spoilt())).text("button")
    assert "Universal Scalability Law" not in without
    assert "runs that cannot be believed" in without


def test_what_a_legend_shows_is_what_is_drawn() -> None:
    """Runs are dots, their mean a line; the fit is a line, its band an area: no two look alike."""
    chart = sweep_charts.of(scaled(), [])[0]
    assert {item.label: item.dash for item in chart.legend} == {
        "95% of the fit": "band",
        "Universal Scalability Law": "solid",
        "in proportion to 1": "dashed",
        "mean": "solid",
        "runs": "circle",
    }
    assert len({(item.colour, item.dash) for item in chart.legend}) == len(chart.legend)


@pytest.mark.parametrize("counts", [(1, 2), (1, 2, 4, 8), (4, 8), (3, 5, 4), (8,)], ids=str)
def test_no_bar_is_cut_off_or_touches_another(counts: tuple[int, ...]) -> None:
    """Each is as wide as the others, and whole within its chart."""
    made = sweeps.finished(sweeps.sweep({count: figures(law(count)) for count in counts}))
    plot: Any = next(one.plot for one in sweep_charts.of(made, []) if one.key == "cores")
    bars: list[Any] = [one.glyph for one in plot.renderers if isinstance(one.glyph, VBar)]
    (width,) = {bar.width for bar in bars}
    assert width > 0
    assert min(counts) - width / 2 >= plot.x_range.start
    assert max(counts) + width / 2 <= plot.x_range.end
    assert all(after - before > width for before, after in pairwise(sorted(counts)))


def test_the_fit_or_why_there_is_none() -> None:
    """Its parameters with their intervals, or the refusal in plain words."""
    text = Parsed(sweep_html.page(scaled())).text()
    for said in ("One alone", "Contention", "Coherency", "Greatest throughput", "(95%)", "of 8 runs"):
        assert said in text
    refused = Parsed(sweep_html.page(spoilt())).text()
    assert "The Universal Scalability Law is not fitted: it wants at least 4 different numbers of workers" in refused


def test_replicas_have_their_balance() -> None:
    """And the page says how they were reached."""
    text = Parsed(sweep_html.page(replicas())).text()
    for said in ("sweep of replicas of the API", "load balancer HAProxy", "Balance", "0.999", "0.700"):
        assert said in text
    assert "Balance" not in Parsed(sweep_html.page(scaled())).text("th", "a")


def test_capacities_are_said_to_be() -> None:
    """Above the table, in the headline, in the chart of the users; a search to no avail has its reason in its line."""
    parsed = Parsed(sweep_html.page(capacities()))
    text = parsed.text()
    for said in (
        "Capacities: the most users, and their requests/s, that hold p95<450ms and fail<1%.",
        "the mean of the capacities",
        "each dot is a search",
        "searches for the capacity, up to 10,000 users",
        "The greatest capacity was 305 users and 762 requests/s with 8 replicas",
        "No capacity: With p95<450ms this target takes not even one user: p95<450ms broke.",
        "No capacity was found with 4 replicas (run 1): generator-limited at 160 users",
        "Users that hold the SLOs",
        "Throughput at the capacity",
    ):
        assert said in text, said
    assert "without a capacity" in parsed.text("button")
    places = {attributes["id"] for attributes in parsed.all("div") if attributes.get("class") == "plot"}
    assert places == {"chart-throughput", "chart-users", "chart-latency", "chart-cores"}
    of_runs = Parsed(sweep_html.page(scaled())).text().partition("What the figures mean")[0]
    assert "Capacities" not in of_runs
    assert "Users" not in of_runs


@pytest.mark.parametrize("make", [replicas, capacities])
def test_every_figure_is_explained(make: Callable[[], Sweep]) -> None:
    """Figures' names link to their meaning, which is in the page."""
    parsed = Parsed(sweep_html.page(make()))
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    explained = [str(link["href"])[1:] for link in parsed.all("a") if link.get("class") == "what"]
    assert len(explained) > 8
    assert set(explained) <= ids
    assert {anchor for anchor, _ in sweep_html.SECTIONS} <= ids


@pytest.mark.parametrize("sweep", [scaled(), spoilt(), replicas(), capacities()], ids=NAMES)
def test_the_page_is_small_offline_and_the_same_each_time(sweep: Sweep) -> None:
    """Nothing is fetched, only its own scripts may run, byte for byte the same."""
    page = sweep_html.page(sweep)
    parsed = Parsed(page)
    assert len(page) < MOST_BYTES
    assert sweep_html.page(sweep) == page
    assert policy(parsed)["default-src"] == "'none'"
    assert len(policy(parsed)["script-src"].split()) == 3
    for tag, attributes in parsed.elements:
        assert not {"src", "srcset", "action", "data", "poster"} & set(attributes), tag


def test_a_sweep_of_which_nothing_was_measured_has_a_page() -> None:
    """It was interrupted in its first point, say."""
    made = sweeps.finished(sweeps.sweep([Point(1, 1), Point(2, 1)], status=SweepStatus.INTERRUPTED))
    text = Parsed(sweep_html.page(made)).text()
    assert "No point gave a measurement that can be believed." in text
    assert "No point gave a figure that can be drawn." in text


def test_texts_from_outside_stay_texts() -> None:
    """Names, reasons and knobs that want to be markup add no element, to the page or to a terminal."""
    tame = spoilt()
    points = tuple(replace(one, error=HOSTILE, run=one.run and f"x{HOSTILE}") for one in tame.points)
    wild = replace(tame, name=HOSTILE, points=points, knobs={HOSTILE: HOSTILE}, plan={**tame.plan, HOSTILE: HOSTILE})
    parsed = Parsed(sweep_html.page(sweeps.finished(wild)))
    assert parsed.all("img") == []
    assert len(parsed.all("script")) == len(Parsed(sweep_html.page(tame)).all("script"))
    assert "\x1b" not in parsed.text() + sweep_text.plain(sweeps.finished(wild))


# --- In a terminal ---------------------------------------------------------------------------------------------------


def test_the_terminal_has_the_answer_the_table_and_the_rest() -> None:
    """On 80 columns, without colour."""
    lines = sweep_text.plain(spoilt()).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("2 workers make 1.79 x the load of 1")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()[:2].strip().isdigit()}
    assert rows["2"] == ["700", "1.79", "x", "90%", "40.0", "110", "97%", "valid"]
    assert rows["3"][-1] == "invalid"
    assert rows["4"][-2:] == ["not", "measured"]
    assert "The rig was not ready within 120 s." in " ".join(lines)


def test_repeats_have_their_range() -> None:
    """The least and the greatest throughput of the runs, still on 80 columns."""
    lines = sweep_text.plain(scaled()).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("392-404" in line for line in lines)


def test_the_terminal_tells_of_capacities() -> None:
    """The users beside the requests/s, both of what holds the SLOs; what was to no avail is no row of figures."""
    lines = sweep_text.plain(capacities()).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("Capacities: the most users") for line in lines)
    heading = next(line for line in lines if line.startswith("replicas"))
    assert heading.split()[:3] == ["replicas", "users", "req/s"]
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()[:2].strip().isdigit()}
    assert rows["8"][:3] == ["305", "762", "750-775"]
    assert rows["4"] == [*["-"] * 7, "invalid"]
    alone = sweeps.finished(sweeps.searches({1: no_capacity(2), 2: capacity(100, 250)}))
    assert any(line.split()[-2:] == ["no", "capacity"] for line in sweep_text.plain(alone).splitlines())
