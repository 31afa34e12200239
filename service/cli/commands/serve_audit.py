"""`medner serve audit`: who did what over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from medner.service.cli.bounds import MOST


def register(serve: typer.Typer) -> None:
    """Adds the command to `medner serve`."""
    serve.command()(audit)


def audit(
    *,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=MOST, help="How many entries, from the newest on.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Print the audit log of medner serve, the newest first: who submitted, swapped, overruled, deleted.

    The log is audit.jsonl in the data folder. It has no text of a note; a sentence is named by a hash of its id.

    Example: medner serve audit --limit 20

    Exit code: 0 done; 3 the log cannot be read.
    """
    from medner.service.cli.reporting import print_json, print_table
    from medner.service.http.access.audit import audit_log

    log = audit_log()
    entries = log.page(limit).entries
    if as_json:
        print_json([one.model_dump(mode="json") for one in entries])
        return
    if not entries:
        typer.echo(f"{log.path}: nothing was done over HTTP yet", err=True)
        return
    rows = [(f"{one.at:%Y-%m-%d %H:%M:%S}", one.who or "-", one.what, one.on, one.outcome) for one in entries]
    print_table(("at (UTC)", "who", "what", "on", "outcome"), rows)
