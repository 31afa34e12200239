"""What the commands of `medner traces` share: their common options, and the place they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from medner.core.errors import UserError
from medner.service.cli.remote.options import Remote

if TYPE_CHECKING:
    from medner.service.cli.remote.traces import RemoteTraces
    from medner.store.traces import TraceBackend

#: The traces that a command works on.
TracesThere: TypeAlias = "TraceBackend | RemoteTraces"

Place = Annotated[
    str | None,
    typer.Option(
        "--traces",
        metavar="FILE|URL",
        help="Where the traces are stored. Default: $MEDNER_TRACES, else the data folder.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's name, its beginning, or last: the newest run that is no fork.")
]


@contextmanager
def opened(place: str | None) -> Iterator[TraceBackend]:
    """The traces, closed at the end. UserError when there are none."""
    from medner.store.traces import open_traces

    backend = open_traces(place, must_exist=True)
    try:
        yield backend
    finally:
        backend.close()


@contextmanager
def opened_there(place: str | None, remote: Remote) -> Iterator[TracesThere]:
    """The traces of a place, or of the server that is named instead."""
    if not remote:
        with opened(place) as backend:
            yield backend
        return
    with server_traces(place, remote) as found:
        yield found


@contextmanager
def server_traces(place: str | None, remote: Remote) -> Iterator[RemoteTraces]:
    """The traces of a server."""
    from medner.service.cli.remote.traces import RemoteTraces
    from medner.service.client.connection import Connection

    if place is not None:
        raise UserError(f"--traces: names a place of this machine; leave it or {remote.options[0]} out")
    found = RemoteTraces(Connection(remote.address()))
    try:
        yield found
    finally:
        found.close()
