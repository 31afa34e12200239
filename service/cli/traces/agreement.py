"""`medner traces agreement`: who disagrees with whom, and whose word the judge takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.errors import UserError
from medner.service.cli.bounds import MOST
from medner.service.cli.remote.options import Remote, with_server
from medner.service.cli.reporting import print_json, say
from medner.service.cli.trace_options import Json, Place, opened, server_traces

if TYPE_CHECKING:
    from medner.core.labels import LabelSet
    from medner.core.records import Annotation
    from medner.evaluation.measures.disputes import Disputes


def register(traces: typer.Typer) -> None:
    """Adds the command to `medner traces`."""
    traces.command()(agreement)


@with_server
def agreement(  # noqa: PLR0913  one parameter an option
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A traced run.")] = None,
    *,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="FILE", help="Count in a result of annotate -o instead.")
    ] = None,
    job: Annotated[str | None, typer.Option("--job", metavar="JOB", help="Count in a job's results instead.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also write a plot of the counts, as SVG.")
    ] = None,
    show: Annotated[
        int, typer.Option("--show", metavar="N", min=0, max=MOST, help="How many disputed texts to show.")
    ] = 20,
    traces: Place = None,
    remote: Remote,
    as_json: Json = False,
) -> None:
    """Show how often taggers agree, the kinds of conflict, each tagger's kept candidates, the most disputed texts.

    A run traced with --trace conflicts lacks the sentences without conflicts: for shares of all entities use --results
    or --job.

    Example: medner traces agreement --job last --plot agreement.svg

    Exit code: 0 done; 2 no such run, job or file; 3 traces, Redis or disk failed.
    """
    from medner.core.files.atomic import replacing_file
    from medner.evaluation.measures.disputes import disputes_in
    from medner.service.inputs.overwriting import refuse_overwriting
    from medner.service.traces.agreement import agreement_lines, agreement_svg

    if sum(one is not None for one in (run, results, job)) != 1:
        raise UserError("name a traced run, a file with --results, or a job with --job")
    refuse_overwriting({"--plot": plot}, [results])
    labels: LabelSet | None = None
    if remote and results is None:
        labels, disputes = _on_server(traces, remote, run, job, show)
    elif run is not None:
        labels, found = _traced(traces, run)
        disputes = disputes_in(found)
    else:
        remote.refuse_any("--results: is a file of this machine")
        disputes = disputes_in(_written(results) if results is not None else _of_job(job or ""))
    if plot is not None:
        with replacing_file(plot) as out:
            out.write(agreement_svg(disputes))
        say(f"written: {plot}")
    if as_json:
        print_json(disputes.as_data(most=show))
        return
    for line in agreement_lines(disputes, labels, most=show):
        typer.echo(line)


def _on_server(
    place: str | None, remote: Remote, run: str | None, job: str | None, most: int
) -> tuple[LabelSet | None, Disputes]:
    """What a server counts in a run or in a job's results."""
    from medner.evaluation.measures.disputes import Disputes
    from medner.service.client import jobs, traces
    from medner.service.traces.naming import run_named

    with server_traces(place, remote) as found:
        connection = found.connection
        if run is None:
            id_ = connection.run(jobs.find(job or ""))
            return None, Disputes.of_data(connection.run(jobs.agreement(id_, most)))
        record = run_named(found, run)
        return record.labels.label_set(), Disputes.of_data(connection.run(traces.agreement(record.run, most)))


def _traced(place: str | None, name: str) -> tuple[LabelSet, list[Annotation]]:
    from medner.service.traces.differences import annotations_of
    from medner.service.traces.naming import run_named

    with opened(place) as backend:
        record = run_named(backend, name)
        return record.labels.label_set(), list(annotations_of(backend, record.run))


def _written(path: Path) -> Iterator[Annotation]:
    from medner.store.corpora.json_formats.jsonl import read_annotated

    for document in read_annotated(path):
        yield from document.annotations


def _of_job(name: str) -> list[Annotation]:
    from rich.console import Console

    from medner.service.cli.redis import with_jobs
    from medner.store.jobs import Jobs

    found: list[Annotation] = []

    async def read(jobs: Jobs, _: Console) -> int:
        async for document in jobs.results(await jobs.find(name)):
            found.extend(document.annotations)
        return 0

    with_jobs(read)
    return found
