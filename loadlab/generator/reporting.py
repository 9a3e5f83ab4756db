"""A worker's reports to the master: numbered, kept until they are acknowledged, sent again until they are.

A report lost with a broken connection is thus not lost, and one that arrives twice is counted once. The last one says
so, and is sent when the users have stopped: Locust's own statistics lose what comes after their last interval.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event as Flag
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.exception import RPCError, RPCSendError
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadlab.generator import health, pauses
from loadlab.generator.flow import Flow
from loadlab.generator.health import Health
from loadlab.generator.http import LeanHttpSession
from loadlab.generator.recorder import Recorder, packed

REPORT, BEGIN, ACK = "lab-report", "lab-begin", "lab-ack"
AGAIN_AFTER_S = 2.0
SILENT_AFTER_S = 4.0
SETTLE_S = 0.02  # after a full second, for what ended in it
USERS_BEFORE_S = 0.01  # the end of a second they are counted: a stop at its end takes some away before the report
LEAST_WAIT_S = 0.001
LAST_WORD_S = 5.0
MOST_KEPT = 3600  # reports: an hour without the master


@dataclass(eq=False)
class Kept:
    """A report that is not acknowledged yet. `sent` is when it was last, in Unix seconds; 0 is not yet."""

    number: int
    report: dict[str, Any]
    sent: float = 0.0
    is_repeated: bool = False


class Reporter:
    """Reports what this worker records, each second while a run is on."""

    def __init__(self, runner: WorkerRunner) -> None:
        self.runner = runner
        self.recorder = Recorder()
        self.flow = Flow()
        self.health = Health()
        self.run: str | None = None
        self.final = False
        self.notes: list[str] = []
        self._begun = Flag()
        self._number = 0
        self._kept: deque[Kept] = deque(maxlen=MOST_KEPT)
        self._offset_s = 0.0
        self._best_trip_s = float("inf")
        self._answered_at = time.monotonic()
        self._sampled_at, self._busy_s = 0.0, 0.0
        self._users = 0
        self._through = -1  # the last second that was reported

    @property
    def is_acknowledged(self) -> bool:
        """Tell whether the master has all that was sent."""
        return not self._kept

    def begin(self, msg: Message, **_: Any) -> None:
        """Start recording for a run, as the master orders before it orders any users."""
        order = msg.data
        if order["run"] == self.run and not self.final:
            return  # told again, after the connection was lost
        self.run, self.final, self._number, self._through = order["run"], False, 0, -1
        self._kept.clear()
        self.notes.clear()
        begun_ago_s = max(0.0, time.time() + self._offset_s - order["started"])
        self.recorder.begin(time.perf_counter() - begun_ago_s, tuple(order["thresholds_us"]))
        pauses.keep(wanted=order.get("pauses", True))
        self.flow.begin()
        self.health.sample()
        self._sampled_at, self._busy_s = self.recorder.now(), 0.0
        self._answered_at = time.monotonic()
        self._begun.set()

    def acknowledged(self, msg: Message, **_: Any) -> None:
        """Forget a report that the master has, and learn how far this clock is from the master's."""
        received = time.time()
        self._answered_at = time.monotonic()
        for kept in list(self._kept):
            if (msg.data["run"], msg.data["number"]) == (self.run, kept.number):
                self._kept.remove(kept)
                trip_s = received - kept.sent
                # The shortest trip tells best. Not that of a repeated report: either may have been answered.
                if not kept.is_repeated and 0 <= trip_s <= self._best_trip_s:
                    self._best_trip_s = trip_s
                    self._offset_s = msg.data["at"] - (kept.sent + received) / 2

    def report_forever(self) -> None:
        """Report after each full second, and once more what was not acknowledged."""
        self._greet()
        while True:
            second = int(self.recorder.now()) + 1
            if self._is_begun_before(second - USERS_BEFORE_S):
                continue
            self._users = self.runner.user_count
            if self._is_begun_before(second + SETTLE_S):
                continue
            if self.run is not None and not self.final:
                self._send_new()
            self._send_again()

    def _is_begun_before(self, at: float) -> bool:
        """Wait until a time of the run, and tell whether another run began meanwhile: the clock was set anew."""
        is_begun = self._begun.wait(max(LEAST_WAIT_S, at - self.recorder.now()))
        self._begun.clear()
        return bool(is_begun)

    def finish(self) -> None:
        """Send the last report of the run: the users have stopped.

        A second that was over before that, but is not reported yet, is reported as it was: with the users that ran.
        """
        if self.run is not None and not self.final:
            if self._through < int(self.recorder.now()) - 1:
                self._send_new()
            self.final = True
            self._send_new()

    def wait_acknowledged(self) -> None:
        """Wait until the master has everything, or is taken to be gone."""
        deadline = time.monotonic() + LAST_WORD_S
        while self._kept and time.monotonic() < deadline:
            gevent.sleep(SETTLE_S)
            self._send_again()

    def leave(self) -> None:
        """Say the last word of a worker that is told to go, be it in the midst of a run."""
        if self.run is not None and not self.final:
            self.runner.stop()
        self.wait_acknowledged()

    def _greet(self) -> None:
        """Send an empty report: its acknowledgement tells how far the clocks are apart before the first run."""
        if self.run is None:
            self._keep_and_send(0, {"run": None, "number": 0})

    def _send_new(self) -> None:
        self._number += 1
        self._keep_and_send(self._number, self._report())

    def _keep_and_send(self, number: int, report: dict[str, Any]) -> None:
        self._kept.append(Kept(number, report))
        if self.final or not self._is_master_silent:
            self._send_kept(self._kept[-1])

    @property
    def _is_master_silent(self) -> bool:
        return time.monotonic() - self._answered_at > SILENT_AFTER_S

    def _send_again(self) -> None:
        # To a silent master one at a time, to see whether it answers: the queue to a dead one would fill up, and then
        # nothing that Locust itself sends would get through either.
        for kept in list(self._kept)[: 1 if self._is_master_silent else None]:
            if not 0 <= time.time() - kept.sent < AGAIN_AFTER_S:
                self._send_kept(kept)

    def _send_kept(self, kept: Kept) -> None:
        kept.is_repeated = kept.sent > 0
        kept.sent = time.time()
        self._send(kept.report)

    def _send(self, report: dict[str, Any]) -> None:
        with suppress(RPCError, RPCSendError):  # it is kept, and sent again
            self.runner.send_message(REPORT, report)

    def _report(self) -> dict[str, Any]:
        now = self.recorder.now()
        self._through = int(now) if self.final else int(now) - 1
        seconds = packed(self.recorder.take(everything=self.final))
        busy_s = self.flow.busy_s()
        in_flight = (busy_s - self._busy_s) / max(now - self._sampled_at, 1e-6)
        self._sampled_at, self._busy_s = now, busy_s
        notes, self.notes = self.notes, []
        return {
            "run": self.run,
            "number": self._number,
            "final": self.final,
            "through": self._through,
            "seconds": seconds,
            "users": self.runner.user_count if self.final else self._users,
            "in_flight": round(in_flight, 3),
            "health": vars(self.health.sample()),
            "clock_offset_s": round(self._offset_s, 4),
            "who": health.whoami(),
            "notes": notes,
            "counters": {
                "started": self.flow.started,
                "answered": self.flow.answered,
                "killed": self.flow.killed,
                "in_flight": self.flow.in_flight,
                "recorded": self.recorder.recorded,
                "busy_s": round(busy_s, 4),
                "killed_busy_s": round(self.flow.killed_busy_s, 4),
            },
        }


def attach(environment: Environment, runner: WorkerRunner) -> Reporter:
    """Record and report in this worker."""
    reporter = Reporter(runner)
    for session_class in (HttpSession, FastHttpSession):
        reporter.flow.watch(session_class)
    LeanHttpSession.flow = reporter.flow
    listener = environment.events.request.add_listener(reporter.recorder.on_request)
    LeanHttpSession.listeners = [listener]
    stop = runner.stop

    def stop_and_finish() -> None:
        stop()
        reporter.finish()  # before Locust tells the master that this worker has stopped

    runner.stop = stop_and_finish  # type: ignore[method-assign]
    runner.register_message(BEGIN, reporter.begin)
    runner.register_message(ACK, reporter.acknowledged)
    runner.greenlet.spawn(reporter.health.probe)
    runner.greenlet.spawn(reporter.report_forever)
    return reporter
