"""Sentences of equal text are scored once: while one is under way, and as long as its scores are remembered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

#: What a tagger remembers at most: some two hundred sentences of usual length and nine types.
MOST_BYTES = 16 << 20


class Sized(Protocol):
    """Something whose size in memory is known."""

    @property
    def size_bytes(self) -> int:
        """Its size."""
        ...


Key = TypeVar("Key", bound=Hashable)
Scores = TypeVar("Scores", bound=Sized)


class SharedScores(Generic[Key, Scores]):
    """The scores of texts, or of what stands for them: those used last up to ``most_bytes``.

    Who asks for one that is under way waits for the same.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._recent: OrderedDict[Key, Scores] = OrderedDict()
        self._under_way: dict[Key, _Scoring[Scores]] = {}

    async def of(self, text: Key, score: Callable[[Key], Awaitable[Scores]]) -> Scores:
        """The scores of a text; ``score`` makes them if nothing has them yet. Raises what it raises."""
        if text in self._recent:
            self._recent.move_to_end(text)
            return self._recent[text]
        scoring = self._under_way.get(text)
        if scoring is None or not scoring.can_be_waited_for:
            scoring = self._under_way[text] = _Scoring(asyncio.create_task(self._made(text, score)))
            scoring.task.add_done_callback(lambda task: self._forget(text, task))
        return await scoring.wait()

    async def _made(self, text: Key, score: Callable[[Key], Awaitable[Scores]]) -> Scores:
        scores = await score(text)
        self._remember(text, scores)
        return scores

    def _remember(self, text: Key, scores: Scores) -> None:
        earlier = self._recent.pop(text, None)
        self._recent[text] = scores
        self._bytes += scores.size_bytes - (0 if earlier is None else earlier.size_bytes)
        while self._bytes > self._most_bytes:
            self._bytes -= self._recent.popitem(last=False)[1].size_bytes

    def _forget(self, text: Key, done: asyncio.Task[Scores]) -> None:
        scoring = self._under_way.get(text)
        if scoring is not None and scoring.task is done:
            del self._under_way[text]


@dataclass(slots=True, eq=False)
class _Scoring(Generic[Scores]):
    """A text that is being scored, and how many wait for it: when the last one is cancelled, so is the work."""

    task: asyncio.Task[Scores]
    waiting: int = 0

    @property
    def can_be_waited_for(self) -> bool:
        """Whether it goes on. The loop of an earlier run may have ended before its task did."""
        return self.task.get_loop() is asyncio.get_running_loop() and not self.task.cancelling()

    async def wait(self) -> Scores:
        """The scores, once they are there."""
        self.waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self.waiting -= 1
            if not self.waiting and not self.task.done():
                self.task.cancel()
