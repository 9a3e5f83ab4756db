"""The files of run folders, and attempts at others."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from loadlab.generator import run_files

RUN = "20251009-085320-night"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of runs with one in it, and a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "results" / RUN
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "timeline.jsonl").write_bytes(b"x" * 300_000)
    return tmp_path / "results"


def read(root: Path, run: str, name: str) -> bytes | None:
    """Return what is handed out."""
    stream = run_files.open_file(root, run, name)
    if stream is None:
        return None
    with stream:
        return stream.read()


def test_a_file_of_a_run_is_opened(root: Path) -> None:
    """What is there is handed out, what is not is None."""
    assert read(root, RUN, "run.json") == b"{}"
    assert read(root, RUN, "summary.json") is None
    assert read(root, "20251009-085321", "run.json") is None


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("..", "secret.txt"),
        (".", "secret.txt"),
        (RUN, ".."),
        (RUN, "../../secret.txt"),
        (RUN, "/etc/passwd"),
        (RUN, "..\\secret.txt"),
        (RUN, "run.json\0.txt"),
        (RUN, "run.json\n"),
        (RUN, ""),
        ("", "results"),
        (f"{RUN}/.", "run.json"),
        (f"../results/{RUN}", "run.json"),
        (RUN, "\N{FULLWIDTH LATIN SMALL LETTER R}un.json"),
        (RUN, "a" * 300),
    ],
)
def test_what_is_no_plain_name_opens_nothing(root: Path, run: str, name: str) -> None:
    """Steps upwards, absolute paths, separators of other systems, control characters: None, and no error."""
    assert read(root, run, name) is None
    assert not run_files.is_run(root, run) or run == RUN


def test_links_and_other_than_files_open_nothing(root: Path) -> None:
    """Neither a link to a file, nor one to a folder of runs, nor a folder, nor a pipe, which would block, is opened."""
    secret = root.parent / "secret.txt"
    (root / RUN / "link.txt").symlink_to(secret)
    (root / RUN / "sub").mkdir()
    os.mkfifo(root / RUN / "pipe")
    (root / "linked").symlink_to(root.parent)
    for name in ("link.txt", "sub", "pipe"):
        assert read(root, RUN, name) is None
    assert read(root, "linked", "secret.txt") is None
    (root.parent / "run.json").write_text("{}")
    assert not run_files.is_run(root, "linked")


def test_a_folder_of_runs_may_itself_be_a_link(root: Path, tmp_path: Path) -> None:
    """Where the runs are kept is the user's business."""
    (tmp_path / "elsewhere").symlink_to(root)
    assert read(tmp_path / "elsewhere", RUN, "run.json") == b"{}"
    assert run_files.is_run(tmp_path / "elsewhere", RUN)


def test_a_file_that_grows_is_handed_out_as_long_as_it_was(root: Path) -> None:
    """The length that was announced is kept, though the run goes on writing."""
    stream = run_files.open_file(root, RUN, "timeline.jsonl")
    assert stream is not None
    with stream, (root / RUN / "timeline.jsonl").open("ab") as more:
        size = run_files.status_of(stream).st_size
        parts = run_files.chunks(stream, size)
        got = len(next(parts))
        more.write(b"y" * 1000)
        more.flush()
        got += sum(len(part) for part in parts)
    assert got == size == 300_000


def test_the_archive_holds_the_folder(root: Path) -> None:
    """Every file under the run's name and with its content; no link, no draft; others get their turn meanwhile."""
    (root / RUN / "link.txt").symlink_to(root.parent / "secret.txt")
    (root / RUN / "summary.draft").write_text("half")
    pauses: list[None] = []
    packed = b"".join(run_files.archive(root, RUN, lambda: pauses.append(None)))
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        members = {member.name: member.size for member in tar.getmembers()}
        timeline = tar.extractfile(f"{RUN}/timeline.jsonl")
        assert timeline is not None
        assert timeline.read() == b"x" * 300_000
    assert members == {f"{RUN}/run.json": 2, f"{RUN}/timeline.jsonl": 300_000}
    assert len(pauses) > 10
