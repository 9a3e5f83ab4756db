"""What the truth server writes down of itself: how many of what, how long each took, and when."""

from __future__ import annotations

import math
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

RANKS = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


def nearest_rank(ordered: Sequence[int], rank: float) -> int:
    """Return the least of the values, given in ascending order, which `rank` % of them do not exceed."""
    return ordered[max(1, math.ceil(len(ordered) * rank / 100 - 1e-9)) - 1]


@dataclass
class Endpoint:
    """One method and path. `statuses` counts what was answered; `abandoned` were hung up on before their answer."""

    received: int = 0
    abandoned: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        """How many got their whole answer."""
        return self.statuses.total()


@dataclass
class Books:
    """Everything since the start or the last reset.

    Times are whole µs from the last byte of a request being read to the last byte of its answer being given to the
    kernel, of successes (status below 400) and failures apart. `arrivals` and `answers` count by Unix second.
    """

    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    ok_us: array[int] = field(default_factory=lambda: array("Q"))
    failed_us: array[int] = field(default_factory=lambda: array("Q"))
    arrivals: Counter[int] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    first: float | None = None
    last: float | None = None
    freezes: list[tuple[float, float]] = field(default_factory=list)
    connections_made: int = 0
    lag_us: array[int] = field(default_factory=lambda: array("Q"))  # by how much timers of this server were late

    def receive(self, name: str) -> Endpoint:
        """Note a whole request and return where its end is to be noted."""
        now = time.time()
        self.first = now if self.first is None else self.first
        self.last = now
        self.arrivals[int(now)] += 1
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            endpoint = self.endpoints[name] = Endpoint()
        endpoint.received += 1
        return endpoint

    def answer(self, endpoint: Endpoint, status: int, took_us: int) -> None:
        """Note an answer that was given."""
        endpoint.statuses[status] += 1
        self.answers[int(time.time())] += 1
        (self.ok_us if status < 400 else self.failed_us).append(took_us)

    def document(self) -> dict[str, Any]:
        """Return it all but the single values, as JSON has it; times of day are Unix seconds."""
        received = sum(endpoint.received for endpoint in self.endpoints.values())
        answered = sum(endpoint.answered for endpoint in self.endpoints.values())
        abandoned = sum(endpoint.abandoned for endpoint in self.endpoints.values())
        return {
            "received": received,
            "answered": answered,
            "abandoned": abandoned,
            "in_flight": received - answered - abandoned,
            "failed": len(self.failed_us),
            "endpoints": {
                name: {"received": one.received, "answered": one.answered, "statuses": dict(one.statuses)}
                for name, one in self.endpoints.items()
            },
            "ok": summary(self.ok_us),
            "first": self.first,
            "last": self.last,
            "freezes": self.freezes,
            "connections_made": self.connections_made,
            "lag": summary(self.lag_us),
            "arrivals": dict(self.arrivals),
            "answers": dict(self.answers),
        }

    def metrics(self) -> str:
        """Return the counters in Prometheus' text format, under the names of the bundled API."""
        lines = ["# TYPE api_requests_total counter"]
        for name, one in self.endpoints.items():
            method, route = name.split(" ", 1)
            lines += [
                f'api_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
                for status, count in one.statuses.items()
            ]
        in_flight = sum(one.received - one.answered - one.abandoned for one in self.endpoints.values())
        lines += ["# TYPE api_requests_in_flight gauge", f"api_requests_in_flight {in_flight}", ""]
        return "\n".join(lines)


def summary(values_us: Sequence[int]) -> dict[str, Any]:
    """Return how many there are, and their extremes, mean and percentiles in ms; of nothing, the number alone."""
    if not values_us:
        return {"count": 0}
    ordered = sorted(values_us)
    return {
        "count": len(ordered),
        "min_ms": ordered[0] / 1000,
        "max_ms": ordered[-1] / 1000,
        "mean_ms": sum(ordered) / len(ordered) / 1000,
        "percentiles_ms": {f"p{rank:g}": nearest_rank(ordered, rank) / 1000 for rank in RANKS},
    }
