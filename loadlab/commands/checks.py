"""`./lab doctor` looks at this machine, `./lab test` at the project itself."""

from __future__ import annotations

import subprocess
import sys

from rich.table import Table

from loadlab.commands.screen import console
from loadlab.errors import Exit
from loadlab.rig import doctor as doctors
from loadlab.rig.settings import ROOT, load


def doctor() -> int:
    """Print what the machine has and lacks; 1 when a rig cannot run."""
    findings = doctors.examine(load())
    marks = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "bad": "[red]bad[/red]"}
    table = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        table.add_row(marks[finding.level], finding.subject, finding.found, finding.remedy)
    console.print(table)
    return Exit.TOOL_ERROR if any(finding.level == "bad" for finding in findings) else Exit.OK


def check(*, everything: bool, arguments: list[str]) -> int:
    """Run lint, format, types and tests, and return 0 when all are good, 1 when not."""
    checks = [
        ("lint", ["ruff", "check", "."]),
        ("format", ["ruff", "format", "--check", "."]),
        ("types", ["mypy"]),
    ]
    if any(argument.startswith("tests") for argument in arguments):
        checks += [("tests", ["pytest", *arguments])]
    else:
        # Side by side; the stack's have the machine to themselves, as they want it.
        side_by_side = ["--ignore=tests/stack", "--numprocesses=auto", "--dist=loadfile"]
        fast_only = [] if everything else ["-m", "not slow and not stack"]
        checks += [("tests", ["pytest", "tests", *side_by_side, *fast_only, *arguments])]
        checks += [("stack tests", ["pytest", "tests/stack", *arguments])] if everything else []
    bad = [name for name, command in checks if _run_check(name, command)]
    if bad:
        console.print(f"Not good: {', '.join(bad)}.", style="red")
    return Exit.TOOL_ERROR if bad else Exit.OK


def _run_check(name: str, command: list[str]) -> int:
    print(f"--- {name}: {' '.join(command)}", flush=True)
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode
