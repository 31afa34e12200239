"""Judges swapped while two workers do a job: every verdict's version is right, and no sentence is lost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from medner.core.records import AnnotatedDocument
from medner.store.jobs import Jobs, JobState
from medner.store.judges import JudgeRegistry, JudgeVersion
from medner.store.judges.registry import COUNTER, VERSIONS
from medner.store.redis.address import RedisAddress
from medner.store.redis.connection import new_client
from medner.store.traces import Trace, open_traces
from tests.jobs_kit import WORD, spec, until_ended, workers
from tests.judges_kit import HTML, JSON, coughing

SENTENCES = 2_000
#: The judges put in place one after another: five swaps, then version 2 again.
SWAPS = [("html", HTML), ("json", JSON), ("html", HTML), ("vote", None), ("json", JSON), ("json", JSON)]
BACK_TO = 2


async def seat(jobs: Jobs, address: RedisAddress, number: int, *, messages: bool) -> float:
    """Puts the next judge in place, with or without telling anybody; the moment it was there."""
    name, tagger = SWAPS[number - 1]
    judge = {"kind": "hard-vote"} if tagger is None else {"kind": "best-tagger", "tagger": tagger}
    version = JudgeVersion(
        name=name, revision=1, judge=judge, forced=True, back_to=BACK_TO if number == len(SWAPS) else None
    )
    if messages:
        assert (await jobs.judges.seat(version)).number == number
    else:
        client = new_client(address)
        await client.hset(VERSIONS, str(number), version.model_dump_json())
        assert await client.incr(COUNTER) == number
        await client.aclose()
    return time.time()


async def swapped(jobs: Jobs, address: RedisAddress, job: str, *, messages: bool) -> dict[int, float]:
    """All swaps at even distances of the job's progress; by version, when it was in place."""
    places: dict[int, float] = {}
    async for view in jobs.watch(job, every_s=0.02):
        number = len(places) + 1
        if number > len(SWAPS):
            break
        if view.counts.done >= number * SENTENCES // (len(SWAPS) + 2):
            places[number] = await seat(jobs, address, number, messages=messages)
    return places


def stamps(trace: Trace) -> tuple[float, float]:
    """When a sentence came to its conflicts, and when it was done (epoch seconds)."""
    first, last = (datetime.fromisoformat(one.checkpoint["ts"]).timestamp() for one in trace.snapshots)
    return first, last


def check_verdict(trace: Trace, own: str, places: dict[int, float]) -> str:
    """The version of a sentence's verdict, after making sure that it was the one in place and decided as it does."""
    (verdict,) = trace.annotation.verdicts
    began, ended = stamps(trace)
    text = trace.annotation.sentence.text
    at = text.index(WORD)
    if verdict.judge == own:
        number, tagger = 0, None
    else:
        number = int(verdict.judge_version)
        name, tagger = SWAPS[number - 1]
        assert verdict.judge == name
        assert places[number] - 0.05 <= ended, "judged by a version before it was in place"
    following = places.get(number + 1)
    assert following is None or began <= following + 1.0, "judged by an old version a second after the swap"
    starts = [entity.start for entity in verdict.kept]
    assert starts == {HTML: [at], JSON: [at - 1], None: []}[tagger]
    assert verdict.fallback is None
    return verdict.judge_version if number else own


@pytest.mark.parametrize("messages", [True, False], ids=["with messages", "messages dropped"])
async def test_five_swaps_and_a_rollback_under_load(
    jobs: Jobs, address: RedisAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: bool
) -> None:
    """Following: both sides of each swap are right, to the second, in every verdict of 2,000 sentences."""
    place = tmp_path / "traces.sqlite"
    environment = {"MEDNER_TRACES": str(place)}
    given = coughing(SENTENCES // 4)
    job = (await jobs.submit(spec(judge_follow="latest", chunk_sentences=16), given)).id
    pinned = (await jobs.submit(spec(judge_follow="pinned", chunk_sentences=16), coughing(50))).id
    kit = {"program": "tests.judges_kit", "environment": environment, "delay_s": 0.04, "lease_s": 10.0}
    with workers(2, address, tmp_path, **kit):
        places = await asyncio.wait_for(swapped(jobs, address, job, messages=messages), 200)
        assert len(places) == len(SWAPS)
        seen = await acknowledged(jobs.judges, len(SWAPS))
        assert seen <= 1.5
        view = await until_ended(jobs, job, patience_s=120)
        other = await until_ended(jobs, pinned, patience_s=120)
    assert (view.state, view.counts.done) == (JobState.COMPLETED, SENTENCES)
    assert other.state is JobState.COMPLETED
    result = [one async for one in jobs.results(job)]
    assert [one.document for one in result] == given
    backend = open_traces(place)
    traces = [backend.trace(job, one.sentence_id) for one in backend.summaries(job)]
    backend.close()
    versions = Counter(check_verdict(trace, "hard-vote", places) for trace in traces if trace is not None)
    assert sum(versions.values()) == SENTENCES
    assert set(versions) == {"hard-vote", *(str(number) for number in places)}
    assert verdicts(result) == versions
    assert set(verdicts([one async for one in jobs.results(pinned)])) == {"hard-vote"}


async def acknowledged(registry: JudgeRegistry, number: int) -> float:
    """How long it took until both workers told that they hold the version."""
    began = time.monotonic()
    while True:
        held = await registry.held()
        if len(held) == 2 and all(one.number == number for one in held):
            return time.monotonic() - began
        assert time.monotonic() - began < 10, held
        await asyncio.sleep(0.02)


def verdicts(result: list[AnnotatedDocument]) -> Counter[str]:
    """How many verdicts of each version the results hold; the job's own judge by its name."""
    found = [verdict for one in result for each in one.annotations for verdict in each.verdicts]
    return Counter("hard-vote" if one.judge == "hard-vote" else one.judge_version for one in found)
