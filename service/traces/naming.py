"""From what a user types to a run or a trace."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Protocol

from medner.core.errors import UserError
from medner.store.traces import RunRecord, Trace, TraceSummary

LAST = "last"


class KnownTraces(Protocol):
    """Traces that can be listed and read: those of a place, and those of a server."""

    @property
    def place(self) -> str:
        """Where they are, for messages."""
        ...

    def runs(self) -> list[RunRecord]:
        """The runs, the oldest first."""
        ...

    def count(self, run: str) -> int:
        """How many traces a run has."""
        ...

    def summaries(self, run: str) -> Iterator[TraceSummary]:
        """What is to be said of each trace of a run, in the order they began."""
        ...

    def trace(self, run: str, sentence_id: str) -> Trace | None:
        """A trace; None when there is none."""
        ...


def run_named(backend: KnownTraces, name: str) -> RunRecord:
    """The run of a name, of the beginning of one name alone, or the ``last`` one. UserError when there is none.

    A fork is not the last run: it is made to be compared with the run that it was made of.
    """
    runs = backend.runs()
    if not runs:
        raise UserError(f"{backend.place}: holds no run; medner annotate --trace conflicts records one")
    if name == LAST:
        return next((run for run in reversed(runs) if run.parent is None), runs[-1])
    exact = [run for run in runs if run.run == name]
    found = exact or [run for run in runs if run.run.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"{name!r} may be {', '.join(run.run for run in found[:5])}; write more of it")
    near = get_close_matches(name, [run.run for run in runs], 3) or [run.run for run in runs[-3:]]
    raise UserError(f"there is no run {name!r} in {backend.place}; there are {', '.join(near)} (medner traces list)")


def trace_named(backend: KnownTraces, name: str) -> tuple[RunRecord, Trace]:
    """The trace of RUN/SENTENCE; SENTENCE may be a number, which counts a list's lines from 1."""
    run_name, slash, sentence = name.partition("/")
    if not slash or not sentence:
        raise UserError(f"{name!r}: a trace is named RUN/SENTENCE, as medner traces list RUN shows them; or RUN/1")
    run = run_named(backend, run_name)
    found = backend.trace(run.run, sentence)
    if found is None and sentence.isdecimal():
        known = [one.sentence_id for one in backend.summaries(run.run)]
        if 1 <= int(sentence) <= len(known):
            found = backend.trace(run.run, known[int(sentence) - 1])
    if found is None:
        raise UserError(f"run {run.run} has no trace of sentence {sentence!r}; medner traces list {run.run} shows all")
    return run, found
