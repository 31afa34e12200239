"""Agents and formats of other packages, found by their entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Literal

from medner.core.errors import UserError

Group = Literal["taggers", "filters", "judges", "formats"]
#: The kind of all agents that plugins bring, in the tables of kinds.
PLUGIN: Final = "plugin"
#: What the name of a plugin begins with in configurations and options: ``plugin:NAME`` or ``plugin:NAME:ARGUMENT``.
PREFIX: Final = "plugin:"
PATTERN: Final = r"^plugin:[\w.-]+(:.+)?$"


def is_plugin(kind: str) -> bool:
    """Whether a tagger's, filter's or judge's kind is one of another package."""
    return kind.startswith(PREFIX)


def plugin_parts(kind: str) -> tuple[str, str]:
    """The name and the argument, which may be empty."""
    name, _, argument = kind.removeprefix(PREFIX).partition(":")
    return name, argument


def plugin_names(group: Group) -> list[str]:
    """The names of the installed plugins of a group, sorted."""
    return sorted({one.name for one in entry_points(group=f"medner.{group}")})


def load_plugin(group: Group, name: str) -> Any:
    """What a plugin's entry point names. UserError when there is none, or when it cannot be imported."""
    point = _point(group, name)
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise UserError(f"plugin {name!r} of {_origin(point)} cannot be loaded: {error}") from error


def plugin_version(group: Group, name: str) -> str:
    """The package that brings a plugin, with its version. UserError when there is none."""
    return _origin(_point(group, name))


def _point(group: Group, name: str) -> EntryPoint:
    found = [one for one in entry_points(group=f"medner.{group}") if one.name == name]
    if not found:
        there = ", ".join(plugin_names(group)) or "none"
        raise UserError(
            f"no plugin {name!r} among the installed {group} (there are: {there}); install the package that has it, in "
            "the environment of medner"
        )
    return found[0]


def _origin(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
