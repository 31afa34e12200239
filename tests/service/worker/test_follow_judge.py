"""A worker's seat: swaps between sentences, tells what it holds, and keeps going when something is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.judge import HardVote
from medner.agents.judges.judge_chain import JudgeChain
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.service.build.judges import JudgeParts
from medner.service.worker import follow_judge
from medner.service.worker.follow_judge import JudgeFollower, built
from medner.store.judges import JudgeRegistry, JudgeVersion
from medner.store.judges.registry import CHANNEL, COUNTER, VERSIONS
from medner.store.redis.client import Client
from tests.agents.judges.conftest import make_case

CASE = make_case("右肺上叶腺癌", {Entity(0, 6, "dis"): "a", Entity(4, 6, "dis"): "b"}, voters="ab")


def version(judge: dict[str, Any], name: str = "j") -> JudgeVersion:
    return JudgeVersion(name=name, revision=1, judge=judge)


@asynccontextmanager
async def seated(registry: JudgeRegistry, worker: str = "w") -> AsyncIterator[JudgeFollower]:
    parts = JudgeParts(load_label_set("cmeee-v2"), "a", "base", ScriptedEngine(lambda _: "1"))
    seat = JudgeFollower(registry, worker, parts, JudgeChain((HardVote(),)))
    async with seat.following():
        yield seat


async def until(condition: Any, patience_s: float = 5.0) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < patience_s, "waited in vain"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def decided(seat: JudgeFollower) -> tuple[str, str]:
    (one,) = await seat.current().settle([CASE])
    return one.verdict.judge, one.verdict.judge_version


async def test_without_a_version_the_jobs_own_judge_decides(registry: JudgeRegistry) -> None:
    """Until somebody puts one in place."""
    async with seated(registry) as seat:
        await seat.look()
        assert await decided(seat) == ("hard-vote", "1")


async def test_a_swap_is_taken_within_a_second_and_acknowledged(registry: JudgeRegistry) -> None:
    """By name and number, which verdicts carry from then on."""
    async with seated(registry) as seat:
        await until(lambda: seat.number == 0)
        await registry.seat(version({"kind": "select"}, "strict"))
        assert await until(lambda: seat.number == 1) < 1
        assert await decided(seat) == ("strict", "1")
        await registry.seat(version({"kind": "best-tagger", "tagger": "b"}, "b-only"))
        assert await until(lambda: seat.number == 2) < 1
        assert await decided(seat) == ("b-only", "2")
        (held,) = await registry.held()
        assert (held.worker, held.number, held.problem) == ("w", 2, "")
    assert await registry.held() == []


async def test_a_swap_without_its_message_is_taken_too(registry: JudgeRegistry, redis: Client) -> None:
    """The number under the key is the truth; a message that never comes changes nothing."""
    async with seated(registry) as seat:
        await until(lambda: seat.number == 0)
        data = version({"kind": "hard-vote"}, "quiet").model_dump_json()
        await redis.hset(VERSIONS, "1", data)
        await redis.set(COUNTER, 1)
        assert await until(lambda: seat.number == 1) < 1
        # Nor does one that lies.
        await redis.publish(CHANNEL, "99")
        await asyncio.sleep(0.1)
        assert seat.number == 1


async def test_a_version_is_built_once_however_many_look(
    registry: JudgeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks that begin while a judge's model is loading wait for it; a second build would load its adapter again."""
    begun: list[int] = []

    async def slowly(one: JudgeVersion, parts: JudgeParts) -> JudgeChain:
        begun.append(one.number)
        await asyncio.sleep(0.4)
        return await built(one, parts)

    monkeypatch.setattr(follow_judge, "built", slowly)
    async with seated(registry) as seat:
        await until(lambda: seat.number == 0)
        await registry.seat(version({"kind": "select"}, "slow"))
        await asyncio.gather(*(seat.look() for _ in range(5)))
        assert await decided(seat) == ("slow", "1")
        (held,) = await registry.held()
        assert (held.number, held.problem) == (1, "")
    assert begun == [1]


async def test_a_judge_that_cannot_be_built_leaves_the_one_before(registry: JudgeRegistry) -> None:
    """The worker says why, once; the next version that can be built is taken."""
    async with seated(registry) as seat:
        await registry.seat(version({"kind": "select"}, "good"))
        await until(lambda: seat.number == 1)
        await registry.seat(version({"kind": "trained", "adapter": "nowhere/adapter"}, "gone"))

        async def told() -> bool:
            held = await registry.held()
            return bool(held and held[0].problem)

        end = time.monotonic() + 5
        while not await told():
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        (held,) = await registry.held()
        assert held.number == 1
        assert "version 2" in held.problem
        assert "takes no further adapter" in held.problem
        assert await decided(seat) == ("good", "1")
        await registry.seat(version({"kind": "hard-vote"}, "better"))
        await until(lambda: seat.number == 3)
        assert (await registry.held())[0].problem == ""


async def test_a_judge_of_a_newer_medner_is_told_of(registry: JudgeRegistry) -> None:
    """Its unknown keys are not passed over."""
    async with seated(registry) as seat:
        await registry.seat(version({"kind": "panel", "seats": 3}, "new"))
        await seat.look()
        assert seat.number == 0
        (held,) = await registry.held()
        assert "cannot read" in held.problem
