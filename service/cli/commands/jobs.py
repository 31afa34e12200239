"""`medner jobs`: look at jobs and steer them."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medner.service.cli.commands.jobs_server import server
from medner.service.cli.job_options import AsJson, JobName, as_data, on_job
from medner.service.cli.redis import JobsThere, with_jobs_there
from medner.service.cli.remote.options import Remote, with_server
from medner.service.cli.reporting import print_json, print_table

if TYPE_CHECKING:
    from rich.console import Console


HELP = """List, watch, cancel and repeat the jobs of medner submit. JOB is an id, its beginning, a name, or last.

\b
Examples:
  medner jobs list
  medner jobs watch last
  medner jobs results ward-7 -o ward-7.jsonl
  medner jobs cancel 20260131-0930
  medner jobs dead last && medner jobs replay last
  medner jobs list --server https://ward.example.org --key-env WARD_KEY

watch and results have exit codes of their own (medner jobs watch --help).
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommands."""
    jobs = typer.Typer(help=HELP, no_args_is_help=True)
    for command in (list_, show, watch, cancel, results, dead, replay, delete, server):
        jobs.command(command.__name__.rstrip("_"))(command)
    app.add_typer(jobs, name="jobs")


@with_server
def list_(*, remote: Remote, as_json: AsJson = False) -> None:
    """List the jobs, the newest first, and the workers.

    Example: medner jobs list

    Exit code: 0 done; 3 Redis or the server failed.
    """

    async def run(jobs: JobsThere, _: Console) -> int:
        views, workers = await jobs.all(), await jobs.workers()
        if as_json:
            print_json({"jobs": as_data(jobs, views), "workers": as_data(jobs, workers)})
            return 0
        print_table(
            ("job", "name", "state", "sentences", "given up", "conflicts"),
            [
                (
                    view.id,
                    view.name,
                    view.state.value,
                    f"{view.counts.done:,} of {view.counts.sentences:,}",
                    f"{view.counts.dead:,}",
                    f"{view.counts.conflicts:,}",
                )
                for view in views
            ],
        )
        for one in workers:
            reason = f": {one.reason}" if one.reason else ""
            typer.echo(f"worker {one.id}, {one.doing}{reason}, {one.sentences:,} sentences", err=True)
        if not workers:
            typer.echo("no worker is running (medner worker)", err=True)
        return 0

    raise typer.Exit(with_jobs_there(remote, run))


@with_server
def show(job: JobName, *, remote: Remote, as_json: AsJson = False) -> None:
    """Show a job: its state and the reason for it, counts, configuration.

    Example: medner jobs show last

    Exit code: 0 done; 2 there is no such job; 3 Redis or the server failed.
    """

    async def run(jobs: JobsThere, name: str, _: Console) -> int:
        from medner.service.jobs.watch import described

        view = await jobs.show(name)
        if as_json:
            print_json(as_data(jobs, [view])[0])
        else:
            for key, value in described(view):
                typer.echo(f"{key:<14}{value}")
        return 0

    on_job(remote, job, run)


@with_server
def watch(job: JobName, *, remote: Remote) -> None:
    """Follow a job until it ends: sentences a second, time left, conflicts and failures so far.

    Ctrl-C ends the watching, not the job.

    Example: medner jobs watch last

    Exit code: 0 completed; 1 completed with errors; 3 failed; 5 cancelled; 130 stopped watching.
    """

    async def run(jobs: JobsThere, name: str, console: Console) -> int:
        from medner.service.jobs.watch import EXIT_CODES, end_in_words
        from medner.service.jobs.watch import watch as watch_job

        view = await watch_job(jobs, name, console)
        typer.echo(end_in_words(view))
        return EXIT_CODES[view.state]

    on_job(remote, job, run)


@with_server
def cancel(job: JobName, *, remote: Remote) -> None:
    """Cancel a job. Workers see it within about two seconds and finish their running sentences; results stay.

    Cancelling an ended job changes nothing. medner jobs replay goes on with a cancelled job.

    Example: medner jobs cancel 20260131-0930

    Exit code: 0 done; 2 there is no such job; 3 Redis or the server failed.
    """

    async def run(jobs: JobsThere, name: str, _: Console) -> int:
        from medner.service.jobs.watch import end_in_words

        typer.echo(end_in_words(await jobs.cancel(name)))
        return 0

    on_job(remote, job, run)


@with_server
def results(
    job: JobName,
    *,
    remote: Remote,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT", help="JSON lines file; without it, stdout.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table", metavar="FILE", help="The entities as a table, a row an entity: .xlsx, .csv, .tsv or .parquet."
        ),
    ] = None,
    fhir: Annotated[
        Path | None,
        typer.Option("--fhir", metavar="FILE", help="The entities as FHIR: a Bundle (.json), or one a line (.ndjson)."),
    ] = None,
    fhir_mapping: Annotated[
        Path | None,
        typer.Option("--fhir-mapping", metavar="FILE", help="Which resources the types become, in TOML."),
    ] = None,
) -> None:
    """Write a job's documents with their entities, as medner annotate -o does; of a running job, those that are done.

    Example: medner jobs results ward-7 -o ward-7.jsonl

    Example: medner jobs results ward-7 --table ward-7.xlsx

    Exit code: 0 complete; 1 sentences are missing; 2 there is no such job; 3 Redis, server or disk failed.
    """

    async def run(jobs: JobsThere, name: str, console: Console) -> int:
        from medner.service.annotate.outputs import fhir_bundle
        from medner.service.jobs.results import labels_of, write_results
        from medner.service.jobs.watch import end_in_words
        from medner.store.corpora import annotated_to_line

        if output is None and table is None and fhir is None:
            async for document in jobs.results(name):
                typer.echo(annotated_to_line(document))
        else:
            labels = labels_of(await jobs.show(name))
            say = partial(console.print, markup=False)
            await write_results(
                jobs.results(name),
                labels,
                output=output,
                table=table,
                fhir=fhir_bundle(fhir, fhir_mapping),
                on_remark=say,
            )
        view = await jobs.show(name)
        console.print(end_in_words(view), markup=False)
        return 1 if view.counts.done < view.counts.sentences else 0

    on_job(remote, job, run)


@with_server
def dead(job: JobName, *, remote: Remote, as_json: AsJson = False) -> None:
    """List the sentences that failed all attempts: id and reason, without their text.

    Example: medner jobs dead last

    Exit code: 0 done; 2 there is no such job; 3 Redis or the server failed.
    """

    async def run(jobs: JobsThere, name: str, _: Console) -> int:
        letters = await jobs.dead(name)
        if as_json:
            print_json(as_data(jobs, letters))
            return 0
        rows = [(one.sentence, one.kind, str(one.attempts), one.worker, one.error) for one in letters]
        print_table(("sentence", "kind", "attempts", "worker", "error"), rows)
        return 0

    on_job(remote, job, run)


@with_server
def replay(job: JobName, *, remote: Remote) -> None:
    """Run the failed sentences of a job again, and those that a cancel or a failure left out.

    Example: medner jobs replay last

    Exit code: 0 done; 2 there is no such job, or it has not ended; 3 Redis or the server failed.
    """

    async def run(jobs: JobsThere, name: str, _: Console) -> int:
        count = await jobs.replay(name)
        typer.echo(f"{count:,} sentences are to be done" if count else "nothing is left to do")
        return 0

    on_job(remote, job, run)


@with_server
def delete(job: JobName, *, remote: Remote) -> None:
    """Delete an ended job, with its results in Redis and its traces on this machine. A result folder stays.

    Example: medner jobs delete ward-7

    Exit code: 0 done; 2 there is no such job, or it has not ended; 3 Redis or the server failed.
    """

    from medner.service.build.trace_recording import remove_traces_of

    async def run(jobs: JobsThere, name: str, _: Console) -> int:
        await jobs.delete(name)
        typer.echo(f"deleted: {name}")
        if remote:
            return 0
        removed = await asyncio.to_thread(remove_traces_of, name)
        if removed:
            typer.echo(f"its {removed:,} traces on this machine are removed too", err=True)
        return 0

    on_job(remote, job, run)
