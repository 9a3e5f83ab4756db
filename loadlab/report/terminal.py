"""The parts that texts in a terminal are made of, on 80 columns, with or without colour."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from loadlab.report import words

LONGEST_NAME = 34
PLAIN_WIDTH = 80


def plain_text(shown: RenderableType, width: int = PLAIN_WIDTH) -> str:
    """Return what a terminal shows as plain text without colour."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(shown)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def item(mark: str, style: str, text: str) -> RenderableType:
    """Return a text behind its mark, as an item of a list."""
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(mark, style), Text(words.plain(text)))
    return Padding(grid, (0, 0, 0, 2))


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name cut in its middle: what tells one from another is mostly at its end."""
    if len(name) <= longest:
        return name
    kept = longest - 3
    return f"{name[: kept // 3]}...{name[kept // 3 - kept :]}"


def table(*headings: str) -> Table:
    """Return a table without lines; a heading that begins with > is of numbers."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        if heading.startswith(">"):
            grid.add_column(heading[1:], justify="right", no_wrap=True)
        else:
            grid.add_column(heading, overflow="fold")
    return grid
