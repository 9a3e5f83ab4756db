"""A worker's reports: numbered, kept and sent again until they are acknowledged, the last one said once."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gevent.pool import Group
from hypothesis import given, settings
from hypothesis import strategies as st
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.exception import RPCSendError
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadlab.analysis.histogram import Histogram
from loadlab.analysis.recording import Second
from loadlab.generator import reporting
from loadlab.generator.collector import Collector
from loadlab.generator.flow import Flow
from loadlab.generator.recorder import Recorder
from loadlab.generator.reporting import ACK, AGAIN_AFTER_S, BEGIN, LAST_WORD_S, REPORT, SETTLE_S, Reporter
from tests.generator.fakes import World, modules_time, sent

UNIX = 1_700_000_000.0  # of the world's beginning
TURN_S = SETTLE_S * 1.5


class Worker:
    """As much of a worker's runner as reports need. What it sends is kept, as it arrives."""

    def __init__(self) -> None:
        self.greenlet = Group()
        self.user_count = 3
        self.sent: list[dict[str, Any]] = []
        self.happenings: list[str] = []
        self.listeners: dict[str, Any] = {}
        self.deliver: Callable[[dict[str, Any]], None] = self.sent.append

    def send_message(self, kind: str, data: dict[str, Any]) -> None:
        """Send a report."""
        assert kind == REPORT
        self.happenings.append("final" if data.get("final") else "report")
        self.deliver(sent(kind, data).data)

    def stop(self) -> None:
        """Stop the users."""
        self.user_count = 0
        self.happenings.append("stop")

    def register_message(self, kind: str, listener: Any) -> None:
        """Note who listens to a message of the master's."""
        self.listeners[kind] = listener


class Desk:
    """A reporter in a world of its own time, whose worker's clock is `ahead_s` of the master's."""

    def __init__(self, world: World, ahead_s: float = 0.0) -> None:
        self.world = world
        self.worker = Worker()
        self.reporter = Reporter(cast(WorkerRunner, self.worker))
        self.reporter.recorder = Recorder(self.clock)
        self.reporter.flow = Flow(self.clock)
        self.ahead_s = ahead_s
        self.requests = 0

    def clock(self) -> float:
        """Return the time on the clock that counts seconds."""
        return self.world.now

    def begin(self, run: str = "run", started: float | None = None, thresholds_us: tuple[int, ...] = ()) -> None:
        """Order a run, as the master does at its start."""
        at = UNIX - self.ahead_s + (self.world.now if started is None else started)
        order = {"run": run, "started": at, "thresholds_us": list(thresholds_us)}
        self.reporter.begin(sent(BEGIN, order), environment=None)

    def acknowledge(self, number: int, run: str | None = "run", *, after: float = 0.0) -> None:
        """Have the master acknowledge a report, which it read so long ago."""
        order = {"run": run, "number": number, "at": UNIX - self.ahead_s + self.world.now - after}
        self.reporter.acknowledged(sent(ACK, order), environment=None)

    def request(self, name: str = "/", *, failed: bool = False) -> None:
        """Record a request that ends now."""
        self.requests += 1
        error = ValueError("no") if failed else None
        self.reporter.recorder.on_request("GET", name, 5, 10, error)

    def run(self) -> None:
        """Report for ever."""
        self.world.spawn(self.reporter.report_forever)

    def settle(self) -> None:
        """Report for ever, the greeting being acknowledged."""
        self.run()
        self.world.run(0)
        self.acknowledge(0, None)
        self.worker.sent.clear()
        self.worker.happenings.clear()

    def numbers(self) -> list[int]:
        """Return the numbers of what was sent since the last time."""
        seen, self.worker.sent[:] = list(self.worker.sent), []
        return [one["number"] for one in seen]


