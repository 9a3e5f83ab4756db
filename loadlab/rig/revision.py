"""The git revision of this checkout, for a run to say what it ran."""

from __future__ import annotations

import subprocess

from loadlab.rig.settings import ROOT

LENGTH = 12
# What runs in a rig: an edit of a document is no other revision.
RUNS = ("api", "loadlab", "locust", "requirements")


def current() -> str:
    """Return the commit, with `-dirty` where what a rig runs was changed since; empty where there is no git."""
    commit = _git("rev-parse", f"--short={LENGTH}", "HEAD")
    changed = commit and _git("status", "--porcelain", "--untracked-files=normal", "--", *RUNS)
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
