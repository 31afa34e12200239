"""Jobs from submit to delete, on a real Valkey; a worker's steps are taken by hand."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medner.core.choices import Priority
from medner.core.errors import UserError
from medner.core.records import AnnotatedEntity, Annotation, Decision, Decoded, Document, Entity, TaggerOutput
from medner.store.jobs import FORMAT, Claims, DeadLetter, Finished, Jobs, JobState
from medner.store.jobs.chunks import sentences_of
from medner.store.jobs.claims import Claim
from medner.store.jobs.keys import ACTIVE_JOBS, QUEUES, job_key
from medner.store.jobs.lua import WINDOW
from medner.store.jobs.submitting import SubmitCallbacks, Submitter
from medner.store.redis.client import Client
from tests.jobs_kit import documents, expected, found, spec


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


async def test_a_job_goes_from_submit_to_results(jobs: Jobs, claims: Claims) -> None:
    """Queued, running with the first claim, completed with the last chunk; every sentence has its result."""
    given = documents(6)
    job = (await jobs.submit(spec(name="病房"), given)).id
    view = await jobs.show(job)
    assert (view.state, view.counts.sentences, view.counts.documents, view.counts.chunks) == (
        JobState.QUEUED,
        24,
        6,
        3,
    )
    for chunk in range(3):
        claim = await claimed(claims, job, chunk)
        assert (await jobs.show(job)).state is JobState.RUNNING
        assert await do(jobs, claims, claim)
    view = await jobs.show(job)
    assert (view.state, view.counts.done, view.counts.dead, view.counts.left) == (JobState.COMPLETED, 24, 0, 0)
    assert view.counts.entities == sum(map(len, expected(given).values()))
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_a_chunk_has_one_holder(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """A second worker is told who has it; one that comes after the end, that it is done."""
    job = (await jobs.submit(spec(), documents(1))).id
    other = Claims(redis, "worker-2")
    claim = await claimed(claims, job, 0)
    assert await other.claim(job, 0) == "held"
    await do(jobs, claims, claim)
    assert await other.claim(job, 0) == "completed"


async def test_a_stale_worker_changes_nothing(jobs: Jobs, redis: Client) -> None:
    """Once another holds its chunk, nothing a worker sends counts: no record, no end, no release, no renewal."""
    slow, quick = Claims(redis, "slow", lease_s=0.05), Claims(redis, "quick")
    job = (await jobs.submit(spec(), documents(2))).id
    stale = await claimed(slow, job, 0)
    await asyncio.sleep(0.1)
    fresh = await claimed(quick, job, 0)
    assert fresh.token > stale.token
    assert fresh.lost == 1
    made = await annotated(jobs, job, 0)
    assert not await slow.record(stale, [Finished(0, made[0])])
    assert not await slow.release(stale)
    assert await slow.attempt(stale, 0) == 0
    assert await slow.renew(job, [stale]) == ("running", [])
    assert not await do(jobs, slow, stale)
    assert (await jobs.show(job)).counts.done == 0
    assert await do(jobs, quick, fresh)
    assert (await jobs.show(job)).counts.done == 8


async def test_what_was_recorded_is_counted_once(jobs: Jobs, redis: Client) -> None:
    """A worker dies with half a chunk recorded: the next has it, and the counters count it once."""
    dying, heir = Claims(redis, "dying", lease_s=0.05), Claims(redis, "heir")
    job = (await jobs.submit(spec(), documents(2))).id
    claim = await claimed(dying, job, 0)
    made = await annotated(jobs, job, 0)
    assert await dying.record(claim, [Finished(index, made[index]) for index in range(4)])
    assert await dying.record(claim, [Finished(index, made[index]) for index in range(4)])  # the answer was lost
    await asyncio.sleep(0.1)
    claim = await claimed(heir, job, 0)
    assert dict((await heir.progress(claim)).recorded) == dict(enumerate(made[:4]))
    await do(jobs, heir, claim)
    view = await jobs.show(job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 8)


async def test_the_end_of_a_chunk_may_be_told_twice(jobs: Jobs, claims: Claims) -> None:
    """When the answer is lost and the worker asks again, nothing is counted a second time."""
    job = (await jobs.submit(spec(), documents(4))).id
    claim = await claimed(claims, job, 0)
    assert await do(jobs, claims, claim)
    assert not await do(jobs, claims, claim)
    assert (await jobs.show(job)).counts.done == 8


async def test_a_message_names_its_chunk(jobs: Jobs, redis: Client) -> None:
    """It goes into the stream of the job's priority."""
    job = (await jobs.submit(spec(priority="low"), documents(1))).id
    [(_, fields)] = await redis.xrange(QUEUES[Priority.LOW])
    assert fields == {b"job": job.encode(), b"chunk": b"0"}