def inhabit(world: World, patch: pytest.MonkeyPatch) -> None:
    """Have the reporters that are made from now on live in a world."""
    patch.setattr(reporting, "time", modules_time(lambda: world.now, unix=UNIX))
    patch.setattr(reporting, "gevent", SimpleNamespace(sleep=world.sleep))
    patch.setattr(reporting, "Flag", world.flag)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A reporter that reports, and has greeted."""
    made = stranger(monkeypatch)
    made.settle()
    return made


def stranger(patch: pytest.MonkeyPatch, ahead_s: float = 0.0) -> Desk:
    """Return a reporter in a world of its own that has not said anything yet."""
    world = World()
    inhabit(world, patch)
    return Desk(world, ahead_s)


def test_each_second_is_reported_soon_after_it_is_over(desk: Desk) -> None:
    """By number, with the seconds that are over and no others, and what is so far."""
    desk.begin(thresholds_us=(5000,))
    desk.request()
    desk.world.run(0.9)
    assert desk.numbers() == []
    desk.world.run(0.11)
    desk.request("/x")  # just after the second, and just before its report
    desk.world.run(0.09)
    desk.request("/x", failed=True)
    desk.world.run(1.0)
    first, second = (one for one in desk.worker.sent)
    assert (first["run"], first["number"], first["through"], first["final"]) == ("run", 1, 0, False)
    assert [t for t, _ in first["seconds"]] == [0]
    ((method, name, ok, failed, size, slow, errors, phases),) = first["seconds"][0][1]
    assert (method, name, ok[0], failed, size, slow, errors, phases) == ("GET", "/", 5000, None, 10, [1], {}, None)
    assert (second["number"], second["through"]) == (2, 1)
    assert [t for t, _ in second["seconds"]] == [1]
    assert (first["counters"]["recorded"], second["counters"]["recorded"]) == (2, 3)
    assert (first["users"], set(first["who"])) == (3, {"host", "pid", "booted", "files_limit"})


def test_users_are_those_of_the_second_that_is_told(desk: Desk) -> None:
    """A stop that comes as a second is over takes users away before its report: they ran in it all the same."""
    desk.begin()
    desk.world.run(1.005)
    desk.worker.user_count = 1
    desk.world.run(0.1)
    assert [one["users"] for one in desk.worker.sent] == [3]
    desk.world.run(1.0)
    assert [one["users"] for one in desk.worker.sent] == [3, 1]


def test_a_second_that_was_over_at_the_stop_has_its_users(desk: Desk) -> None:
    """A stop between a second's end and its report takes the users away, but not from that second."""
    desk.begin()
    desk.world.run(2 + reporting.SETTLE_S / 2)  # the report of the first second is out, that of the second is due
    desk.request()
    desk.worker.stop()
    desk.reporter.finish()
    told = [(one["through"], one["users"], one["final"]) for one in desk.worker.sent]
    assert told == [(0, 3, False), (1, 3, False), (2, 0, True)]
    assert [one["number"] for one in desk.worker.sent] == [1, 2, 3]


def test_what_a_worker_says_fits_the_collector(desk: Desk) -> None:
    """Whatever the two agree on, a real report is taken in, as is its last one."""
    desk.begin()
    desk.request()
    desk.world.run(1.1)
    desk.reporter.finish()
    collector = Collector(0)
    assert [collector.accept(1, "w", one) for one in desk.worker.sent] == [True, True]
    assert [len(second.workers) for second in collector.complete(2)] == [1, 1]
    assert collector.books[1].counters.final


def test_without_a_run_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the greeting, which is sent until it is acknowledged."""
    desk = stranger(monkeypatch)
    desk.run()
    desk.world.run(AGAIN_AFTER_S + 1.1)
    assert desk.worker.sent == [{"run": None, "number": 0}] * 2
    desk.acknowledge(0, None)
    desk.world.run(10.0)
    desk.reporter.finish()
    assert len(desk.worker.sent) == 2


def test_a_worker_that_is_in_a_run_does_not_greet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ordered before it had time to: nobody would acknowledge the greeting any more."""
    desk = stranger(monkeypatch)
    desk.begin()
    desk.run()
    desk.world.run(1.1)
    desk.acknowledge(1)
    assert desk.reporter.is_acknowledged


