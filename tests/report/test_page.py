"""The page: whole, small, offline, the same each time, and deaf to what texts from outside want. See also
tests/stack/test_report_page.py, where a browser opens it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from loadlab.analysis import summarise
from loadlab.analysis.recording import Event, EventKind, Phases, Recording, Status
from loadlab.analysis.summary import Headroom
from loadlab.report import html
from tests import recordings
from tests.report import folders, summaries

MOST_BYTES = 3_000_000
VOID_ELEMENTS = {"meta", "link", "br", "img", "input", "hr"}


class Parsed(HTMLParser):
    """A page's elements, texts and scripts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.contents: list[tuple[str, str]] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is closed where another element is open"

    def handle_data(self, data: str) -> None:
        self.contents.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, *tags: str) -> str:
        """Return what stands in elements of some kinds; in any but scripts and styles where none is named."""
        wanted = [data for tag, data in self.contents if (tag in tags if tags else tag not in ("script", "style"))]
        return " ".join(" ".join(wanted).split())


def page_of(recording: Recording) -> bytes:
    """Return the page of a recording."""
    return html.page(recording, summarise.summarise(recording))


@pytest.fixture(scope="module")
def page() -> bytes:
    """The page of a run with failures and a worker lost."""
    return page_of(recordings.plausible())


@pytest.fixture(scope="module")
def parsed(page: bytes) -> Parsed:
    """The same, parsed."""
    return Parsed(page)


def test_verdict_and_validity_stand_on_top(parsed: Parsed) -> None:
    """The first thing in the page after the run's name is the verdict, the validity and the reasons of both."""
    text = parsed.text().partition("run report")[2]
    positions = [
        text.index(word) for word in ("nightly", "FAIL", "measurement degraded", "Worker 5 was lost", "Promises")
    ]
    assert positions == sorted(positions)
    assert "FAIL: nightly" in parsed.text("title")


def test_the_headroom_has_a_tile_and_a_sentence() -> None:
    """Where a calibration is of the run's kind; else the sentence says why there is none."""
    recording = recordings.make()
    assert 'id="headroom"' not in page_of(recording).decode()
    for known, tile in (
        (summaries.headroom(), "Headroom 100 × calibrated 2025-10-09"),
        (summaries.headroom(ratio=11_645.2, is_at_least=True), "Headroom more than 100 × calibrated"),
        (summaries.headroom(ratio=12.3, is_at_least=True), "Headroom at least 12.3 × calibrated"),
        (unlike(), "Headroom -"),
    ):
        summary = replace(summarise.summarise(recording), headroom=known)
        text = Parsed(html.page(recording, summary)).text()
        assert tile in text
        assert f": {known.sentence}" in text


def unlike() -> Headroom:
    """Return what is said where the calibration is of another kind."""
    sentence = "Not stated: the calibration nearest to this run was with 1 worker, not 4."
    return summaries.headroom(ratio=None, ceiling_rps=None, used_rps=None, sentence=sentence)


def test_a_calibration_says_its_ceiling() -> None:
    """In tiles, and in a sentence with what takes from it."""
    recording = recordings.make()
    summary = replace(summarise.summarise(recording), calibration=summaries.calibration())
    text = Parsed(html.page(recording, summary)).text()
    assert "Ceiling 5,000 requests/s for each of 4 workers" in text
    assert "CPU a request 195 µs of a worker" in text
    assert "(195 µs of CPU a request). 25% of the requests failed." in text


def test_every_section_is_there(parsed: Parsed) -> None:
    """Each link of the contents leads to a section with a heading."""
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    assert {key for key, _ in html.SECTIONS} - {"capacity"} <= ids  # see test_capacity.py
    links = {str(link["href"]) for link in parsed.all("a")}
    assert {link[1:] for link in links} <= ids
    assert all(link.startswith("#") for link in links)


