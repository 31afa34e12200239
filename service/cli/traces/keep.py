"""`medner traces overrule`, `export` and `remove`: people's decisions, results with them, and the end of a trace."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medner.core.errors import UserError
from medner.service.cli.bounds import MOST_DAYS
from medner.service.cli.remote.options import Remote, with_server
from medner.service.cli.reporting import say
from medner.service.cli.trace_options import Place, RunName, opened, opened_there, server_traces

if TYPE_CHECKING:
    from medner.core.records import AnnotatedDocument, Annotation
    from medner.service.cli.trace_options import TracesThere
    from medner.service.traces.overruling import Ruling
    from medner.store.traces import RunRecord, TraceBackend


class What(StrEnum):
    """What `export` writes."""

    RESULTS = "results"
    DECISIONS = "decisions"


def register(traces: typer.Typer) -> None:
    """Adds the commands to `medner traces`."""
    traces.command()(overrule)
    traces.command()(export)
    traces.command()(remove)


@with_server
def overrule(  # noqa: PLR0913  one parameter an option
    trace: Annotated[str, typer.Argument(metavar="RUN/SENTENCE", help="A trace as `list` names it.")],
    *,
    conflict: Annotated[
        str, typer.Option("--conflict", metavar="ID", help="The conflict, as medner traces show names it: c0, c1 ...")
    ],
    keep: Annotated[
        str,
        typer.Option(
            "--keep", metavar="NUMBERS", help="Numbers of the candidates that stay, 1,3 for example; none keeps none."
        ),
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Name of the person who decides.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason.")],
    traces: Place = None,
    remote: Remote,
) -> None:
    """Replace a judge's verdict by a person's decision. The verdict stays in the trace.

    Then write the results with the decision: medner traces export.

    Example: medner traces overrule last/1 --conflict c0 --keep 2 --by 'Dr Li' --why '边界应含部位'

    Exit code: 0 done; 2 there is no such sentence, conflict or candidate; 3 the traces cannot be written.
    """
    from medner.service.traces.naming import trace_named
    from medner.service.traces.overruling import Ruling
    from medner.service.traces.overruling import overrule as decide

    ruling = Ruling(conflict, _numbers(keep), by, why)
    if remote:
        sentence, entities = _overrule_on_server(traces, remote, trace, ruling)
        say(f"{sentence}: {conflict} decided; the sentence now has {entities} entities")
        return
    with opened(traces) as backend:
        run, found = trace_named(backend, trace)
        annotation = asyncio.run(decide(backend, run, found, ruling))
    say(f"{found.id}: {conflict} decided; the sentence now has {len(annotation.entities)} entities")


def _overrule_on_server(place: str | None, remote: Remote, name: str, ruling: Ruling) -> tuple[str, int]:
    """The trace that was decided about, and how many entities its sentence has now."""
    from medner.service.client import traces
    from medner.service.traces.naming import trace_named

    with server_traces(place, remote) as found:
        run, trace = trace_named(found, name)
        sentence = trace.sentence_id
        decision = traces.overrule(
            run.run, sentence, ruling.conflict_id, keep=ruling.keep, why=ruling.why, by=ruling.by
        )
        found.connection.run(decision)
        return trace.id, len(found.connection.run(traces.path(run.run, sentence)).entities)


def _numbers(text: str) -> tuple[int, ...]:
    if text.strip() == "none":
        return ()
    try:
        return tuple(sorted({int(word) for word in text.replace("，", ",").split(",")}))
    except ValueError as error:
        raise UserError(f"--keep: {text!r} is no list of candidate numbers; write 1,3 or none") from error


@with_server
def export(
    run: RunName,
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="The file to write; without it, standard output."),
    ] = None,
    what: Annotated[
        What,
        typer.Option(
            "--what", help="results: annotated sentences; decisions: people's decisions, for medner train judge."
        ),
    ] = What.RESULTS,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="FILE",
            help="A result of annotate -o: write its whole documents, with the decisions in them.",
        ),
    ] = None,
    traces: Place = None,
    remote: Remote,
) -> None:
    """Write a run's results with people's decisions in them, or only the decisions as training data.

    Example: medner traces export last --results notes.jsonl -o decided.jsonl

    Exit code: 0 done; 2 there is no such run, or wrong results; 3 the traces or the disk failed.
    """
    from medner.service.inputs.overwriting import refuse_overwriting
    from medner.service.traces.exporting import lines_of
    from medner.service.traces.naming import run_named

    refuse_overwriting({"-o": out}, [results])
    with opened_there(traces, remote) as backend:
        record = run_named(backend, run)
        if what is What.DECISIONS:
            _write(out, _decisions(backend, record))
        else:
            _write(out, lines_of(_documents(backend, record, results)))
    if out is not None:
        say(f"written: {out}")


def _decided(backend: TracesThere, run: RunRecord) -> dict[str, Annotation]:
    """By sentence id, the annotations that a person overruled something in."""
    from medner.service.cli.remote.traces import RemoteTraces
    from medner.service.traces.exporting import decided_annotations

    return backend.decided(run.run) if isinstance(backend, RemoteTraces) else decided_annotations(backend, run)


def _annotations(backend: TracesThere, run: RunRecord) -> Iterator[Annotation]:
    from medner.service.cli.remote.traces import RemoteTraces
    from medner.service.traces.differences import annotations_of

    return backend.annotations(run.run) if isinstance(backend, RemoteTraces) else annotations_of(backend, run.run)


def _decisions(backend: TracesThere, run: RunRecord) -> Iterator[str]:
    from medner.service.traces.exporting import judge_examples

    found = _decided(backend, run).values()
    return (json.dumps(one, ensure_ascii=False) for one in judge_examples(found, run.labels.name))


def _documents(backend: TracesThere, run: RunRecord, results: Path | None) -> Iterable[AnnotatedDocument]:
    from medner.service.traces.exporting import missing_decisions, sentence_documents, with_decisions
    from medner.store.corpora.json_formats.jsonl import read_annotated

    if results is None:
        return sentence_documents(_annotations(backend, run))
    documents = list(read_annotated(results))
    decided = _decided(backend, run)
    missing = missing_decisions(backend, run, documents, decided)
    if missing:
        say(f"{results}: has no sentence {', '.join(missing[:8])}: {len(missing):,} decisions are not in the output")
    return with_decisions(documents, decided)


def _write(out: Path | None, lines: Iterable[str]) -> None:
    from medner.core.files.atomic import replacing_file

    if out is None:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return
    with replacing_file(out) as file:
        file.writelines(f"{line}\n" for line in lines)


@with_server
def remove(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, by name.")] = None,
    *,
    older_than: Annotated[
        int | None,
        typer.Option(
            "--older-than", metavar="DAYS", min=0, max=MOST_DAYS, help="Remove all runs older than this many days."
        ),
    ] = None,
    traces: Place = None,
    remote: Remote,
) -> None:
    """Remove runs with all their traces, for good: their bytes are overwritten in the file, and its log is emptied.

    Without a name it removes the runs whose --keep-days are over. A fork is a separate run with the same sentences:
    remove it too.

    Example: medner traces remove annotate-20260131-101500-7f3a

    Exit code: 0 done; 2 there is no such run; 3 the traces cannot be written.
    """
    from medner.service.build.trace_recording import remove_outdated
    from medner.service.traces.naming import run_named
    from medner.store.traces.records import now

    if remote and not runs and older_than is None:
        raise UserError("name runs, or --older-than DAYS: a server itself removes the runs whose time is over")
    with opened_there(traces, remote) as backend:
        wanted = [run_named(backend, name).run for name in runs or ()]
        if older_than is not None:
            limit = now() - timedelta(days=older_than)
            wanted += [run.run for run in backend.runs() if run.created <= limit]
        if not runs and older_than is None:
            over = remove_outdated(cast("TraceBackend", backend), now())
            say(f"{len(over):,} runs whose time was over removed; name runs, or --older-than DAYS, for others")
            return
        left = {run.run: run.parent for run in backend.runs()}
        for name in dict.fromkeys(wanted):
            say(f"{name}: {backend.remove(name):,} traces removed")
        forks = [run for run, parent in left.items() if parent in wanted and run not in wanted]
        if forks:
            say(f"forks of them are still there: {', '.join(forks)}")
