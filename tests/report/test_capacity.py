"""What people see of a search for the capacity: page, terminal, list, JUnit. tests/searches.py makes the searches."""

from __future__ import annotations

import copy
import io
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from bokeh.models.annotations import Span
from bokeh.models.glyph import Glyph
from bokeh.models.glyphs import Line, Scatter
from bokeh.models.ranges import Range1d
from bokeh.models.renderers import GlyphRenderer
from rich.console import Console

from loadlab.analysis import series, slo, summarise
from loadlab.analysis.recording import Event, EventKind, Recording
from loadlab.analysis.search import StepOutcome
from loadlab.analysis.summary import Capacity, Summary
from loadlab.report import capacity_charts, capacity_view, html, junit, overview, plots, reading, text
from loadlab.report.plots import Chart
from tests import recordings, searches
from tests.report import folders
from tests.report.test_page import MOST_BYTES, Parsed, page_of

# What each search comes to: its capacity in words, and what is said of it.
ENDS = {
    "found": ("122 users", "confirmed: held for 45 s"),
    "collapsed": ("60 users", "confirmed: held for 45 s"),
    "failed": ("100 users", "confirmed: held for 45 s"),
    "cut_short": ("≥ 120 users", "the search was cut short"),
    "limited": ("≥ 80 users", "more could not be measured"),
    "all_held": ("≥ 100 users", "the most that were to be tried"),
    "none_held": ("none", "with a single user a promise broke"),
    "late": ("80 users", "unconfirmed: held for 6 s only"),
    "lost": ("40 users", "unconfirmed: held for 6 s only"),
    "few": ("none", "too few answers came to judge any"),
}


def recording(name: str) -> Recording:
    """Return the search of a name."""
    made: Recording = getattr(searches, name)()
    return made


def summary(name: str) -> Summary:
    """Return what it means."""
    return summarise.summarise(recording(name))


def capacity(name: str) -> Capacity:
    """Return what it found."""
    found = summary(name).capacity
    assert found is not None
    return found


def page(name: str) -> Parsed:
    """Return its page."""
    return Parsed(page_of(recording(name)))


def places(parsed: Parsed) -> set[str]:
    """Return the charts of a page."""
    return {str(attributes["id"]) for attributes in parsed.all("div") if attributes.get("class") == "plot"}


def charts(name: str) -> dict[str, Chart]:
    """Return the charts by users of a search."""
    promises = [slo.parse(promise) for promise in recording(name).run.slo]
    return {chart.key: chart for chart in capacity_charts.of(capacity(name), promises)}


def points(chart: Chart) -> dict[str, list[tuple[float, float]]]:
    """Return the points of a chart by outcome."""
    labels = {item.name: item.label for item in chart.legend}
    return {labels[name]: list(zip(data["x"], data["y"], strict=True)) for name, data in glyphs(chart, Scatter)}


def glyphs(chart: Chart, kind: type[Glyph]) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the data of all glyphs of a kind."""
    found: list[Any] = list(chart.plot.select({"type": GlyphRenderer}))
    return [(one.name, one.data_source.data) for one in found if isinstance(one.glyph, kind)]


@pytest.mark.parametrize("name", ENDS)
def test_every_end_is_told_alike(name: str) -> None:
    """Page and terminal say what was found, and how sure that is or why it is no more."""
    said, why = ENDS[name]
    value = summary(name)
    tiles = capacity_view.of(value)
    assert tiles is not None
    assert (tiles["tiles"][0].value, tiles["tiles"][0].under) == (said, why)
    lines = text.plain(value, recording(name).run).splitlines()
    (line,) = [line for line in lines if line.startswith("capacity ")]
    assert said in line
    assert line.endswith(f"({why})")
    made = page_of(recording(name))
    assert len(made) < MOST_BYTES
    assert said in Parsed(made).text()


def test_the_sentence_stands_on_top_and_the_capacity_below() -> None:
    """After the verdict, and before the promises."""
    found = page("found")
    told = found.text().partition("run report")[2]
    words = (
        "PASS",
        "this target takes 122 users and 492 requests/s",
        "Recommended",
        "judged on",
        "in the whole search",
    )
    positions = [told.index(word) for word in words]
    assert positions == sorted(positions)
    sections = [str(section["id"]) for section in found.all("section")]
    assert sections[:3] == ["capacity", "bottleneck", "promises"]
    assert "stages" not in sections
    assert "#capacity" in [link["href"] for link in found.all("a")]


def test_what_the_figures_are_of_is_said_in_words() -> None:
    """They are of the capacity's own step, not of all stages; each section says so, and none speaks of a window."""
    told = page("found").text()
    assert "the figures of the sections below are of step 10 at 122 users" in told
    for words in ("judged on step 10 at 122 users, 45 s", "of step 10 at 122 users; in the whole search"):
        assert words in told
    assert "measured window, 45 s" not in told
    assert "logarithmic axis, step 10 at 122 users" in told
    of_all, window = summary("found").totals, summary("found").window
    assert window.requests < of_all.requests / 2


