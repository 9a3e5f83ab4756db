"""The rig by `docker compose` alone, as a user types it in a fresh clone."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .conftest import PROJECT
from .rig import IMAGES, LOOPBACK, Rig, clone_into, docker, fresh, leftovers, remove_images, request, run, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

WORKERS = 8
USERS = 100
SANE_UP_S = 60  # up takes about 7 s on two cores; its speed is measured elsewhere
UNIT_TESTING = {"name": "unit testing", "description": "testing individual units of source code"}
LOAD_TESTING = {"name": "load testing", "description": "checking if a software can handle the expected load"}
API_MOST_MB = 120
GENERATOR_MOST_MB = 350


@pytest.fixture(scope="module")
def rig(clone: Path) -> Iterator[Rig]:
    """The rig of this module; a test says which workers it wants by `up`, which costs little when they are there."""
    yield from fresh(clone, PROJECT)


@pytest.fixture(scope="module")
def replicated(clone: Path) -> Iterator[Rig]:
    """A second rig, with three replicas of the API."""
    yield from fresh(clone, f"{PROJECT}-replicas", replicas=3)


def test_one_command_brings_up_eight_workers_in_a_fresh_clone(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no image is built yet, `docker compose up -d --scale worker=8` is the only step to eight ready workers."""
    remove_images()
    seconds = rig.up(workers=WORKERS)
    assert len(rig.shares()) == WORKERS
    with capsys.disabled():
        print(f"\n8 workers ready {seconds:.1f} s after the command, images built on the way")


def test_down_keeps_what_is_stored_and_down_with_volumes_does_not(rig: Rig) -> None:
    """After `down` and `up` every item is still there; `down --volumes` leaves nothing at all."""
    rig.up(workers=1)
    assert request(f"{rig.api}/tests", json.dumps(LOAD_TESTING).encode()).status == 204
    stored = total(rig.api)
    rig.down(volumes=False)
    assert [left.split()[0] for left in leftovers(rig.project)] == ["volume", "volume"]
    rig.up(workers=1)
    assert total(rig.api) == stored
    rig.down()
    assert leftovers(rig.project) == []


