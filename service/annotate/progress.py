"""How far a run is, on standard error: a bar on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from medner.service.annotate.counts import RunCounts

LINE_EVERY_S = 10.0
_WHOLE_LINES = 10_000


class _Remarks(Console):
    """A console on standard error that falls silent where its reader has gone: the work goes on."""

    def on_broken_pipe(self) -> None:
        """Says nothing more."""
        self.quiet = True


def results_console() -> Console:
    """The console for a result in columns: standard output, whose lines are not cut where it is no terminal."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else _WHOLE_LINES)


def remarks_console() -> Console:
    """The console for what is said beside the result: standard error, whole lines, no colours of its own."""
    return _Remarks(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def showing(tally: RunCounts, console: Console) -> Iterator[Callable[[], None]]:
    """A function to call after every sentence; shows the tally until the block ends."""
    if not console.is_terminal:
        yield lines(tally, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
        return
    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    # A pipe's standard output must stay the result alone, so only a terminal's is drawn above the bar.
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(tally.line(), total=tally.total)
        yield lambda: bar.update(task, completed=tally.done, description=tally.line())


def lines(
    tally: RunCounts, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[], None]:
    """A function that writes the tally when the last time is long enough ago."""
    last = clock()

    def update() -> None:
        nonlocal last
        if clock() - last >= LINE_EVERY_S:
            last = clock()
            write(tally.line())

    return update
