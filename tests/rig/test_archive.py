"""How a run comes from a master to this host: whole or not at all, and never elsewhere than into its own folder."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from loadlab.analysis.summary import Verdict
from loadlab.errors import Exit
from loadlab.runfolder import RunFolder
from tests.rig.fakes import RUN_ID, FakeMaster, FakeRig, Lab, run_record, summary, tar, write_run

pytestmark = pytest.mark.usefixtures("fake_rig", "no_report")


def link(name: str, kind: bytes, target: str = "/etc/passwd") -> dict[str, bytes | tarfile.TarInfo]:
    """Return a member that is no plain file."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return {name: member}


@pytest.mark.parametrize(
    "members",
    [
        {"../../escaped": b"x"},
        {"/tmp/escaped": b"x"},
        {f"{RUN_ID}/../../escaped": b"x"},
        {f"{RUN_ID}/a/b/escaped": b"x"},
        {f"{RUN_ID}/.hidden": b"x"},
        {f"{RUN_ID}/a\\b": b"x"},
        link(f"{RUN_ID}/run.json", tarfile.SYMTYPE),
        link(f"{RUN_ID}/run.json", tarfile.LNKTYPE),
        link(f"{RUN_ID}/run.json", tarfile.CHRTYPE),
        link(f"{RUN_ID}/run.json", tarfile.FIFOTYPE),
        {**link(RUN_ID, tarfile.SYMTYPE, "/tmp"), f"{RUN_ID}/run.json": b"{}"},
        {f"{RUN_ID}/run.json": b"{}", "other/run.json": b"{}"},
    ],
)
def test_an_archive_that_reaches_elsewhere_is_refused(
    members: dict[str, bytes | tarfile.TarInfo], lab: Lab, fake_rig: FakeRig, master: FakeMaster
) -> None:
    """Nothing of it is kept, nothing is written outside; the run is taken from the rig's own files instead."""
    write_run(fake_rig.folder.results / RUN_ID, result=summary())
    good = (fake_rig.folder.results / RUN_ID / "run.json").read_bytes()
    master.archive = tar(members)
    before = {path for path in fake_rig.home.rglob("*") if "escaped" in path.name}
    said = lab("run")
    assert said.code == 0
    assert "could not be copied" in said.err or "refused" in said.err
    assert {path for path in fake_rig.home.rglob("*") if "escaped" in path.name} == before
    assert not Path("/tmp/escaped").exists()
    assert fake_rig.copied.run.read_bytes() == good
    assert not fake_rig.copied.run.is_symlink()


def test_an_archive_cut_short_is_no_run(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """Half an archive leaves nothing behind, and what was there before is as it was."""
    write_run(fake_rig.copied.path, result=summary(Verdict.FAIL, 99))
    before = fake_rig.copied.summary.read_text()
    master.archive = master.archive[: len(master.archive) // 2]
    said = lab("run")
    assert said.code == Exit.INTERRUPTED
    assert "Nothing of the run could be copied" in said.err
    assert fake_rig.copied.summary.read_text() == before


def test_an_archive_without_its_last_bytes_is_no_run(lab: Lab, fake_rig: FakeRig, master: FakeMaster) -> None:
    """Every file may be there: without the checksum nobody knows."""
    master.archive = master.archive[:-4]
    assert lab("run").code == Exit.INTERRUPTED
    assert not fake_rig.copied.path.exists()


def test_an_archive_without_bounds_is_refused(
    lab: Lab, fake_rig: FakeRig, master: FakeMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte of zeros packs well: what is unpacked is bounded in bytes and files, before it is written."""
    monkeypatch.setattr("loadlab.rig.archive.MOST_BYTES", 100_000)
    master.archive = tar({f"{RUN_ID}/run.json": bytes(1_000_000)})
    assert "more than" in lab("run").err
    assert not fake_rig.copied.path.exists()
    monkeypatch.setattr("loadlab.rig.archive.MOST_FILES", 10)
    master.archive = tar({f"{RUN_ID}/{number}": b"" for number in range(11)})
    assert "more than 10 files" in lab("run").err


def test_another_run_of_the_same_id_is_not_overwritten(lab: Lab, fake_rig: FakeRig) -> None:
    """Two rigs can make the same id in the same second: the second run is kept beside the first."""
    write_run(fake_rig.copied.path, run_record(created=1.0), summary(Verdict.FAIL, 99))
    assert lab("run").code == 0
    assert RunFolder(fake_rig.home / "results" / f"{RUN_ID}.2").read_run().created != 1.0
    assert fake_rig.copied.read_run().created == 1.0
    assert lab("run").code == 0  # the same run again takes the place of its older copy
    assert len(list((fake_rig.home / "results").iterdir())) == 2
