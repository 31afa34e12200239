"""A worker on a real Valkey, with agents that answer from a script."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import UserError
from medner.core.records import Document
from medner.service.jobs.watch import described, end_in_words, remarks
from medner.store.corpora import annotated_to_line
from medner.store.jobs import FORMAT, Jobs, JobState
from medner.store.jobs.keys import QUEUES, job_key
from medner.store.redis.client import Client
from tests.jobs_kit import (
    AWAY,
    HANGS,
    RAISES,
    UNUSABLE,
    WORD,
    documents,
    expected,
    found,
    open_scripted,
    spec,
    until_ended,
)


async def test_every_document_gets_its_entities(jobs: Jobs, working: Any) -> None:
    """Results in the order of the documents, offsets in the whole document."""
    given = documents(20)
    async with working():
        job = (await jobs.submit(spec(), given)).id
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 80)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_what_was_submitted_before_the_worker_came_is_done(jobs: Jobs, working: Any) -> None:
    """A queue waits for whoever comes."""
    job = (await jobs.submit(spec(), documents(5))).id
    async with working():
        assert (await until_ended(jobs, job)).state is JobState.COMPLETED


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
async def test_a_result_folder_gets_parts_and_redis_only_the_bookkeeping(
    jobs: Jobs, working: Any, redis: Client, tmp_path: Path, form: str
) -> None:
    """Parts in the folder give the documents again; neither texts nor results are in Redis."""
    given = documents(12)
    folder = tmp_path / "结果 folder"
    job = (await jobs.submit(spec(results=str(folder), part_format=form), given)).id
    assert WORD.encode() not in b"".join(
        [b"".join((await redis.hgetall(name)).values()) for name in await redis.keys(f"{job_key(job)}:*")]
    )
    async with working():
        await until_ended(jobs, job)
        await _until((folder / "_medner" / "manifest.json").exists)
        await _until(lambda: not (folder / "_medner" / "chunks").exists())
    manifest = json.loads((folder / "_medner" / "manifest.json").read_text(encoding="utf-8"))
    names = [part["file"] for part in manifest["parts"]]
    assert sorted(path.name for path in folder.glob("part-*")) == sorted(names)
    assert sum(part["sentences"] for part in manifest["parts"]) == 48
    assert found([one async for one in jobs.results(job)]) == expected(given)
    assert not await redis.exists(f"{job_key(job)}:in", f"{job_key(job)}:res")


async def test_a_result_folder_that_holds_something_is_refused(jobs: Jobs, tmp_path: Path) -> None:
    """Nothing of another's is written over, and no job stays."""
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="name a new or an empty folder"):
        await jobs.submit(spec(results=str(tmp_path)), documents(1))
    assert await jobs.all() == []


@pytest.mark.parametrize(
    ("poison", "kind"),
    [(RAISES, "RuntimeError"), (UNUSABLE, "ModelOutputError"), (AWAY, "ExternalError"), (HANGS, "Timeout")],
)
async def test_a_poisoned_sentence_goes_to_dead_letters_alone(jobs: Jobs, working: Any, poison: str, kind: str) -> None:
    """Whatever a sentence does to its agents, its mates have results, and it is listed with why, how often and who."""
    given = [*documents(2), Document("毒", f"患者{WORD}。\n{poison}出现。\n{WORD}好转。\n"), *documents(1)]
    async with working() as worker:
        job = (await jobs.submit(spec(sentence_timeout_s=0.3), given)).id
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED_WITH_ERRORS, 14, 1)
    [letter] = await jobs.dead(job)
    assert (letter.sentence, letter.kind, letter.attempts, letter.worker) == ("毒#1", kind, 3, worker.id)
    assert poison not in letter.error
    assert letter.at_s == pytest.approx(time.time(), abs=60)
    poisoned = [one async for one in jobs.results(job)][2]
    assert [item.complete for item in poisoned.annotations] == [True, False, True]
    assert [entity.text_in(poisoned.document.text) for entity in poisoned.entities] == [WORD, WORD]
    json.loads(annotated_to_line(poisoned))


