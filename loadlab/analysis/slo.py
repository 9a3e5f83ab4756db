"""Service level objectives: `[METHOD NAME:] METRIC OP VALUE[UNIT]`, such as `p95<450ms` or `POST /tests: fail<1%`.

METRIC is p50 to p99.9, max, mean (of the successful answers' times), rps (throughput), fail (share of failed requests),
lost-writes or lag (the generator's own). A percentile is judged by counting the answers on the promise's good side, not
from a histogram, so the judgement is exact however coarse the histogram.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from operator import ge, gt, le, lt

OPERATORS: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
TIME_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "": 1.0}
UNITS: dict[str, dict[str, float]] = {
    "time": TIME_UNITS_MS,
    "share": {"%": 1.0, "": 1.0},
    "throughput": {"/s": 1.0, "": 1.0},
    "number": {"": 1.0},
}
KINDS = {"max": "time", "mean": "time", "lag": "time", "rps": "throughput", "fail": "share", "lost-writes": "number"}
OF_NO_ENDPOINT = ("lag", "lost-writes")
DEFAULTS = ("p95<450ms", "fail<1%")
GRAMMAR = "[METHOD NAME:] METRIC OP VALUE[UNIT], for example 'p95<450ms', 'POST /tests: p99<800ms' or 'fail<1%'"

_WHOLE = re.compile(r"^(?:(?P<method>[A-Z]+)\s+(?P<name>\S.*?)\s*:\s*)?(?P<metric>[a-z-]+[\d.]*)\s*"
                    r"(?P<op><=|>=|<|>)\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[a-z/%]*)$")  # fmt: skip
_PERCENTILE = re.compile(r"^p(\d{2}(?:\.\d+)?)$")


class SloError(ValueError):
    """A promise that cannot be read: names the text, and what is allowed."""


class Outcome(StrEnum):
    """How a promise was judged."""

    PASS = "pass"
    FAIL = "fail"
    INSUFFICIENT = "insufficient samples"


@dataclass(frozen=True)
class Slo:
    """One promise. `limit` is in ms for times, % for shares, 1/s for throughput; `rank` is a percentile's, else None.

    `method` and `name` choose one endpoint; both are None for all of them together.
    """

    text: str
    metric: str
    operator: str
    limit: float
    rank: float | None = None
    method: str | None = None
    name: str | None = None

    def holds_for(self, value: float) -> bool:
        """Tell whether a measured value, in the unit of `limit`, keeps the promise."""
        return OPERATORS[self.operator](value, self.limit)

    @property
    def kind(self) -> str:
        """Return time, share, throughput or number."""
        return "time" if self.rank is not None else KINDS[self.metric]

    @property
    def unit(self) -> str:
        """Return the unit of `limit`: ms, %, /s, or none."""
        return {"time": "ms", "share": "%", "throughput": "/s", "number": ""}[self.kind]

    @property
    def threshold_us(self) -> int | None:
        """Return the least whole µs that lie beyond the limit of a percentile; None of other metrics.

        With `<` and `>=` the limit itself is beyond it, with `<=` and `>` it is not.
        """
        if self.rank is None:
            return None
        limit_us = round(self.limit * 1000, 3)  # 0.29 ms is 290 µs, not 290.00000000000006
        return math.ceil(limit_us) if self.operator in ("<", ">=") else math.floor(limit_us) + 1


def parse(text: str) -> Slo:
    """Read a promise.

    Raises:
        SloError: names the text and what is wrong with it.
    """
    match = _WHOLE.match(text.strip())
    if not match:
        raise SloError(f"{text!r} is not an SLO. Write {GRAMMAR}.")
    metric = match["metric"]
    rank = _rank(metric, text)
    kind = "time" if rank is not None else KINDS[metric]
    units = UNITS[kind]
    if match["unit"] not in units:
        allowed = ", ".join(unit for unit in units if unit) or "none"
        raise SloError(f"{text!r}: {match['unit']!r} is not a unit of {metric}. Allowed: {allowed}.")
    limit = float(match["value"]) * units[match["unit"]]
    if match["method"] and metric in OF_NO_ENDPOINT:
        raise SloError(f"{text!r}: {metric} is of the whole run, not of an endpoint. Write '{metric}' alone.")
    if kind == "share" and limit > 100:
        raise SloError(f"{text!r}: a share is at most 100%.")
    return Slo(text.strip(), metric, match["op"], limit, rank, match["method"], match["name"])


def split(text: str) -> tuple[str, ...]:
    """Return the promises of a list separated by commas, such as the knob SLO holds."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def thresholds_us(slos: Iterable[Slo]) -> tuple[int, ...]:
    """Return the thresholds in µs that successes must be counted against for some promises: each once, rising."""
    return tuple(sorted({slo.threshold_us for slo in slos if slo.threshold_us is not None}))


def _rank(metric: str, text: str) -> float | None:
    percentile = _PERCENTILE.match(metric)
    if percentile and 50 <= float(percentile[1]) <= 99.9:
        return float(percentile[1])
    if metric not in KINDS:
        raise SloError(f"{text!r}: {metric!r} is not a metric. Allowed: p50 to p99.9, {', '.join(sorted(KINDS))}.")
    return None
