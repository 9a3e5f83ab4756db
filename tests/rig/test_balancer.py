"""The load balancer: its settings, what the engine of processes makes of it, and a real one before real replicas."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from loadlab.analysis.scaling import jain
from loadlab.errors import Exit, LabError, UsageError
from loadlab.rig import balancer
from loadlab.rig.engine import LOOPBACK
from loadlab.rig.parts import Part, parts
from loadlab.rig.processes import ProcessEngine
from loadlab.rig.settings import ROOT, RigSettings, load
from tests.rig.rigs import STRAIGHT, Rig, free_ports, until

MakeRig = Callable[..., Rig]
CONFIGS = ROOT / "deploy" / "haproxy"
BINDS = {"LB_BIND": ":18000", "LB_STATS_BIND": ":18404"}


@pytest.fixture(scope="module")
def haproxy() -> str:
    """Where HAProxy is; without one, tests are skipped, or fail where LAB_REQUIRE names it."""
    try:
        return balancer.executable()
    except LabError as error:
        if "haproxy" in os.environ.get("LAB_REQUIRE", "").split(","):
            pytest.fail(str(error))
        pytest.skip(str(error))


# --- Settings --------------------------------------------------------------------------------------------------------


def check(haproxy: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """Let HAProxy read its settings and tell what is wrong with them; a warning counts."""
    arguments = [item for file in files for item in ("-f", str(file))]
    command = [haproxy, "-c", "-dW", *arguments]
    return subprocess.run(command, env=os.environ | BINDS, capture_output=True, text=True, check=False)


def test_the_settings_are_valid(haproxy: str, tmp_path: Path) -> None:
    """With the replicas found by DNS, and with those of the engine of processes, without a warning."""
    done = check(haproxy, CONFIGS / "lb.cfg", CONFIGS / "docker.cfg")
    assert done.returncode == 0, done.stderr
    processes = tmp_path / "lb.cfg"
    processes.write_text(balancer.backend(LOOPBACK, [5000, 5001]))
    done = check(haproxy, CONFIGS / "lb.cfg", processes)
    assert done.returncode == 0, done.stderr
    broken = tmp_path / "broken.cfg"
    broken.write_text("backend api\n    servr api-1 127.0.0.1:5000\n")
    assert check(haproxy, CONFIGS / "lb.cfg", broken).returncode != 0


def test_as_many_replicas_as_there_may_be_fit() -> None:
    """The template has a place for each."""
    most = max(getattr(limit, "le", 0) for limit in RigSettings.model_fields["api_replicas"].metadata)
    assert f"server-template api 1-{most} api:8000" in (CONFIGS / "docker.cfg").read_text()


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"LB": "nginx"}, "LB=nginx is not allowed. Allowed: lb, or empty"),
        ({"LB": "lb", "TARGET_HOST": "http://other"}, "unset one of them"),
        ({"LB": "lb", "LB_PORT": "8089"}, "LB_PORT=8089 is also UI_PORT's"),
        ({"LB": "lb", "LB_STATS_PORT": "5080"}, "LB_STATS_PORT=5080 is also LB_PORT's"),
        ({"LB": "lb", "LB_PORT": "5001", "API_REPLICAS": "2"}, "LB_PORT=5001 is also a port of the API (5000-5001)"),
    ],
)
@pytest.mark.usefixtures("bare")
def test_knobs_that_cannot_be(knobs: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is refused with its value and what is wrong with it."""
    for name, value in knobs.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        load()
    assert said in str(caught.value)


@pytest.mark.usefixtures("bare")
def test_its_ports_matter_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a load balancer, its ports are nobody's."""
    monkeypatch.setenv("LB_PORT", "8089")
    assert load().ports == [("UI_PORT", 8089), ("API_PORT", 5000)]


# --- The engine of processes -----------------------------------------------------------------------------------------


def told(folder: Path, **knobs: str) -> dict[str, Part]:
    """Return the parts of a rig of two replicas by their names."""
    settings = RigSettings.model_validate({"API_PORT": "6000", "API_REPLICAS": 2, "LB": "lb", **knobs})
    return {part.name: part for part in parts(ProcessEngine(folder)._fleet(settings))}


def test_workers_go_by_it_and_replicas_are_asked_themselves(haproxy: str, tmp_path: Path) -> None:
    """It takes the place of the port that replicas share; each is asked for its metrics on its own."""
    found = told(tmp_path, LB_PORT="6100", LB_STATS_PORT="6101")
    assert found["worker-1"].environment["LOCUST_HOST"] == "http://127.0.0.1:6100"
    assert "GUNICORN_REUSE_PORT" not in found["api-1"].environment
    assert found["api-2"].environment["GUNICORN_BIND"] == "127.0.0.1:6001"
    assert found["master-1"].environment["TARGET_METRICS"] == (
        "http://127.0.0.1:6000/metrics,http://127.0.0.1:6001/metrics,http://127.0.0.1:6101/metrics"
    )
    assert found["lb-1"].command[0] == haproxy
    assert found["lb-1"].environment == {"LB_BIND": "127.0.0.1:6100", "LB_STATS_BIND": "127.0.0.1:6101"}
    assert "lb-1" not in told(tmp_path, LB="")


