"""Help pages as people read them, without the types of the program: neither `<bool>` of a flag nor `<list[str]>`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose flags and arguments say what they are by name and text; what takes a value has its metavar."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, `--help` among them."""
        return [_untyped(parameter) for parameter in super().get_params(ctx)]


class Group(TyperGroup):
    """All commands together, whose own flags are told likewise."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, `--help` among them."""
        return [_untyped(parameter) for parameter in super().get_params(ctx)]


def _untyped(parameter: Any) -> Any:
    # Of the parameter, for typer makes --help by itself and has no setting for any of them.
    parameter.display_type = lambda _context: ""
    return parameter
