"""Run folders of synthetic recordings."""

from __future__ import annotations

from pathlib import Path

from loadlab.analysis.recording import Recording
from loadlab.runfolder import SECOND, RunFolder


def write(recording: Recording, root: Path) -> RunFolder:
    """Write the folder of a recording under `root`, as the generator would have."""
    folder = RunFolder(root / recording.run.id)
    folder.path.mkdir(parents=True)
    folder.write_run(recording.run)
    lines = [SECOND.dump(second) + b"\n" for second in recording.seconds]
    folder.timeline.write_bytes(b"".join(lines))
    for event in recording.events:
        folder.append_event(event)
    return folder


HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[2J$$\\alpha$$ @x{safe} {{ 7 * 7 }} [red]"


def hostile(recording: Recording) -> Recording:
    """Return the recording with every text that comes from outside replaced by one that wants to be run."""
    recording.run.plan["name"] = recording.run.plan["host"] = HOSTILE
    recording.run.versions[HOSTILE] = recording.run.machine[HOSTILE] = HOSTILE
    recording.run.started_by = recording.run.stopped_by = recording.run.own_shape = recording.run.revision = HOSTILE
    for counters in recording.run.counters:
        counters.id = HOSTILE
    for event in recording.events:
        event.text = HOSTILE
        event.data["id"] = HOSTILE
    for second in recording.seconds:
        for cell in second.cells:
            cell.name = cell.method = HOSTILE
            cell.errors = {HOSTILE + kind: count for kind, count in cell.errors.items()}
        for told in second.target:
            told.instance += HOSTILE
    return recording
