"""Lines for people, while a command works."""

from __future__ import annotations

import typer


def say(line: str) -> None:
    """A line for people: results alone go to standard output."""
    typer.echo(line, err=True)
