"""Hands out the files of run folders, and nothing else: names are checked, links are not followed."""

from __future__ import annotations

import gzip
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import gevent

CHUNK = 64 * 1024
DRAFT = ".draft"  # a file that is being written
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}", re.ASCII)
# A type for which a browser runs nothing, except the report, which comes with a policy of its own.
_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".html": "text/html; charset=utf-8",
    ".xml": "application/xml",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}


def is_name(text: str) -> bool:
    """Tell whether a text can be a run's id or a file's name: one part of a path that does not begin with a dot."""
    return _NAME.fullmatch(text) is not None


def content_type(name: str) -> str:
    """Return the media type of a file, by the end of its name."""
    return _TYPES.get(Path(name).suffix, "application/octet-stream")


def is_run(root: Path, run: str) -> bool:
    """Tell whether there is such a run: a folder of its own, no link to one, with a run.json."""
    return is_name(run) and not (root / run).is_symlink() and (root / run / "run.json").is_file()


def open_file(root: Path, run: str, name: str) -> BinaryIO | None:
    """Open a regular file of a run's folder; None when there is none of that name, or it is a link or worse."""
    if not (is_name(run) and is_name(name)):
        return None
    try:
        folder = os.open(root / run, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        # Relative to the folder that was opened: it may be moved meanwhile. A pipe is opened without waiting for it.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return None
    return os.fdopen(opened, "rb")


def status_of(stream: BinaryIO) -> os.stat_result:
    """Return the size, the time and the identity of an open file."""
    return os.fstat(stream.fileno())


def chunks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of a file: it may grow while it is being read."""
    while size > 0 and (data := stream.read(min(CHUNK, size))):
        size -= len(data)
        yield data


def archive(root: Path, run: str, pause: Callable[[], Any] = gevent.sleep) -> Iterator[bytes]:
    """Yield a tar.gz of a run's folder, each file as it is at that moment; `pause` is called every few ms.

    The master has one thread for everything: what it packs at a stretch, it hears no worker.
    """
    sink = _Sink()
    with gzip.GzipFile(fileobj=cast(IO[bytes], sink), mode="wb", compresslevel=6) as packed:
        with tarfile.open(fileobj=packed, mode="w|") as tar:
            for name in sorted(os.listdir(root / run)):  # noqa: PTH208 - names are all that is wanted
                stream = None if name.endswith(DRAFT) else open_file(root, run, name)
                if stream is None:
                    continue
                with stream:
                    tar.addfile(_member(f"{run}/{name}", status_of(stream)), _Patient(stream, pause))
                yield sink.take()
        yield sink.take()
    yield sink.take()


def _member(name: str, status: os.stat_result) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = status.st_size, int(status.st_mtime), 0o644
    return member


class _Sink:
    """A file to write to, of which what was written is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Patient:
    """A file to read from that lets others do something before each read."""

    def __init__(self, stream: BinaryIO, pause: Callable[[], Any]) -> None:
        self._stream = stream
        self._pause = pause

    def read(self, size: int = -1, /) -> bytes:
        self._pause()
        return self._stream.read(size)