def test_a_report_is_sent_again_until_it_is_acknowledged(desk: Desk) -> None:
    """The same one, every other second or so; those acknowledged are not."""
    desk.begin()
    desk.world.run(2.1)
    assert desk.numbers() == [1, 2]
    desk.acknowledge(2)
    assert not desk.reporter.is_acknowledged
    desk.world.run(AGAIN_AFTER_S + 1)
    assert Counter(desk.numbers())[1] >= 1
    for number in range(1, 9):
        desk.acknowledge(number)
    assert desk.reporter.is_acknowledged
    sent_before = desk.requests
    desk.world.run(1.0)
    assert desk.numbers() == [6]
    assert sent_before == desk.requests


def test_a_report_is_the_same_each_time(desk: Desk) -> None:
    """Sent again, it has what it had, not what has come meanwhile."""
    desk.begin()
    desk.request()
    desk.world.run(1.1)
    desk.request()
    desk.world.run(4.0)
    first = [one for one in desk.worker.sent if one["number"] == 1]
    assert len(first) >= 2
    assert all(one == first[0] for one in first)


@pytest.mark.parametrize(("run", "number"), [("other", 1), ("run", 7), (None, 1)])
def test_an_acknowledgement_of_something_else_is_none(run: str | None, number: int, desk: Desk) -> None:
    """Of another run, or of a report that was never sent."""
    desk.begin()
    desk.world.run(1.1)
    desk.acknowledge(number, run)
    assert not desk.reporter.is_acknowledged
    desk.acknowledge(1)
    assert desk.reporter.is_acknowledged
    desk.acknowledge(1)


def test_a_broken_connection_loses_nothing(desk: Desk) -> None:
    """A report that could not even be sent is sent later; the reporter goes on."""
    desk.begin()

    def broken(_: dict[str, Any]) -> None:
        raise RPCSendError("ZMQ sent failure")

    desk.worker.deliver = broken
    desk.request()
    desk.world.run(3.1)
    desk.worker.deliver = desk.worker.sent.append
    desk.world.run(3.0)
    desk.acknowledge(desk.numbers()[0])
    desk.world.run(2.0)
    assert set(desk.numbers()) >= {2, 3, 4, 5, 6, 7}


def test_a_silent_master_is_asked_with_one_report_at_a_time(desk: Desk) -> None:
    """The queue to a dead master stays short; one that answers again gets all at once, each once."""
    desk.begin()
    desk.world.run(10.1)
    desk.numbers()
    desk.world.run(20.0)
    assert set(desk.numbers()) == {1}
    desk.acknowledge(1)
    desk.world.run(1.0)
    assert sorted(desk.numbers()) == list(range(2, 32))


def test_an_acknowledgement_while_reports_are_sent_again_spoils_none(desk: Desk) -> None:
    """Sending may take a while, and acknowledgements come meanwhile: every other report is kept."""
    desk.begin()
    desk.world.run(1.1)  # report 1
    desk.world.run(0.95)
    desk.worker.deliver = lambda one: desk.acknowledge(1) if one["number"] == 1 else desk.worker.sent.append(one)
    desk.world.run(4.0)
    kept = [one.number for one in desk.reporter._kept]
    assert kept == list(range(2, desk.reporter._number + 1))
    assert desk.numbers().count(2) >= 2


def test_the_last_word_is_said_once(desk: Desk) -> None:
    """It has the second that is not over; after it nothing new is said, however long it takes to be acknowledged."""
    desk.begin()
    desk.world.run(1.5)
    desk.request()
    desk.reporter.finish()
    desk.reporter.finish()
    finals = [one for one in desk.worker.sent if one.get("final")]
    assert [(one["number"], one["through"]) for one in finals] == [(2, 1)]
    assert [t for t, _ in finals[0]["seconds"]] == [1]
    desk.numbers()
    desk.acknowledge(1)
    desk.world.run(7.0)
    assert set(desk.numbers()) == {2}
    desk.acknowledge(2)
    desk.world.run(5.0)
    assert desk.numbers() == []


