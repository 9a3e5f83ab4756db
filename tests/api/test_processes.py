"""What /proc tells of gunicorn's processes, from files written as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from api.processes import all_cpu_s, all_memory_bytes, cpu_s, has_own_cgroup, siblings

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MASTER = os.getppid()  # as a gunicorn worker sees it


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A master that a shell, number 50, has started, and two workers, 7 and 8."""
    write(tmp_path, MASTER, parent=50, ticks=(10, 5, 1000, 500), pages=(300, 100))
    write(tmp_path, 7, parent=MASTER, ticks=(150, 50, 0, 0), pages=(500, 120))
    write(tmp_path, 8, parent=MASTER, ticks=(70, 30, 0, 0), pages=(400, 110))
    return tmp_path


def write(proc: Path, pid: int, *, parent: int, ticks: tuple[int, ...], pages: tuple[int, int]) -> None:
    """Write what the kernel tells of a process; its name may hold anything."""
    (proc / str(pid)).mkdir(exist_ok=True)
    told = " ".join(map(str, ticks))
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b (c) S {parent} 2 3 4 5 6 7 8 9 10 {told} 20 0\n")
    (proc / str(pid) / "statm").write_text(f"900 {pages[0]} {pages[1]} 1 0 80 0\n")


def test_a_process(proc: Path) -> None:
    """Its CPU time is that of itself; nothing is told of one that is gone."""
    assert cpu_s(7, proc) == 200 / TICKS_PER_S
    assert cpu_s(9, proc) is None


def test_all_of_gunicorn(proc: Path) -> None:
    """The master, workers that have ended, and those that are there; a file's pages are in memory once."""
    assert all_cpu_s([7, 8, 9], proc) == (15 + 1500 + 200 + 100) / TICKS_PER_S
    assert all_memory_bytes([7, 8, 9], proc) == (200 + 380 + 290 + 120) * PAGE_BYTES


def test_a_kernel_that_tells_nothing(tmp_path: Path) -> None:
    """The figures are absent, and a worker knows of itself alone."""
    assert siblings(tmp_path) == [os.getpid()]
    assert all_cpu_s([7], tmp_path) is None
    assert all_memory_bytes([7], tmp_path) is None
    assert not has_own_cgroup(tmp_path)


@pytest.mark.parametrize(("parent", "own"), [(1, True), (50, False)], ids=["a container's or a service's", "a shell's"])
def test_whose_the_cgroup_is(proc: Path, parent: int, own: bool) -> None:
    """gunicorn's own where the first process started it; other programs' too where a shell did."""
    write(proc, MASTER, parent=parent, ticks=(0, 0, 0, 0), pages=(1, 1))
    assert has_own_cgroup(proc) == own
