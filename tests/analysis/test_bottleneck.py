"""What gives out first: each cause is found where it is, nothing is found where nothing is, and no cause is guessed."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadlab.analysis import bottleneck
from loadlab.analysis.bottleneck import causes, failures, ranking, spread
from loadlab.analysis.recording import MachineSecond, Recording, TargetSecond
from loadlab.analysis.summarise import summarise
from loadlab.analysis.summary import Bottleneck, Finding, Limit
from tests import recordings
from tests.analysis.stagings import BOOTED, MIB, RAMP_S, Machine, Staging, recorded

# Busy users: 20 that never pause, so that answers set their pace.
BUSY = Staging(users=20)
PRESSED = ("p95<40ms", "fail<1%")


def found(staging: Staging) -> Bottleneck:
    """Return what gives out first in a staging."""
    made = summarise(recorded(staging)).bottleneck
    assert made is not None
    return made


def finding(made: Bottleneck, code: str) -> Finding:
    """Return the finding of one cause."""
    return next(one for one in made.findings if one.code == code)


def levels(made: Bottleneck) -> dict[str, Limit]:
    """Return the causes that are more than not near their limit."""
    return {one.code: one.level for one in made.findings if one.level in (Limit.LIMITING, Limit.NEAR)}


def busy(**parts: float) -> Staging:
    """Return 20 users without a pause who wait for these parts of a response time, in ms."""
    total_ms = sum(
        {"way_ms": 0.4, "queue_ms": 1.0, "app_ms": 2.0, "store_ms": 1.0, "transfer_ms": 0.1, **parts}.values()
    )
    return replace(BUSY, rps=round(20_000 / total_ms), **parts)  # type: ignore[arg-type]


# --- Each alone ------------------------------------------------------------------------------------------------------

HALF_A_CORE = Machine(cpu_cores=0.495, cpu_limit=0.5, processes=(0.26, 0.235), throttled=0.97)
ONE_OF_TWO = Machine(cpu_cores=1.02, cpu_limit=None, processes=(0.98, 0.04))
TWO_THREADS = Machine(cpu_cores=0.1, processes=(0.1,), slots=2)
THREE = [Machine(1 / 3), Machine(1 / 3), Machine(1 / 3)]
ONE_SLOW = [Machine(1 / 3), Machine(1 / 3), Machine(1 / 3, extra_ms=50)]
UNEVEN = [Machine(0.8, processes=(0.97, 0.9), cpu_cores=1.87), Machine(0.1), Machine(0.1)]
LIMITING: dict[str, tuple[str, Staging]] = {
    "workers limited to 0.2 CPU": (
        "generator",
        Staging(worker_limit=0.2, worker_cpu=1.0, worker_throttled=9, lag_ms=60, queue_ms=60),
    ),
    "a worker that uses all of its core": ("generator", Staging(worker_cpu=0.97)),
    "code that blocks the event loops": ("generator", Staging(lag_ms=30)),
    "the machine that all share is used up": (
        "machine",
        Staging(machine=MachineSecond(0.99, 0.0), queue_ms=30, lag_ms=14),
    ),
    "the host takes a virtual machine's CPU": ("machine", Staging(machine=MachineSecond(0.6, 0.35))),
    "half a core": ("target-cpu", replace(busy(queue_ms=60, app_ms=5), target=[HALF_A_CORE])),
    "one gunicorn worker of two does all the work": ("target-cpu", replace(busy(queue_ms=30), target=[ONE_OF_TWO])),
    "a quota that is too short for bursts": (
        "target-cpu",
        Staging(target=[Machine(cpu_cores=0.3, cpu_limit=0.5, throttled=0.6)], queue_ms=20),
    ),
    "80% of its CPU, and a promise is broken": (
        "target-cpu",
        Staging(target=[Machine(processes=(0.84, 0.82), cpu_limit=None)], queue_ms=60, slos=PRESSED),
    ),
    "a machine elsewhere that is used up": (
        "target-cpu",
        Staging(target=[Machine(processes=(), cpu_limit=None, cpu_cores=2.5, machine_busy=0.99)], queue_ms=40),
    ),
    "killed for want of memory": ("memory", Staging(target=[Machine(oom_kills=1)], errors={"ConnectionResetError": 9})),
    "99% of its memory": ("memory", Staging(target=[Machine(memory=lambda _t: 127 * MIB, memory_limit=128 * MIB)])),
    "the target's open files": ("descriptors", Staging(target=[Machine(files=990)])),
    "the generator's open files": (
        "descriptors",
        Staging(errors={"OSError: [Errno 24] Too many open files": 12}, worker_files=999),
    ),
    "no ports left": ("ports", Staging(errors={"OSError: [Errno 99] Cannot assign requested address": 3})),
    "two threads and waits of 50 ms": (
        "slots",
        replace(busy(queue_ms=450, app_ms=50, store_ms=0), rps=40, target=[TWO_THREADS], tells_store=False),
    ),
    "requests turned away": ("slots", Staging(target=[Machine(refused=10)], errors={"HTTP 503": 10})),
    "a backlog that overflows": (
        "backlog",
        Staging(target=[Machine(overflows=20)], connects=200, connect_ms=150, connect_max_ms=3010),
    ),
    "a store that takes 50 ms, and a broken promise": ("store", replace(busy(store_ms=50), slos=PRESSED)),
    "a store that is away": ("store", Staging(target=[Machine(store_failures=8)], errors={"HTTP 503": 8})),
    "an application that waits for something": ("application", replace(busy(app_ms=50), slos=PRESSED)),
    "one slow replica of three": ("replica", replace(busy(app_ms=2), rps=300, target=ONE_SLOW, slos=PRESSED)),
    "one replica has all the work": ("balance", replace(busy(queue_ms=20), rps=900, target=UNEVEN)),
    "requests queue in the load balancer": ("balance", Staging(target=[Machine(queue=12.0)], queue_ms=20)),
    "500 for 2 in 100": ("errors", Staging(errors={"HTTP 500": 4})),
    "what the locustfile calls failed": ("errors", Staging(errors={"no name in the answer": 4})),
    "connections that break": ("network", Staging(errors={"ConnectionResetError: [Errno 104] Connection reset": 6})),
    "a long way": ("network", replace(busy(way_ms=120, transfer_ms=1), connect_ms=120, slos=PRESSED)),
    "large answers": ("network", replace(busy(transfer_ms=90), slos=PRESSED)),
}


@pytest.mark.parametrize(("code", "staging"), LIMITING.values(), ids=LIMITING)
def test_what_limits_is_called(code: str, staging: Staging) -> None:
    """It comes first, is at its limit, has figures for evidence and says what to do; nothing else is called."""
    made = found(staging)
    first = made.findings[0]
    assert (first.code, first.level) == (code, Limit.LIMITING), made.sentence
    assert [one.code for one in made.findings if one.level is Limit.LIMITING] == [code]
    assert made.first == first.name == causes.CAUSES[code].name
    assert made.sentence.startswith(f"The first thing to give out is {causes.CAUSES[code].subject}: ")
    assert any(character.isdigit() for character in "".join(first.evidence))
    assert first.advice
    assert first.score is not None


NEAR: dict[str, tuple[str, Staging]] = {
    "a store that users wait for most of the time": ("store", busy(store_ms=50)),
    "an application that users wait for": ("application", busy(app_ms=50)),
    "85% of its CPU": ("target-cpu", Staging(target=[Machine(processes=(0.86, 0.8), cpu_limit=None)])),
    "some throttling": ("target-cpu", Staging(target=[Machine(cpu_cores=0.2, cpu_limit=0.5, throttled=0.2)])),
    "a busy worker": ("generator", Staging(worker_cpu=0.85)),
    "late event loops": ("generator", Staging(lag_ms=7)),
    "a machine with little left": ("machine", Staging(machine=MachineSecond(0.9, 0.0))),
    "93% of its memory": ("memory", Staging(target=[Machine(memory=lambda _t: 119 * MIB, memory_limit=128 * MIB)])),
    "memory that grows": (
        "memory",
        Staging(seconds=90, target=[Machine(memory=lambda t: (60 + t) * MIB, memory_limit=512 * MIB)]),
    ),
    "most of its slots": ("slots", Staging(rps=200, app_ms=7, store_ms=1.2, target=[Machine(slots=2)])),
    "a backlog that is full at times": ("backlog", Staging(target=[Machine(backlog=63)])),
    "one slow replica, and no promise in danger": ("replica", Staging(target=ONE_SLOW, rps=300)),
    "half of the failures that may be": ("errors", Staging(rps=400, errors={"HTTP 500": 3})),
    "85% of the open files": ("descriptors", Staging(worker_files=870)),
}


@pytest.mark.parametrize(("code", "staging"), NEAR.values(), ids=NEAR)
def test_what_is_near_its_limit_is_called_that(code: str, staging: Staging) -> None:
    """Nothing limits: the nearest is named, and it is said that it has not given out."""
    made = found(staging)
    assert levels(made) == {code: Limit.NEAR}, made.sentence
    assert made.first == causes.CAUSES[code].name
    assert made.sentence.startswith("Nothing has given out. The nearest to its limit is ")


QUIET: dict[str, Staging] = {
    "a third of what it could take": Staging(),
    "three alike": Staging(rps=300, target=THREE),
    "users without a pause, answered at once": busy(),
    "a store that makes most of a short time": busy(store_ms=4, app_ms=1, queue_ms=0.5),
    "a long wait that no promise minds": Staging(users=100, rps=30, store_ms=200, slos=("p95<2s",)),
    "no promise at all": Staging(slos=()),
    "memory that has warmed up": Staging(
        seconds=90,
        target=[Machine(memory=lambda t: (120 + 40 * (1 - math.exp(-t / 15))) * MIB, memory_limit=512 * MIB)],
    ),
    "memory without a limit": Staging(target=[Machine(memory_limit=None)]),
    "four errors in all": Staging(rps=30, errors={"HTTP 500": 1}, seconds=4, slos=("p95<450ms", "fail<20%")),
    "uneven, but all have time": Staging(rps=300, target=[Machine(0.6), Machine(0.2), Machine(0.2)]),
    "the machine of a master alone": Staging(machine=MachineSecond(0.4, 0.0), workers_booted=None),
}


@pytest.mark.parametrize("staging", QUIET.values(), ids=QUIET)
def test_where_nothing_is_near_its_limit_nothing_is_named(staging: Staging) -> None:
    """It is said so."""
    made = found(staging)
    assert levels(made) == {}, made.sentence
    assert made.first is None
    assert made.sentence.startswith("Nothing is near its limit.")


# --- One explains another --------------------------------------------------------------------------------------------


def test_a_queue_in_front_of_a_cpu_that_is_used_up_is_no_cause() -> None:
    """All threads are busy, connections are dropped, 503s come, for want of CPU: more threads would not help."""
    machine = replace(HALF_A_CORE, slots=16, overflows=5, refused=4)
    staging = replace(busy(queue_ms=300, app_ms=200), rps=75, target=[machine], errors={"HTTP 503": 4}, slos=PRESSED)
    made = found(staging)
    assert made.first == "target CPU"
    assert levels(made) == {
        "target-cpu": Limit.LIMITING,
        **dict.fromkeys(("slots", "backlog", "errors"), Limit.NEAR),
    }
    assert finding(made, "slots").evidence[-1] == "It follows from the target's CPU."


def test_slots_that_are_held_by_the_store_come_before_it() -> None:
    """Two threads, each waiting for the store nearly all the time: what waits in front of them is what is long."""
    made = found(replace(busy(queue_ms=450, app_ms=2, store_ms=50), rps=38, target=[TWO_THREADS], slos=PRESSED))
    assert made.first == "worker slots"
    assert finding(made, "store").level is Limit.NOT


def test_what_a_late_generator_saw_is_not_told_of_the_target() -> None:
    """The wait is the workers' own; what the target says of its CPU holds all the same."""
    starved = Staging(worker_limit=0.2, worker_cpu=1.0, worker_throttled=9, lag_ms=90, queue_ms=90, slos=PRESSED)
    made = found(replace(starved, target=[replace(Machine(), slots=None)]))
    assert made.first == "generator"
    assert finding(made, "slots").level is Limit.UNKNOWN
    assert finding(made, "target-cpu").level is Limit.NOT