def test_a_new_run_begins_anew(desk: Desk) -> None:
    """Numbers, counts, notes and seconds: of the run before nothing is left, not even what was not acknowledged."""
    desk.begin("one")
    desk.request()
    desk.reporter.notes.append("of the first run")
    desk.world.run(0.5)
    desk.reporter.finish()
    desk.numbers()
    desk.reporter.notes.append("of the first run")
    desk.world.run(9.75)
    desk.numbers()
    desk.begin("two", thresholds_us=(1, 2))
    desk.request()
    desk.world.run(1.1)
    (one,) = desk.worker.sent
    assert (one["run"], one["number"], one["through"], one["final"], one["notes"]) == ("two", 1, 0, False, [])
    assert (one["counters"]["recorded"], one["counters"]["started"]) == (1, 0)
    assert [(t, cells[0][5]) for t, cells in one["seconds"]] == [(0, [1, 1])]


def test_an_order_that_is_repeated_changes_nothing(desk: Desk) -> None:
    """The master tells a worker again when it connects again: the run goes on, numbers and counts included."""
    desk.begin()
    desk.request()
    desk.world.run(1.1)
    desk.request()
    desk.begin(started=0.0)
    desk.world.run(1.0)
    assert desk.numbers() == [1, 2]
    assert desk.reporter.recorder.recorded == 2


def test_who_comes_late_counts_from_the_runs_start(desk: Desk) -> None:
    """Ordered 7.5 s after the start: the first report is of second 7, half a second later."""
    desk.world.run(7.5)
    desk.begin(started=0.0)
    desk.request()
    desk.world.run(0.6)
    (one,) = (one for one in desk.worker.sent)
    assert (one["number"], one["through"], [t for t, _ in one["seconds"]]) == (1, 7, [7])


def test_notes_are_told_once(desk: Desk) -> None:
    """In the next report, and in no other."""
    desk.begin()
    desk.reporter.notes.append("something")
    desk.world.run(2.1)
    assert [one["notes"] for one in desk.worker.sent] == [["something"], []]


def test_requests_on_their_way_are_told_as_their_mean(desk: Desk) -> None:
    """Over the time since the last report: two for half of a second are one. Their time adds up over the run."""
    desk.begin()
    flow = desk.reporter.flow
    for in_flight, seconds in ((2, 0.51), (0, 0.76), (4, 0.25), (0, 0.6)):
        for _ in range(in_flight):
            flow.started += 1
            flow.starts_s += desk.world.now
        desk.world.run(seconds)
        flow.answered += in_flight
        flow.ends_s += in_flight * desk.world.now
    means = [one["in_flight"] for one in desk.worker.sent]
    assert means == [pytest.approx(1.0, abs=0.001), pytest.approx(1.0, abs=0.001)]
    assert [one["counters"]["busy_s"] for one in desk.worker.sent] == [1.02, 2.02]


