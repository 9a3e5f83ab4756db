"""Can the measurement be trusted in containers? A cut network, a starved generator, and each exit code of ./lab run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from loadlab.analysis.recording import EventKind
from loadlab.analysis.summary import Level, Verdict
from loadlab.errors import Exit
from tests.truth.container import TARGET, switch_network, truth_container
from tests.truth.machine import StolenTime
from tests.truth.process import Truth
from tests.truth.runs import Master, Measured, add_scenarios, check_nothing_dropped, read, until

from .conftest import PROJECT
from .rig import IMAGES, Rig, clone_into, leftovers, request, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

WORKERS = 8
CUT_S = 20.0
TRIES = 4


@dataclass(frozen=True)
class Done:
    """A command that has run, and what it measured."""

    process: subprocess.CompletedProcess[str]
    measured: Measured

    def check(self, expected: Exit) -> None:
        """Check the exit code; 98 it is too where the host took the CPU away, and the run says what that did."""
        allowed = (expected, Exit.INVALID_MEASUREMENT) if self.measured.is_disturbed else (expected,)
        assert self.process.returncode in allowed, self.process.stdout + self.process.stderr


@dataclass
class Measuring(Rig):
    """A rig with knobs of its own, and `./lab` in its clone."""

    knobs: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every command of this rig."""
        state = {"LAB_HOME": str(self.clone.parent / "lab-home"), "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "160"}
        return super().environment | state | self.knobs

    @property
    def results(self) -> Path:
        """Return where ./lab puts the runs."""
        return self.clone / "results"

    @property
    def master(self) -> Master:
        """Return the master."""
        return Master(self.ui)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `./lab run` as a shell does, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "loadlab", "run", *arguments],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def lab_run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Do `./lab run` to its end."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def lab_run_in_quiet(self, *arguments: str) -> Done:
        """Do `./lab run` to its end, again while the host alone keeps it from being valid."""
        for _ in range(TRIES):
            stolen = StolenTime()
            done = self.lab_run(*arguments)
            measured = replace(self.newest(), stolen=stolen.share())
            if not measured.is_disturbed:
                break
        return Done(done, measured)

    def newest(self) -> Measured:
        """Read the newest run that ./lab has copied."""
        return read(max(file.parent for file in self.results.glob("*/run.json")))


@pytest.fixture(scope="module")
def rig(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measuring]:  # noqa: ARG001 - it comes first
    """A rig in a clone with the scenarios of these tests; a test says by `up` which workers it wants."""
    clone = add_scenarios(clone_into(tmp_path_factory.mktemp("measured") / "clone"))
    rig = Measuring(clone, f"{PROJECT}-measured")
    try:
        yield rig
    finally:
        rig.down()
        assert not leftovers(rig.project)


@pytest.fixture
def truth(rig: Measuring) -> Iterator[Truth]:
    """The rig, up with eight workers, aimed at a truth server."""
    rig.knobs = {"TARGET_HOST": TARGET}
    rig.up(workers=WORKERS)
    with truth_container(rig.project, IMAGES["generator"], rig.clone / "tests") as truth:
        yield truth
    rig.knobs = {}


# --- Against the truth server --------------------------------------------------------------------------------------


def test_a_cut_network_is_flagged_and_nothing_is_counted_twice(rig: Measuring, truth: Truth, tmp_path: Path) -> None:
    """A worker without network for 20 s: flagged, its load restored elsewhere; all it did is reported once, late."""
    users = 80
    truth.control(reset=True, delay={"kind": "fixed", "ms": 20})
    run = rig.master.start(scenario="paced", users=users, spawn_rate=users, time_s=CUT_S + 50)
    rig.master.wait_running(run, users)
    victim = rig.containers("worker")[0]["Id"]
    time.sleep(3)
    cut_at = time.time()
    switch_network(victim, IMAGES["generator"], up=False)
    try:
        wait_for("80 users on the others", lambda: sum(rig.shares().values()) == users and len(rig.shares()) == 7, 12)
        time.sleep(max(0.0, cut_at + CUT_S - time.time()))
    finally:
        switch_network(victim, IMAGES["generator"], up=True)
    rig.master.wait_reported(run, CUT_S + 60)
    measured = rig.master.read(run, tmp_path)
    assert measured.events(EventKind.WORKER_MISSING)
    assert measured.events(EventKind.WORKER_BACK)
    assert measured.events(EventKind.LOAD_RESTORED)
    assert measured.summary.validity.level is not Level.VALID, measured.reasons()
    seen, account = truth(), measured.summary.validity.accounting
    # The server may have answered what was killed, on its way back over the cut.
    assert measured.recorded == measured.reported == account.answered
    assert measured.reported <= seen["answered"] <= measured.reported + account.killed
    assert account.lost_at_most == 0


def test_eight_workers_in_containers_drop_nothing(rig: Measuring, truth: Truth) -> None:
    """`./lab run` of eight workers: the folder is copied to results/, and has what the server counted."""
    truth.control(reset=True, delay={"kind": "lognormal", "p50_ms": 500, "p95_ms": 1500})
    arguments = ["--workers", "8", "--users", "80", "--spawn-rate", "40", "--time", "8s", "--scenario", "busy"]
    done = rig.lab_run(*arguments, "--slo", "p95<5s")
    # Counts hold whatever else is on the cores and may make it invalid.
    assert done.returncode in (Exit.OK, Exit.INVALID_MEASUREMENT), done.stdout + done.stderr
    measured = rig.newest()
    check_nothing_dropped(measured, truth)
    assert measured.summary.validity.accounting.served == truth()["answered"]
    assert measured.summary.workers_max == WORKERS