def test_who_is_late_for_want_of_cores_is_not_to_blame() -> None:
    """Workers that used a third of what they may were late, since the machine was used up: by whom is said."""
    made = found(Staging(machine=MachineSecond(0.9, 0.0), lag_ms=14, queue_ms=20))
    assert made.first == "machine CPU"
    assert finding(made, "generator").level is Limit.NEAR
    (used, late) = finding(made, "machine").evidence
    assert "90% of its 2 cores, which generator and target share: the target used 0.6 of them" in used
    assert "late" in late


@pytest.mark.parametrize(("cpu", "of_others"), [(0.1, True), (0.5, False)])
def test_whose_a_full_machine_is(cpu: float, of_others: bool) -> None:
    """Where neither workers nor target use much of it, to set them apart would not help: others are to be ended."""
    target = [Machine(processes=(cpu,), cpu_cores=cpu)]
    made = found(Staging(machine=MachineSecond(0.97, 0.0), target=target, worker_cpu=cpu / 2, lag_ms=14))
    assert made.first == "machine CPU"
    said = finding(made, "machine")
    assert ("went to other programs" in " ".join(said.evidence)) == of_others
    assert ("End the other programs" in said.advice) == of_others


def test_a_quota_that_is_used_up_comes_before_a_machine_that_is() -> None:
    """The target was given all that it may use: with more machine it would not get any more."""
    made = found(replace(busy(queue_ms=60), target=[HALF_A_CORE], machine=MachineSecond(0.99, 0.0)))
    assert made.first == "target CPU"
    assert made.sentence.endswith(" Besides, at its limit: machine CPU.")


