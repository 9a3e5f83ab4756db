"""Prints log files side by side, each line with the name of its part, as `docker compose logs` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

TICK_S = 0.3


def show(files: Mapping[str, Path], *, follow: bool, lives: Callable[[], bool]) -> None:
    """Print the files whole; followed, print only what is added from now on, for as long as the rig lives.

    A last line without an end is printed once nothing is added to it any more.
    """
    width = max((len(name) for name in files), default=0)
    opened = {name.ljust(width): file.open("rb") for name, file in sorted(files.items())}
    try:
        for file in opened.values():
            if follow:
                file.seek(0, 2)
        while follow and lives():
            _print_new(opened, halves=False)
            time.sleep(TICK_S)
        _print_new(opened, halves=True)
    finally:
        for file in opened.values():
            file.close()


def _print_new(opened: Mapping[str, BinaryIO], *, halves: bool) -> None:
    for name, file in opened.items():
        while line := file.readline():
            if not (halves or line.endswith(b"\n") or len(line) >= 65536):  # half written: wait for the rest of it
                file.seek(-len(line), 1)
                break
            print(f"{name} | {line.decode(errors='replace').rstrip()}", flush=True)
