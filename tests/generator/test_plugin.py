"""The plugin in Locust's real processes, beside locustfiles that know nothing of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from loadlab.rig.engine import LOOPBACK, fetch
from loadlab.rig.settings import ROOT, known_names
from tests.rig.rigs import free_ports, until

pytestmark = pytest.mark.slow

BESIDE = "loadlab/generator/beside.py"
SHOP = """
from locust import User, constant, task

class Unlisted(User):
    abstract = True
    wait_time = constant(0.05)

    @task
    def work(self):
        name = type(self).__name__
        self.environment.events.request.fire(
            request_type="DO", name=name, response_time=1, response_length=1, exception=None, context={}
        )

class Reader(Unlisted):
    pass

class Writer(Unlisted):
    pass
"""
EXTRA = "from shop import Unlisted\n\nclass Robot(Unlisted):\n    pass\n"
IMPORTING = "import loadlab.generator.plugin\n" + SHOP


def locust(*arguments: str) -> subprocess.Popen[str]:
    """Start Locust in the project's folder, with none of the knobs set, both outputs in one pipe."""
    ours = known_names()
    environment = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("LOCUST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "locust", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Master:
    """A master and its workers, on ports of their own."""

    def __init__(self, *files: str | Path, workers: int = 0) -> None:
        control, self.port = free_ports(), free_ports()
        common = ["-f", ",".join(str(file) for file in files)]
        bind = ["--master-bind-host", LOOPBACK, "--master-bind-port", str(control)]
        web = ["--web-host", LOOPBACK, "--web-port", str(self.port)]
        connect = ["--worker", "--master-host", LOOPBACK, "--master-port", str(control)]
        self.children = [locust(*common, "--master", *bind, *web)]
        self.children += [locust(*common, *connect) for _ in range(workers)]
        self.workers = workers

    def url(self, path: str) -> str:
        """Return the address of a page of the UI."""
        return f"http://{LOOPBACK}:{self.port}{path}"

    def is_ready(self) -> bool:
        """Tell whether all workers have joined; a process that has ended fails the test with its words."""
        for child in self.children:
            assert child.poll() is None, child.communicate()[0]
        document = fetch(self.url("/workers"))
        return document is not None and document["ready"] == self.workers

    def swarm(self, **form: str) -> dict[str, Any]:
        """Start or change a test as the form of the UI does, and return the answer."""
        return self.post("/swarm", {"user_count": "4", "spawn_rate": "4"} | form)

    def post(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        """POST a form and return the JSON answer."""
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self.url(path), data, timeout=20) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def names(self) -> set[str]:
        """Return the names of what was requested in the test so far."""
        document = fetch(self.url("/stats/requests"))
        assert document is not None
        return {row["name"] for row in document["stats"]} - {"Aggregated"}

    def stop(self) -> None:
        """Stop the test, and wait until no user runs."""
        assert self.post("/stop", {})["success"] is True
        until(lambda: (fetch(self.url("/workers")) or {}).get("state") in ("ready", "stopped"), 10, "a stopped test")

    def end(self) -> None:
        """End every process at once: nothing of theirs is wanted any more."""
        for child in self.children:
            child.kill()
        for child in self.children:
            child.communicate(timeout=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a user's own locustfiles."""
    path = tmp_path_factory.mktemp("own")
    (path / "shop.py").write_text(SHOP)
    (path / "extra.py").write_text(EXTRA)
    (path / "importing.py").write_text(IMPORTING)
    return path


@pytest.fixture(scope="module")
def masters(folder: Path) -> Iterator[dict[str, Master]]:
    """Masters with different locustfiles, all started at once."""
    with ExitStack() as ends:
        made = {
            "project": Master(BESIDE, "locust/locustfile.py", "locust/scenarios"),
            "own": Master(BESIDE, folder / "shop.py", folder / "extra.py", workers=1),
            "importing": Master(BESIDE, folder / "importing.py"),
        }
        for master in made.values():
            ends.callback(master.end)
        for name, master in made.items():
            until(master.is_ready, 30, f"the master {name} ready")
        yield made


def test_a_master_without_workers(masters: dict[str, Master]) -> None:
    """/workers tells the state of the test and that there is no worker."""
    document = fetch(masters["project"].url("/workers"))
    assert document == {"state": "ready", "users": 0, "ready": 0, "workers": []}


def test_the_projects_scenarios_are_in_the_form(masters: dict[str, Master]) -> None:
    """The start form of the UI offers the locustfile's users and each scenario."""
    with urllib.request.urlopen(masters["project"].url("/"), timeout=10) as response:
        page = response.read().decode()
    for name in ("locustfile", "read_heavy", "write_heavy"):
        assert f'"{name}"' in page


def test_an_unknown_scenario_is_refused(masters: dict[str, Master]) -> None:
    """In the words of Locust's own errors, with what there is; no test starts."""
    answer = masters["project"].swarm(scenario="nosuch")
    assert answer["success"] is False
    refusal = "Unknown scenario 'nosuch': choose one of locustfile, "
    assert answer["message"].startswith(refusal)
    assert {"read_heavy", "write_heavy"} <= set(answer["message"].removeprefix(refusal).rstrip(".").split(", "))
    document = fetch(masters["project"].url("/workers"))
    assert document is not None
    assert document["state"] == "ready"


def test_a_locustfile_of_two_user_classes_runs_both(masters: dict[str, Master]) -> None:
    """A user's own file, which names neither scenarios nor this plugin: all its users run, other files' do not."""
    master = masters["own"]
    assert master.swarm(scenario="shop")["success"] is True
    until(lambda: master.names() == {"Reader", "Writer"}, 10, "requests of both classes")
    document = fetch(master.url("/workers"))
    assert document is not None
    assert (document["state"], document["users"], document["ready"]) == ("running", 4, 1)
    (worker,) = document["workers"]
    assert set(worker) == {"id", "state", "users", "cpu_percent", "memory_bytes"}
    assert (worker["state"], worker["users"]) == ("running", 4)
    master.stop()


def test_a_scenario_is_chosen_for_the_next_test_only(masters: dict[str, Master]) -> None:
    """Chosen before a test it holds for that test; a choice in the middle of one changes the users' number only."""
    master = masters["own"]
    assert master.swarm(scenario="extra")["success"] is True
    until(lambda: master.names() == {"Robot"}, 10, "requests of the chosen scenario")
    assert master.swarm(scenario="shop", user_count="6")["success"] is True
    until(lambda: (fetch(master.url("/workers")) or {}).get("users") == 6, 10, "six users")
    assert master.names() == {"Robot"}
    master.stop()
    assert master.swarm()["success"] is True  # the form without the field: the last choice holds
    until(lambda: master.names() == {"Robot"}, 10, "requests of the same scenario")
    master.stop()


def test_intervals_are_set() -> None:
    """Workers report each second instead of every three, and a missing worker is not thrown out after a minute."""
    script = (
        "import loadlab.generator.plugin; from locust import runners as r;"
        "print(r.WORKER_REPORT_INTERVAL, r.HEARTBEAT_DEAD_INTERNAL < -(10**6))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "1.0 True\n"


def test_the_plugin_installs_once_however_it_comes(masters: dict[str, Master]) -> None:
    """A locustfile that imports it as well, beside the file that does, gets it once: the options do not clash."""
    assert masters["importing"].is_ready()
    assert "importing" in masters["importing"].swarm(scenario="nosuch")["message"]


def test_a_single_file_runs_without_a_master(folder: Path) -> None:
    """Locust alone, headless, with the plugin beside one file: its users run, and it ends well."""
    child = locust("-f", f"{BESIDE},{folder / 'shop.py'}", "--headless", "-u", "2", "-r", "2", "-t", "1s")
    output = child.communicate(timeout=30)[0]
    assert child.returncode == 0, output
    assert "Reader" in output
    assert "Writer" in output
    assert "Traceback" not in output


def test_locusts_own_questions_are_answered() -> None:
    """`--version` loads no locustfile, so there are no scenarios to offer; that is no error."""
    child = locust("-f", BESIDE, "--version")
    output = child.communicate(timeout=30)[0]
    assert (child.returncode, output.startswith("locust 2.")) == (0, True)