def test_one_replica_at_its_limit_is_not_the_target_at_its_limit() -> None:
    """A replica with a tenth of the CPU of the others: it is the slow one, whatever the others still could do."""
    weak = Machine(1 / 3, extra_ms=200, cpu_cores=0.1, cpu_limit=0.1, processes=(0.05, 0.05), throttled=0.9)
    made = found(replace(busy(), rps=300, target=[*THREE[:2], weak], slos=PRESSED))
    assert made.first == "slow replica"
    assert finding(made, "target-cpu").level is Limit.NEAR
    assert "It used 100% of its CPU, the others 30%." in finding(made, "replica").evidence


def test_500s_are_no_consequence_of_a_full_machine() -> None:
    """Both are said: that it is short of CPU does not make an answer wrong."""
    made = found(Staging(target=[replace(HALF_A_CORE)], errors={"HTTP 500": 4}, queue_ms=30))
    assert made.first == "target CPU"
    assert made.sentence.endswith(" Besides, at its limit: errors.")


# --- Too little to say -----------------------------------------------------------------------------------------------

TELLS_NOTHING = Staging(target=[], tells_timing=False)


def test_a_broken_promise_of_a_target_that_tells_nothing() -> None:
    """That it is slow is seen; why is not, and is not guessed."""
    made = found(replace(TELLS_NOTHING, queue_ms=600, rps=40))
    assert made.first is None
    assert made.sentence.startswith("Not enough evidence: p95<450ms was broken, but nothing known is at its limit.")
    assert "Nothing is known of: target CPU, target memory, worker slots" in made.sentence


