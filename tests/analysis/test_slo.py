"""The grammar of promises: what is read, and what is refused with which words."""

from __future__ import annotations

import pytest

from loadlab.analysis.slo import DEFAULTS, Slo, SloError, parse, thresholds_us


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("p95<450ms", Slo("p95<450ms", "p95", "<", 450, 95)),
        (" p50 <= 0.2 s ", Slo("p50 <= 0.2 s", "p50", "<=", 200, 50)),
        ("p99.9<1500", Slo("p99.9<1500", "p99.9", "<", 1500, 99.9)),
        ("max<250us", Slo("max<250us", "max", "<", 0.25)),
        ("mean<1s", Slo("mean<1s", "mean", "<", 1000)),
        ("fail<1%", Slo("fail<1%", "fail", "<", 1)),
        ("rps>=117/s", Slo("rps>=117/s", "rps", ">=", 117)),
        ("lost-writes<=0", Slo("lost-writes<=0", "lost-writes", "<=", 0)),
        ("lag<10ms", Slo("lag<10ms", "lag", "<", 10)),
        ("POST /tests: p99<800ms", Slo("POST /tests: p99<800ms", "p99", "<", 800, 99, "POST", "/tests")),
        ("GET /a b:fail<2", Slo("GET /a b:fail<2", "fail", "<", 2, None, "GET", "/a b")),
    ],
)
def test_a_promise_is_read(text: str, read: Slo) -> None:
    """Metric, operator, limit in its unit, and the endpoint if one is named."""
    assert parse(text) == read


def test_the_defaults_are_the_labs() -> None:
    """No answer over 450 ms but for one in twenty, and less than 1% failed."""
    assert [(slo.metric, slo.limit, slo.kind) for slo in map(parse, DEFAULTS)] == [
        ("p95", 450, "time"),
        ("fail", 1, "share"),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is not an SLO"),
        ("p95", "is not an SLO"),
        ("p95=450", "is not an SLO"),
        ("p95<-1ms", "is not an SLO"),
        ("p95<ms", "is not an SLO"),
        ("get /tests: p95<1ms", "is not an SLO"),
        ("p49<1ms", "'p49' is not a metric"),
        ("p100<1ms", "'p100' is not a metric"),
        ("latency<1ms", "'latency' is not a metric"),
        ("p95<4kg", "'kg' is not a unit of p95. Allowed: us, ms, s."),
        ("fail<1ms", "'ms' is not a unit of fail. Allowed: %."),
        ("fail<101%", "a share is at most 100%"),
        ("GET /tests: lag<10ms", "lag is of the whole run"),
        ("GET /tests: lost-writes<=0", "lost-writes is of the whole run"),
    ],
)
def test_what_is_no_promise_is_refused(text: str, named: str) -> None:
    """The error names the text, what is wrong with it and what is allowed."""
    with pytest.raises(SloError) as refusal:
        parse(text)
    assert named in str(refusal.value)
    assert repr(text) in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("p95<450ms", 449.9, True), ("p95<450ms", 450, False), ("p95<=450ms", 450, True), ("rps>100", 100, False)],
)
def test_a_limit_is_met_or_not(text: str, value: float, holds: bool) -> None:
    """The operator decides what happens at the limit itself."""
    assert parse(text).holds_for(value) is holds


@pytest.mark.parametrize(
    ("text", "threshold_us"),
    [
        ("p95<450ms", 450_000),  # 450 ms itself is beyond
        ("p95<=450ms", 450_001),  # here it is not
        ("p95>450ms", 450_001),
        ("p95>=450ms", 450_000),
        ("p95<0.29ms", 290),  # 0.29 * 1000 is 290.00000000000006 to a float
        ("p95<0.2905ms", 291),  # times are whole µs: 290 is below, 291 is beyond
        ("p95<=0.2905ms", 291),
        ("p95<1us", 1),
        ("max<450ms", None),
        ("fail<1%", None),
    ],
)
def test_a_percentile_has_a_threshold_in_whole_microseconds(text: str, threshold_us: int | None) -> None:
    """A success of at least that many µs is beyond the limit, and one of a µs less is not."""
    assert parse(text).threshold_us == threshold_us


def test_thresholds_are_counted_once_and_in_order() -> None:
    """Two promises on one limit need one counter; metrics without a threshold need none."""
    texts = ("p99<1s", "p95<450ms", "fail<1%", "POST /tests: p50<450ms", "mean<1s")
    assert thresholds_us(parse(text) for text in texts) == (450_000, 1_000_000)
    assert thresholds_us([]) == ()