def test_where_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do is said, and the rig is not brought up."""
    monkeypatch.setattr(balancer, "SBIN", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match=r"apt install haproxy.*--no-lb"):
        ProcessEngine(tmp_path / "rig").up(RigSettings.model_validate({"LB": "lb"}), tied=False)
    assert not (tmp_path / "rig").exists()


CSV = """\
# pxname,svname,qcur,status,check_status,
lb,FRONTEND,,OPEN,,
api,api1,0,UP,L7OK,
api,api2,0,UP,* L7OK,
api,api3,0,UP,INI,
api,api4,0,UP 1/2,L7STS,
api,api5,0,DOWN,L4CON,
api,api6,0,MAINT (resolution),,
api,BACKEND,0,UP,,
"""


@pytest.fixture
def stats() -> Iterator[str]:
    """The pages of a load balancer that has replicas in every state."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/stats;csv" else 404)
            self.end_headers()
            self.wfile.write(CSV.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://{LOOPBACK}:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_which_replicas_it_sends_requests_to(stats: str) -> None:
    """Those that a check has found ready: not those that it has not looked at, is unsure of, or does not find."""
    assert balancer.replicas_up(stats) == 2
    assert balancer.replicas_up(f"http://{LOOPBACK}:{free_ports()}") == 0
    with_one, without = RigSettings.model_validate({"LB": "lb"}), RigSettings.model_validate({})
    assert [balancer.ready_replicas(with_one, stats, answering) for answering in (1, 5)] == [1, 2]
    assert balancer.ready_replicas(without, stats, 5) == 5


# --- For real --------------------------------------------------------------------------------------------------------


def served(rig: Rig) -> list[int]:
    """Return how many requests for /tests each replica has answered, by its own count; 0 for one that is gone."""
    counts = []
    for port in rig.settings.api_ports:
        try:
            with STRAIGHT.open(f"http://{LOOPBACK}:{port}/metrics", timeout=5) as page:
                lines = page.read().decode().splitlines()
        except OSError:
            counts.append(0)
            continue
        found = [line for line in lines if line.startswith("api_requests_total{") and 'route="/tests"' in line]
        counts.append(sum(int(float(line.rsplit(" ", 1)[1])) for line in found))
    return counts


def total(rig: Rig) -> tuple[int, int]:
    """Return how many requests Locust has counted, and how many of them failed."""
    row = rig.get("/stats/requests")["stats"][-1]
    return int(row["num_requests"]), int(row["num_failures"])


@pytest.mark.slow
def test_a_real_one(haproxy: str, make_rig: MakeRig) -> None:  # noqa: ARG001 - it has to be there
    """Two replicas share the load evenly; one is killed, and all but what was on its way goes to the other."""
    first = free_ports(2)
    rig = make_rig(replicas=2, LB_PORT=str(first), LB_STATS_PORT=str(first + 1), STOP_TIMEOUT_S="1")
    up = rig.lab("up", "--detach", "--lb")
    assert up.returncode == Exit.OK, up.stdout
    assert f"LB      http://127.0.0.1:{first}/tests" in up.stdout
    status = json.loads(rig.lab("status", "--json").stdout)
    assert status["lb_url"] == f"http://127.0.0.1:{first}"
    state = rig.engine.state()
    assert state is not None
    assert (state.count("lb"), state.count("api")) == (1, 2)
    assert balancer.replicas_up(f"http://127.0.0.1:{first + 1}") == 2

    rig.swarm(20)
    until(lambda: sum(served(rig)) > 200, 60, "200 requests")
    assert (jain(served(rig)) or 0) > 0.95
    assert total(rig)[1] == 0

    os.kill(rig.pid("api-1"), signal.SIGKILL)
    until(lambda: balancer.replicas_up(f"http://127.0.0.1:{first + 1}") == 1, 20, "one replica left")
    time.sleep(2)  # what Locust tells is up to two seconds old
    before, failed = total(rig)
    assert failed <= 20
    until(lambda: total(rig)[0] > before + 60, 30, "60 requests more")
    assert total(rig)[1] == failed
    down = rig.lab("down")
    assert down.returncode == Exit.OK, down.stdout
    assert rig.left() == []