def test_a_good_run_of_a_target_that_tells_nothing() -> None:
    """As far as is known."""
    made = found(TELLS_NOTHING)
    assert made.first is None
    assert made.sentence.startswith(
        "Nothing is near its limit, as far as is known: the target tells nothing of itself."
    )


def test_a_wait_before_the_application_may_be_for_a_cpu() -> None:
    """Server-Timing alone tells that requests queue, not for what."""
    made = found(replace(busy(queue_ms=500), target=[], slos=PRESSED))
    assert made.first is None
    assert finding(made, "slots").level is Limit.UNKNOWN
    assert finding(made, "slots").evidence[-1] == "Whether for a free slot or for a CPU, the target does not tell."


def test_a_wait_in_the_application_may_be_for_a_cpu() -> None:
    """So may time in the application."""
    made = found(replace(busy(app_ms=500), target=[], slos=PRESSED))
    assert (made.first, finding(made, "application").level) == (None, Limit.UNKNOWN)


def test_a_wait_in_front_of_free_slots_is_not_for_them() -> None:
    """Something between is slow, and nobody tells of it."""
    made = found(replace(busy(queue_ms=500), slos=PRESSED))
    assert made.first is None
    assert "waiting to be taken up" in made.sentence


def test_a_wait_with_a_free_cpu_and_slots_that_are_not_told_is_for_slots() -> None:
    """By the CPU that was left, it was not for that."""
    made = found(replace(busy(queue_ms=500), target=[Machine(slots=None)], slos=PRESSED))
    assert made.first == "worker slots"


