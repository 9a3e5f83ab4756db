"""Numbers as the sentences of the analysis say them."""

from __future__ import annotations

MOST_TIMES = 100


def many(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: 1 worker, 8 workers, 11,840 requests."""
    return f"{number:,} {noun(number, one, several)}"


def noun(number: float, one: str, several: str = "") -> str:
    """Return the noun that belongs to a number, fractions allowed: core of 1, cores of 0.5 or 8."""
    return one if number == 1 else several or one + "s"


def figure(value: float) -> str:
    """Return a value to three significant digits, whole above 100: 0.02, 3.14, 31.4, 11,840."""
    size = abs(value)
    if size >= 99.95 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def times(ratio: float, *, is_at_least: bool = False) -> str:
    """Return how many times as much something is: 5.6 ×, at least 12 ×; beyond 100 no figure, which would be noise."""
    if ratio > MOST_TIMES:
        return f"more than {MOST_TIMES} ×"
    return f"{'at least ' if is_at_least else ''}{figure(ratio)} ×"


def ms(value: float) -> str:
    """Return a time given in ms: 0.4 ms, 31 ms, 12.5 s."""
    return f"{figure(value)} ms" if abs(value) < 10_000 else f"{figure(value / 1000)} s"


def seconds(value: float) -> str:
    """Return a time given in s: 0.4 s, 42 s, 3 min 20 s."""
    if value < 120:
        return f"{figure(value)} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,} min {rest} s" if rest else f"{minutes:,} min"


def percent(value: float) -> str:
    """Return a share given in %, never rounded to 0 or 100 where it is neither: <0.01%, 0.02%, 1.5%, 99.99%."""
    if value == int(value):
        return f"{value:.0f}%"
    if value < 0.01:
        return "<0.01%"
    if value > 99.99:
        return ">99.99%"
    return f"{value:.2f}%" if value > 99 else f"{value:.3g}%"


def listed(items: list[str], most: int = 3) -> str:
    """Return things one after another: a, b and c; the first few and how many more there are."""
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def moments(times: list[int]) -> str:
    """Return seconds of a run as stretches: 41, 41-43, 41-43 and 50."""
    stretches: list[list[int]] = []
    for t in sorted(set(times)):
        if stretches and stretches[-1][-1] == t - 1:
            stretches[-1][1:] = [t]
        else:
            stretches.append([t])
    return listed(["-".join(str(t) for t in stretch) for stretch in stretches])