def test_every_figure_is_explained(parsed: Parsed) -> None:
    """Figures' names link to their meaning and have it as a hint."""
    explained = [link for link in parsed.all("a") if link.get("class") == "what"]
    assert len(explained) > 25
    assert all(link.get("title") for link in explained)


def test_charts_have_their_places(parsed: Parsed) -> None:
    """Each root of the charts' document is drawn into an element of the page, and the other way round."""
    content = json.loads(charts_json(parsed))
    places = {attributes["id"] for attributes in parsed.all("div") if attributes.get("class") == "plot"}
    assert set(content["roots"].values()) == places
    wanted = {"throughput", "latency", "failures", "distribution", "worker-cpu", "worker-lag", "target-cpu"}
    assert {f"chart-{key}" for key in (*wanted, "target-memory", "target-throttled", "worker-users")} == places


def charts_json(parsed: Parsed) -> str:
    """Return the charts' document."""
    return next(data for tag, data in parsed.contents if tag == "script" and data.startswith('{"document"'))


def test_the_page_is_small(page: bytes) -> None:
    """Charting library and all."""
    assert len(page) < MOST_BYTES


def test_nothing_is_fetched(parsed: Parsed) -> None:
    """No element names anything to fetch, and the page's own policy forbids every request."""
    for tag, attributes in parsed.elements:
        assert not {"src", "srcset", "action", "data", "poster"} & set(attributes), tag
        assert tag not in ("iframe", "object", "embed", "base", "form")
    assert [link["href"] for link in parsed.all("link")] == ["data:,"]
    assert "url(" not in parsed.text("style")
    assert policy(parsed)["default-src"] == "'none'"
    assert "connect-src" not in policy(parsed)


def test_only_the_pages_own_scripts_may_run(page: bytes, parsed: Parsed) -> None:
    """The policy names the hash of each script of the page, and nothing else."""
    found = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in found]
    assert len(hashes) == 3
    assert policy(parsed)["script-src"].split() == hashes
    assert not [attributes for _, attributes in parsed.elements if any(name.startswith("on") for name in attributes)]