def test_a_time_that_nothing_makes_most_of_is_shared_out() -> None:
    """A third each: none is called, all are said."""
    made = found(replace(busy(queue_ms=40, app_ms=40, store_ms=40), slos=PRESSED))
    assert made.first is None
    assert "Of 120 ms, 39.9 ms waiting to be taken up, 40 ms in the application, 40 ms in its store" in made.sentence


def test_too_few_requests_say_nothing() -> None:
    """Not even of errors."""
    made = found(Staging(rps=2, seconds=5, errors={"HTTP 500": 1}))
    assert made.first is None
    assert made.sentence == "Not enough evidence: 10 requests in 5 seconds say nothing of what gives out first."


def test_a_run_without_anything_says_nothing() -> None:
    """An empty recording has no bottleneck."""
    empty = recorded()
    empty.seconds.clear()
    made = summarise(empty).bottleneck
    assert made is not None
    assert made.sentence.startswith("Not enough evidence: 0 requests in 0 seconds")


def test_what_other_clients_record_is_enough_for_what_the_target_counts() -> None:
    """FastHttpUser tells no phases: CPU, slots and errors are known all the same."""
    assert found(replace(busy(queue_ms=60), target=[HALF_A_CORE], tells_phases=False)).first == "target CPU"
    assert found(replace(busy(app_ms=50, queue_ms=400), rps=40, target=[TWO_THREADS], tells_phases=False)).first == (
        "worker slots"
    )


def test_slow_connecting_alone_may_be_a_full_backlog_or_the_way() -> None:
    """Where the kernel's counter is not told, a second to connect is a sign, and no more than that."""
    told = Machine(changes={"overflows": None, "backlog": None})
    made = found(Staging(target=[told], connects=100, connect_ms=200, connect_max_ms=1020))
    assert levels(made) == {"backlog": Limit.NEAR}
    assert "by a full backlog or on its way" in finding(made, "backlog").evidence[-1]


def test_the_masters_machine_is_not_that_of_the_others() -> None:
    """Who runs where was not told: its machine being used up is near the limit, not at it."""
    made = found(
        Staging(machine=MachineSecond(0.99, 0.0), workers_booted=BOOTED - 9999, target=[Machine(is_here=None)])
    )
    assert levels(made) == {"machine": Limit.NEAR}


def test_the_old_recordings_have_a_bottleneck_too() -> None:
    """Recordings without any of what was added later."""
    made = summarise(recordings.make()).bottleneck
    assert made is not None
    assert made.sentence.startswith("Nothing is near its limit")
    assert finding(made, "machine").level is Limit.UNKNOWN


# --- The stretch -----------------------------------------------------------------------------------------------------


def cut(recording: Recording, first: int, end: int) -> Bottleneck:
    """Return the bottleneck of some seconds of a run, found as the summary finds it."""
    from loadlab.analysis import stages
    from loadlab.analysis.evidence import Evidence
    from loadlab.analysis.loads import tallied
    from loadlab.analysis.timeline import columns

    timeline = columns(recording.seconds)
    held = stages.held(recording.events, timeline.length)
    window = stages.window(held, timeline.length)
    loads = tallied(timeline, (), window, len(recording.run.thresholds_us), ())
    whole = loads.all.over((range(timeline.length),))
    return bottleneck.find(Evidence(recording, timeline, held, window, whole), loads, (range(first, end),))


def mixed() -> Recording:
    """Return a run whose first half has time and whose second half has not."""
    easy, hard = recorded(Staging(seconds=60)), recorded(replace(busy(queue_ms=200), target=[HALF_A_CORE], seconds=60))
    easy.seconds[30:] = hard.seconds[30:]
    return easy


def test_any_stretch_of_whole_seconds_can_be_looked_at() -> None:
    """Figures are those of the stretch, wherever it begins and ends."""
    assert cut(mixed(), 5, 28).first is None
    assert cut(mixed(), 33, 57).first == "target CPU"


def test_counters_that_were_read_late_are_used() -> None:
    """A target that is overloaded did not answer within the stretch: its counters before and after tell of it."""
    recording = recorded(replace(busy(queue_ms=200), target=[HALF_A_CORE]))
    for second in recording.seconds:
        if 12 <= second.t <= 18:
            second.target = []
    assert cut(recording, 12, 18).first == "target CPU"


