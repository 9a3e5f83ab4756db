"""`./lab sweep` and `./lab up --lb` on the Compose engine, in runs that are too short to judge anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import PROJECT
from .rig import CHECKOUT, Rig, docker, fresh, leftovers, run
from .test_lab_compose import INVALID, OK, USAGE, Lab, home

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

SHORT = ("--engine", "compose", "--users", "6", "--spawn-rate", "20", "--time", "4s", "--slo", "fail<1%")
__all__ = ["home"]


@pytest.fixture
def lab(clone: Path, home: Path) -> Iterator[Lab]:
    """`./lab` for a rig of up to three replicas that is not up."""
    for rig in fresh(clone, f"{PROJECT}-sweep", replicas=3):
        yield Lab(rig, home)


def swept(rig: Rig) -> dict[str, Any]:
    """Return the newest sweep."""
    files = sorted((rig.clone / "results").glob("*/sweep.json"))
    document: dict[str, Any] = json.loads(files[-1].read_text())
    assert (files[-1].parent / "report.html").is_file()
    return document


def test_workers(lab: Lab) -> None:
    """One and two of them, each on a rig of its own; what an earlier rig stored is gone, its runs are here."""
    up = lab("run", "--workers", "1", *SHORT)
    assert up.returncode == INVALID, up.stderr
    assert len([left for left in leftovers(lab.rig.project) if left.startswith("volume")]) == 2
    done = lab("sweep", "--workers", "1,2", *SHORT, API_PORT=str(lab.rig.api_port))
    assert done.returncode == INVALID, done.stdout + done.stderr
    assert "An earlier rig stored something on engine compose" in done.stdout
    sweep = swept(lab.rig)
    assert [(point["count"], point["state"]) for point in sweep["points"]] == [(1, "measured"), (2, "measured")]
    for point in sweep["points"]:
        record = json.loads((lab.rig.clone / "results" / point["run"] / "run.json").read_text())
        assert record["expected_workers"] == point["count"]
        assert point["figures"]["throughput_rps"] > 0
        assert point["figures"]["machine_percent"] > 0
    assert leftovers(lab.rig.project) == []


def test_replicas(lab: Lab) -> None:
    """One and three of them behind HAProxy, with even shares of some 150 requests; nothing is left."""
    load = ("--engine", "compose", "--users", "40", "--spawn-rate", "40", "--time", "4s", "--slo", "fail<1%")
    done = lab("sweep", "--api", "1,3", "--workers", "1", *load, API_PORT=str(lab.rig.api_port))
    assert done.returncode == INVALID, done.stdout + done.stderr
    sweep = swept(lab.rig)
    assert (sweep["axis"], sweep["balancer"], sweep["others"]) == ("api", "lb", 1)
    one, three = (point["figures"] for point in sweep["points"])
    assert one["balance"] is None
    assert three["balance"] > 0.9
    assert leftovers(lab.rig.project) == []


def test_up_with_and_without(lab: Lab) -> None:
    """`--lb` brings it up, a run on that rig goes by it and keeps it, `up` without it takes it away again."""
    ports = {"API_PORT": str(lab.rig.api_port)}
    up = lab("up", "--engine", "compose", "--workers", "1", "--api", "2", "--lb", "--detach", **ports)
    assert up.returncode == OK, up.stderr
    assert f"{lab.rig.lb}/tests" in up.stdout
    assert json.loads(lab("status", "--json").stdout)["lb_url"] == lab.rig.lb
    assert lab("run", "--workers", "2", *SHORT, **ports).returncode == INVALID
    assert len(lab.rig.containers("lb")) == 1
    summaries = sorted((lab.rig.clone / "results").glob("*/summary.json"))
    target = json.loads(summaries[-1].read_text())["target"]
    assert len([one for one in target if one["requests"] is not None]) == 2
    assert "server api/api2" in lab("logs", "lb").stdout.lower()  # what HAProxy says of its servers

    assert lab("up", "--workers", "1", "--api", "2", "--detach", **ports).returncode == OK
    assert docker("ps", "--all", "--quiet", "--filter", f"name={lab.rig.project}-lb-") == ""
    master = lab.rig.containers("master")[0]["Config"]["Env"]
    assert "LOCUST_HOST=http://api:8000" in master
    assert lab("down", "--volumes").returncode == OK
    assert leftovers(lab.rig.project) == []


def test_lb_beside_a_target_elsewhere(lab: Lab) -> None:
    """Which of both is under load? It is refused before anything starts."""
    up = lab("up", "--engine", "compose", "--lb", "--detach", TARGET_HOST="http://elsewhere.example")
    assert up.returncode == USAGE
    assert "LB=lb" in up.stderr
    assert leftovers(lab.rig.project) == []


def test_the_image_is_only_wanted_with_the_profile(clone: Path) -> None:
    """Whoever has no HAProxy image, and no registry, has a rig all the same."""
    images = run(["docker", "compose", "config", "--images"], clone, Rig(clone, f"{PROJECT}-images").environment)
    assert "haproxy" not in images.stdout
    assert (CHECKOUT / "deploy" / "haproxy" / "lb.cfg").is_file()
