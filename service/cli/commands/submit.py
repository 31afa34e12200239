"""`medner submit`: documents become a job that workers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medner.core.choices import JudgeFollow, PartFormat, Priority, TracePolicy
from medner.service.cli.bounds import DAY_S, finite, job_name, not_empty, submit_key
from medner.service.cli.configuration_options import ConfigurationOptions, with_configuration
from medner.service.cli.options import (
    Format,
    Inputs,
    Limit,
    SkipBad,
    Trace,
)
from medner.service.cli.read_options import with_table_options
from medner.service.cli.remote.options import Remote, with_server_as
from medner.store.corpora.reading.read_options import ReadOptions

if TYPE_CHECKING:
    from rich.console import Console

    from medner.service.cli.redis import JobsThere
    from medner.service.jobs.submit import SubmitOrder
    from medner.store.jobs import Submitted

HELP = """Submit files as a job for background workers, and print the job's id at once.

Start workers with medner worker. Redis keeps the job, which survives this command, the workers and their crashes: \
the Redis of MEDNER_REDIS_URL, else the embedded one in the data folder, which starts by itself.

\b
Examples:
  medner submit notes/ --name ward-7
  medner submit 病历.xlsx --text-column 主诉 --id-column 住院号 --keep-columns 科室
  medner submit big.jsonl --results /data/out --parts parquet --priority low
  medner submit notes/ --taggers symbol,span-8 --judge hard-vote --trace all
  medner submit notes/ --key nightly-2026-01-31     # run twice, it makes one job
  medner jobs watch $(medner submit notes/)
  medner submit notes/ --to https://ward.example.org --key-env WARD_KEY

Redis keeps results for a week (--keep). With --results, workers write them into a folder while the job runs. \
With --to, a medner server (medner serve) gets the documents: it chooses models by its own configuration, and takes \
--labels, --taggers, --judge, --filter and --preset by name.

Exit code: 0 submitted; 1 submitted, but inputs were skipped; 2 wrong input or option; 3 Redis, server or disk failed.
"""


def register(app: typer.Typer) -> None:
    """Adds the subcommand."""
    app.command("submit", help=HELP)(submit)


@with_table_options
@with_configuration
@with_server_as(url="--to")
def submit(  # noqa: PLR0913  the options of a command are its parameters
    inputs: Inputs,
    *,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", callback=job_name, help="A name to find the job by.")
    ] = "",
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="KEY",
            callback=submit_key,
            help="Make only one job for this key, however often the command runs.",
        ),
    ] = None,
    priority: Annotated[
        Priority, typer.Option("--priority", help="Workers take jobs of a higher priority first.")
    ] = Priority.NORMAL,
    results: Annotated[
        str | None,
        typer.Option(
            "--results",
            metavar="FOLDER|URL",
            callback=not_empty,
            help="A new folder for the results, or its fsspec URL.",
        ),
    ] = None,
    parts: Annotated[
        PartFormat, typer.Option("--parts", help="Format of the files in the --results folder.")
    ] = PartFormat.JSONL,
    keep: Annotated[
        float,
        typer.Option(
            "--keep", metavar="DAYS", min=0.01, max=3_650, callback=finite, help="How long Redis keeps an ended job."
        ),
    ] = 7,
    remote: Remote,
    configuration: ConfigurationOptions,
    judge_follow: Annotated[
        JudgeFollow,
        typer.Option(
            "--judge-follow", help="pinned: this judge decides to the end; latest: each judge that is put in place."
        ),
    ] = JudgeFollow.PINNED,
    trace: Trace = TracePolicy.CONFLICTS,
    format_: Format = None,
    skip_bad: SkipBad = False,
    limit: Limit = None,
    options: ReadOptions,
    chunk: Annotated[
        int,
        typer.Option(
            "--chunk", metavar="N", min=1, max=4_096, help="About how many sentences a worker takes at a time."
        ),
    ] = 32,
    attempts: Annotated[
        int,
        typer.Option(
            "--attempts", metavar="N", min=1, max=100, help="How often a sentence is tried before it is given up."
        ),
    ] = 3,
    time_limit: Annotated[
        float,
        typer.Option(
            "--time-limit",
            metavar="SECONDS",
            min=0.1,
            max=7 * DAY_S,
            callback=finite,
            help="How long one sentence may take.",
        ),
    ] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print the job as JSON.")] = False,
) -> None:
    from medner.service.cli.redis import with_jobs_there
    from medner.store.redis.connection import require_redis

    require_redis()
    from medner.service.jobs.submit import SubmitOrder

    order = SubmitOrder(
        inputs=tuple(inputs),
        format=format_,
        skip_bad=skip_bad,
        limit=limit,
        options=options,
        key=key,
        overrides=configuration.overrides(join_lines=options.join_lines),
        settings={
            "name": name,
            "priority": priority,
            "trace": trace,
            "judge_follow": judge_follow,
            "results": results,
            "part_format": parts,
            "keep_s": int(keep * 86_400),
            "chunk_sentences": chunk,
            "attempts": attempts,
            "sentence_timeout_s": time_limit,
        },
    )
    if remote:
        from medner.service.cli.remote.submit import refuse_options

        refuse_options(remote, order)
    raise typer.Exit(with_jobs_there(remote, lambda jobs, console: _submit(jobs, console, order, as_json=as_json)))


async def _submitted(jobs: JobsThere, console: Console, order: SubmitOrder) -> tuple[Submitted, int]:
    """The job, and how many inputs and records could not be read."""
    from medner.service.cli.remote.jobs import RemoteJobs
    from medner.service.cli.remote.submit import submit as submit_to_server
    from medner.service.jobs.submit import submit as submit_order

    if isinstance(jobs, RemoteJobs):
        return await submit_to_server(jobs, order, console)
    return await submit_order(jobs, order, console)


async def _submit(jobs: JobsThere, console: Console, order: SubmitOrder, *, as_json: bool) -> int:
    import json
    from dataclasses import asdict

    from medner.evaluation.reports.wording import counted

    submitted, bad = await _submitted(jobs, console, order)
    view = await jobs.show(submitted.id)
    if not submitted.created:
        console.print(f"this key has a job already, which is {view.state.value}", markup=False)
    if as_json:
        typer.echo(json.dumps({"id": submitted.id, "created": submitted.created, **asdict(view.counts)}))
    else:
        sizes = (counted(view.counts.documents, "document"), counted(view.counts.sentences, "sentence"))
        console.print(", ".join(sizes), markup=False)
        typer.echo(submitted.id)
    if not await jobs.workers():
        console.print("no worker is running; start one: medner worker", markup=False)
    return 1 if bad else 0
