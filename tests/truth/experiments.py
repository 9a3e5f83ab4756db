"""Experiments on a rig of processes that loads a truth server: each does something, and checks what was said of it.

The tests run each once or twice; bench/recorder repeats them and prints the figures they return.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadlab.analysis.recording import EventKind
from loadlab.analysis.summary import Level, SloResult
from loadlab.errors import Exit
from tests.rig.rigs import Rig, copy_checkout
from tests.truth.machine import StolenTime
from tests.truth.process import Truth, TruthServer
from tests.truth.runs import (
    REPORT_S,
    Master,
    Measured,
    add_scenarios,
    check_nothing_dropped,
    check_percentiles,
    lag_ms,
    read,
    until,
)

Figures = dict[str, Any]
QUIET_MS = 3.0
TRIES = 3
RESTORED_S = 10.0  # within which the users of a lost worker have to run again


@dataclass
class Lab:
    """A rig that is up, its target, and a folder for what is downloaded."""

    rig: Rig
    truth: TruthServer
    folder: Path

    @property
    def master(self) -> Master:
        """Return the master."""
        return Master(self.rig.ui("").rstrip("/"))

    def measure(self, planned_s: float, **plan: Any) -> Measured:
        """Run a plan to its end and read what it recorded."""
        return self.master.measure(self.folder, planned_s=planned_s, **plan)

    def finish(self, run: str, within_s: float) -> Measured:
        """Wait for the end of a run and read what it recorded."""
        self.master.wait_reported(run, within_s)
        return self.master.read(run, self.folder)

    def signal(self, part: str, number: signal.Signals) -> None:
        """Send a signal to one part of the rig."""
        os.kill(self.rig.pid(part), number)


@contextmanager
def open_lab(home: Path, workers: int, **knobs: Any) -> Iterator[Lab]:
    """Bring a rig up in a copy of the checkout, with a truth server for its target, and take both down in the end."""
    home.mkdir(parents=True, exist_ok=True)
    checkout = add_scenarios(copy_checkout(home / "checkout"))
    with TruthServer() as truth:
        rig = Rig(home, workers=workers, checkout=checkout, TARGET_HOST=truth.url, **knobs)
        try:
            done = rig.lab("up", "--detach")
            assert done.returncode == Exit.OK, done.stdout
            yield Lab(rig, truth, home / "runs")
        finally:
            rig.end()


# --- Nothing dropped -----------------------------------------------------------------------------------------------


def slow_answers_at_the_end(lab: Lab) -> Figures:
    """Every user waits for an answer that takes 2 s when the run is over."""
    lab.truth.control(reset=True, delay={"kind": "fixed", "ms": 2000})
    measured = lab.measure(10, scenario="busy", users=20, spawn_rate=20, time_s=5)
    check_nothing_dropped(measured, lab.truth)
    return counted(lab, measured)


def a_worker_is_told_to_go(lab: Lab) -> Figures:
    """A worker gets SIGTERM in the middle of a run, as a scale-down sends it."""
    lab.truth.control(reset=True, delay={"kind": "fixed", "ms": 300})
    run = lab.master.start(scenario="busy", users=20, spawn_rate=20, time_s=8)
    lab.master.wait_running(run, 20)
    time.sleep(1.3)  # in the midst of a report's interval
    lab.signal("worker-1", signal.SIGTERM)
    measured = lab.finish(run, 20)
    check_nothing_dropped(measured, lab.truth)
    assert len(measured.events(EventKind.WORKER_LEFT)) == 1
    lab.rig.scale(lab.rig.settings.workers)
    return counted(lab, measured)


def started_and_stopped_in_the_ui(lab: Lab) -> Figures:
    """Start and stop are pressed in Locust's own UI; requests are on their way when stop is."""
    lab.truth.control(reset=True, delay={"kind": "lognormal", "p50_ms": 200, "p95_ms": 900})
    assert lab.rig.post("/swarm", user_count="20", spawn_rate="20", scenario="busy")["success"]
    run = until("a run", lambda: lab.master.runs()["active"], 10)
    lab.master.wait_running(run, 20)
    time.sleep(2.7)
    lab.rig.post("/stop", reason="enough")
    measured = lab.finish(run, 15)
    check_nothing_dropped(measured, lab.truth)
    assert (measured.recording.run.started_by, measured.recording.run.stopped_by) == ("ui", "user")
    return counted(lab, measured)


def many_requests(lab: Lab, requests: int = 20_000) -> Figures:
    """A run goes on until the server has counted so many requests, and is stopped then."""
    lab.truth.control(reset=True, delay={"kind": "lognormal", "p50_ms": 20, "p95_ms": 60})
    run = lab.master.start(scenario="busy", users=40, spawn_rate=40, time_s=300)
    until(f"{requests} requests", lambda: lab.truth()["answered"] >= requests, 120)
    lab.master.stop(run)
    measured = lab.finish(run, 15)
    check_nothing_dropped(measured, lab.truth)
    assert measured.reported >= requests
    return counted(lab, measured)