@pytest.mark.parametrize("ahead_s", [-3.0, 0.0, 40.0])
def test_how_far_the_clocks_are_apart(ahead_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learned from the greeting, so that the first run's seconds are the master's on this worker too."""
    desk = stranger(monkeypatch, ahead_s)
    world = desk.world
    desk.run()
    world.run(0.1)
    desk.acknowledge(0, None, after=0.05)
    world.run(5.0)
    desk.begin(started=world.now - 2)
    assert desk.reporter.recorder.now() == pytest.approx(2.0, abs=0.01)
    world.run(1.1)
    assert desk.worker.sent[-1]["clock_offset_s"] == pytest.approx(-ahead_s, abs=0.01)


def test_the_shortest_trip_tells_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that took a second could be half a second off; after a short one it says nothing any more."""
    desk = stranger(monkeypatch)
    desk.begin()
    desk.run()
    desk.world.run(1.43)
    desk.acknowledge(1)  # sent at 1.02: it is as if the answer came in no time, and the clocks were apart
    rough_s = desk.reporter._offset_s
    assert 0.1 < rough_s < 0.3
    desk.world.run(0.6)
    desk.acknowledge(2, after=0.005)
    fine_s = desk.reporter._offset_s
    assert abs(fine_s) < 0.02
    desk.world.run(1.5)
    desk.acknowledge(3)
    assert desk.reporter._offset_s == fine_s


def test_a_report_that_was_sent_again_tells_nothing_of_the_clock(desk: Desk) -> None:
    """The answer to its first copy comes just after the second was sent: as short a trip as it seems, it was none."""
    desk.begin()
    desk.world.run(1.0 + 3 * AGAIN_AFTER_S)
    desk.numbers()
    while 1 not in desk.numbers():
        desk.world.run(0.01)
    desk.acknowledge(1, after=5.0)
    assert desk.reporter._offset_s == 0.0


def test_a_clock_that_is_set_back_tells_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trip of less than no time would be the best for ever; and what waits is sent again all the same."""
    desk.begin()
    desk.world.run(1.05)
    monkeypatch.setattr(reporting, "time", modules_time(lambda: desk.world.now, unix=UNIX - 3600))
    desk.acknowledge(1)
    assert desk.reporter._offset_s == 0.0
    desk.world.run(1.0)
    desk.numbers()
    monkeypatch.setattr(reporting, "time", modules_time(lambda: desk.world.now, unix=UNIX - 7200))
    desk.world.run(1.0)
    assert 2 in desk.numbers()


def test_the_last_word_is_waited_for_just_so_long(desk: Desk) -> None:
    """A worker that goes waits until it is acknowledged, sending again meanwhile, but not for a master that is gone."""
    ended: list[float] = []

    def leave() -> None:
        desk.reporter.leave()
        ended.append(desk.world.now)

    desk.begin()
    desk.worker.stop = desk.reporter.finish  # type: ignore[method-assign]
    desk.world.run(0.5)
    desk.world.spawn(leave)
    desk.world.run(AGAIN_AFTER_S + TURN_S)
    assert desk.numbers() == [1, 1]
    desk.world.run(LAST_WORD_S)
    assert ended == [pytest.approx(0.5 + LAST_WORD_S, abs=2 * SETTLE_S)]
    desk.world.spawn(leave)
    desk.world.run(0.1)
    desk.acknowledge(1)
    desk.world.run(TURN_S)
    assert ended[1:] == [pytest.approx(0.6 + AGAIN_AFTER_S + LAST_WORD_S + 2 * TURN_S, abs=3 * SETTLE_S)]


def test_a_worker_that_goes_stops_its_users_first(desk: Desk) -> None:
    """In the midst of a run; one that has said its last word, or has no run, only waits."""
    desk.reporter.leave()
    assert desk.worker.happenings == []
    desk.begin()
    desk.world.spawn(desk.reporter.leave)
    desk.world.run(LAST_WORD_S + 1)
    assert desk.worker.happenings[0] == "stop"
    desk.reporter.finish()
    desk.world.spawn(desk.reporter.leave)
    desk.world.run(LAST_WORD_S + 1)
    assert desk.worker.happenings.count("stop") == 1


@pytest.fixture
def _own_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Locust's sessions back as they were."""
    for kind in (HttpSession, FastHttpSession):
        monkeypatch.setattr(kind, "request", kind.request)


@pytest.mark.usefixtures("_own_sessions")
def test_a_worker_is_wired_up() -> None:
    """Requests are recorded, both clients watched, orders heard, and a stop ends with the last word."""
    worker = Worker()
    environment = Environment()
    before = [kind.request for kind in (HttpSession, FastHttpSession)]
    made = reporting.attach(environment, cast(WorkerRunner, worker))
    try:
        assert [getattr(kind.request, "__wrapped__", None) for kind in (HttpSession, FastHttpSession)] == before
        environment.events.request.fire(
            request_type="GET", name="/", response_time=1, response_length=1, exception=None, context={}
        )
        assert made.recorder.recorded == 1
        assert set(worker.listeners) == {BEGIN, ACK}
        order = {"run": "r", "started": time.time(), "thresholds_us": []}
        worker.listeners[BEGIN](environment=environment, msg=Message(BEGIN, order, "me"))
        assert made.run == "r"
        assert len(worker.greenlet) == 2
        worker.stop()
        assert worker.happenings == ["stop", "final"]
        assert worker.sent[-1]["users"] == 0
        worker.listeners[ACK](environment=environment, msg=Message(ACK, {"run": "r", "number": 1, "at": 0.0}, "me"))
        assert made.is_acknowledged
    finally:
        worker.greenlet.kill()


class Road:
    """What is between some reporters and the collector: it loses, doubles, delays and so reorders what it carries."""

    def __init__(self, world: World, chance: random.Random, collector: Collector) -> None:
        self._world, self._chance, self._collector = world, chance, collector
        self.is_good = False

    def join(self, number: int, desk: Desk) -> None:
        """Carry what a worker sends, and what it is answered."""
        desk.worker.deliver = lambda one: self._carry(lambda: self._arrive(number, desk, one))

    def _carry(self, arrive: Callable[[], None]) -> None:
        if self.is_good:
            self._world.at(0.001, arrive)
            return
        for _ in range(self._chance.choice([0, 0, 1, 1, 1, 2])):
            self._world.at(self._chance.choice([0.001, 0.01, 0.3, 2.5, 6.0]), arrive)

    def _arrive(self, number: int, desk: Desk, one: dict[str, Any]) -> None:
        one = sent(REPORT, one).data
        if one["run"] is not None:
            self._collector.accept(number, f"w{number}", one)
        self._carry(lambda: desk.acknowledge(one["number"], one["run"]))


def counted(seconds: list[Second]) -> Counter[Any]:
    """Return how many requests are in some seconds, by second, name and outcome."""
    found: Counter[Any] = Counter()
    for second in seconds:
        for cell in second.cells:
            for times, is_failed in ((cell.ok, False), (cell.failed, True)):
                if times is not None:
                    histogram = Histogram()
                    histogram.add_text(times.histogram)
                    assert (times.n, times.sum_us) == (histogram.count, 5000 * times.n)
                    found[second.t, cell.name, is_failed] += times.n
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_over_a_bad_road_every_request_arrives_once(seed: int) -> None:
    """Three workers, one of them late, for 20 s: when all is acknowledged the collector has every request, once."""
    chance, world = random.Random(seed), World()
    with pytest.MonkeyPatch.context() as patch:
        inhabit(world, patch)
        collector = Collector(0)
        road = Road(world, chance, collector)
        desks = [Desk(world, ahead_s=chance.choice([0.0, -2.0])) for _ in range(3)]
        made: Counter[Any] = Counter()

        def traffic(desk: Desk) -> None:
            while not desk.reporter.final:
                world.sleep(chance.choice([0.0, 0.01, 0.2, 0.7, 2.2]))
                if desk.reporter.run is not None and not desk.reporter.final:
                    name, failed = chance.choice(["/a", "/b"]), chance.random() < 0.2
                    made[int(desk.reporter.recorder.now()), name, failed] += 1
                    desk.request(name, failed=failed)

        for number, desk in enumerate(desks, start=1):
            road.join(number, desk)
            desk.run()
            world.at(7.3 if number == 3 else 0.0, partial(desk.begin, started=0.0))
            world.spawn(partial(traffic, desk))
        taken: list[Second] = []
        for _ in range(80):
            world.run(0.25)
            taken += collector.complete(world.now)
        for desk in desks:
            desk.reporter.finish()
        road.is_good = True
        world.run(3 * AGAIN_AFTER_S)
        assert all(desk.reporter.is_acknowledged for desk in desks)
        taken += collector.complete(world.now, everything=True)
    assert counted(taken) == made
    assert sum(made.values()) == sum(desk.requests for desk in desks)
    for number, desk in enumerate(desks, start=1):
        counters = collector.books[number].counters
        assert (counters.final, counters.recorded, collector.books[number].gap) == (True, desk.requests, None)
    own = [second.t for second in taken if not second.late]
    assert own == list(range(len(own)))
    said = Counter((second.t, worker.worker) for second in taken for worker in second.workers)
    assert set(said.values()) == {1}
