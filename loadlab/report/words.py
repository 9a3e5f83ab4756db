"""Numbers and names as people read them: one place, so that text, page and JUnit say the same."""

from __future__ import annotations

import unicodedata

from loadlab.analysis.wording import many, times

__all__ = ["many", "times"]
NOTHING = "-"


def plain(text: str) -> str:
    """Return a text from outside as one harmless line: what controls a terminal or breaks XML is replaced."""
    return "".join(character if _is_printable(character) else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_printable(character: str) -> bool:
    # Cs: lone surrogates, Cc: controls, Cf: such as marks that turn the direction of writing, Cn: unassigned.
    return character == " " or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")


def count(value: float | None) -> str:
    """Return a whole number with its thousands parted."""
    return NOTHING if value is None else f"{value:,.0f}"


def number(value: float | None) -> str:
    """Return a measured value to three significant digits, whole above 100."""
    if value is None:
        return NOTHING
    absolute = abs(value)
    if value == 0 or absolute >= 99.95:
        return f"{value:,.0f}"
    if absolute >= 9.995:
        return f"{value:.1f}"
    if absolute >= 0.9995:
        return f"{value:.2f}"
    return f"{value:.3f}" if absolute >= 0.0005 else f"{value:.1g}"


def limit(value: float | None, unit: str = "") -> str:
    """Return a value that was set, not measured, with its unit: no more digits than were given."""
    if value is None:
        return NOTHING
    if unit == "ms" and value >= 10_000:
        value, unit = value / 1000, "s"
    return f"{value:,.12g}" + (f" {unit}" if unit in ("ms", "s") else unit)


def milliseconds(value: float | None) -> str:
    """Return a time given in ms, with its unit: seconds from 10 s on."""
    if value is None:
        return NOTHING
    return f"{number(value)} ms" if abs(value) < 10_000 else f"{number(value / 1000)} s"


def percent(value: float | None) -> str:
    """Return a share: not rounded to 0% or 100% where it is neither."""
    if value is None:
        return NOTHING
    if value == int(value):
        return f"{value:.0f}%"
    if 0 < value < 0.01:
        return "<0.01%"
    if 99.99 < value < 100:
        return f"{int(value * 10_000) / 10_000:.4f}%"
    return f"{value:.2f}%" if value < 10 or value > 99 else f"{value:.1f}%"


def span(seconds: float | None) -> str:
    """Return a length of time: 0.8 s, 42 s, 2 min 5 s, 1 h 3 min, 2 d 4 h."""
    if seconds is None:
        return NOTHING
    if seconds < 59.5:
        return f"{number(seconds)} s" if seconds < 10 and seconds != int(seconds) else f"{seconds:.0f} s"
    whole = round(seconds)
    for size, unit, smaller, small_unit in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size:,} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"


def clock(seconds: float) -> str:
    """Return a moment of a run as people point at it: 0:41, 12:05, 1:02:05."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def size(value: float | None) -> str:
    """Return a number of bytes in binary units: 38.1 MiB."""
    if value is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:,.3g} TiB"


def quantity(value: float | None, unit: str) -> str:
    """Return a value with the unit that a promise is judged in: ms, %, /s or none."""
    if value is None:
        return NOTHING
    if unit == "ms":
        return milliseconds(value)
    return percent(value) if unit == "%" else f"{number(value)}{unit}"


def headline(text: str, verdict: str) -> str:
    """Return the headline of a summary without the verdict's word, where that stands beside it."""
    return plain(text.removeprefix(f"{verdict}: "))


def between(low: float | None, high: float | None, unit: str) -> str:
    """Return an interval; where it is open to one side, only the other's end."""
    if low is None and high is None:
        return NOTHING
    if low is None:
        return f"≤ {quantity(high, unit)}"
    if high is None:
        return f"≥ {quantity(low, unit)}"
    if unit == "ms" and high < 10_000:
        return f"{number(low)} to {number(high)} ms"
    return f"{quantity(low, unit)} to {quantity(high, unit)}"
