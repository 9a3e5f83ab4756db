"""`./lab run` against a master that plays a script: runs that end as planned, and plans and rigs that cannot be."""

from __future__ import annotations

import json

import pytest

from loadlab.analysis.summary import Verdict
from loadlab.commands.planning import check_reachable
from loadlab.errors import Exit, UsageError
from loadlab.rig.settings import RigSettings
from tests.rig.fakes import RUN_ID, FakeMaster, FakeRig, Lab, packed, summary, write_run

pytestmark = pytest.mark.usefixtures("fake_rig")


@pytest.mark.parametrize(
    ("verdict", "code"),
    [(Verdict.PASS, 0), (Verdict.FAIL, 99), (Verdict.NONE, 98), (Verdict.UNDECIDED, 98)],
)
def test_the_verdict_is_the_exit_code(
    verdict: Verdict, code: int, lab: Lab, fake_rig: FakeRig, master: FakeMaster
) -> None:
    """Pass is 0, a broken SLO 99, what cannot be judged 98; the report is named, and all of the folder is here."""
    master.archive = packed(write_run(fake_rig.home / "other" / RUN_ID, result=summary(verdict, code)))
    said = lab("run")
    assert said.code == code
    assert f"the headline of a {verdict.value}" in said.out
    assert f"results/{RUN_ID}/report.html" in said.out
    assert fake_rig.copied.html.read_text() == "<p>the report</p>"
    assert {file.name for file in fake_rig.copied.path.iterdir()} == {
        file.name for file in (fake_rig.home / "other" / RUN_ID).iterdir()
    }
    assert [path.name for path in (fake_rig.home / "results").iterdir()] == [RUN_ID]


