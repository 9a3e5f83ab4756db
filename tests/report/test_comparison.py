"""A comparison as text, as a page and as a document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadlab.analysis.compare import compare
from loadlab.analysis.comparison import Comparison, Differing
from loadlab.analysis.likeness import Measured
from loadlab.report import comparing, comparison_html, comparison_text
from loadlab.runfolder import COMPARISON, comparison_page
from tests import pairs, recordings
from tests.recordings import EndpointRecipe, Recipe, lognormal
from tests.report import folders
from tests.report.test_page import MOST_BYTES, Parsed, charts_json, policy
from tests.schemas import validator


def side(factor: float, seed: int, **more: object) -> Measured:
    """Return a run of two endpoints that are slower by a factor."""
    ends = [
        EndpointRecipe("GET", "/tests", 0.8, lognormal(12 * factor)),
        EndpointRecipe("POST", "/tests", 0.2, lognormal(26 * factor)),
    ]
    return pairs.of_recipe(Recipe(steps=((50, 60),), endpoints=ends, seed=seed, **more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sides() -> tuple[Measured, Measured]:
    """A run, and one of a target that is slower by a third."""
    return side(1.0, 1, name="before"), side(1.33, 2, name="after")


@pytest.fixture(scope="module")
def worse(sides: tuple[Measured, Measured]) -> Comparison:
    """What comes of them."""
    return compare([sides[0]], [sides[1]], allow_percent=5)


@pytest.fixture(scope="module")
def page(worse: Comparison, sides: tuple[Measured, Measured]) -> bytes:
    """Its page."""
    return comparison_html.page(worse, [sides[0]], [sides[1]])


@pytest.fixture(scope="module")
def parsed(page: bytes) -> Parsed:
    """The same, parsed."""
    return Parsed(page)


# --- Text -----------------------------------------------------------------------------------------------------------


def test_the_first_line_is_the_answer(worse: Comparison) -> None:
    """What, how much, and how many figures; both runs and what they kept stand below."""
    lines = comparison_text.plain(worse).splitlines()
    assert lines[0].startswith("WORSE  p95 from ")
    assert any(line.startswith("A  20251009-085320-before-1") for line in lines)
    assert any(line.split() == ["p95<450ms", "pass", "pass"] for line in lines)


def test_each_figure_has_a_line(worse: Comparison) -> None:
    """Of all requests and of each endpoint: both values, the change, its interval, what it is called."""
    lines = comparison_text.plain(worse).splitlines()
    at = {name: lines.index(name) for name in ("All requests", "GET /tests", "POST /tests")}
    assert sorted(at.values()) == list(at.values())
    for place in at.values():
        names = [line.split()[0] for line in lines[place + 2 : place + 8]]
        assert names == ["p50", "p95", "p99", "mean", "throughput", "failures"]
    assert lines[at["GET /tests"] + 2].endswith("WORSE")
    assert "p99 of POST /tests: A has 590 of the 1,000 successes" in " ".join(" ".join(lines).split())


def test_everything_fits_80_columns(worse: Comparison) -> None:
    """Whatever is in the names, and without an escape sequence."""
    long = replace(worse.a[0], run="r" * 90, revision="x" * 50)
    figures = tuple(replace(one, name=one.name and folders.HOSTILE + "y" * 200) for one in worse.figures)
    differs = (Differing("plan: host", folders.HOSTILE, "z" * 200),)
    text = comparison_text.plain(replace(worse, a=(long,), figures=figures, differs=differs, doubts=(folders.HOSTILE,)))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_very_many_endpoints_are_cut(worse: Comparison) -> None:
    """The busiest ten are told, and how many more there are."""
    figures = [replace(worse.figures[6], name=f"/{number}") for number in range(30)]
    text = comparison_text.plain(replace(worse, figures=(*worse.figures[:6], *figures)))
    assert "GET /9" in text
    assert "GET /10\n" not in text
    assert "and 20 more endpoints, see the page" in text


# --- Page -----------------------------------------------------------------------------------------------------------


def test_the_answer_stands_on_top(parsed: Parsed) -> None:
    """Outcome and headline, before everything else."""
    text = parsed.text().partition("comparison")[2]
    positions = [text.index(word) for word in ("before and after", "WORSE", "beyond the 5%", "p95 from", "Promises")]
    assert positions == sorted(positions)
    assert "WORSE: before and after" in parsed.text("title")


def test_every_link_leads_somewhere(parsed: Parsed) -> None:
    """Sections and terms are where the page says."""
    ids = {attributes.get("id") for _, attributes in parsed.elements}
    links = {str(link["href"]) for link in parsed.all("a")}
    assert {link[1:] for link in links} <= ids
    assert all(link.startswith("#") for link in links)
    assert {key for key, _ in comparison_html.SECTIONS} <= ids


def test_every_figure_is_in_the_table_with_its_interval_drawn(worse: Comparison, parsed: Parsed) -> None:
    """Each change in % that has an interval is drawn, within its cell."""
    drawn = [span for span in parsed.all("span") if str(span.get("class")).startswith("forest")]
    expected = [one for one in worse.figures if one.interval and one.interval_unit == "%"]
    assert len(drawn) == len(expected) > 12
    for span in drawn:
        places = dict(part.split(":") for part in str(span["style"]).split(";"))
        low, middle, high = (float(places[f"--{name}"]) for name in ("low", "middle", "high"))
        assert 0 <= low <= middle <= high <= 1


def test_both_sides_are_drawn(parsed: Parsed) -> None:
    """Percentiles and throughput over time, the distributions over one another."""
    places = {attributes["id"] for attributes in parsed.all("div") if attributes.get("class") == "plot"}
    assert places == {f"chart-{key}" for key in ("p50", "p95", "p99", "rps", "distribution")}
    assert set(json.loads(charts_json(parsed))["roots"].values()) == places
    legend = [button for button in parsed.all("button") if "data-renderer" in button]
    assert len(legend) == 2 * len(places) + 2


def test_the_page_is_small_and_alone(page: bytes, parsed: Parsed) -> None:
    """It asks for nothing and runs only its own scripts."""
    assert len(page) < MOST_BYTES
    assert policy(parsed)["default-src"] == "'none'"
    assert "connect-src" not in policy(parsed)
    for tag, attributes in parsed.elements:
        assert not {"src", "srcset", "action", "data", "poster"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")]


def test_the_same_runs_give_the_same_page(page: bytes, worse: Comparison, sides: tuple[Measured, Measured]) -> None:
    """Byte for byte."""
    assert comparison_html.page(worse, [sides[0]], [sides[1]]) == page


def test_texts_from_outside_stay_texts() -> None:
    """Names that want to be markup add no element; they are shown."""
    a, b = (pairs.measured(folders.hostile(pairs.recorded(seed))) for seed in (1, 2))
    found = compare([a], [b], differs=(Differing(folders.HOSTILE, folders.HOSTILE, folders.HOSTILE),))
    parsed = Parsed(comparison_html.page(found, [a], [b]))
    assert parsed.all("img") == []
    assert "<img src=x onerror=alert(1)>" in parsed.text()
    assert "\x1b" not in parsed.text()
    for mark in ("<", ">", "&"):
        assert mark not in charts_json(parsed)


def odd_sides() -> Iterator[tuple[list[Measured], list[Measured]]]:
    """Yield sides that have next to nothing, or are not alike at all."""
    yield [pairs.run(1, hold_s=5)], [pairs.run(2, hold_s=5)]
    yield [pairs.run(1)], [pairs.run(2, hold_s=25)]
    yield [pairs.run(1), pairs.run(2)], [pairs.run(3)]
    nothing = pairs.recorded(4)
    nothing.seconds, nothing.events = [], []
    yield [pairs.run(1)], [pairs.measured(nothing)]
    yield [pairs.measured(nothing)], [pairs.measured(nothing)]
    yield [pairs.measured(recordings.plausible())], [pairs.run(1)]
    yield [pairs.run(1)], [pairs.of_recipe(Recipe(steps=((20, 30),), fails=lambda _t: 1.0))]


@pytest.mark.parametrize("number", range(7))
def test_whatever_the_sides_are_there_is_a_page(number: int) -> None:
    """Text, page and a document that is as the schema says."""
    a, b = list(odd_sides())[number]
    found = compare(a, b)
    assert Parsed(comparison_html.page(found, a, b)).text()
    assert comparison_text.plain(found)
    assert list(validator("comparison").iter_errors(json.loads(COMPARISON.dump(found)))) == []


# --- Document and files ---------------------------------------------------------------------------------------------


def test_the_document_is_as_its_schema_says(worse: Comparison) -> None:
    """And reads as what was written."""
    document = COMPARISON.dump(worse)
    assert list(validator("comparison").iter_errors(json.loads(document))) == []
    assert COMPARISON.load(document) == worse


def test_the_page_of_two_sides_has_one_place(tmp_path: Path) -> None:
    """Named by the runs of both; by very many of them, cut, and still another for others."""
    assert comparison_page(tmp_path, ["a"], ["b", "c"]) == tmp_path / "comparisons" / "a_vs_b+c.html"
    many = [comparison_page(tmp_path, [f"{n}" * 60 for n in range(8)], [last]) for last in ("x", "y")]
    assert many[0] != many[1]
    assert max(len(one.name) for one in many) < 220


def test_what_the_master_starts_prints_the_page(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """python -m loadlab.report.comparing: the page on stdout, or the reason on stderr and an exit code."""
    paths = [str(folders.write(pairs.recorded(seed), tmp_path).path) for seed in (1, 2)]
    other = pairs.recorded(3, users=40)
    paths.append(str(folders.write(other, tmp_path).path))
    assert comparing.main(paths[:2]) == 0
    assert capfdbinary.readouterr().out.startswith(b"<!DOCTYPE html>")
    assert comparing.main([paths[0], paths[2]]) == 2
    said = capfdbinary.readouterr()
    assert (said.out, b"plan: users: 50 in A, 40 in B" in said.err) == (b"", True)
    assert comparing.main([paths[0], paths[2], "--force"]) == 0
    assert comparing.main([f"{paths[0]},{paths[1]}", str(tmp_path / "none")]) == 1
