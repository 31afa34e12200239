"""Jobs as they stand in Redis, read and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache

from pydantic import ValidationError

from medner.core.errors import UserError
from medner.store.jobs.keys import INDEX, job_key, submit_key
from medner.store.jobs.lua import PARTS, Scripts
from medner.store.jobs.records import FORMAT, JobCounts, JobSpec, JobView
from medner.store.jobs.result_folder import FolderSpool
from medner.store.jobs.spool import RedisSpool, Spool
from medner.store.jobs.states import JobState
from medner.store.redis.client import Client

#: So many jobs are read with one question.
_AT_ONCE = 500


def spool_of(redis: Client, job: str, spec: JobSpec) -> Spool:
    """Where the bulk of a job is."""
    return RedisSpool(redis, job_key(job)) if spec.results is None else FolderSpool(redis, job_key(job), spec)


def known_spec(view: JobView) -> JobSpec:
    """What a job is. UserError for one that this version cannot read."""
    if view.spec is None and view.format > FORMAT:
        raise UserError(
            f"{view.id}: was submitted by a newer medner (job format {view.format}, this one knows {FORMAT}); update it"
        )
    if view.spec is None:
        raise UserError(f"{view.id}: its record in Redis is damaged; delete it: medner jobs delete {view.id}")
    return view.spec


async def read_view(redis: Client, job: str) -> JobView | None:
    """A job as it is now, None where there is none."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(job_key(job))
        pipe.hgetall(f"{job_key(job)}:refused")
        raw, refused = await pipe.execute()
    return _read(job, raw, refused)


async def read_views(redis: Client, jobs: Sequence[str]) -> list[JobView | None]:
    """Several jobs as they are now, in few questions; None for those there are none of."""
    views: list[JobView | None] = []
    for begin in range(0, len(jobs), _AT_ONCE):
        names = jobs[begin : begin + _AT_ONCE]
        async with redis.pipeline(transaction=False) as pipe:
            for job in names:
                pipe.hgetall(job_key(job))
                pipe.hgetall(f"{job_key(job)}:refused")
            answers = await pipe.execute()
        views += [_read(job, answers[2 * at], answers[2 * at + 1]) for at, job in enumerate(names)]
    return views


def _read(job: str, raw: Mapping[bytes, bytes], refused: Mapping[bytes, bytes]) -> JobView | None:
    if not raw or b"state" not in raw:
        return None
    facts = {name.decode(): value.decode() for name, value in raw.items()}
    return _view_of(job, facts, {name.decode(): reason.decode() for name, reason in refused.items()})


async def remove(redis: Client, job: str) -> None:
    """Takes all of a job out of Redis, and out of its folder what an unfinished submit left there."""
    base, scripts = job_key(job), Scripts(redis)
    view = await read_view(redis, job)
    if view is not None and view.state is JobState.SUBMITTING and view.spec is not None:
        await spool_of(redis, job, view.spec).discard()
    key = (await redis.hget(base, "key") or b"").decode()
    unfinished = [name.decode() for name in await redis.hkeys(f"{base}:open")]
    names = [base, *(f"{base}:{part}" for part in PARTS), *(f"{base}:part:{number}" for number in unfinished)]
    async with redis.pipeline(transaction=True) as pipe:
        await scripts("unregister", INDEX, job, client=pipe)
        pipe.unlink(*names)
        await pipe.execute()
    if key:
        await scripts("forget", submit_key(key), job)


def _view_of(job: str, facts: dict[str, str], refusals: dict[str, str]) -> JobView:
    """A job out of its hash. What a newer version wrote is shown as far as it is understood."""
    spec: JobSpec | None = None
    if int(facts["format"]) <= FORMAT:
        try:
            spec = _spec_of(facts["spec"])
        except ValidationError:
            spec = None
    counts = JobCounts(**{field.name: int(facts.get(field.name, 0)) for field in fields(JobCounts)})
    return JobView(
        id=job,
        format=int(facts["format"]),
        state=JobState(facts["state"]),
        counts=counts,
        submitted_s=int(facts["submitted"]) / 1000,
        spec=spec,
        name=facts.get("name", ""),
        started_s=_seconds(facts.get("started")),
        finished_s=_seconds(facts.get("finished")),
        reason=facts.get("reason") or facts.get("problem", ""),
        refusals=refusals,
    )


@lru_cache(maxsize=512)
def _spec_of(data: str) -> JobSpec:
    """The specification of its JSON. A page of jobs, and a job that is looked at again and again, has few of them."""
    return JobSpec.model_validate_json(data)


def _seconds(milliseconds: str | None) -> float | None:
    return None if milliseconds is None else int(milliseconds) / 1000
