"""The recorder counts every request once, exactly, in the second in which it ended."""

from __future__ import annotations

import math
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locust.event import EventHook
from locust.exception import CatchResponseError, ResponseError

from loadlab.analysis.histogram import LONGEST_US, bucket_of
from loadlab.generator import recorder
from loadlab.generator.http.head import head_of
from loadlab.generator.recorder import KIND_LENGTH, OTHERS, Recorder, Tally, kind_of, packed
from tests.generator.fakes import Clock, sent

MS = st.none() | st.floats(-1, LONGEST_US / 500, allow_nan=False) | st.floats(0, 1) | st.integers(0, 10**6)
LENGTHS = st.none() | st.integers(0, 10**9)
ENDPOINTS = st.sampled_from([("GET", "/"), ("POST", "/"), ("GET", "/x")])
WRONG = ResponseError("wrong")


def begun(*thresholds_us: int, zero: float = 0.0) -> tuple[Recorder, Clock]:
    """Return a recorder that has just begun, and its clock."""
    clock = Clock(zero)
    made = Recorder(clock)
    made.begin(zero, thresholds_us)
    return made, clock


def record(to: Recorder, ms: float | None, *, key: Any = ("GET", "/"), error: Any = None, length: Any = 0) -> None:
    """Record a request as Locust's event does."""
    event = EventHook()
    event.add_listener(to.on_request)
    given = {"response_length": length, "context": {}, "start_time": 1.0, "url": "http://x/"}
    event.fire(request_type=key[0], name=key[1], response_time=ms, exception=error, **given)


def only(of: Recorder) -> Tally:
    """Return the only tally of the only second."""
    ((_, tallies),) = of.take(everything=True)
    (tally,) = tallies.values()
    return tally


def us_of(ms: float | None) -> int:
    """Return a response time in whole µs."""
    return min(int((ms or 0) * 1000), LONGEST_US)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ENDPOINTS, MS, st.booleans(), LENGTHS)), st.sets(st.integers(0, 10**7), max_size=4))
def test_every_figure_is_exact(requests: list[Any], thresholds_us: set[int]) -> None:
    """Counts by bucket, sums, extremes, bytes and thresholds: successes and failures each for themselves."""
    made, _ = begun(*thresholds_us)
    for key, ms, is_failed, length in requests:
        record(made, ms, key=key, error=WRONG if is_failed else None, length=length)
    tallies = made.take(everything=True)[0][1] if requests else {}
    assert made.recorded == len(requests)
    assert set(tallies) == {key for key, *_ in requests}
    for key, tally in tallies.items():
        mine = [(us_of(ms), is_failed, length) for own, ms, is_failed, length in requests if own == key]
        ok = [us for us, is_failed, _ in mine if not is_failed]
        failed = [us for us, is_failed, _ in mine if is_failed]
        assert tally.ok == Counter(map(bucket_of, ok))
        assert tally.failed == Counter(map(bucket_of, failed))
        assert (tally.ok_sum, tally.failed_sum) == (sum(ok), sum(failed))
        if ok:
            assert (tally.ok_min, tally.ok_max) == (min(ok), max(*ok, 0))
        if failed:
            assert (tally.failed_min, tally.failed_max) == (min(failed), max(*failed, 0))
        assert tally.bytes == sum(length or 0 for *_, length in mine)
        assert tally.slow == [sum(us >= limit for us in ok) for limit in sorted(thresholds_us)]
        assert sum(tally.errors.values()) == len(failed)


@pytest.mark.parametrize("limit_ms", [1, 100, 450, 800, 60_000])
def test_the_threshold_itself_is_beyond(limit_ms: int) -> None:
    """A success of the limit counts as slow, one a hair below does not, and a failure never does."""
    made, _ = begun(limit_ms * 1000)
    record(made, math.nextafter(limit_ms, 0) - 0.001)
    record(made, limit_ms, error=WRONG)
    tally = made._tallies["GET", "/"]
    assert tally.slow == [0]
    record(made, limit_ms)
    assert tally.slow == [1]
    record(made, float(limit_ms))
    assert tally.slow == [2]


def test_thresholds_are_told_in_rising_order() -> None:
    """However they were given."""
    made, _ = begun(3000, 1000, 2000)
    for ms in (1, 2, 2.5):
        record(made, ms)
    assert only(made).slow == [3, 2, 0]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, 20)),
        st.tuples(st.just("request"), ENDPOINTS),
        st.tuples(st.just("take"), st.none()),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(STEPS, st.integers(0, 80))
