"""What a worker does with a chunk, a step at a time."""

from __future__ import annotations

from typing import Any

from medner.core.records import AnnotatedEntity, Annotation, Decision, Decoded, Document, Entity, TaggerOutput
from medner.store.jobs import Claims, DeadLetter, Finished, Jobs
from medner.store.jobs.chunks import sentences_of
from medner.store.jobs.claims import Claim
from medner.store.redis.client import Client
from tests.jobs_kit import expected, spec


async def annotated(jobs: Jobs, job: str, chunk: int, **settings: Any) -> list[Annotation]:
    """What a worker would make of a chunk."""
    spool = jobs.spool_of(job, spec(**settings))
    places = expected([])
    made = []
    for sentence in sentences_of(await spool.get(chunk)):
        places = expected([Document("x", sentence.text)])
        entities = tuple(AnnotatedEntity(Entity(*one, "sym"), Decision.AGREED, ("a",)) for one in places["x"])
        made.append(Annotation(sentence, entities, outputs=(TaggerOutput("a", "", Decoded(())),)))
    return made


async def do(
    jobs: Jobs,
    claims: Claims,
    claim: Claim,
    *,
    dead: dict[int, str] | None = None,
    settings: dict[str, Any] | None = None,
) -> bool:
    """Finishes a claimed chunk; ``dead`` are errors by index, ``settings`` those of the job."""
    made = await annotated(jobs, claim.job, claim.chunk, **(settings or {}))
    known = {*(dead or {}), *(await claims.progress(claim)).recorded}
    fresh = [Finished(index, one) for index, one in enumerate(made) if index not in known]
    letters = [
        DeadLetter("d", f"d#{index}", claim.chunk, index, "Error", error, 3, claims.worker, 0.0)
        for index, error in (dead or {}).items()
    ]
    spool = jobs.spool_of(claim.job, spec(**(settings or {})))
    kept = await spool.keep(claim.chunk, claim.token, await spool.get(claim.chunk), made)
    return await claims.complete(claim, spool.where, kept, fresh, letters)


async def claimed(claims: Claims, job: str, chunk: int) -> Claim:
    """A claim that must be had."""
    claim = await claims.claim(job, chunk)
    assert isinstance(claim, Claim)
    return claim


async def commands(redis: Client) -> int:
    """How many commands the server has carried out, those inside scripts included."""
    statistics = await redis.info("commandstats")
    return sum(entry["calls"] for name, entry in statistics.items() if name != "cmdstat_info")