def counted(lab: Lab, measured: Measured) -> Figures:
    """Return what was served and what was reported."""
    return {"served": lab.truth()["answered"], "reported": measured.reported}


# --- Workers that are lost -----------------------------------------------------------------------------------------


def a_worker_is_killed(lab: Lab, users: int = 200, hold_s: float = 20.0) -> Figures:
    """kill -9 of one worker: its users run elsewhere within 10 s and stay, and what was lost is little and stated."""
    workers = lab.rig.settings.workers
    lab.truth.control(reset=True, delay={"kind": "fixed", "ms": 20})
    stolen = StolenTime()
    run = lab.master.start(scenario="paced", users=users, spawn_rate=users / 4, time_s=hold_s + 15)
    lab.master.wait_running(run, users)
    time.sleep(3.4)
    killed_at = time.time()
    lab.signal("worker-1", signal.SIGKILL)
    measured = lab.finish(run, hold_s + 35)
    lab.rig.scale(workers)
    measured = replace(measured, stolen=stolen.share())
    figures = after_a_loss(measured, killed_at, users)
    served, share = lab.truth()["answered"], users / workers
    lost = served - measured.reported
    stated = measured.summary.validity.accounting.lost_at_most
    assert 0 <= lost <= 1.2 * share + 1, f"{lost} of {served} lost, where a worker makes {share:g} requests a second"
    assert lost <= stated, f"{lost} lost, at most {stated} stated"
    if not measured.ran_late:
        assert measured.summary.validity.level is Level.DEGRADED, measured.reasons()
    assert str(stated) in measured.reasons()
    return {"served": served, "reported": measured.reported, "lost": lost, "stated": stated, **figures}


def after_a_loss(measured: Measured, at: float, users: int) -> Figures:
    """Check that the users were there again within `RESTORED_S` of a moment, in Unix seconds, and stayed."""
    run = measured.recording.run
    assert run.started is not None
    lost_s = at - run.started
    stop = measured.events(EventKind.STOP_ORDERED)[0].t
    by_second = measured.users_by_second()
    during = {t: by_second.get(t, 0) for t in range(math.ceil(lost_s), math.floor(stop) - 1)}
    short = [t for t, count in during.items() if count != users]
    restored_s = max(0.0, (max(short) + 1 - lost_s) if short else 0.0)
    assert restored_s <= RESTORED_S, (
        f"{users} users again {restored_s:.1f} s after the loss at {lost_s:.1f} s: {during}"
    )
    (missing,) = measured.events(EventKind.WORKER_MISSING)
    (restored,) = measured.events(EventKind.LOAD_RESTORED)
    assert lost_s < missing.t <= restored.t
    return {"restored_s": round(restored_s, 1), "watched_s": round(stop - lost_s)}


