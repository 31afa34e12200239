"""What the commands of `medner traces` share: their common options, and the place they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from medner.store.traces import TraceBackend

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