def test_the_distribution_is_of_the_same_step() -> None:
    """The bars hold the answers that the figures are of, and no others."""
    window = summary("found").window
    bars = series.of(recording("found")).bars
    assert bars is not None
    assert window.ok is not None
    assert bars.ok.sum() == window.ok.count


def test_each_step_has_its_row() -> None:
    """Number, phase, users, outcome and why; the one that the figures are of is marked."""
    made = capacity_view.of(summary("found"))
    assert made is not None
    assert [(row["phase"], row["users"], row["word"]) for row in made["steps"]] == [
        *(("grow", 20, "pass"), ("grow", 40, "pass"), ("grow", 80, "pass"), ("grow", 160, "fail")),
        *(("bisect", 120, "pass"), ("bisect", 140, "fail"), ("bisect", 130, "fail"), ("bisect", 125, "fail")),
        *(("bisect", 122, "pass"), ("confirm", 122, "pass")),
    ]
    assert [row["number"] for row in made["steps"] if row["is_about"]] == [10]
    rows = [row for row in page("found").all("tr") if row.get("class") == "about"]
    assert len(rows) == 1
    assert all(row["reason"].startswith("p95<100ms: ") for row in made["steps"])


def test_a_collapse_and_its_recovery_are_told() -> None:
    """How often, how long it took; a step that was never measured has no figures."""
    made = capacity_view.of(summary("collapsed"))
    assert made is not None
    recovery = next(tile for tile in made["tiles"] if tile.key == "recovery")
    assert (recovery.value, recovery.under) == ("4 s", "at most, after 5 collapses")
    rows = [row for row in made["steps"] if row["word"] == "collapsed"]
    assert {(row["span"], row["p95"], row["throughput"], row["tone"]) for row in rows} == {("-", "-", "-", "fail")}
    assert next(tile for tile in made["tiles"] if tile.name == "Broke").under == "users: the target collapsed"
    assert "recovery     4 s at most after it collapsed" in text.plain(summary("collapsed"), recording("collapsed").run)
    lost = capacity_view.of(summary("lost"))
    assert lost is not None
    (recovery,) = [tile for tile in lost["tiles"] if tile.key == "recovery"]
    assert (recovery.value, recovery.under, recovery.bad) == ("none", "in 1 min after the load was taken away", True)
    assert "none in 1 min after it collapsed" in text.plain(summary("lost"), recording("lost").run)


def test_a_second_try_is_told_as_one() -> None:
    """In the table of the page and of the terminal."""
    made = capacity_view.of(summary("limited"))
    assert made is not None
    assert [row["phase"] for row in made["steps"]][-2:] == ["grow", "grow again"]
    assert "grow again" in text.plain(summary("limited"), recording("limited").run)


def test_the_chart_has_a_point_for_each_step() -> None:
    """At its users and its p95, or its throughput, told apart by its outcome."""
    steps = capacity("found").steps
    for key, figure in (("capacity-latency", "p95_ms"), ("capacity-throughput", "throughput_rps")):
        drawn = points(charts("found")[key])
        for outcome in (StepOutcome.PASS, StepOutcome.FAIL):
            wanted = [(step.users, getattr(step, figure)) for step in steps if step.outcome == outcome]
            assert drawn[outcome] == wanted
        assert set(drawn) == {"pass", "fail"}


def test_the_line_goes_by_the_last_word() -> None:
    """From left to right; of users that were tried twice, the later step counts."""
    chart = charts("found")["capacity-latency"]
    ((_, line),) = glyphs(chart, Line)
    assert line["x"] == [20, 40, 80, 120, 122, 125, 130, 140, 160]
    assert line["y"][4] == capacity("found").steps[-1].p95_ms


def test_a_collapse_stands_at_the_edge() -> None:
    """It has no response time and no throughput: it is drawn at the upper edge of one, and at 0 of the other."""
    drawn = charts("collapsed")
    latency, throughput = drawn["capacity-latency"], drawn["capacity-throughput"]
    assert isinstance(latency.plot.y_range, Range1d)
    top = latency.plot.y_range.end
    assert isinstance(top, float)
    assert [y for _, y in points(latency)["collapsed"]] == pytest.approx([0.95 * top] * 5)
    assert {y for _, y in points(throughput)["collapsed"]} == {0}
    assert {x for x, _ in points(latency)["collapsed"]} == {80, 70, 65, 62, 61}