def test_counters_that_began_anew_count_on() -> None:
    """A target that was restarted has used no negative CPU time: 38 steps of 0.495 s, and what it shows thereafter."""
    recording = recorded(replace(busy(queue_ms=200), target=[HALF_A_CORE]))
    for second in recording.seconds:
        for look in second.target:
            if second.t >= 20:
                look.cpu_s = (look.cpu_s or 0) - 19.7
    # At second 20 it shows 10 + 20 * 0.495 - 19.7 = 0.2 s: (37 * 0.495 + 0.2) / 38 = 0.487 of 0.5.
    told = finding(cut(recording, RAMP_S, 40), "target-cpu").evidence[0]
    assert told == "It used 0.487 of the 0.5 cores that its limit allows (97%)."


def test_of_several_stages_the_first_that_broke_is_looked_at() -> None:
    """Else the largest: a mean over all of them would be of none."""
    recording = recordings.make(recordings.Recipe(steps=((20, 20), (60, 20), (40, 20))))
    made = summarise(recording).bottleneck
    largest = summarise(recording).stages[1].load
    assert made is not None
    assert (made.start_s, made.end_s) == (largest.start_s, largest.end_s)
    slow = cycle([5.0])
    recipe = recordings.Recipe(
        steps=((20, 20), (60, 20), (40, 20)),
        endpoints=[recordings.EndpointRecipe("GET", "/tests", 1.0, lambda _, t: 700.0 if t > 25 else next(slow))],
    )
    summary = summarise(recordings.make(recipe))
    assert summary.bottleneck is not None
    assert summary.bottleneck.start_s == summary.stages[1].load.start_s


def test_other_promises_than_the_runs_own_can_be_pressing() -> None:
    """Judged again by another promise, the same run has another bottleneck."""
    recording = recorded(replace(busy(store_ms=50)))
    eased = summarise(recording, ["p95<450ms"]).bottleneck
    pressed = summarise(recording, ["p95<40ms"]).bottleneck
    assert eased is not None
    assert pressed is not None
    assert (finding(eased, "store").level, finding(pressed, "store").level) == (Limit.NEAR, Limit.LIMITING)


@pytest.mark.parametrize(
    ("promise", "is_broken"),
    [
        ("p95<40ms", True),
        ("mean<40ms", True),
        ("rps>1000", True),
        ("GET /tests: p99<40ms", True),
        ("GET /other: p99<40ms", False),
        ("max<1ms", False),
        ("lag<1ms", False),
        ("p95>1ms", False),
    ],
)
def test_which_promises_press(promise: str, is_broken: bool) -> None:
    """Those on response times and throughput; not the longest time, which is one request's, nor a lower bound of it."""
    made = found(replace(busy(store_ms=50), slos=(promise,)))
    assert (finding(made, "store").level is Limit.LIMITING) == is_broken


# --- Its parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("HTTP 500", "errors"),
        ("HTTP 503 Service Unavailable", "errors"),
        ("HTTP 404", "errors"),
        ("Got wrong response", "errors"),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "network"),
        ("ConnectionResetError: [Errno 104] Connection reset by peer", "network"),
        ("RetriesExceeded: http://api:8000/tests 0", "network"),
        ("TimeoutError: timed out", "network"),
        ("HTTPConnectionClosed: connection closed before the answer began", "network"),
        ("gaierror: [Errno -2] Name or service not known", "network"),
        ("OSError: [Errno 24] Too many open files", "descriptors"),
        ("OSError: [Errno 99] Cannot assign requested address", "ports"),
    ],
)
def test_what_a_failure_speaks_for(text: str, code: str) -> None:
    """By the words of the clients."""
    assert failures.kind_of(text) == code


def test_the_index_of_fairness() -> None:
    """1 where all have the same, 1/n where one has all; 3, 1, 1, 1 by hand: 36 / (4 x 12)."""
    assert spread.jain({"a": 5, "b": 5}) == 1
    assert spread.jain({"a": 5, "b": 0, "c": 0}) == pytest.approx(1 / 3)
    assert spread.jain({"a": 3, "b": 1, "c": 1, "d": 1}) == pytest.approx(0.75)
    assert spread.jain({"a": 0}) == 1


def test_the_chance_of_uneven_shares() -> None:
    """Pearson's example of a die's 6 faces by hand: chi-squared 2.0 of 1 degree of freedom is 15.7%."""
    assert spread.chance({"a": 60, "b": 40 + 0}) == pytest.approx(0.0455, abs=0.0001)
    assert spread.chance({"a": 50, "b": 50}) == 1