def test_the_plan_is_what_was_asked_for(lab: Lab, master: FakeMaster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags win over the environment, which wins over .env; what nobody said has a default; workers are those there."""
    monkeypatch.setenv("USERS", "7")
    monkeypatch.setenv("SPAWN_RATE", "3")
    monkeypatch.setenv("SLO", "p99<1s, fail<5%")
    assert lab("run").code == 0
    assert (
        lab("run", "--users", "9", "--time", "1m30s", "--shape", "spike", "--slo", "p50<5ms", "--slo", "rps>1").code
        == 0
    )
    assert (
        lab("run", "--shape", "soak", "--name", "a night", "--scenario", "read_heavy", "--spawn-rate", "0.5").code == 0
    )
    common = {"spawn_rate": 3.0, "workers": 2, "name": "", "host": None, "scenario": "locustfile"} | {
        "calibrates": None,
        "start_users": 10,
        "precision_percent": 3.0,
    }
    assert master.plans[0] == common | {"users": 7, "time_s": 60.0, "shape": "steady", "slos": ["p99<1s", "fail<5%"]}
    assert master.plans[1] == common | {"users": 9, "time_s": 90.0, "shape": "spike", "slos": ["p50<5ms", "rps>1"]}
    given = {"shape": "soak", "time_s": 1800.0, "name": "a night", "scenario": "read_heavy", "spawn_rate": 0.5}
    assert master.plans[2].items() >= given.items()


def test_without_a_terminal_there_is_a_line_for_each_state(lab: Lab) -> None:
    """In a log file a run is some plain lines with what a person would ask for: no control characters."""
    said = lab("run")
    assert "waiting for workers: 2 of 2" in said.out
    assert "0:42 running, 20 of 20 users, 2 of 2 workers, 20.4 requests/s, p50 4.1" in said.out
    assert "p95<450ms pass" in said.out
    assert "\x1b" not in said.out


def test_json_is_alone_on_stdout(lab: Lab, fake_rig: FakeRig) -> None:
    """With --json, stdout is summary.json and nothing else; the progress is on stderr."""
    said = lab("run", "--json")
    assert said.code == 0
    assert json.loads(said.out) == json.loads(fake_rig.copied.summary.read_text())
    assert "running" in said.err


def test_a_rig_that_was_up_stays_up(lab: Lab, fake_rig: FakeRig) -> None:
    """What this command did not bring up, it does not take down."""
    assert lab("run").code == 0
    assert fake_rig.supervisor.poll() is None


# --- Plans and rigs that cannot be -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--users", "0"], "--users 0 is not allowed. Allowed: a whole number of users, 1-1000000."),
        (["--users", "many"], "--users many is not allowed. Allowed: a whole number of users, 1-1000000."),
        (["--spawn-rate", "0"], "--spawn-rate 0"),
        (["--workers", "201"], "--workers 201 is not allowed"),
        (["--time", "soon"], "--time: 'soon' is not a time. Write seconds, or such as 90s, 2m, 1h30m."),
        (["--time", "0.5"], "--time 0.5 is not allowed. Allowed: 1 s to 30 days."),
        (["--shape", "round"], "--shape round is not allowed. Allowed: steady, steps, spike, soak, capacity."),
        (["--slo", "p95<450km"], "'p95<450km': 'km' is not a unit of p95. Allowed: us, ms, s."),
        (["--slo", "p42<1s"], "'p42' is not a metric"),
        (["--slo", ""], "'' is not an SLO"),
        (["--scenario", "none"], "--scenario none is not a file of locust/scenarios: choose locustfile"),
        (["--name", "a/b"], "--name a/b is not allowed"),
        (["--host", "ftp://x"], "--host ftp://x is not allowed"),
        (["--engine", "nope"], "There is no engine 'nope'"),
        (["--users", "100000", "--spawn-rate", "1"], "Raise the spawn rate"),
        (["--nosuch"], "No such option"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_a_bad_plan_is_a_usage_error(arguments: list[str], named: str, lab: Lab, master: FakeMaster) -> None:
    """It exits with 2, names the value and what is allowed, and nothing is started."""
    said = lab("run", *arguments)
    assert said.code == Exit.USAGE
    assert named in " ".join(said.err.replace("│", " ").split())
    assert master.plans == []


@pytest.mark.parametrize(
    ("name", "value"), [("SLO", "p95<<1"), ("USERS", "0"), ("TARGET_METRICS", "x"), ("SCENARIO", "n")]
)
def test_a_bad_knob_is_a_usage_error(
    name: str, value: str, lab: Lab, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Knobs are checked as flags are, and named with their value."""
    monkeypatch.setenv(name, value)
    said = lab("run")
    assert said.code == Exit.USAGE
    assert f"{name}={value}" in said.err
    assert master.plans == []


def test_what_the_master_refuses(lab: Lab, master: FakeMaster) -> None:
    """A plan that only the master knows to be bad is a usage error, in its words; a run that is active, an error."""
    master.refusal = (400, {"message": "there is no scenario 'locustfile' on this master"})
    said = lab("run")
    assert (said.code, "no scenario 'locustfile' on this master" in said.err) == (Exit.USAGE, True)
    master.refusal = (409, {"message": "run X is active"})
    said = lab("run")
    assert (said.code, "run X is active" in said.err) == (Exit.TOOL_ERROR, True)


def test_a_rig_that_is_busy_is_left_alone(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """While another run is active, the rig is not scaled either: exit 1, and the run is named."""
    master.active = "20260101-000000"
    said = lab("run", "--workers", "4")
    assert said.code == Exit.TOOL_ERROR
    assert "Run 20260101-000000 is active on the rig that is up" in said.err
    assert json.loads(fake_rig.folder.wanted.read_text())["workers"] == 2


def test_a_rig_of_another_engine_or_version(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """Another engine than the one that is up, no workers, or a master without /runs: exit 1, and what to do."""
    said = lab("run", "--engine", "compose")
    assert said.code == Exit.TOOL_ERROR
    assert "A rig is up on the engine processes: run './lab down'" in said.err
    fake_rig.tell({"worker-1": -9, "worker-2": -9})
    said = lab("run")
    assert said.code == Exit.TOOL_ERROR
    assert "No worker runs" in said.err
    master.vanish()
    said = lab("run")
    assert said.code == Exit.TOOL_ERROR
    assert "does not answer" in said.err


def test_results_that_cannot_be_written(lab: Lab, master: FakeMaster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the run could not be kept, none is made: exit 1, the folder, and what to set."""
    monkeypatch.setenv("LAB_RESULTS", "/proc/results")
    said = lab("run")
    assert said.code == Exit.TOOL_ERROR
    assert "Runs cannot be kept in /proc/results" in said.err
    assert "LAB_RESULTS" in said.err
    assert master.plans == []


def test_a_target_that_containers_cannot_reach() -> None:
    """With LOAD_INTERNAL, a target outside of the rig is a usage error, not a run full of failures."""
    inside = RigSettings.model_validate({})
    outside = RigSettings.model_validate({"LOAD_INTERNAL": "false"})
    for host in ("http://example.org", "http://127.0.0.1:3000", "http://[::1]:3000"):
        with pytest.raises(UsageError, match="LOAD_INTERNAL=false"):
            check_reachable(host, "compose", inside)
        check_reachable(host, "compose", outside)
        check_reachable(host, "processes", inside)
    check_reachable("http://api:8000", "compose", inside)
    check_reachable(None, "compose", inside)
