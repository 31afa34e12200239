"""What commands print: lines for people while they work, and results as tables and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer


def say(line: str) -> None:
    """A line for people: results alone go to standard output."""
    typer.echo(line, err=True)


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A result in columns. Its lines are whole, however narrow the terminal: no command takes an id that is cut."""
    from medner.evaluation.reports.tables import table

    typer.echo(table(head, rows, left=len(head)))


def print_json(data: object) -> None:
    """A result as JSON."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))