async def test_a_lost_message_is_sent_anew(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """A stream that lost its messages costs nothing: the sweep knows which chunks nobody has."""
    await jobs.submit(spec(), documents(4))
    await redis.delete(*QUEUES.values())
    assert await claims.sweep() == 2
    await redis.delete("medner:sweeping")
    assert await claims.sweep() == 0
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == 2


async def test_a_lost_workers_chunk_is_sent_anew(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """A claim that is not renewed ends; the chunk comes back and remembers that a worker was lost over it."""
    job = (await jobs.submit(spec(), documents(1))).id
    await claimed(Claims(redis, "dead", lease_s=0.05), job, 0)
    await redis.delete(*QUEUES.values())
    await asyncio.sleep(0.1)
    assert await claims.sweep() == 1
    assert (await claimed(claims, job, 0)).lost == 1


async def test_a_claim_that_is_renewed_is_kept(jobs: Jobs, redis: Client) -> None:
    """A long chunk stays with its worker while that gives signs of life."""
    worker = Claims(redis, "alive", lease_s=0.3)
    job = (await jobs.submit(spec(), documents(1))).id
    claim = await claimed(worker, job, 0)
    for _ in range(5):
        await asyncio.sleep(0.1)
        assert await worker.renew(job, [claim]) == ("running", [claim])
    assert await Claims(redis, "other").claim(job, 0) == "held"


async def test_few_chunks_are_given_out_at_a_time(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """However long a job, only so many of its chunks are in the queue; each that is done brings the next."""
    job = (await jobs.submit(spec(chunk_sentences=1), documents(WINDOW + 3, sentences=1))).id
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == WINDOW
    claim = await claimed(claims, job, 0)
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == WINDOW - 1
    await do(jobs, claims, claim)
    assert await redis.xlen(QUEUES[Priority.NORMAL]) == WINDOW
    assert await claims.claim(job, WINDOW + 2) == "done"  # not given out yet: no claim to be had


async def test_dead_letters_end_a_job_with_errors_and_are_replayed(jobs: Jobs, claims: Claims) -> None:
    """A sentence that was given up is listed; its chunk-mates have results; a replay does it and only it."""
    given = documents(4)
    job = (await jobs.submit(spec(), given)).id
    await do(jobs, claims, await claimed(claims, job, 0), dead={3: "毒"})
    await do(jobs, claims, await claimed(claims, job, 1))
    view = await jobs.show(job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED_WITH_ERRORS, 15, 1)
    [letter] = await jobs.dead(job)
    assert (letter.chunk, letter.index, letter.error, letter.attempts) == (0, 3, "毒", 3)
    assert await jobs.replay(job) == 1
    assert (await jobs.show(job)).state is JobState.QUEUED
    assert await claims.claim(job, 1) == "done"
    claim = await claimed(claims, job, 0)
    made = await annotated(jobs, job, 0)
    spool = jobs.spool_of(job, spec())
    kept = await spool.keep(0, claim.token, (), made)
    assert await claims.complete(claim, spool.where, kept, [Finished(3, made[3])], [])
    view = await jobs.show(job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED, 16, 0)
    assert await jobs.dead(job) == []


async def test_a_cancelled_job_gives_out_nothing_and_keeps_what_it_has(jobs: Jobs, claims: Claims) -> None:
    """Cancel, cancel again, replay: the rest is done and nothing twice."""
    given = documents(6)
    job = (await jobs.submit(spec(), given)).id
    await do(jobs, claims, await claimed(claims, job, 0))
    under_way = await claimed(claims, job, 1)
    assert (await jobs.cancel(job)).state is JobState.CANCELLED
    assert (await jobs.cancel(job)).state is JobState.CANCELLED
    assert await claims.claim(job, 2) == "cancelled"
    assert (await claims.renew(job, [under_way]))[0] == "cancelled"
    made = await annotated(jobs, job, 1)
    assert await claims.record(under_way, [Finished(0, made[0])])
    assert await claims.release(under_way)
    assert len([one async for one in jobs.results(job)]) == 6
    assert await jobs.replay(job) == 24 - 9
    for chunk in (1, 2):
        await do(jobs, claims, await claimed(claims, job, chunk))
    view = await jobs.show(job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 24)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_only_what_has_ended_is_replayed_or_deleted(jobs: Jobs) -> None:
    """A job that runs is cancelled first; one that is completed has nothing left."""
    job = (await jobs.submit(spec(), documents(1))).id
    with pytest.raises(UserError, match="queued"):
        await jobs.replay(job)
    with pytest.raises(UserError, match="cancel it first"):
        await jobs.delete(job)


async def test_a_deleted_job_leaves_nothing(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """Neither results nor bookkeeping; a worker that comes is told that it is gone."""
    job = (await jobs.submit(spec(), documents(4), key="mine")).id
    await claimed(claims, job, 0)
    await jobs.cancel(job)
    await jobs.delete(job)
    left = [name for name in await redis.keys("medner:*") if job.encode() in name or b"key" in name]
    assert not left
    assert await claims.claim(job, 1) == "gone"
    assert not await redis.sismember(ACTIVE_JOBS, job)


async def test_the_same_key_is_the_same_job(jobs: Jobs, redis: Client) -> None:
    """Two submits at the same time with one key make one job, with each document once."""
    both = await asyncio.gather(
        jobs.submit(spec(), documents(50), key="夜班"), Jobs(redis).submit(spec(), documents(50), key="夜班")
    )
    assert len({one.id for one in both}) == 1
    assert sorted(one.created for one in both) == [False, True]
    assert (await jobs.show(both[0].id)).counts.sentences == 200
    assert len(await jobs.all()) == 1


async def test_a_submit_that_died_is_begun_anew_by_its_key(jobs: Jobs, redis: Client) -> None:
    """Half a job is no job: who comes with the key after the submitter's lease makes it whole."""
    job, _ = await Submitter(redis, spec(), SubmitCallbacks())._open("k")
    assert (await jobs.submit(spec(), documents(2), key="k")).id == job
    await redis.hset(job_key(job), "submit_until", 1)
    again = await jobs.submit(spec(), documents(2), key="k")
    assert again.created
    assert again.id != job
    assert [view.id for view in await jobs.all()] == [again.id]


async def test_a_submit_that_cannot_read_on_leaves_no_job(jobs: Jobs, redis: Client) -> None:
    """When an input breaks in the middle, what was submitted so far is gone."""

    def broken() -> Iterator[Document]:
        yield from documents(30)
        raise UserError("line 31 is damaged")

    with pytest.raises(UserError, match="damaged"):
        await jobs.submit(spec(), broken(), key="k")
    assert await redis.keys("medner:*") == []


async def test_a_job_of_a_newer_version_is_shown_and_not_touched(jobs: Jobs, redis: Client) -> None:
    """Its state can be seen; what would need to understand it is refused with the reason."""
    job = (await jobs.submit(spec(), documents(1))).id
    newer = {**json.loads(await redis.hget(job_key(job), "spec")), "from_the_future": True}
    await redis.hset(job_key(job), mapping={"format": FORMAT + 1, "spec": json.dumps(newer)})
    view = await jobs.show(job)
    assert (view.spec, view.state) == (None, JobState.QUEUED)
    with pytest.raises(UserError, match="newer medner"):
        _ = [one async for one in jobs.results(job)]


async def test_a_damaged_record_can_be_listed_and_deleted(jobs: Jobs, redis: Client) -> None:
    """One job's damage is not that of the others."""
    job = (await jobs.submit(spec(), documents(1))).id
    await jobs.cancel(job)
    await redis.hset(job_key(job), "spec", "{")
    assert [view.spec for view in await jobs.all()] == [None]
    with pytest.raises(UserError, match="damaged"):
        _ = [one async for one in jobs.results(job)]
    await jobs.delete(job)
    assert await jobs.all() == []


async def test_a_submit_that_broke_leaves_its_result_folder_empty(jobs: Jobs, tmp_path: Path) -> None:
    """The same command can be given again; another job's folder is never touched."""

    def broken() -> Iterator[Document]:
        yield from documents(30)
        raise UserError("damaged")

    place = str(tmp_path / "out")
    with pytest.raises(UserError, match="damaged"):
        await jobs.submit(spec(results=place), broken())
    job = (await jobs.submit(spec(results=place), documents(3))).id
    with pytest.raises(UserError, match="holds"):
        await jobs.submit(spec(results=place), documents(3))
    assert len(await jobs.spool_of(job, spec(results=place)).get(0)) == 2


async def test_an_ended_job_is_kept_for_a_time(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """All of it expires together, and only once it has ended."""
    job = (await jobs.submit(spec(keep_s=3_600), documents(2))).id
    assert await redis.ttl(job_key(job)) == -1
    await do(jobs, claims, await claimed(claims, job, 0))
    parts = list(await redis.keys(f"{job_key(job)}*"))
    assert {b"res", b"in"} <= {name.rpartition(b":")[2] for name in parts}
    assert all([3_500 < await redis.ttl(name) <= 3_600 for name in parts])


async def test_jobs_are_found_by_id_beginning_name_and_last(jobs: Jobs) -> None:
    """What means several is refused."""
    first = (await jobs.submit(spec(name="甲"), documents(1))).id
    second = (await jobs.submit(spec(name="乙"), documents(1))).id
    assert await jobs.find("last") == second
    assert await jobs.find("甲") == first
    assert await jobs.find(second[:-1] if second[:-1] != first[:-1] else second) == second
    with pytest.raises(UserError, match="2 jobs"):
        await jobs.find(first[:8])
    with pytest.raises(UserError, match="no job"):
        await jobs.find("丙")


async def test_results_begin_where_they_are_wanted(jobs: Jobs, claims: Claims, redis: Client, tmp_path: Path) -> None:
    """From any document on, also where long documents are cut and chunks are missing; earlier ones are not read."""
    long = Document("长", "".join(f"第{number}天好转。\n" for number in range(100)))
    given = [*documents(7), long, *documents(3, sentences=9)]
    chance = random.Random(5)  # noqa: S311  an order, not a secret
    for settings in ({}, {"results": str(tmp_path / "out")}):
        job = (await jobs.submit(spec(chunk_sentences=4, **settings), given)).id
        chunks = list(range((await jobs.show(job)).counts.chunks))
        chance.shuffle(chunks)
        for chunk in chunks:
            await from_everywhere(jobs, job, len(given))
            await do(jobs, claims, await claimed(claims, job, chunk), settings=settings)
        assert await from_everywhere(jobs, job, len(given)) == [one.id for one in given]
    job = (await jobs.submit(spec(chunk_sentences=4), given)).id
    await redis.hset(f"{job_key(job)}:in", "0", "damaged")
    assert [one.document.id async for one in jobs.results(job, offset=8)] == [one.id for one in given[8:]]


async def test_a_page_of_documents_costs_the_same_wherever_it_begins(
    jobs: Jobs, claims: Claims, redis: Client, tmp_path: Path
) -> None:
    """The first documents or the last of many: nothing before them is read."""
    for settings in ({}, {"results": str(tmp_path / "out")}):
        job = (await jobs.submit(spec(**settings), documents(200))).id
        for chunk in range(100):
            await do(jobs, claims, await claimed(claims, job, chunk), settings=settings)
        costs = []
        for offset in (1, 197):
            before = await _commands(redis)
            result = jobs.results(job, offset=offset)
            assert (await anext(result)).document.id == f"病历{offset}"
            await result.aclose()  # type: ignore[attr-defined]
            costs.append(await _commands(redis) - before)
        # To find its place takes the logarithm of the chunks.
        assert abs(costs[1] - costs[0]) <= 8


async def from_everywhere(jobs: Jobs, job: str, most: int) -> list[str]:
    """The ids of a job's documents, after making sure that reading may begin at any of them."""
    every = [one.document.id async for one in jobs.results(job)]
    for offset in range(most + 2):
        assert [one.document.id async for one in jobs.results(job, offset=offset)] == every[offset:]
    return every


async def test_what_a_list_costs_does_not_grow_with_the_jobs(jobs: Jobs, redis: Client) -> None:
    """A page of jobs, the numbers of the queue, a name, the newest: the same commands for 12 jobs as for 60."""
    costs = []
    for count in (12, 48):
        ids = [(await jobs.submit(spec(name=f"{count}-{number}"), documents(1))).id for number in range(count)]
        before = await _commands(redis)
        listed, total = await jobs.newest(5)
        assert [one.id for one in listed] == [*reversed(ids)][:5]
        queue = await jobs.queue()
        assert (queue.jobs["queued"], queue.sentences_left) == (total, 4 * total)
        assert await jobs.find(f"{count}-3") == ids[3]
        assert await jobs.find("last") == ids[-1]
        costs.append(await _commands(redis) - before)
    assert costs[0] == costs[1]


async def _commands(redis: Client) -> int:
    """How many commands the server has carried out, those inside scripts included."""
    statistics = await redis.info("commandstats")
    return sum(entry["calls"] for name, entry in statistics.items() if name != "cmdstat_info")


async def test_a_job_that_is_gone_leaves_the_lists(jobs: Jobs, claims: Claims, redis: Client) -> None:
    """Expired, deleted, or lost by the server: neither lists nor numbers nor names know it any more."""
    ids = [(await jobs.submit(spec(name=str(number)), documents(1))).id for number in range(12)]
    for job in ids[:2]:
        await do(jobs, claims, await claimed(claims, job, 0))
    await redis.pexpire(job_key(ids[0]), 1)
    await redis.zadd("medner:state:completed", {ids[0]: 1})
    await jobs.delete(ids[1])
    await redis.delete(job_key(ids[3]))
    listed, total = await jobs.newest(9)
    assert ([one.id for one in listed], total) == ([job for job in reversed(ids) if job not in (*ids[:2], ids[3])], 9)
    for name in ("0", "1", "3"):
        with pytest.raises(UserError, match="no job"):
            await jobs.find(name)
    await jobs.reindex()
    queue = await jobs.queue()
    assert (queue.jobs["queued"], queue.jobs["completed"], queue.sentences_left) == (9, 0, 36)


async def test_sentences_left_follow_every_step(jobs: Jobs, claims: Claims) -> None:
    """Done, given up, cancelled, replayed, deleted: the number is that of the active jobs."""

    async def left() -> int:
        counted = (await jobs.queue()).sentences_left
        views = [view for view in await jobs.all() if view.state.value in ("queued", "running")]
        assert counted == sum(view.counts.left for view in views)
        return counted

    job = (await jobs.submit(spec(), documents(6))).id
    assert await left() == 24
    claim = await claimed(claims, job, 0)
    made = await annotated(jobs, job, 0)
    await claims.record(claim, [Finished(0, made[0])])
    assert await left() == 23
    await do(jobs, claims, claim, dead={3: "毒"})
    assert await left() == 16
    await jobs.cancel(job)
    assert await left() == 0
    assert await jobs.replay(job) == 17
    assert await left() == 17
    await jobs.cancel(job)
    await jobs.delete(job)
    assert await left() == 0
