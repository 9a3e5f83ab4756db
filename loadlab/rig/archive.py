"""Brings a run folder here, whole or not at all, and nothing that could write elsewhere than into its own folder.

A run folder is flat: plain files with plain names. Whatever else is in an archive is refused, and the archive with it.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from loadlab.errors import LabError

MOST_BYTES = 4 << 30  # of all files together: some days of a run
MOST_FILES = 1000
CHUNK = 1 << 16
NAME = re.compile(r"\w[\w.-]*", re.ASCII)


class ArchiveError(LabError):
    """An archive of a run that is cut short, too large, or holds what a run folder does not."""


def extract_compressed(stream: IO[bytes], to: Path) -> None:
    """Unpack a tar.gz with the files of one run into the folder `to`, which is replaced where it is there already.

    Raises:
        ArchiveError: says what is wrong; `to` is as it was.
    """
    with _replacing(to) as draft, gzip.GzipFile(fileobj=stream) as plain:
        _unpack(plain, draft)
        while plain.read(CHUNK):  # to the end, where the checksum is
            pass


def extract(stream: IO[bytes], to: Path) -> None:
    """Unpack a tar, as `extract_compressed` does."""
    with _replacing(to) as draft:
        _unpack(stream, draft)


def copy(source: Path, to: Path) -> bool:
    """Copy the files of a run folder, as they are at the moment, and tell whether it was one."""
    if not (source / "run.json").is_file():
        return False
    with _replacing(to) as draft:
        for file in source.iterdir():
            if file.is_file() and not file.is_symlink():
                shutil.copyfile(file, draft / file.name)
    return True


@contextmanager
def _replacing(to: Path) -> Iterator[Path]:
    """Give a folder to fill, which takes the place of `to` in the end; any failure leaves `to` as it was."""
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        yield draft
        _place(draft, to)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ArchiveError(f"The run could not be copied to {to}: {error or type(error).__name__}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _place(draft: Path, to: Path) -> None:
    if to.exists():
        old = draft.with_suffix(".old")
        to.rename(old)
        draft.rename(to)
        shutil.rmtree(old, ignore_errors=True)
    else:
        draft.rename(to)


def _unpack(stream: IO[bytes] | gzip.GzipFile, to: Path) -> None:
    files = size = 0
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            files, size = files + 1, size + member.size
            if files > MOST_FILES or size > MOST_BYTES:
                raise ArchiveError(f"The archive of the run holds more than {MOST_FILES} files or {MOST_BYTES} bytes.")
            if not member.isdir():
                _write(tar, member, to / _name(member))


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None  # a plain file has some
    with file.open("xb") as out:
        shutil.copyfileobj(content, out, CHUNK)


def _name(member: tarfile.TarInfo) -> str:
    """Return the name of a plain file, alone or in one folder; anything else has no business in a run."""
    path = PurePosixPath(member.name)
    depth = len(path.parts)
    if not member.isreg() or not 1 <= depth <= 2 or ".." in path.parts or not NAME.fullmatch(path.name):
        raise ArchiveError(f"The archive of the run holds {member.name!r}, which is no file of a run: it was refused.")
    return path.name
