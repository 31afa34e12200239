"""What the commands about jobs share: their common options, the job they name, records as plain data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medner.service.cli.redis import JobsThere, with_jobs_there
from medner.service.cli.remote.options import Remote

if TYPE_CHECKING:
    from rich.console import Console

    from medner.store.jobs import DeadLetter, JobView, WorkerView

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, the beginning of it, its name, or last.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def on_job(remote: Remote, job: str, command: Callable[[JobsThere, str, Console], Awaitable[int]]) -> None:
    """Ends the command with what its work on a job gives."""

    async def run(jobs: JobsThere, console: Console) -> int:
        return await command(jobs, await jobs.find(job), console)

    raise typer.Exit(with_jobs_there(remote, run))


def as_data(jobs: JobsThere, records: Sequence[JobView | WorkerView | DeadLetter]) -> list[dict[str, Any]]:
    """Records as plain data; a server tells fewer keys than Redis has."""
    from medner.service.cli.remote.jobs import RemoteJobs

    if isinstance(jobs, RemoteJobs):
        return [jobs.as_data(record) for record in records]
    return [{**asdict(record), **_of_job(record)} for record in records]


def _of_job(record: JobView | WorkerView | DeadLetter) -> dict[str, Any]:
    from medner.store.jobs import JobView

    if not isinstance(record, JobView):
        return {}
    spec = None if record.spec is None else record.spec.model_dump(mode="json")
    return {"state": record.state.value, "spec": spec}
