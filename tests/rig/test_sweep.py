"""`./lab sweep` for real: gunicorn, masters and workers as processes, in runs that are too short to judge anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from loadlab.analysis.sweep import State, Sweep
from loadlab.errors import Exit, LabError
from loadlab.rig import balancer
from loadlab.runfolder import SweepFolder, folders, sweeps
from tests.rig.rigs import Rig, copy_checkout, free_ports
from tests.schemas import check_folder

pytestmark = pytest.mark.slow

MakeRig = Callable[..., Rig]
SHORT = ("--users", "4", "--spawn-rate", "20", "--time", "3s", "--slo", "fail<1%")


def swept(rig: Rig) -> tuple[SweepFolder, Sweep]:
    """Return the one sweep of a rig."""
    (folder,) = sweeps(rig.home / "results")
    check_folder(folder.path)
    return folder, folder.read_sweep()


def test_workers(make_rig: MakeRig) -> None:
    """From nothing to a report and back: each rig had exactly so many workers, and a store with nothing in it."""
    rig = make_rig(STOP_TIMEOUT_S="0")
    done = rig.lab("sweep", "--workers", "1,2", *SHORT, "--name", "short")
    assert done.returncode == Exit.INVALID_MEASUREMENT, done.stdout  # too few samples for any promise
    folder, sweep = swept(rig)
    assert [point.state for point in sweep.points] == [State.MEASURED] * 2
    runs = [folder.run(str(point.run)) for point in sweep.points]
    assert [run.read_run().expected_workers for run in runs] == [1, 2]
    assert {run.id for run in runs} == {run.id for run in folders(rig.home / "results")}
    for point in sweep.points:
        assert point.figures is not None
        assert point.figures.machine_percent is not None
        assert 0 < point.figures.machine_percent <= 100
        assert point.figures.target_cores is not None
        assert point.figures.generator_cores is not None
    assert "2 workers make" in done.stdout
    assert folder.html.is_file()
    assert rig.left() == []
    assert not rig.folder.has_data()


def test_searches(make_rig: MakeRig) -> None:
    """A search on each rig, here for two users at most: nothing breaks, so that none is a point of the curve."""
    rig = make_rig(STOP_TIMEOUT_S="0")
    flags = ("--capacity", "--users", "2", "--from", "2", "--time", "60s", "--slo", "fail<50%")
    rig.lab("sweep", "--workers", "1,2", *flags)
    _, sweep = swept(rig)
    assert [point.state for point in sweep.points] == [State.MEASURED] * 2, sweep.points
    for point in sweep.points:
        assert point.figures is not None
        assert point.figures.search is not None
        assert (point.figures.search.ending, point.figures.search.users, point.figures.users) == ("all-held", None, 2)
        assert point.figures.machine_percent is not None
        assert point.figures.generator_cores is not None
    assert sweep.scaling is not None
    assert sweep.scaling.headline == "No point's search found a capacity."
    assert sum(note.startswith("No capacity was found with") for note in sweep.scaling.notes) == 2
    assert rig.left() == []


def test_replicas(make_rig: MakeRig) -> None:
    """Behind HAProxy: both replicas serve, as their own counts show, and each has a share."""
    try:
        balancer.executable()
    except LabError as error:
        if "haproxy" in os.environ.get("LAB_REQUIRE", "").split(","):
            pytest.fail(str(error))
        pytest.skip(str(error))
    first = free_ports(4)
    knobs = {"LB_PORT": str(first), "LB_STATS_PORT": str(first + 1), "API_PORT": str(first + 2)}
    rig = make_rig(STOP_TIMEOUT_S="0", **knobs)
    done = rig.lab("sweep", "--api", "1,2", *SHORT, "--json")
    assert done.returncode == Exit.INVALID_MEASUREMENT, done.stdout
    _, sweep = swept(rig)
    assert (sweep.balancer, [point.state for point in sweep.points]) == ("lb", [State.MEASURED] * 2)
    two = sweep.points[1].figures
    assert two is not None
    assert two.balance is not None
    assert two.balance > 0.9
    assert rig.left() == []


def test_a_rig_that_does_not_come_up_is_a_point_that_failed(make_rig: MakeRig, tmp_path: Path) -> None:
    """Its last words are in the report; nothing is left of it, and the sweep ends by itself."""
    checkout = copy_checkout(tmp_path / "checkout")
    with (checkout / "locust" / "locustfile.py").open("a") as locustfile:
        locustfile.write("\nraise RuntimeError('broken on purpose')\n")
    rig = make_rig(checkout=checkout, STOP_TIMEOUT_S="0")
    done = rig.lab("sweep", "--workers", "1,2", *SHORT)
    assert done.returncode == Exit.TOOL_ERROR, done.stdout
    folder, sweep = swept(rig)
    assert [point.state for point in sweep.points] == [State.FAILED] * 2
    assert all("broken on purpose" in point.error for point in sweep.points)
    assert "No point gave a measurement that can be believed." in done.stdout
    assert "broken on purpose" in folder.html.read_text()
    assert rig.left() == []
