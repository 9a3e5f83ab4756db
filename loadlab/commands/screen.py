"""Where the commands write: results to stdout, and to stderr what is told beside a result that a program reads."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

console = Console(soft_wrap=True, highlight=False)
aside = Console(soft_wrap=True, highlight=False, stderr=True)

__all__ = ["aside", "console", "escape"]
