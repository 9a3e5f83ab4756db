"""The load balancer by `docker compose --profile lb` before real replicas: even, and what a death and a birth do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadlab.analysis.scaling import jain
from loadlab.rig import balancer

from .conftest import PROJECT
from .rig import Rig, docker, fresh, request, wait_for

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

USERS = 60
REPLICAS = 3


@pytest.fixture(scope="module")
def rig(clone: Path) -> Iterator[Rig]:
    """Three replicas behind the load balancer, two workers."""
    for rig in fresh(clone, f"{PROJECT}-lb", replicas=REPLICAS, lb=True):
        rig.up(workers=2)
        wait_for_replicas(rig, REPLICAS)
        yield rig


def wait_for_replicas(rig: Rig, count: int, within_s: float = 30) -> None:
    """Wait until the load balancer sends requests to so many replicas."""
    wait_for(f"{count} replicas up", lambda: balancer.replicas_up(rig.lb_stats) == count, within_s)


def served(rig: Rig) -> dict[str, int]:
    """Return how many requests for /tests each replica that answers has counted, by its URL."""
    counts = {}
    for url in rig.apis:
        try:
            lines = request(f"{url}/metrics").body.decode().splitlines()
        except OSError:
            continue
        found = [line for line in lines if line.startswith("api_requests_total{") and 'route="/tests"' in line]
        counts[url] = sum(int(float(line.rsplit(" ", 1)[1])) for line in found)
    return counts


def rise(rig: Rig, before: dict[str, int]) -> dict[str, int]:
    """Return by how much each replica's count has risen."""
    return {url: count - before.get(url, 0) for url, count in served(rig).items()}


def counts(rig: Rig) -> tuple[int, int]:
    """Return how many requests were counted by Locust, and how many of them failed."""
    row = rig.stats().get(("", "Aggregated"))
    return (row["requests"], row["failures"]) if row else (0, 0)


@pytest.fixture
def load(rig: Rig) -> Iterator[None]:
    """Sixty users, from the start of a test to its end."""
    rig.reset_statistics()
    assert rig.swarm(USERS, USERS)["success"] is True
    wait_for("the users run", lambda: rig.workers()["users"] == USERS, 20)
    yield
    rig.stop()


def test_without_the_profile_there_is_none(clone: Path) -> None:
    """`docker compose up` knows nothing of it, and the workers go to the replicas themselves."""
    plain = Rig(clone, f"{PROJECT}-plain")
    services = json.loads(plain.compose("config", "--format", "json").stdout)["services"]
    assert set(services) == {"api", "master", "worker"}
    assert services["master"]["environment"]["LOCUST_HOST"] == "http://api:8000"
    assert services["master"]["environment"]["TARGET_METRICS"] == ""


def test_one_knob_leads_the_workers_there(rig: Rig) -> None:
    """LB=lb is the target, and each replica is asked for its metrics; a target of one's own wins."""
    master = json.loads(rig.compose("config", "--format", "json").stdout)["services"]["master"]["environment"]
    assert master["LOCUST_HOST"] == "http://lb:8000"
    assert master["TARGET_METRICS"] == "dns+http://api:8000/metrics,http://lb:8404/metrics"


def test_its_own_pages_are_there(rig: Rig) -> None:
    """/stats for people, /metrics for Prometheus, and the API by way of it on a port of this host."""
    assert b"Statistics Report for HAProxy" in request(f"{rig.lb_stats}/stats").body
    metrics = request(f"{rig.lb_stats}/metrics").body.decode()
    assert 'haproxy_server_status{proxy="api",server="api1",state="UP"} 1' in metrics
    assert request(f"{rig.lb}/tests").status == 200


@pytest.mark.usefixtures("load")
def test_the_load_is_even(rig: Rig) -> None:
    """Three replicas have a third each, as they count themselves, and none of it fails."""
    before = served(rig)
    wait_for("600 requests", lambda: sum(rise(rig, before).values()) > 600, 60)
    shares = rise(rig, before)
    assert len(shares) == REPLICAS
    assert (jain(list(shares.values())) or 0) > 0.98, shares
    assert rig.failures() == {}


def test_a_run_watches_each_replica(rig: Rig) -> None:
    """Its summary tells of three instances of the target, by their addresses, and both sides' counts agree."""
    plan = {"users": 30, "spawn_rate": 30, "time_s": 10, "slos": ["fail<1%"], "name": "behind"}
    run_id = request(f"{rig.ui}/runs", json.dumps(plan).encode()).json["id"]

    def reported() -> Any:
        document = request(f"{rig.ui}/runs/{run_id}").json
        return document["summary"] if document["reported"] else None

    summary = wait_for("the report", reported, 90)
    requests = [one["requests"] for one in summary["target"] if one["requests"] is not None]
    assert len(requests) == REPLICAS
    assert (jain(requests) or 0) > 0.98, requests
    account = summary["validity"]["accounting"]
    assert account["served"] == account["answered"] == account["started"]
    rig.wait_ready(2)


@pytest.mark.usefixtures("load")
def test_a_replica_that_dies_takes_with_it_what_it_had(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """At most what was on its way to it fails; from then on nothing does, and the two that are left have all of it."""
    wait_for("some load", lambda: counts(rig)[0] > 200, 30)
    doomed = rig.containers("api")[0]["Id"]
    docker("kill", doomed)
    wait_for_replicas(rig, REPLICAS - 1)
    settled, failed = counts(rig)
    wait_for("300 requests more", lambda: counts(rig)[0] > settled + 300, 30)
    after, failed_after = counts(rig)
    with capsys.disabled():
        print(f"\n{failed} of {after} requests failed when one of three replicas was killed under {USERS} users")
    assert failed_after == failed <= USERS / REPLICAS
    rig.up(workers=2)
    wait_for_replicas(rig, REPLICAS)


@pytest.mark.usefixtures("load")
def test_replicas_come_and_go_by_dns(rig: Rig) -> None:
    """One fewer costs no request; one more is found without a restart, and has its share."""
    lb = rig.containers("lb")[0]
    rig.compose("up", "--detach", "--no-recreate", "--scale", "worker=2", "--scale", f"api={REPLICAS - 1}")
    wait_for_replicas(rig, REPLICAS - 1)
    assert len(rig.containers("api")) == REPLICAS - 1
    rig.compose("up", "--detach", "--no-recreate", "--scale", "worker=2", "--scale", f"api={REPLICAS}")
    wait_for_replicas(rig, REPLICAS)
    before = served(rig)
    assert len(before) == REPLICAS
    wait_for("600 requests", lambda: sum(rise(rig, before).values()) > 600, 60)
    assert (jain(list(rise(rig, before).values())) or 0) > 0.95
    assert rig.failures() == {}
    assert [(one["Id"], one["RestartCount"]) for one in rig.containers("lb")] == [(lb["Id"], 0)]


def test_it_is_healthy_and_as_locked_up_as_the_rest(rig: Rig) -> None:
    """Its check passes; no root, no capability, a root that cannot be written to."""
    wait_for("healthy", lambda: rig.containers("lb")[0]["State"]["Health"]["Status"] == "healthy", 30)
    (container,) = rig.containers("lb")
    assert container["Config"]["User"] == "99:99"
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert sorted(container["NetworkSettings"]["Networks"]) == [f"{rig.project}_edge", f"{rig.project}_load"]