def test_a_starved_generator_gives_no_verdict(rig: Measuring, truth: Truth) -> None:
    """More requests than a fifth of a core can make are invalid, exit 98, and the first line says why.

    With all the core that one worker can use, the same load is valid, as far as the machine is there. How many are too
    many, the machine's cores decide: some make 800 requests/s of FastHttpUser in a fifth of their time.
    """
    truth.control(reset=True, delay={"kind": "instant"})
    rig.knobs |= {"WORKER_CPUS": "0.2"}
    rig.up(workers=1)
    for users in ("80", "160", "320"):
        load = ["--users", users, "--spawn-rate", "40", "--time", "10s", "--scenario", "brisk"]
        arguments = ["--workers", "1", *load, "--slo", "p95<5s"]
        starved = rig.lab_run(*arguments)
        if starved.returncode != Exit.OK:
            break
    assert starved.returncode == Exit.INVALID_MEASUREMENT, starved.stdout + starved.stderr
    assert rig.newest().summary.verdict is Verdict.NONE
    first = verdict_line(starved.stdout)
    assert first.startswith("INVALID"), first
    assert re.search(r"CPU|quota|held back|late", first), first
    rig.knobs |= {"WORKER_CPUS": "0"}
    rig.up(workers=1)
    fed = rig.lab_run_in_quiet(*arguments)
    fed.check(Exit.OK)
    assert fed.measured.is_disturbed or fed.measured.summary.validity.level is Level.VALID, fed.measured.reasons()


def verdict_line(output: str) -> str:
    """Return the first line of a command's verdict."""
    return next(line for line in output.splitlines() if re.match(r"(PASS|FAIL|INVALID|UNDECIDED)\b", line))


# --- Against the bundled API ---------------------------------------------------------------------------------------


def served_by_the_api(rig: Rig) -> int:
    """Return how many requests for /tests the API has answered, by its own metrics."""
    lines = request(f"{rig.api}/metrics").body.decode().splitlines()
    counts = [line.rsplit(" ", 1)[1] for line in lines if re.match(r'api_requests_total\{.*route="/tests"', line)]
    return sum(int(float(count)) for count in counts)


def test_the_api_and_the_report_agree(rig: Measuring) -> None:
    """The API's own counters say what the report says, whatever else is on the cores."""
    rig.up(workers=WORKERS)
    before = served_by_the_api(rig)
    done = rig.lab_run("--users", "80", "--spawn-rate", "40", "--time", "10s", "--workers", "8")
    measured = rig.newest()
    served = served_by_the_api(rig) - before
    assert done.returncode in (Exit.OK, Exit.INVALID_MEASUREMENT), done.stdout + done.stderr
    assert measured.recorded == measured.reported == measured.summary.validity.accounting.served == served > 600
    for name in ("run.json", "timeline.jsonl", "events.jsonl", "summary.json", "report.html", "junit.xml"):
        assert (measured.path / name).stat().st_size > 0, name


def test_promises_that_are_kept_exit_0(rig: Measuring) -> None:
    """0: eight workers, the lab's own scenario and promises."""
    rig.up(workers=WORKERS)
    done = rig.lab_run_in_quiet("--users", "80", "--spawn-rate", "40", "--time", "10s", "--workers", "8")
    done.check(Exit.OK)
    assert done.measured.is_disturbed or done.measured.summary.verdict is Verdict.PASS


def test_a_broken_promise_exits_99(rig: Measuring) -> None:
    """99: no API answers within a tenth of a millisecond."""
    rig.up(workers=2)
    rig.lab_run_in_quiet("--users", "20", "--spawn-rate", "20", "--time", "6s", "--slo", "p50<0.1ms").check(
        Exit.SLO_FAILED
    )


@pytest.mark.parametrize("arguments", [["--slo", "p95<fast"], ["--users", "0"], ["--shape", "square"]])
def test_a_bad_plan_exits_2(rig: Measuring, arguments: list[str]) -> None:
    """2: nothing is started for a plan that cannot be."""
    done = rig.lab_run(*arguments)
    assert done.returncode == Exit.USAGE, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_exits_97_and_leaves_a_partial_report(rig: Measuring) -> None:
    """97: Ctrl-C in mid-run stops the run, and what was measured until then is reported."""
    rig.up(workers=2)
    process = rig.start("--users", "20", "--spawn-rate", "20", "--time", "60s")
    run = until("a run", lambda: rig.master.runs()["active"], 30)
    rig.master.wait_running(run, 20)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED, output + errors
    measured = read(rig.results / run)
    assert measured.recording.run.status == "interrupted"
    assert measured.reported > 20
    assert (measured.path / "report.html").exists()


def test_a_rig_that_cannot_come_up_exits_1(rig: Measuring) -> None:
    """1: with no rig up, `run` brings one up; where that fails it says why."""
    rig.down()
    rig.knobs = {"PYTHON_IMAGE": "127.0.0.1:9/none:none"}
    try:
        done = rig.lab_run("--users", "20", "--time", "5s", "--engine", "compose")
    finally:
        rig.knobs = {}
    assert done.returncode == Exit.TOOL_ERROR, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert leftovers(rig.project) == []