def test_nothing_is_lost_or_doubled_whenever_it_is_taken(steps: list[tuple[str, Any]], zero: int) -> None:
    """Whatever the order of requests, takes and time: each is in one take, under the second in which it ended."""
    made, clock = begun(zero=zero / 8)  # eighths of a second are exact
    wanted: Counter[Any] = Counter()
    got: Counter[Any] = Counter()
    seconds: list[int] = []
    for what, detail in [*steps, ("pass", 8), ("take", None)]:
        present = int(clock.now - zero / 8)
        if what == "pass":
            clock.now += detail / 8
        elif what == "request":
            record(made, 5, key=detail)
            wanted[present, detail] += 1
        else:
            for second, tallies in made.take():
                assert second < present  # the present one is not over
                seconds.append(second)
                got.update({(second, key): sum(tally.ok.values()) for key, tally in tallies.items()})
    assert got == wanted
    assert seconds == sorted(set(seconds))  # oldest first, each once
    assert made.take(everything=True) == []


def test_the_present_second_is_handed_over_when_asked() -> None:
    """With everything asked for, and what comes later in it is handed over as well, once."""
    made, clock = begun()
    record(made, 1)
    assert made.take() == []
    clock.now = 0.5
    assert [second for second, _ in made.take(everything=True)] == [0]
    assert made.take(everything=True) == []
    record(made, 1)
    clock.now = 3.0
    assert [second for second, _ in made.take()] == [0]


def test_a_request_counts_where_it_ended() -> None:
    """One of 2 s that ends at 2.5 s is in second 2, not where it began."""
    made, clock = begun(zero=100.0)
    clock.now = 102.5
    record(made, 2000)
    clock.now = 103.0
    assert [second for second, _ in made.take()] == [2]
    assert made.now() == 3.0


def test_beginning_anew_forgets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, seconds not taken, thresholds, and the endpoints and kinds that count towards the bounds."""
    monkeypatch.setattr(recorder, "MOST_ENDPOINTS", 1)
    monkeypatch.setattr(recorder, "MOST_KINDS", 1)
    made, clock = begun(1)
    record(made, 5, error=WRONG)
    clock.now = 1.0
    record(made, 5)
    made.begin(10.0, (7000, 6000))
    clock.now = 10.0
    assert (made.recorded, made.take(everything=True)) == (0, [])
    record(made, 6, key=("GET", "/other"), error=ResponseError("other"))
    record(made, 6, key=("GET", "/other"))
    ((second, tallies),) = made.take(everything=True)
    assert (second, list(tallies)) == (0, [("GET", "/other")])
    tally = tallies["GET", "/other"]
    assert (tally.slow, list(tally.errors)) == ([1, 0], ["ResponseError: other"])


def test_endless_names_share_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound all new names count together; those known go on by their own names, also in later seconds."""
    monkeypatch.setattr(recorder, "MOST_ENDPOINTS", 2)
    made, clock = begun()
    for second in range(3):
        clock.now = float(second)
        for name in ("/a", "/b", f"/{second}", f"/{second}x"):
            record(made, 1, key=("GET", name))
    over = made.take(everything=True)
    counts = [{name: sum(tally.ok.values()) for (_, name), tally in tallies.items()} for _, tallies in over]
    assert counts == [{"/a": 1, "/b": 1, OTHERS: 2}] * 3


def test_endless_errors_share_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound all new kinds count together; those known go on, and none is lost."""
    monkeypatch.setattr(recorder, "MOST_KINDS", 2)
    made, _ = begun()
    for word in ("one", "two", "three", "four", "one"):
        record(made, 1, error=CatchResponseError(word))
    assert only(made).errors == {"one": 2, "two": 1, OTHERS: 2}


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ResponseError("503 Server Error: x for url: http://h/tests/123456"), 503, "HTTP 503"),
        (TimeoutError(110, "timed out"), 0, "TimeoutError: [Errno 110] timed out"),
        (TimeoutError(110, "timed out"), None, "TimeoutError: [Errno 110] timed out"),
        (CatchResponseError("too slow"), 200, "too slow"),
        (CatchResponseError("too slow"), 503, "too slow"),
        (CatchResponseError(""), 200, "failed"),
        (ValueError(), None, "ValueError"),
        (ValueError("<o at 0x7f00ab12cd> of 1234567"), None, "ValueError: <o at #> of #"),
        (ValueError("id 123e4567-e89b-12d3-a456-426614174000."), None, "ValueError: id #."),
        (ValueError("404 in 200 ms"), None, "ValueError: 404 in 200 ms"),
        (ValueError("first\nsecond"), None, "ValueError: first"),
        ("a mere text", None, "str: a mere text"),
    ],
)
def test_the_kind_of_a_failure(error: Any, status: int | None, kind: str) -> None:
    """Its first line, or its status, without what differs from request to request; the user's own words as they are."""
    response = None if status is None else SimpleNamespace(status_code=status)
    assert kind_of(error, response) == kind