def test_with_images_built_eight_workers_are_soon_ready(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """From nothing up to eight ready workers takes seconds once the images are there."""
    rig.compose("build")
    rig.down()
    seconds = rig.up(workers=WORKERS)
    with capsys.disabled():
        print(f"\n8 workers ready {seconds:.1f} s after the command, images built before")
    assert seconds < SANE_UP_S


def test_the_calls_of_the_lab_document(rig: Rig) -> None:
    """GET lists the first item, POST adds one with 204 and no body, GET then lists both in order."""
    rig.up(workers=WORKERS)
    tests = f"{rig.api}/tests"
    assert request(tests).json == [UNIT_TESTING]
    added = request(tests, json.dumps(LOAD_TESTING).encode())
    assert (added.status, added.body) == (204, b"")
    assert request(tests).json == [UNIT_TESTING, LOAD_TESTING]


def test_an_idle_rig_scales_down_to_exactly_three(rig: Rig) -> None:
    """`up -d --scale worker=3` leaves three containers, and three workers at the master."""
    rig.up(workers=WORKERS)
    rig.up(workers=3)
    assert len(rig.containers("worker")) == 3
    assert len(rig.shares()) == 3


def test_an_unknown_scenario_is_refused(rig: Rig) -> None:
    """/swarm with a scenario that is no file names it and those there are, and starts nothing."""
    rig.up(workers=3)
    answer = rig.swarm(10, 10, scenario="nonsense")
    assert answer["success"] is False
    for name in ("nonsense", "locustfile", "read_heavy", "write_heavy"):
        assert name in answer["message"]
    assert rig.workers()["users"] == 0
    assert rig.workers()["state"] != "running"


def test_a_run_of_sixty_users_has_no_failures(rig: Rig) -> None:
    """15 s of 60 users list and add, none of it fails, and the API holds all that Locust counted as added."""
    rig.up(workers=3)
    before = total(rig.api)
    rig.reset_statistics()
    assert rig.swarm(60, 60, scenario="locustfile")["success"] is True
    wait_for("60 users run", lambda: rig.workers()["users"] == 60, 15)
    wait_for("1 request a second of each user", lambda: rig.requests("GET") + rig.requests("POST") > 60 * 12, 25)
    rig.stop()
    gets, posts = rig.requests("GET"), rig.requests("POST")
    assert rig.failures() == {}
    assert min(gets, posts) > 0.7 * max(gets, posts)
    assert total(rig.api) - before >= posts


def test_a_scenario_is_chosen_for_the_next_run(rig: Rig) -> None:
    """The same workers, started again with scenario=read_heavy, list about nine times for each addition."""
    rig.up(workers=3)
    rig.reset_statistics()
    assert rig.swarm(60, 60, scenario="read_heavy")["success"] is True
    wait_for("400 requests", lambda: rig.requests("GET") + rig.requests("POST") > 400, 30)
    rig.stop()
    gets, posts = rig.requests("GET"), rig.requests("POST")
    assert rig.failures() == {}
    assert posts > 0
    assert 4 < gets / posts < 25


def test_a_stop_right_after_a_start_loses_no_worker(rig: Rig) -> None:
    """Start and stop pressed within a moment leave every worker ready for another test."""
    rig.up(workers=3)
    assert rig.swarm(60, 60)["success"] is True
    rig.press_stop()
    # A start that was killed before any user was ordered leaves a master that has not run anything yet.
    wait_for("stopped", lambda: rig.workers()["state"] in ("stopped", "ready"))
    rig.wait_ready(3, within_s=20)
    time.sleep(2)  # users that started after all would be reported by now
    assert sum(rig.shares().values()) == 0
    assert len(rig.containers("worker")) == 3


def test_workers_that_leave_a_running_test_hand_their_users_over(rig: Rig) -> None:
    """Down from 8 to 3 workers in mid-run, 100 users are 100 again within 10 s, shared evenly; no request fails."""
    run_users(rig, WORKERS)
    rig.up(workers=3)
    rig.wait_shares([33, 33, 34], within_s=10)
    time.sleep(2)  # and stay: a second wave of rebalancing would show now
    assert sorted(rig.shares().values()) == [33, 33, 34]
    assert rig.failures() == {}


def test_workers_that_join_a_running_test_get_users(rig: Rig) -> None:
    """Up from 3 to 8 workers in mid-run, each new worker has users within 5 s of being ready; no request fails."""
    run_users(rig, 3)
    old = set(rig.shares())
    ready: dict[str, float] = {}
    busy: dict[str, float] = {}

    def all_busy() -> bool:
        now = time.monotonic()
        for worker, users in rig.shares().items():
            ready.setdefault(worker, now)
            if users:
                busy.setdefault(worker, now)
        return len(busy.keys() - old) == WORKERS - 3

    with ThreadPoolExecutor(1) as aside:
        scaling = aside.submit(rig.up, workers=WORKERS)
        wait_for("5 new workers with users", all_busy)
        scaling.result()
    assert max(busy[worker] - ready[worker] for worker in busy.keys() - old) < 5
    rig.wait_shares([12] * 4 + [13] * 4, within_s=10)
    assert rig.requests("GET") > 0
    assert rig.failures() == {}


def test_users_of_a_killed_worker_come_back(rig: Rig) -> None:
    """`kill -9` of a worker in mid-run: within 10 s its users run on the others; the test can be stopped and rerun."""
    run_users(rig, WORKERS)
    victim = rig.containers("worker")[0]["Id"]
    assert any(worker.startswith(victim[:12]) for worker in rig.shares())
    docker("kill", "--signal", "KILL", victim)
    rig.wait_shares([14] * 5 + [15] * 2, within_s=10)
    assert not any(worker.startswith(victim[:12]) for worker in rig.shares())
    rig.press_stop()
    wait_for("stopped", lambda: rig.workers()["state"] == "stopped", 10)
    assert rig.swarm(USERS, USERS)["success"] is True
    rig.wait_shares([14] * 5 + [15] * 2, within_s=10)


def test_workers_cut_off_while_users_start_do_not_add_to_them(rig: Rig) -> None:
    """Half of the workers hear nothing for 6 s while 100 users become 150: with them back, 150 it is, and evenly."""
    run_users(rig, WORKERS)
    cut_off = [container["Id"] for container in rig.containers("worker")[: WORKERS // 2]]
    assert rig.swarm(150, 10)["success"] is True
    time.sleep(1)  # in the midst of these 5 s
    docker("pause", *cut_off)
    time.sleep(6)  # Locust misses a worker after about four
    docker("unpause", *cut_off)
    try:
        rig.wait_shares([18] * 2 + [19] * 6, within_s=15)
        time.sleep(2)  # and stay
        assert sorted(rig.shares().values()) == [18] * 2 + [19] * 6
    finally:
        rig.press_stop()


def test_every_container_is_hardened(rig: Rig) -> None:
    """A numeric user that is not root, a read-only root, no capabilities, no new privileges, an init, limits."""
    rig.up(workers=WORKERS)
    containers = every_container(rig)
    assert len(containers) == WORKERS + 2
    for container in containers:
        host = container["HostConfig"]
        user = container["Config"]["User"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), user
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert host["Privileged"] is False
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Init"] is True
        assert 16 <= host["PidsLimit"] <= 1024
        assert 1 << 28 <= host["Memory"] <= 4 << 30
    for service in ("api", "master", "worker"):
        tried = "import os; print(os.getuid())\ntry: open('/tried', 'w')\nexcept OSError as error: print(error.errno)"
        assert rig.execute(service, tried).split() == ["10001", "30"], "user 10001, and EROFS"


def test_only_two_ports_are_published_and_only_on_loopback(rig: Rig) -> None:
    """The API's and the UI's port are published on 127.0.0.1; Locust's 5557 and the workers are published nowhere."""
    rig.up(workers=WORKERS)
    published = [
        (container["Config"]["Labels"]["com.docker.compose.service"], inside, host["HostIp"], int(host["HostPort"]))
        for container in every_container(rig)
        for inside, hosts in container["NetworkSettings"]["Ports"].items()
        for host in hosts or []
    ]
    assert sorted(published) == [
        ("api", "8000/tcp", LOOPBACK, rig.api_port),
        ("master", "8089/tcp", LOOPBACK, rig.ui_port),
    ]


def test_workers_are_on_internal_networks_alone(rig: Rig) -> None:
    """Each network that a worker is on is internal, so that it has no way out; the API is not on `control`."""
    rig.up(workers=WORKERS)
    assert networks(rig, "worker") == {"control": True, "load": True}
    assert networks(rig, "api") == {"load": True, "edge": False}


def test_the_master_hears_workers_on_the_control_network_alone(rig: Rig) -> None:
    """Locust's port 5557, which asks for no password, is reachable from a worker but not from the API's container."""
    rig.up(workers=WORKERS)
    knock = (
        "import socket\n"
        "addresses = {a[4][0] for a in socket.getaddrinfo('master', 5557, socket.AF_INET, socket.SOCK_STREAM)}\n"
        "for address in sorted(addresses):\n"
        "    s = socket.socket(); s.settimeout(2)\n"
        "    print('open' if s.connect_ex((address, 5557)) == 0 else 'closed')\n"
    )
    assert "open" in rig.execute("worker", knock)
    assert set(rig.execute("api", knock).split()) <= {"closed"}


def test_three_replicas_keep_every_write(replicated: Rig) -> None:
    """1,000 additions spread over three replicas at once are 1,000 more items at each; X-Instance tells them apart."""
    replicated.up(workers=1)
    assert [total(url) for url in replicated.apis] == [1, 1, 1]
    targets = list(itertools.islice(itertools.cycle(replicated.apis), 1000))
    body = json.dumps(LOAD_TESTING).encode()
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda url: request(f"{url}/tests", body), targets))
    assert {answer.status for answer in answers} == {204}
    instances = [{a.headers["X-Instance"] for a in answers[first::3]} for first in range(3)]
    assert all(instances)
    assert not any(one & other for one, other in itertools.combinations(instances, 2))
    assert [total(url) for url in replicated.apis] == [1001, 1001, 1001]


def test_the_images_are_small(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """Over their base, the API's image adds 120 MB at most and the generator's 350 MB."""
    rig.compose("build")
    base = size_mb(base_image(rig))
    added = {name: size_mb(image) - base for name, image in IMAGES.items()}
    with capsys.disabled():
        print(f"\nimages: base {base:.0f} MB, api +{added['api']:.0f} MB, generator +{added['generator']:.0f} MB")
    assert 0 < added["api"] <= API_MOST_MB
    assert 0 < added["generator"] <= GENERATOR_MOST_MB


@pytest.mark.parametrize("part", ["api", "generator"])
def test_an_image_holds_no_secret(rig: Rig, part: str) -> None:
    """Neither the environment of an image nor the history of its layers names a password, or a URL with one."""
    rig.compose("build")
    image = json.loads(docker("image", "inspect", IMAGES[part]))[0]
    told = "\n".join(
        [*image["Config"]["Env"], docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGES[part])]
    )
    assert "PATH=" in told
    assert re.findall(r"(?i)\w*(?:passw|secret|token|api_?key|credential)\w*=\S+|://[^\s/:@]+:[^\s/@]+@\S+", told) == []


@pytest.mark.parametrize(
    ("dockerfile", "edited", "copied"),
    [
        ("Dockerfile.locust", "locust/locustfile.py", "COPY --chmod=755 locust "),
        ("Dockerfile.api", "api/app.py", "COPY --chmod=755 api/ "),
    ],
)
def test_an_edit_installs_nothing(rig: Rig, tmp_path: Path, dockerfile: str, edited: str, copied: str) -> None:
    """A build after an edit of the user's file copies it anew and takes the installed packages from the cache."""
    rig.compose("build")
    clone = clone_into(tmp_path / "edited")
    with (clone / edited).open("a") as file:
        file.write(f"\n# edited {time.time()}\n")
    command = ["docker", "buildx", "build", "--progress", "plain", "-f", dockerfile, "--output", "type=cacheonly"]
    command += ["--build-arg", f"PYTHON_IMAGE={base_image(rig)}", "."]
    steps = build_steps(run(command, clone).stderr)
    installing = [cached for name, cached in steps.items() if "pip install" in name]
    copying = [cached for name, cached in steps.items() if copied in name]
    assert installing
    assert all(installing)
    assert copying == [False]


def test_every_part_becomes_healthy(rig: Rig) -> None:
    """The healthchecks of api, master and each worker say healthy."""
    rig.up(workers=WORKERS)

    def healthy() -> bool:
        return all(c["State"]["Health"]["Status"] == "healthy" for c in every_container(rig))

    wait_for("every container healthy", healthy)


def total(api: str) -> int:
    """Return how many items a replica says it holds."""
    return int(request(f"{api}/tests?limit=1").headers["X-Total-Count"])


def run_users(rig: Rig, workers: int) -> None:
    """Have 100 users running, shared among so many workers, and the statistics empty."""
    rig.up(workers=workers)
    if rig.workers()["state"] != "running":
        assert rig.swarm(USERS, USERS, scenario="locustfile")["success"] is True
    wait_for("100 users run", lambda: sum(rig.shares().values()) == USERS and all(rig.shares().values()), 15)
    rig.reset_statistics()
    wait_for("requests", lambda: rig.requests("GET") and rig.requests("POST"), 10)


def every_container(rig: Rig) -> list[dict[str, Any]]:
    """Return every container of the rig, inspected."""
    return [container for service in ("api", "master", "worker") for container in rig.containers(service)]


def networks(rig: Rig, service: str) -> dict[str, bool]:
    """Return the networks of a service, and of each whether it is internal."""
    names = {name for container in rig.containers(service) for name in container["NetworkSettings"]["Networks"]}
    inspected = json.loads(docker("network", "inspect", *names))
    return {network["Labels"]["com.docker.compose.network"]: network["Internal"] for network in inspected}


def base_image(rig: Rig) -> str:
    """Return the image that both Dockerfiles begin with."""
    services = json.loads(rig.compose("config", "--format", "json").stdout)["services"]
    return str(services["api"]["build"]["args"]["PYTHON_IMAGE"])


def size_mb(image: str) -> float:
    """Return the size of an image, in units of 10^6 bytes."""
    return int(json.loads(docker("image", "inspect", image))[0]["Size"]) / 1e6


def build_steps(progress: str) -> dict[str, bool]:
    """Return the steps of a build from its plain progress: what each does, and whether it came from the cache."""
    names = dict(re.findall(r"^#(\d+) \[.+? \d+/\d+\] (.+)$", progress, re.MULTILINE))
    cached = set(re.findall(r"^#(\d+) CACHED$", progress, re.MULTILINE))
    return {name: number in cached for number, name in names.items()}
