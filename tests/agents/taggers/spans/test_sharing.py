"""Equal texts are scored once."""

import asyncio
from dataclasses import dataclass

import pytest

from medner.agents.taggers.spans.sharing import SharedScores


@dataclass(frozen=True)
class Scored:
    text: str
    size_bytes: int = 10


class Scorer:
    """Scores when it is let; keeps what it was asked."""

    def __init__(self):
        self.asked = []
        self.open = asyncio.Event()

    async def score(self, text):
        self.asked.append(text)
        await self.open.wait()
        if text == "坏":
            raise ValueError(text)
        return Scored(text)


async def test_those_used_last_are_remembered():
    """What is kept stays under its bound, and using a text again keeps it."""
    scorer, shared = Scorer(), SharedScores[str, Scored](most_bytes=30)
    scorer.open.set()
    for text in "甲乙丙甲丁甲乙":
        assert (await shared.of(text, scorer.score)).text == text
    assert scorer.asked == list("甲乙丙丁乙")


async def test_one_larger_than_all_is_not_kept():
    """A text whose scores alone are over the bound is scored each time."""
    scorer, shared = Scorer(), SharedScores[str, Scored](most_bytes=5)
    scorer.open.set()
    await shared.of("甲", scorer.score)
    await shared.of("甲", scorer.score)
    assert scorer.asked == ["甲", "甲"]


async def test_all_who_wait_get_the_error_and_the_next_one_tries_again():
    """An error is not remembered."""
    scorer, shared = Scorer(), SharedScores[str, Scored]()
    scorer.open.set()
    results = await asyncio.gather(*(shared.of("坏", scorer.score) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    with pytest.raises(ValueError, match="坏"):
        await shared.of("坏", scorer.score)
    assert scorer.asked == ["坏", "坏"]


async def test_the_work_ends_with_the_last_who_waits():
    """One of two cancelled changes nothing for the other; with both gone the work is cancelled, and can begin again."""
    scorer, shared = Scorer(), SharedScores[str, Scored]()
    first, second, third = (asyncio.create_task(shared.of("甲", scorer.score)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second.cancel()
    third.cancel()
    again = asyncio.create_task(shared.of("甲", scorer.score))
    await asyncio.gather(second, third, return_exceptions=True)
    scorer.open.set()
    assert await again == Scored("甲")
    assert [task.cancelled() for task in (first, second, third)] == [True, True, True]


def test_a_loop_that_ended_leaves_nothing_to_wait_for():
    """A text that was under way when a run broke off is scored again in the next run."""
    shared = SharedScores[str, Scored]()

    async def broken_off():
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        await shared.of("甲", Scorer().score)

    async def next_run():
        scorer = Scorer()
        scorer.open.set()
        return await shared.of("甲", scorer.score)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(broken_off())
    assert asyncio.run(next_run()) == Scored("甲")