@pytest.mark.parametrize("name", ENDS)
def test_what_was_found_is_marked(name: str) -> None:
    """The promise as a line, the capacity, what is recommended and the knee as far as there are any; nothing else."""
    found = capacity(name)
    legend = {item.label: item.dash for item in charts(name)["capacity-latency"].legend}
    promised = slo.parse(recording(name).run.slo[0])
    assert legend[f"SLO {promised.text}"] == "dashed"
    marks = {
        f"capacity {found.users} users": found.users,
        f"recommended {found.recommended_users} users": found.recommended_users,
        f"knee {found.knee_users} users": found.knee_users,
    }
    for label, there in marks.items():
        assert (label in legend) == (there is not None)
    spans: list[Any] = list(charts(name)["capacity-latency"].plot.select({"type": Span}))
    assert {span.location for span in spans} == {promised.limit, *(float(users) for users in marks.values() if users)}


def test_failures_have_a_chart_where_there_were_any() -> None:
    """With their promise as a line."""
    assert "capacity-failed" not in charts("found")
    chart = charts("failed")["capacity-failed"]
    assert "SLO fail<1%" in [item.label for item in chart.legend]
    assert max(y for _, y in points(chart)["fail"]) > 1
    assert {"chart-capacity-failed", "chart-capacity-latency", "chart-capacity-throughput"} <= places(page("failed"))


def test_promised_percentiles_are_the_ones_that_are_drawn() -> None:
    """Each with its own line and limit; of one endpoint's there is none, for steps tell of all requests."""
    promises = [slo.parse(promise) for promise in ("p50<30ms", "p99<1s", "GET /tests: p95<20ms", "rps>100")]
    made = {chart.key: chart for chart in capacity_charts.of(capacity("found"), promises)}
    labels = [item.label for item in made["capacity-latency"].legend]
    assert labels[:4] == ["p50", "p99", "SLO p50<30ms", "SLO p99<1s"]
    assert not any("p95" in label for label in labels)
    assert made["capacity-latency"].note == "logarithmic axis"
    assert "SLO rps>100" in [item.label for item in made["capacity-throughput"].legend]
    unpromised = capacity_charts.of(capacity("found"), [])[0]
    assert unpromised.legend[0].label == "p95"


def test_a_search_without_a_step_has_a_page() -> None:
    """It was stopped before its first step was over."""
    made = searches.record(searches.quick(), searches.plan(), stop_s=8)
    told = Parsed(page_of(made)).text()
    assert "UNDECIDED" in told or "INVALID" in told


def test_a_run_that_is_no_search_knows_nothing_of_all_this() -> None:
    """No section, no chart, no term, no row and no case."""
    plain = recordings.plausible()
    parsed = Parsed(html.page(plain, summarise.summarise(plain)))
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    assert not {"capacity", "what-capacity", "what-knee", "what-bracket"} & ids
    assert {"stages", "what-stage"} <= ids
    assert not [place for place in places(parsed) if "capacity" in place]
    assert "capacity" not in text.plain(summarise.summarise(plain), plain.run)
    assert reading.stretch(summarise.summarise(plain)) is None
    assert b"loadlab.capacity" not in junit.document(summarise.summarise(plain), plain.run)


@pytest.mark.parametrize("name", ["found", "collapsed", "limited"])
def test_its_charts_mark_what_says_something(name: str) -> None:
    """Steps that broke or do not count, recoveries, the end and trouble; not that each step begins, ends and passes."""
    made = recording(name)
    events = [*made.events, Event(7.0, EventKind.WORKER_MISSING, "worker 1 does not answer", 1)]
    told = plots.TimeAxis(series.of(made).t, 1.0, 100.0, events).marks.data["text"]
    steps = [event for event in made.events if event.kind is EventKind.STEP and event.data["outcome"] != "pass"]
    recoveries = [event for event in made.events if event.kind is EventKind.RECOVERED]
    wanted = [event.text for event in (*steps, *recoveries)] + ["worker 1 does not answer"]
    assert all(any(text in one for one in told) for text in wanted)
    assert len(told) == len(wanted) + 2  # the search's end, and the stop that it orders
    assert not any(" ends" in one and "step" in one for one in told)


def test_other_runs_mark_their_stages() -> None:
    """A few stages say where a run in steps stood."""
    events = [Event(5.0, EventKind.STAGE_STARTED, "stage 1: 20 users", None, {"users": 20})]
    assert plots.TimeAxis(series.of(recordings.plausible()).t, 1.0, 100.0, events).marks.data["x"] == [5000.0]