async def test_dead_letters_are_done_after_a_fix(jobs: Jobs, working: Any, tmp_path: Path) -> None:
    """A replay does the sentence that failed, and its document is whole then; in a folder its part is replaced."""
    given = [*documents(3), Document("毒", f"{RAISES}{WORD}。\n{WORD}。\n")]
    folder = tmp_path / "out"
    async with working():
        job = (await jobs.submit(spec(results=str(folder)), given)).id
        assert (await until_ended(jobs, job)).counts.dead == 1

    @asynccontextmanager
    async def mended(_: Any) -> AsyncIterator[Any]:
        async with open_scripted()(spec()) as pipeline:
            yield _Renaming(pipeline)

    assert await jobs.replay(job) == 1
    async with working(mended):
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED, 14, 0)
    assert len(list(folder.glob("part-*"))) == view.counts.chunks
    assert found([one async for one in jobs.results(job)])["毒"] == [(2, 4), (6, 8)]


class _Renaming:
    """Annotates with the poison written in another way."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    async def annotate_sentence(self, sentence: Any) -> Any:
        """The annotation of the sentence as it would be without its poison."""
        from dataclasses import replace

        done = await self._pipeline.annotate_sentence(replace(sentence, text=sentence.text.replace(RAISES, "甲甲")))
        return replace(done, sentence=sentence)


async def test_models_that_are_away_pause_the_work_and_cost_nothing(jobs: Jobs, working: Any, tmp_path: Path) -> None:
    """While no agent answers, no sentence is given up; the worker says what it waits for, and goes on by itself."""
    away = tmp_path / "away"
    away.touch()
    given = documents(4)
    async with working(open_scripted(away=away)):
        job = (await jobs.submit(spec(attempts=1), given)).id
        await _until_async(lambda: _doing(jobs, "paused"))
        [worker] = await jobs.workers()
        assert worker.reason == "the models do not answer"
        assert (await jobs.show(job)).counts.dead == 0
        away.unlink()
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.dead) == (JobState.COMPLETED, 0)


async def test_a_bad_sentence_during_an_outage_is_not_given_up_for_it(jobs: Jobs, working: Any, tmp_path: Path) -> None:
    """While the models are away nothing is counted against any sentence; afterwards the bad one alone is given up."""
    away = tmp_path / "away"
    away.touch()
    given = [*documents(3), Document("毒", f"{RAISES}。\n{WORD}。\n")]
    async with working(open_scripted(away=away)):
        job = (await jobs.submit(spec(attempts=1), given)).id
        await _until_async(lambda: _doing(jobs, "paused"))
        away.unlink()
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done, view.counts.dead) == (JobState.COMPLETED_WITH_ERRORS, 13, 1)
    assert [letter.sentence for letter in await jobs.dead(job)] == ["毒#0"]


async def test_cancelled_and_replayed_at_once_leaves_nothing_out(jobs: Jobs, working: Any) -> None:
    """However quickly a replay follows on a cancel, chunks that were under way end whole."""
    given = documents(30)
    async with working(open_scripted(delay_s=0.05)):
        job = (await jobs.submit(spec(), given)).id
        for _ in range(4):
            await asyncio.sleep(0.3)
            await jobs.cancel(job)
            await jobs.replay(job)
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_cancel_stops_within_two_seconds_and_a_sentence(jobs: Jobs, working: Any) -> None:
    """What is under way ends, nothing more begins; what is done stays and is read; a replay does the rest."""
    given = documents(40)
    async with working(open_scripted(delay_s=0.2)) as worker:
        job = (await jobs.submit(spec(), given)).id
        await _until_async(lambda: _done(jobs, job))
        began = time.monotonic()
        await jobs.cancel(job)
        await _until(lambda: not worker._tools.runs)
        assert time.monotonic() - began < 2 + 0.4
        view = await jobs.show(job)
        assert 0 < view.counts.done < 160
        partial = [one async for one in jobs.results(job)]
        assert sum(len(one.annotations) for one in partial) == view.counts.done
        await asyncio.sleep(0.5)
        assert (await jobs.show(job)).counts.done == view.counts.done
    await jobs.replay(job)
    async with working():
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 160)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_a_worker_that_is_to_end_hands_its_chunks_back(jobs: Jobs, working: Any) -> None:
    """Stopped in the middle: what was done is recorded, no lease has to end, and the next worker does the rest."""
    given = documents(30)
    job = (await jobs.submit(spec(), given)).id
    async with working(open_scripted(delay_s=0.1), lease_s=60.0):
        await _until_async(lambda: _done(jobs, job))
    done = (await jobs.show(job)).counts.done
    assert 0 < done < 120
    async with working(lease_s=60.0):
        view = await until_ended(jobs, job, patience_s=15)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)


async def test_a_worker_that_cannot_do_a_job_says_why(jobs: Jobs, working: Any) -> None:
    """When none can, the job has failed with the reason; after a fix it is replayed."""

    @asynccontextmanager
    async def cannot(_: Any) -> AsyncIterator[Any]:
        raise UserError("the model is not here; medner models pull it")
        yield

    job = (await jobs.submit(spec(), documents(2))).id
    async with working(cannot):
        view = await until_ended(jobs, job)
    assert (view.state, view.reason) == (JobState.FAILED, "the model is not here; medner models pull it")
    await jobs.replay(job)
    async with working():
        assert (await until_ended(jobs, job)).state is JobState.COMPLETED


async def test_agents_that_are_set_up_wrongly_fail_the_job_and_not_its_sentences(jobs: Jobs, working: Any) -> None:
    """What the user must mend is the job's reason; no sentence is blamed for it."""

    class Wrong:
        async def annotate_sentence(self, _: Any) -> Any:
            raise UserError("there is no such adapter on the servers")

    @asynccontextmanager
    async def wrong(_: Any) -> AsyncIterator[Any]:
        yield Wrong()

    job = (await jobs.submit(spec(), documents(2))).id
    async with working(wrong):
        view = await until_ended(jobs, job)
    assert (view.state, view.reason) == (JobState.FAILED, "there is no such adapter on the servers")
    assert view.counts.dead == 0


