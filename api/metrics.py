"""Prometheus metrics, summed over all gunicorn workers of this instance."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY

from api import surroundings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LABELS = ("method", "route", "status")
_BUCKETS_S = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.45, 1.0, 2.5, 5.0, 10.0
)  # fmt: skip

requests = Counter("api_requests", "Requests answered.", _LABELS)
duration = Histogram(
    "api_request_duration_seconds",
    "Time from the whole request being read to the answer being ready to send.",
    _LABELS,
    buckets=_BUCKETS_S,
)
in_flight = Gauge("api_requests_in_flight", "Requests being served now.", multiprocess_mode="livesum")
refused = Counter("api_requests_refused", "Requests answered 503 because API_MAX_IN_FLIGHT was reached.")
items_written = Counter("api_items_written", "Items committed to the store.")
store_failures = Counter("api_store_failures", "Requests answered 503 because the store was away.")

_children: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}


def observe(method: str, route: str, status: str, elapsed_s: float) -> None:
    """Count one answered request. ``route`` is a pattern such as ``/tests/{id}``, never a path."""
    key = (method, route, status)
    children = _children.get(key)
    if children is None:
        # labels() checks and joins its arguments each time: as dear as the counting itself.
        children = _children[key] = (requests.labels(*key), duration.labels(*key))
    children[0].inc()
    children[1].observe(elapsed_s)


def exposition() -> bytes:
    """Everything in Prometheus' text format. A fresh registry each time: the files are read anew."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        surroundings.register(registry)
        return generate_latest(registry)
    own = CollectorRegistry()
    surroundings.register(own)
    return generate_latest(REGISTRY) + generate_latest(own)