def test_every_cause_has_its_place() -> None:
    """What follows from what is said of causes that there are, and none follows from itself."""
    for cause, followers in ranking.FOLLOWS.items():
        assert {cause, *followers, *ranking.BY_ITS_CLOCK} <= set(causes.CODES)
        assert cause not in followers
    assert len({cause.name for cause in causes.CAUSES.values()}) == len(causes.CODES)


def test_instances_that_tell_in_turn_and_then_no_more() -> None:
    """What is told once is no rate: it is not known, not 0."""
    recording = recorded()
    for second in recording.seconds:
        second.target = [TargetSecond("10.0.0.2:8000", cpu_s=5.0, cpu_limit=1.0)] if second.t == 10 else []
    made = cut(recording, RAMP_S, 40)
    assert finding(made, "target-cpu").level is Limit.UNKNOWN


def test_every_cause_and_level_is_documented() -> None:
    """docs/metrics.md has a row for each cause, none more, and a word for each level."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
    rows = text.partition("| code | what | at its limit |")[2].partition("\n\n")[0].splitlines()[2:]
    assert {row.split("`")[1] for row in rows} == set(causes.CODES)
    assert all(f"{level}: " in text or f" {level}." in text for level in Limit)


TARGET_FIELDS = [field.name for field in fields(TargetSecond) if field.name not in ("instance", "name", "requests")]
MS = st.sampled_from([0.0, 0.3, 40.0, 3000.0])
SHARES = st.sampled_from([0.0, 0.05, 0.5, 0.85, 1.0])
MACHINES = st.builds(
    Machine,
    extra_ms=MS,
    cpu_cores=st.sampled_from([0.0, 0.4, 1.9]),
    cpu_limit=st.sampled_from([None, 0.5, 2.0]),
    processes=st.sampled_from([(), (0.0,), (0.99, 0.01)]),
    throttled=SHARES,
    slots=st.sampled_from([None, 1, 1024]),
    refused=st.sampled_from([0, 9]),
    overflows=st.sampled_from([0, 9]),
    queue=st.sampled_from([None, 0.0, 4.0]),
    machine_busy=st.sampled_from([None, 0.2, 1.0]),
    is_here=st.sampled_from([None, False, True]),
    changes=st.dictionaries(st.sampled_from(TARGET_FIELDS), st.none(), max_size=8),
)
STAGINGS = st.builds(
    Staging,
    seconds=st.sampled_from([3, 12]),
    users=st.sampled_from([1, 40]),
    rps=st.sampled_from([12, 60]),
    way_ms=MS,
    queue_ms=MS,
    app_ms=MS,
    store_ms=MS,
    tells_phases=st.booleans(),
    tells_timing=st.booleans(),
    tells_store=st.booleans(),
    connects=st.sampled_from([0, 5]),
    connect_max_ms=MS,
    errors=st.dictionaries(st.sampled_from(["HTTP 500", "HTTP 503", "timed out", "[Errno 24]"]), st.integers(1, 3)),
    target=st.lists(MACHINES, max_size=3).map(lambda some: [replace(one, share=1 / len(some)) for one in some]),
    machine=st.sampled_from([None, MachineSecond(0.2, 0.2), MachineSecond(0.97, 0.0)]),
    worker_cpu=SHARES,
    worker_throttled=st.sampled_from([0, 1, 10]),
    lag_ms=MS,
    workers_booted=st.sampled_from([None, BOOTED]),
    slos=st.sampled_from([(), ("p95<450ms", "fail<1%"), ("fail<0%",), ("rps>1000", "mean<1ms")]),
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(STAGINGS)
def test_whatever_was_recorded_something_is_said(staging: Staging) -> None:
    """Nothing raises; the first is the first finding's name, or none; what is said of none names none."""
    made = found(staging)
    limiting = [one for one in made.findings if one.level is Limit.LIMITING]
    assert [one.code for one in made.findings][: len(limiting)] == [one.code for one in limiting]
    assert all(one.evidence and one.advice for one in made.findings)
    assert all(one.score is None or 0 <= one.score <= 1 for one in made.findings)
    assert all(one.score is not None for one in limiting)
    begun = made.sentence.startswith(("The first thing to give out", "Nothing has given out. The nearest"))
    assert begun == (made.first is not None)
    if made.first is not None:
        assert made.first == made.findings[0].name
        assert bool(limiting) == made.sentence.startswith("The first")