def a_worker_stands_still(lab: Lab, users: int = 80, seconds: float = 10.0) -> Figures:
    """SIGSTOP for 10 s: it is flagged, its users run elsewhere, and when it wakes nothing is lost or counted twice."""
    lab.truth.control(reset=True, delay={"kind": "fixed", "ms": 20})
    run = lab.master.start(scenario="paced", users=users, spawn_rate=users / 4, time_s=seconds + 20)
    lab.master.wait_running(run, users)
    time.sleep(2.4)
    stopped_at = time.time()
    lab.signal("worker-1", signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        lab.signal("worker-1", signal.SIGCONT)
    measured = lab.finish(run, seconds + 40)
    return after_an_absence(lab, measured, stopped_at, users)


def after_an_absence(lab: Lab, measured: Measured, at: float, users: int) -> Figures:
    """Check what was said of a worker that was away and came back."""
    run = measured.recording.run
    assert run.started is not None
    (missing,) = measured.events(EventKind.WORKER_MISSING)
    (back,) = measured.events(EventKind.WORKER_BACK)
    restored = measured.events(EventKind.LOAD_RESTORED)
    assert restored
    assert restored[0].t - (at - run.started) <= RESTORED_S
    assert missing.t < back.t
    assert measured.summary.validity.level is not Level.VALID, measured.reasons()
    served = lab.truth()["answered"]
    assert measured.recorded == measured.reported == served, f"{measured.recorded} recorded, {served} served"
    return {
        "served": served,
        "reported": measured.reported,
        "restored_s": round(restored[0].t - (at - run.started), 1),
        "users_max": max(measured.users_by_second().values()),
        "users": users,
    }


# --- A master that is lost -----------------------------------------------------------------------------------------


def the_master_is_killed(lab: Lab, users: int = 40) -> Figures:
    """kill -9 of the master under `./lab run`: it ends at once, the load soon, and the partial report is there."""
    lab.truth.control(reset=True, delay={"kind": "fixed", "ms": 20})
    output = lab.rig.home / "run.txt"
    results = lab.rig.home / "results"
    command = ["run", "--users", str(users), "--spawn-rate", str(users), "--time", "60s", "--scenario", "paced"]
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "loadlab", *command, "--slo", "fail<50%"],
            cwd=lab.rig.checkout,
            env=lab.rig.environment() | {"LAB_RESULTS": str(results)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        run = until("a run", lambda: lab.master.runs()["active"], 20)
        lab.master.wait_running(run, users)
        time.sleep(4)
        killed_at = time.time()
        lab.signal("master-1", signal.SIGKILL)
        code = process.wait(30)
        ended_s = time.time() - killed_at
    finally:
        process.kill()
        process.wait()
    last = quiet(lab)
    assert code == Exit.INTERRUPTED, output.read_text()
    assert ended_s <= 5, f"the command ended {ended_s:.1f} s after the master"
    assert last - killed_at <= 10, f"the last request came {last - killed_at:.1f} s after the master was gone"
    until("the partial report", (results / run / "report.html").exists, REPORT_S)  # it may be made in the background
    measured = read(results / run)
    assert measured.summary.partial
    assert measured.summary.exit_code == Exit.INTERRUPTED
    assert measured.reported >= users  # what had been written down before the master died
    return {"command_ended_s": round(ended_s, 1), "load_ended_s": round(last - killed_at, 1), "exit_code": code}


def quiet(lab: Lab, still_s: float = 4.0) -> float:
    """Wait until the target has had no request for so long, and return when the last one came, in Unix seconds."""

    def look() -> float | None:
        last = float(lab.truth()["last"])
        return last if time.time() - last > still_s else None

    return until("the load stops", look, 60) or 0.0


# --- Accuracy ------------------------------------------------------------------------------------------------------

DELAYS: dict[str, dict[str, Any]] = {
    "fixed": {"kind": "fixed", "ms": 100},
    "log-normal": {"kind": "lognormal", "p50_ms": 80, "p95_ms": 300},
    "two peaks": {"kind": "two-peaks", "low_ms": 40, "high_ms": 400, "high_percent": 12},
}


def in_quiet(truth: Truth, measure: Callable[[], Measured]) -> Measured:
    """Measure, again while workers or server say that they were late: another program was on their cores."""
    for _ in range(TRIES - 1):
        measured = measure()
        if max(measured.lag_p99_ms, lag_ms(truth())) <= QUIET_MS:
            return measured
    return measure()


def accuracy(lab: Lab, name: str, time_s: float = 10.0) -> Figures:
    """The percentiles that are reported are those that the server saw."""

    def measure() -> Measured:
        lab.truth.control(reset=True, delay=DELAYS[name])
        return lab.measure(time_s + 10, scenario="scattered", users=10, spawn_rate=100, time_s=time_s)

    measured = in_quiet(lab.truth, measure)
    check_nothing_dropped(measured, lab.truth)
    check_percentiles(measured, lab.truth)
    served, reported = lab.truth()["ok"], measured.summary.totals.ok
    assert reported is not None
    figures: Figures = {}
    for percentile in ("p50", "p95", "p99"):
        true_ms, seen_ms = served["percentiles_ms"][percentile], reported.percentiles_ms[percentile]
        figures |= {percentile: true_ms, f"{percentile}_off_percent": round(100 * (seen_ms / true_ms - 1), 2)}
    lags = {"lag_p99_ms": measured.lag_p99_ms, "server_lag_p99_ms": lag_ms(lab.truth())}
    return {"requests": served["count"], **figures, **lags}


def promise(lab: Lab, p95_ms: float, time_s: float = 15.0) -> tuple[SloResult, Measured]:
    """Judge p95<450ms of a server whose 95th percentile is known, on some 2,500 samples."""
    plan = {"scenario": "scattered", "users": 40, "spawn_rate": 100, "time_s": time_s, "slos": ["p95<450ms"]}

    def measure() -> Measured:
        lab.truth.control(reset=True, delay={"kind": "lognormal", "p50_ms": 180, "p95_ms": p95_ms})
        return lab.measure(time_s + 15, **plan)

    measured = in_quiet(lab.truth, measure)
    check_nothing_dropped(measured, lab.truth)
    true_ms = lab.truth()["ok"]["percentiles_ms"]["p95"]
    assert abs(true_ms - p95_ms) < 3, f"the server's own p95 is {true_ms} ms"
    (result,) = measured.summary.slos
    return result, measured


def freeze(lab: Lab, seconds: float = 1.0) -> Figures:
    """A server that answers nothing for a second shows in the timeline in the second in which it answers again."""
    lab.truth.control(reset=True, delay={"kind": "fixed", "ms": 50})
    run = lab.master.start(scenario="busy", users=10, spawn_rate=100, time_s=8)
    lab.master.wait_running(run, 10)
    time.sleep(2.5)
    lab.truth.control(freeze_s=seconds)
    measured = lab.finish(run, 20)
    check_nothing_dropped(measured, lab.truth)
    ((_, thawed),) = lab.truth()["freezes"]
    started = measured.recording.run.started
    assert started is not None
    longest = measured.longest_ms_by_second()
    at = thawed - started
    seen = [t for t, ms in longest.items() if ms >= 900 * seconds]
    assert seen in ([math.floor(at)], [math.floor(at + 0.05)]), f"thawed at {at:.2f} s, longest {longest}"
    return {"thawed_s": round(at, 2), "seen_in_second": seen[0], "longest_ms": round(longest[seen[0]])}
