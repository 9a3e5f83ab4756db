"""Numbers as people read them."""

from __future__ import annotations

import pytest

from loadlab.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0%"),
        (0.004, "<0.01%"),
        (0.13, "0.13%"),
        (1.0, "1%"),
        (12.34, "12.3%"),
        (99.987, "99.99%"),
        (99.9999, "99.9999%"),
        (99.99999, "99.9999%"),
        (100.0, "100%"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(value: float | None, text: str) -> None:
    """0% and 100% are said only of what is exactly that."""
    assert words.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0123, "0.012"),
        (1.0, "1.00"),
        (9.996, "10.0"),
        (99.96, "100"),
        (450.0, "450"),
        (12345.6, "12,346"),
        (None, "-"),
    ],
)
def test_a_number_has_three_digits(value: float | None, text: str) -> None:
    """A measured value is said to three significant digits, also where rounding carries."""
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.500 s"),
        (4.0, "4 s"),
        (42.4, "42 s"),
        (59.7, "1 min"),
        (125.0, "2 min 5 s"),
        (3600.0, "1 h"),
        (3783.0, "1 h 3 min"),
        (187_200.0, "2 d 4 h"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: float, text: str) -> None:
    """Lengths of time are said in the units that people use."""
    assert words.span(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(450.0, "ms", "450 ms"), (0.5, "%", "0.5%"), (150.0, "/s", "150/s"), (30_000.0, "ms", "30 s"), (1.0, "", "1")],
)
def test_a_limit_has_the_digits_that_it_was_given(value: float, unit: str, text: str) -> None:
    """What was promised is not rounded, and gets no digits that nobody gave."""
    assert words.limit(value, unit) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(37.0, 38.5, "37.0 to 38.5 ms"), (None, 3.0, "≤ 3.00 ms"), (3.0, None, "≥ 3.00 ms"), (None, None, "-")],
)
def test_an_interval_may_be_open(low: float | None, high: float | None, text: str) -> None:
    """An interval without an end to one side has only the other."""
    assert words.between(low, high, "ms") == text


def test_what_controls_a_terminal_is_taken_out() -> None:
    """Escape sequences, line breaks, marks that turn the writing round and lone surrogates do not get through."""
    assert words.plain("a\x1b[2J\n\u202eb\ud800\x9b") == "a\ufffd[2J\ufffd\ufffdb\ufffd\ufffd"
    assert words.plain("GET /tests/é 東京") == "GET /tests/é 東京"


def test_a_moment_is_said_as_on_a_watch() -> None:
    """Minutes and seconds, hours only where there are any."""
    assert [words.clock(t) for t in (41.9, 725.0, 3725.0)] == ["0:41", "12:05", "1:02:05"]


def test_bytes_are_said_in_binary_units() -> None:
    """1 MiB is 1024 KiB."""
    assert [words.size(n) for n in (512, 1536, 5 << 20, 3 << 30)] == ["512 B", "1.5 KiB", "5 MiB", "3 GiB"]