def test_texts_from_outside_stay_texts() -> None:
    """Reasons and promises that want to be markup, on the page and in the terminal."""
    wild = copy.deepcopy(recording("collapsed"))
    for event in wild.events:
        if event.kind is EventKind.STEP:
            event.data["reason"] = folders.HOSTILE
            event.data["broken"] = [folders.HOSTILE]
    parsed = Parsed(page_of(folders.hostile(wild)))
    assert parsed.all("img") == []
    assert len(parsed.all("script")) == len(page("found").all("script"))
    assert "\x1b" not in parsed.text()
    assert "\x1b" not in text.plain(summarise.summarise(wild), wild.run)


def test_the_same_search_gives_the_same_page() -> None:
    """Byte for byte."""
    assert page_of(recording("found")) == page_of(recording("found"))


def test_the_terminal_has_the_block() -> None:
    """What was found, the bracket, what is recommended, the steps, and why the upper end broke."""
    lines = text.plain(summary("found"), recording("found").run).splitlines()
    assert lines[0].startswith("PASS  With p95<100ms and fail<1% this target takes 122 users and 492 requests/s")
    assert lines[4:8] == [
        "capacity     122 users, 492 requests/s (confirmed: held for 45 s)",
        "bracket      122 held, 125 broke: p95<100ms",
        "recommended  97 users, 421 requests/s",
        "knee         80 users",
    ]
    assert lines[9].split()[:6] == ["step", "phase", "users", "outcome", "req/s", "failed"]
    assert [line.split()[:4] for line in lines[10:12]] == [["1", "grow", "20", "pass"], ["2", "grow", "40", "pass"]]
    assert "  ✗ 125 users: p95<100ms: 453 of 7,443 successes (6.09%) took 100 ms or more; at" in lines
    assert any(re.match("load +122 users, 492 requests/s, measured for 45 s", line) for line in lines)


@pytest.mark.parametrize("name", ENDS)
def test_the_terminal_is_80_columns_wide(name: str) -> None:
    """Whatever the search came to, and without a colour where none is wanted."""
    told = text.plain(summary(name), recording(name).run)
    assert max(map(len, told.splitlines())) <= 80
    assert "\x1b" not in told
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    console.print(text.render(summary(name), recording(name).run))


@pytest.mark.parametrize("name", ENDS)
def test_ci_is_green_exactly_when_the_exit_code_is_0(name: str) -> None:
    """A capacity that is sure passes; what is not sure, not there or not to be believed does not."""
    value = summary(name)
    (suite,) = ElementTree.fromstring(junit.document(value, recording(name).run))
    bad = int(str(suite.get("failures"))) + int(str(suite.get("errors")))
    assert (bad == 0) == (value.exit_code == 0) == (name in ("found", "collapsed", "failed", "all_held"))
    (case,) = [case for case in suite.iter("testcase") if case.get("classname") == "loadlab.capacity"]
    became = {"late": "error", "cut_short": "error", "few": "error", "none_held": "failure", "lost": "failure"}
    bad_kinds = [child.tag for child in case if child.tag != "system-out"]
    assert bad_kinds == ([] if value.exit_code == 0 else [became.get(name, "skipped")])
    assert capacity(name).sentence in "".join(case.itertext()) + "".join(child.get("message") or "" for child in case)


def test_the_figures_are_properties() -> None:
    """For those who draw them over time."""
    (suite,) = ElementTree.fromstring(junit.document(summary("found"), recording("found").run))
    told = {one.get("name"): one.get("value") for one in suite.iter("property")}
    wanted = {"capacity_users": "122", "capacity_rps": "491.533", "held_users": "122", "broke_users": "125"}
    assert told.items() >= (wanted | {"recommended_users": "97", "knee_users": "80"}).items()


def test_the_list_has_the_users_of_the_step(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Throughput and p95 in a line of the list are of the capacity: so are its users."""
    lines = {}
    for name in ("found", "limited", "all_held"):
        folder = folders.write(recording(name), tmp_path_factory.mktemp(name))
        folder.write_summary(summary(name))
        lines[name] = overview.line(folder)
    shown = {name: (line["shape"], line["users"], line["capacity_users"]) for name, line in lines.items()}
    assert shown == {
        "found": ("capacity", 122, 122),
        "limited": ("capacity", 160, None),
        "all_held": ("capacity", 100, None),
    }
    assert lines["found"]["throughput_rps"] == capacity("found").throughput_rps