@settings(deadline=None)
@given(st.text(st.characters()), st.sampled_from([CatchResponseError, ValueError]))
def test_a_kind_is_short_whatever_it_says(text: str, kind_of_error: type[Exception]) -> None:
    """At most one line of so many letters, of any text."""
    kind = kind_of(kind_of_error(text))
    assert len(kind) <= KIND_LENGTH
    assert len(kind.splitlines()) <= 1
    kind.encode()  # fit to be sent


def test_an_endless_error_costs_little() -> None:
    """A whole page as a message is cut before it is searched."""
    error = CatchResponseError("12345 " * 10**6)
    began = time.thread_time()
    assert len(kind_of(error)) <= KIND_LENGTH
    assert time.thread_time() - began < 0.1


def test_seconds_are_sent_as_they_are() -> None:
    """What is packed arrives the same over Locust's wire, None standing for a side without requests."""
    made, clock = begun(2000)
    record(made, 2, length=10)
    clock.now = 4.0
    record(made, 0.009, error=WRONG)
    record(made, 0.003, error=WRONG)
    data = packed(made.take(everything=True))
    bucket = bucket_of(2000)
    assert data == [
        [0, [["GET", "/", [2000, 2000, 2000, {bucket: 1}], None, 10, [1], {}, None]]],
        [4, [["GET", "/", None, [12, 3, 9, {3: 1, 9: 1}], 0, [0], {"ResponseError: wrong": 2}, None]]],
    ]
    assert sent("lab-report", data).data == data


@pytest.mark.parametrize("name", [None, 7, b"/x", "/\ud800", "/é", object()])
def test_any_name_can_be_sent(name: Any) -> None:
    """Names of a user's own events are whatever they like: each is counted under a text that can be sent."""
    made, clock = begun()
    for second in range(2):
        clock.now = float(second)
        record(made, 1, key=(name, name))
        record(made, 1, key=(name, name), error=ValueError(name))
    data = sent("lab-report", packed(made.take(everything=True))).data
    text = str(name).replace("\ud800", "?")
    assert [[one[:2] for one in tallies] for _, tallies in data] == [[[text, text]]] * 2
    assert [one[2][3] for _, tallies in data for one in tallies] == [{bucket_of(1000): 1}] * 2


class Told:
    """What http.response.LeanResponse tells."""

    tells_phases = True
    status_code = 200

    def __init__(self, *, connects: int = 0, reconnects: int = 0, answered: bool = True, **headers: str) -> None:
        self.connects, self.reconnects = connects, reconnects
        self.connect_s = 0.25 * connects
        self.began = 10.0
        self.sent = self.began + self.connect_s + 0.001
        self.first_byte = self.sent + 0.02 if answered else 0.0
        lines = ["HTTP/1.1 200 OK", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self.head = head_of("\r\n".join(lines).encode())
        self.header = self.head.header


def test_phases_are_added_up() -> None:
    """Sending, waiting and the making of connections are apart; what the server says of itself is counted."""
    made, clock = begun()
    told = [
        Told(connects=1, server_timing='db;dur=1.5, app;desc="all of it";dur=4', x_instance="a"),
        Told(reconnects=1, connects=1, server_timing="app;dur=2.25", x_instance="b"),
        Told(server_timing="cache;dur=9, app;dur=nonsense", x_instance="b"),
        Told(connects=1, answered=False),
    ]
    for response in told:
        made.on_request("GET", "/", 21.0, 5, exception=None, response=response)
    clock.now = 1.0
    ((_, ((*_, phases),)),) = packed(made.take())
    assert phases == {
        "timed": 3,
        "send_us": pytest.approx(3000, abs=2),
        "wait_us": pytest.approx(60_000, abs=2),
        "connects": 3,
        "connect_us": 750_000,
        "connect_max_us": 250_000,
        "reconnects": 1,
        "app": 2,
        "app_us": 6250,
        "db": 1,
        "db_us": 1500,
        "instances": {"a": 1, "b": 2},
        "instances_us": {"a": pytest.approx(20_000, abs=2), "b": pytest.approx(40_000, abs=2)},
    }
    assert sent("lab-report", phases).data == phases


def test_a_client_that_tells_nothing_has_no_phases() -> None:
    """FastHttpUser hides the making of a connection in its first request: there is nothing to be told apart."""
    made, clock = begun()
    made.on_request("GET", "/", 21.0, 5, response=object())
    clock.now = 1.0
    ((_, ((*_, phases),)),) = packed(made.take())
    assert phases is None