async def test_a_newer_job_is_refused_and_left_for_others(jobs: Jobs, working: Any, redis: Client) -> None:
    """An older worker says that it is too old, touches nothing, and does the jobs it knows."""
    newer = (await jobs.submit(spec(), documents(2))).id
    record = {**json.loads(await redis.hget(job_key(newer), "spec")), "later": 1}
    await redis.hset(job_key(newer), mapping={"format": FORMAT + 1, "spec": json.dumps(record)})
    known = (await jobs.submit(spec(), documents(2))).id
    async with working() as worker:
        assert (await until_ended(jobs, known)).state is JobState.COMPLETED
        view = await jobs.show(newer)
    assert (view.state, view.counts.done) == (JobState.QUEUED, 0)
    assert "newer medner" in view.refusals[worker.id]


async def test_urgent_jobs_go_first(jobs: Jobs, working: Any) -> None:
    """A job of high priority that comes later is done before what waits."""
    slow = (await jobs.submit(spec(chunk_sentences=4, priority="low"), documents(40))).id
    urgent = (await jobs.submit(spec(chunk_sentences=4, priority="high"), documents(2))).id
    async with working(open_scripted(delay_s=0.05)):
        await until_ended(jobs, urgent)
        assert (await jobs.show(slow)).counts.done < 80


