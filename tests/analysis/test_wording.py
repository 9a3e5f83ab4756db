"""Numbers in sentences: rounded for people, never to something that they are not."""

from __future__ import annotations

import pytest

from loadlab.analysis import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0234, "0.0234"), (3.14159, "3.14"), (31.416, "31.4"), (99.96, "100"), (11_840.4, "11,840"), (5, "5")],
)
def test_a_figure_has_three_digits(value: float, text: str) -> None:
    """Small ones keep their size, great ones are whole."""
    assert wording.figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0%"),
        (100, "100%"),
        (0.004, "<0.01%"),
        (99.995, ">99.99%"),
        (99.95, "99.95%"),
        (1.224, "1.22%"),
        (81, "81%"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_all(value: float, text: str) -> None:
    """0% and 100% are what they say."""
    assert wording.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.4, "0.4 s"), (42, "42 s"), (119, "119 s"), (120, "2 min"), (200, "3 min 20 s")]
)
def test_times_in_seconds(value: float, text: str) -> None:
    """Minutes from two on."""
    assert wording.seconds(value) == text


def test_times_in_milliseconds() -> None:
    """Seconds from ten on."""
    assert (wording.ms(31.2), wording.ms(450), wording.ms(12_500)) == ("31.2 ms", "450 ms", "12.5 s")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.97, "0.97 ×"), (5.592, "5.59 ×"), (31.44, "31.4 ×"), (100.0, "100 ×"), (100.1, "more than 100 ×")],
)
def test_times_end_at_a_hundred(ratio: float, text: str) -> None:
    """11,645 × is noise; what is more than a hundred is more than at least so much, too."""
    assert wording.times(ratio) == text
    at_least = text if ratio > 100 else f"at least {text}"
    assert wording.times(ratio, is_at_least=True) == at_least


def test_nouns_have_their_number() -> None:
    """One request, two requests; irregular ones are given."""
    assert wording.many(1, "request") == "1 request"
    assert wording.many(11_840, "success", "successes") == "11,840 successes"
    assert [wording.noun(number, "core") for number in (0.5, 1, 1.0, 8)] == ["cores", "core", "core", "cores"]


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (list("abcde"), "a, b, c and 2 more"),
    ],
)
def test_lists_are_cut_when_long(items: list[str], text: str) -> None:
    """Three at most, and how many more."""
    assert wording.listed(items) == text


def test_moments_are_stretches() -> None:
    """Unbroken ones are put together, whatever their order."""
    assert wording.moments([50, 41, 43, 42]) == "41-43 and 50"
