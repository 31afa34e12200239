"""Sentences that fail each time become dead letters, and nothing else does."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from medner.core.records import Document
from medner.store.corpora import annotated_to_line
from medner.store.jobs import Jobs, JobState
from tests.jobs_kit import AWAY, HANGS, RAISES, UNUSABLE, WORD, documents, found, open_scripted, spec, until_ended


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
