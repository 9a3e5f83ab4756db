"""`python -m loadlab`: the command line; an environment that lost a package is repaired once by ./lab."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    *("bokeh", "flask", "gevent", "gunicorn", "jinja2", "junitparser", "locust", "numpy", "prometheus_client"),
    *("psutil", "pydantic_settings", "rich", "scipy", "typer"),
)


def main() -> int:
    """Run the command line and return its exit code."""
    lost = [name for name in PACKAGES if not is_installed(name)]
    if lost and "LAB_REPAIRED" not in os.environ:
        repair(lost)
    from loadlab.cli import main as run

    return run()


def is_installed(name: str) -> bool:
    """Tell whether a package is there; the folder locust/ of this project is a namespace, without an origin."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def repair(lost: list[str]) -> None:
    """Take back the marks of a complete environment, so that ./lab makes it anew, and start ./lab again."""
    print(f"The environment lost {', '.join(lost)}: making it anew.", file=sys.stderr)
    for mark in Path(sys.prefix).glob("complete-*"):
        mark.unlink(missing_ok=True)
    os.execve(ROOT / "lab", [str(ROOT / "lab"), *sys.argv[1:]], {**os.environ, "LAB_REPAIRED": "1"})


if __name__ == "__main__":
    sys.exit(main())