async def test_a_full_redis_pauses_the_work(jobs: Jobs, working: Any, redis: Client) -> None:
    """While Redis takes no writes the worker waits and says so; with room it goes on and nothing is missing."""
    given = documents(30)
    job = (await jobs.submit(spec(), given)).id
    async with working(open_scripted(delay_s=0.05)) as worker:
        await _until_async(lambda: _done(jobs, job))
        await redis.config_set("maxmemory", 1)
        await _until(lambda: "full" in worker._retry.reason)
        await redis.config_set("maxmemory", 0)
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_queues_that_are_lost_are_made_anew(jobs: Jobs, working: Any, redis: Client) -> None:
    """Streams that vanish with their groups and messages, while a worker reads them: the job is done all the same."""
    given = documents(30)
    async with working(open_scripted(delay_s=0.05)):
        job = (await jobs.submit(spec(), given)).id
        for _ in range(3):
            await asyncio.sleep(0.4)
            await redis.delete(*QUEUES.values())
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, 120)
    assert not [await redis.xlen(stream) for stream in QUEUES.values() if await redis.xlen(stream)]


async def _doing(jobs: Jobs, what: str) -> bool:
    return any(one.doing == what for one in await jobs.workers())


async def _done(jobs: Jobs, job: str) -> bool:
    return (await jobs.show(job)).counts.done > 0


async def _until(condition: Any) -> None:
    async def asked() -> bool:
        return bool(condition())

    await _until_async(asked)


async def _until_async(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110  what is asked is not of this process
            await asyncio.sleep(0.02)


def _breaking(times: int) -> Any:
    """Agents that cannot be opened the first ``times``, for a reason that nobody expects."""
    left = times

    @asynccontextmanager
    async def opened(given: Any) -> AsyncIterator[Any]:
        nonlocal left
        if left:
            left -= 1
            raise OverflowError("date value out of range")
        async with open_scripted()(given) as pipeline:
            yield pipeline

    return opened


async def test_a_chunk_that_breaks_off_is_tried_again(jobs: Jobs, working: Any) -> None:
    """At once after a short pause, not after the lease; in the end nothing is missing."""
    given = documents(2)
    job = (await jobs.submit(spec(attempts=3), given)).id
    async with working(_breaking(2), lease_s=60.0):
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.dead) == (JobState.COMPLETED, 0)
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_a_chunk_that_breaks_off_each_time_becomes_dead_letters(jobs: Jobs, working: Any) -> None:
    """After its attempts every sentence without a result has a letter with the reason; a replay does them again."""
    given = documents(3)
    job = (await jobs.submit(spec(attempts=2), given)).id
    async with working(_breaking(1_000), lease_s=60.0):
        view = await until_ended(jobs, job)
    assert (view.state, view.counts.dead) == (JobState.COMPLETED_WITH_ERRORS, 12)
    assert view.reason == "OverflowError: date value out of range"
    letters = await jobs.dead(job)
    assert {(one.kind, one.error, one.attempts) for one in letters} == {("OverflowError", "date value out of range", 2)}
    assert ("reason", view.reason) in described(view)
    assert view.reason in end_in_words(view)
    assert await jobs.replay(job) == 12
    async with working():
        view = await until_ended(jobs, job)
    assert (view.state, view.reason) == (JobState.COMPLETED, "")
    assert found([one async for one in jobs.results(job)]) == expected(given)


async def test_a_chunk_that_cannot_be_read_ends_the_job(jobs: Jobs, working: Any, redis: Client) -> None:
    """There is no sentence to write a letter for; the reason says nothing of the content."""
    job = (await jobs.submit(spec(attempts=2), documents(2))).id
    await redis.hset(f"{job_key(job)}:in", "0", '[{"病历": "患者咳嗽"}]')
    async with working(lease_s=60.0):
        view = await until_ended(jobs, job)
    assert view.state is JobState.FAILED
    assert "chunk 0 breaks off each time: ValidationError" in view.reason
    assert "咳嗽" not in view.reason


async def test_what_is_wrong_is_told_while_a_job_runs(jobs: Jobs, working: Any) -> None:
    """Who watches sees why nothing comes."""
    job = (await jobs.submit(spec(attempts=50, backoff_s=30), documents(1))).id
    async with working(_breaking(1_000)):

        async def told() -> bool:
            return (await jobs.show(job)).reason != ""

        await _until_async(told)
        assert "OverflowError: date value out of range" in await remarks(jobs, await jobs.show(job))
    await jobs.cancel(job)