def policy(parsed: Parsed) -> dict[str, str]:
    """Return the page's Content-Security-Policy by directive."""
    (content,) = [meta["content"] for meta in parsed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    return dict(part.strip().partition(" ")[::2] for part in str(content).split(";"))


def test_texts_from_outside_stay_texts() -> None:
    """Names, errors and events that want to be markup, script, template or formula add no element and no script."""
    recording = recordings.plausible()
    tame = Parsed(page_of(recordings.plausible()))
    wild = Parsed(page_of(folders.hostile(recording)))
    assert wild.all("img") == []
    assert len(wild.all("script")) == len(tame.all("script"))
    assert "<img src=x onerror=alert(1)>" in wild.text()
    assert "{{ 7 * 7 }}" in wild.text()
    assert "\x1b" not in wild.text()
    for mark in ("<", ">", "&"):
        assert mark not in charts_json(wild)


def test_what_gives_out_first_stands_before_the_promises() -> None:
    """The sentence, then what is at its limit or near it, with evidence and advice; the rest is folded away."""
    summary = summarise.summarise(recordings.make())
    parsed = Parsed(html.page(recordings.make(), replace(summary, bottleneck=summaries.bottleneck())))
    text = parsed.text().partition("What gives out first")[2].partition("judged on the")[0]
    said = (
        *("The first thing to give out is", "at its limit", "held it back in 97%", "Give it more CPU.", "85%"),
        *("follows from the target's CPU", "What else was looked at", "120 MiB", "not told"),
    )
    positions = [text.index(word) for word in said]
    assert positions == sorted(positions)
    assert len(parsed.all("details")) == 1


def test_a_run_of_before_has_no_bottleneck() -> None:
    """Its page has neither the section nor the way to it."""
    summary = replace(summarise.summarise(recordings.make()), bottleneck=None)
    parsed = Parsed(html.page(recordings.make(), summary))
    assert "#bottleneck" not in {link["href"] for link in parsed.all("a")}
    assert "What gives out first" not in parsed.text()


def test_instances_are_told_apart() -> None:
    """Answers, share and wait of each, the slowest first; of one there is nothing to tell."""
    recording = recordings.make()
    for second in recording.seconds:
        for cell in second.cells:
            cell.phases = Phases(timed=4, wait_us=70, instances={"a": 3, "b": 1}, instances_us={"a": 30, "b": 40})
    text = Parsed(page_of(recording)).text().partition("Where the time goes")[2].partition("Reliability")[0]
    assert "Waited b 120 25% 0.040 ms a 360 75% 0.010 ms" in text


def test_the_same_run_gives_the_same_page(page: bytes) -> None:
    """Byte for byte, whatever was drawn before."""
    assert page_of(recordings.plausible()) == page


@pytest.mark.parametrize("status", [Status.WAITING, Status.RUNNING, Status.ABORTED])
def test_a_run_of_which_nothing_was_recorded_has_a_page(status: Status) -> None:
    """It never began, or its master died in its first second: the page says what there is to say."""
    recording = recordings.make()
    recording.seconds, recording.events, recording.run.counters = [], [], []
    recording.run.status, recording.run.started, recording.run.duration_s = status, None, None
    recording.partial = True
    text = Parsed(page_of(recording)).text()
    assert "INVALID" in text
    assert "No worker told anything." in text


def test_a_run_of_a_single_second_has_a_page() -> None:
    """With one point, every line is a point."""
    recording = recordings.make()
    recording.seconds, recording.events = recording.seconds[:1], []
    assert b"chart-throughput" in page_of(recording)


def test_a_run_without_failures_promises_or_target_has_a_page() -> None:
    """What is not there leaves no empty chart behind."""
    parsed = Parsed(page_of(recordings.make(recordings.Recipe(slos=(), instances=0, steps=((20, 10),)))))
    places = {attributes["id"] for attributes in parsed.all("div") if attributes.get("class") == "plot"}
    assert not {"chart-failures", "chart-target-cpu", "chart-target-memory"} & places
    assert "This run had no SLO." in parsed.text()
    assert "The target told nothing of itself" in parsed.text()


def test_very_many_events_leave_trouble_in_sight() -> None:
    """The list is cut, but never its trouble while there is something else to cut; the page stays small."""
    recording = recordings.make()
    recording.events += [Event(float(n % 60), EventKind.WORKER_BACK, f"noise {n}") for n in range(20)]
    recording.events += [Event(float(n % 60), EventKind.STOP_ORDERED, f"noise {n}") for n in range(3000)]
    recording.events.append(Event(59.5, EventKind.FAULT, "the very last trouble"))
    page = page_of(recording)
    text = Parsed(page).text()
    assert "the very last trouble" in text
    assert f"the {html.MOST_EVENTS} weightiest are listed" in text
    assert len(page) < MOST_BYTES


def test_many_workers_are_told_as_one() -> None:
    """200 workers do not make 600 lines."""
    page = page_of(recordings.make(recordings.Recipe(workers=200, steps=((400, 8),), spawn_rate=400)))
    parsed = Parsed(page)
    assert "all workers" in parsed.text()
    assert "worker-200" in parsed.text()
    assert len(page) < MOST_BYTES


def test_where_the_time_goes_is_told_where_the_client_tells() -> None:
    """With what the target says that it took itself beside what was waited, and the connections that were made."""
    assert "Where the time goes" not in Parsed(page_of(recordings.plausible())).text()
    recording = recordings.plausible()
    for second in recording.seconds:
        for cell in second.cells:
            count = cell.ok.n if cell.ok else 0
            cell.phases = Phases(
                count, 30 * count, 8000 * count, connects=1, connect_us=2500, app=count, app_us=5000 * count
            )
    text = Parsed(page_of(recording)).text()
    for said in ("Where the time goes", "8.00 ms", "5.00 ms", "2.50 ms"):
        assert said in text
