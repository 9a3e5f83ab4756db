"""Which runs may be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from loadlab.analysis import likeness
from loadlab.analysis.comparison import Differing
from loadlab.analysis.likeness import Measured
from loadlab.analysis.recording import Recording, Status
from loadlab.analysis.summary import Level, Reason
from tests import pairs, recordings
from tests.recordings import Recipe

KERNEL = "Linux 6.1 x86_64"
MACHINE = {"host": "4f1c", "cpu": "Xeon", "cores": 8, "memory_bytes": 16 << 30, "kernel": KERNEL}


def made(change: Callable[[Recording], object] = lambda _recording: None, **recipe: object) -> Measured:
    """Return a short run with something changed before it is analysed."""
    recording = recordings.make(Recipe(steps=((20, 10),), **recipe))  # type: ignore[arg-type]
    recording.run.machine = dict(MACHINE)
    change(recording)
    return pairs.measured(recording)


def test_runs_of_the_same_plan_on_the_same_machine_are_alike() -> None:
    """Whatever their names, times, figures, revisions and the names of the containers are."""

    def other(recording: Recording) -> None:
        recording.run.plan["name"] = "tuned"
        recording.run.machine["host"] = "b0b7"
        recording.run.machine["memory_bytes"] += 50 << 20
        recording.run.revision = "fedcba9876543210"
        recording.run.versions["bokeh"] = "99"
        recording.run.started = 1.0

    assert likeness.differing([made(), made(seed=3)], [made(other, seed=2)]) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda run: run.plan.update(shape="soak"), Differing("plan: shape", "steady", "soak")),
        (lambda run: run.plan.update(users=21), Differing("plan: users", "20", "21")),
        (lambda run: run.plan.update(time_s=11.0), Differing("plan: time_s", "10", "11")),
        (lambda run: run.plan.update(spawn_rate=5.0), Differing("plan: spawn_rate", "20", "5")),
        (lambda run: run.plan.update(scenario="read"), Differing("plan: scenario", "locustfile", "read")),
        (lambda run: run.plan.update(slos=["p95<1s"]), Differing("plan: slos", "p95<450ms and fail<1%", "p95<1s")),
        (lambda run: run.plan.update(host="http://b"), Differing("plan: host", "not told", "http://b")),
        (lambda run: run.machine.update(cpu="EPYC"), Differing("machine: cpu", "Xeon", "EPYC")),
        (lambda run: run.machine.update(cores=4), Differing("machine: cores", "8", "4")),
        (lambda run: run.machine.update(memory_bytes=8 << 30), Differing("machine: memory", "16,384 MiB", "8,192 MiB")),
        (lambda run: run.machine.pop("memory_bytes"), Differing("machine: memory", "16,384 MiB", "not told")),
        (lambda run: run.machine.update(kernel="Linux 7"), Differing("machine: kernel", KERNEL, "Linux 7")),
        (lambda run: run.versions.update(locust="2.48.0"), Differing("version: locust", "2.47.0", "2.48.0")),
        (lambda run: run.versions.update(loadlab="9"), Differing("version: loadlab", "0.1.0", "9")),
        (lambda run: setattr(run, "own_shape", "Waves"), Differing("own shape", "not told", "Waves")),
    ],
)
def test_what_differs_is_named(change: Callable[[object], object], expected: Differing) -> None:
    """Each with what either side had."""
    found = likeness.differing([made()], [made(lambda recording: change(recording.run))])
    assert found == (expected,)


def test_fewer_workers_smaller_limits_and_other_stages_differ() -> None:
    """As they were, whatever was asked for."""
    assert [one.what for one in likeness.differing([made()], [made(workers=2)])] == ["workers"]
    assert [one.what for one in likeness.differing([made()], [made(instances=1)])] == ["target"]

    def limit(recording: Recording) -> None:
        for second in recording.seconds:
            second.workers = [replace(one, cpu_limit=0.5) for one in second.workers]

    assert likeness.differing([made()], [made(limit)]) == (Differing("workers' CPU limit", "1", "0.5"),)

    def short_of_target(recording: Recording) -> None:
        for second in recording.seconds:
            second.target = [replace(one, cpu_limit=0.5) for one in second.target]

    (target,) = likeness.differing([made()], [made(short_of_target)])
    assert (target.a, target.b) == ("2 instances, 2 cores, 2,048 MiB", "2 instances, 0.5 cores, 2,048 MiB")
    stages = likeness.differing([made()], [pairs.measured(recordings.make(Recipe(steps=((10, 5), (20, 5)))))])
    assert Differing("stages", "20 users", "10 users and 20 users") in stages


def test_every_run_of_a_side_is_looked_at() -> None:
    """One that is not like the others of its own side, too; each difference is told once."""
    other = made(lambda recording: recording.run.plan.update(users=21))
    assert likeness.differing([made(), other], [made(), other]) == (Differing("plan: users", "20", "21"),)


def test_a_field_of_another_loadlabs_plan_is_no_difference_of_its_own() -> None:
    """The version is."""
    assert likeness.differing([made()], [made(lambda recording: recording.run.plan.pop("spawn_rate"))]) == ()


def test_a_sound_run_leaves_no_doubt() -> None:
    """A degraded one neither: its effect is bounded."""
    assert likeness.doubts([made(), pairs.measured(recordings.plausible())]) == ()


def test_doubts_are_sentences() -> None:
    """A run that was cut short, a partial recording, an invalid measurement: each is named."""
    cut = made(lambda recording: setattr(recording.run, "status", Status.INTERRUPTED))
    partial = made(lambda recording: setattr(recording, "partial", True))
    sound = made()
    reason = Reason("cpu", Level.INVALID, "Worker 1 used 97% of its CPU.")
    validity = replace(sound.summary.validity, level=Level.INVALID, reasons=(reason,))
    invalid = Measured(sound.recording, replace(sound.summary, validity=validity))
    run = sound.recording.run.id
    assert likeness.doubts([cut, partial, invalid]) == (
        f"Run {run} did not reach its end: it was interrupted after 11 s.",
        f"The recording of run {run} is partial.",
        f"The measurement of run {run} is invalid: Worker 1 used 97% of its CPU.",
    )
