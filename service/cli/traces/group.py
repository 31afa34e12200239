"""`medner traces`: why an entity is there, and what another judge would have said."""

from __future__ import annotations

from typing import Annotated

import typer

from medner.service.cli.remote.options import Remote, with_server
from medner.service.cli.reporting import print_json
from medner.service.cli.trace_options import Json, Place, opened_there
from medner.service.cli.traces import agreement as traces_agreement
from medner.service.cli.traces import fork as traces_fork
from medner.service.cli.traces import keep as traces_keep

traces_app = typer.Typer(
    no_args_is_help=True,
    help="Show every step of a sentence, and decide its conflicts again with another judge.\n\n"
    "    medner annotate notes/ -o notes.jsonl --trace conflicts    # record\n\n"
    "    medner traces list                  # the runs; list RUN: its sentences\n\n"
    "    medner traces show last/1           # one sentence's path through the graph\n\n"
    "    medner traces fork last --judge hard-vote\n\n"
    "    medner traces diff RUN FORK --gold gold.jsonl\n\n"
    "With --server URL these commands ask a medner server (medner serve).\n\n"
    "Traces contain the sentences: protect them as you protect the notes, and remove them in time.",
)


def register(app: typer.Typer) -> None:
    """Adds `medner traces`."""
    traces_fork.register(traces_app)
    traces_keep.register(traces_app)
    traces_agreement.register(traces_app)
    app.add_typer(traces_app, name="traces")


@traces_app.command("list")
@with_server
def list_(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="List the sentences of this run.")] = None,
    *,
    traces: Place = None,
    remote: Remote,
    as_json: Json = False,
) -> None:
    """List the runs, or the traced sentences of one run.

    Example: medner traces list last

    Exit code: 0 done; 2 there is no such run; 3 the traces cannot be read.
    """
    from medner.service.traces.listing import run_rows, trace_rows
    from medner.service.traces.naming import run_named

    with opened_there(traces, remote) as backend:
        rows = run_rows(backend) if run is None else trace_rows(backend, run_named(backend, run))
        rows.give_out(as_json=as_json)


@traces_app.command()
@with_server
def show(
    trace: Annotated[str, typer.Argument(metavar="RUN/SENTENCE", help="A trace as `list` names it, or RUN/1.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Show prompts and answers in full.")] = False,
    traces: Place = None,
    remote: Remote,
    as_json: Json = False,
) -> None:
    """Show one sentence's path: times, each tagger's answer, the filter's scores, each conflict and its verdict.

    Example: medner traces show last/1 --full

    Exit code: 0 done; 2 there is no such run or sentence; 3 the traces cannot be read.
    """
    from rich.console import Console

    from medner.service.traces.naming import trace_named
    from medner.service.traces.showing import show_trace, trace_data

    with opened_there(traces, remote) as backend:
        record, found = trace_named(backend, trace)
    if as_json:
        print_json(trace_data(record, found))
    else:
        show_trace(Console(highlight=False), record, found, full=full)
