"""A chunk's sentences annotated: many at a time, or one by one where workers were lost over them."""

from __future__ import annotations

import asyncio
from collections import deque

from medner.core.records import Sentence
from medner.graph.pipeline import first_error
from medner.service.worker.attempts import Annotator, Failed, TimeLimit, attempt
from medner.service.worker.chunk_record import ChunkRecord
from medner.service.worker.run_context import RunContext, Signals
from medner.store.jobs.records import JobSpec

#: A sentence may be under way this many more times than it may fail when its worker dies: others may be at fault.
_MORE_FOR_LOST = 2


class SentenceLanes:
    """Annotates what is left of a chunk. ``trusted``: the agents answer, so failures are no sign of an outage."""

    def __init__(self, record: ChunkRecord, spec: JobSpec, signals: Signals, context: RunContext) -> None:
        self.trusted = False
        self._record = record
        self._spec = spec
        self._signals = signals
        self._context = context

    async def many(self, annotator: Annotator, sentences: list[Sentence]) -> None:
        """Annotates in lanes, each of which does one sentence after another."""
        left = deque(self._record.untried(sentences))
        loop = asyncio.get_running_loop()

        async def lane(number: int) -> None:
            if number < self._context.lanes:
                loop.call_soon(open_lane, number + 1)
            limit = TimeLimit(self._spec.sentence_timeout_s)
            try:
                async with self._context.slots:
                    await self._lane(annotator, sentences, left, limit)
            except BaseException:
                left.clear()
                raise
            finally:
                limit.close()

        def open_lane(number: int) -> None:
            # Called once the lane before waits for a sentence; where no sentence waits for anything, one lane does all.
            if left and not self._signals.stop:
                group.create_task(lane(number))

        try:
            async with asyncio.TaskGroup() as group:
                await lane(1)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors

    async def _lane(self, annotator: Annotator, sentences: list[Sentence], left: deque[int], limit: TimeLimit) -> None:
        while left and not self._signals.stop and not self._is_hopeless():
            index = left.popleft()
            await self._one(annotator, sentences[index], index, limit)
            await self._record.put_now_and_then()
        if self._is_hopeless():
            left.clear()

    async def one_by_one(self, annotator: Annotator, sentences: list[Sentence]) -> None:
        """Annotates one sentence at a time, each noted before it begins."""
        limit = TimeLimit(self._spec.sentence_timeout_s)
        most = self._spec.attempts + _MORE_FOR_LOST
        for index in self._record.untried(sentences):
            if self._signals.stop:
                break
            if self._record.attempts.get(index, 0) >= most:
                why = f"the worker died or stood still each time it was at this sentence ({most} times)"
                self._record.failed[index] = Failed("WorkerLost", why, outside=False)
                continue
            # Alone in this worker: if it dies, no other chunk's sentence is noted as under way.
            async with self._context.alone, self._context.slots:
                await self._record.count_attempt(index)
                await self._one(annotator, sentences[index], index, limit)
                await self._record.put()
        limit.close()

    async def _one(self, annotator: Annotator, sentence: Sentence, index: int, limit: TimeLimit) -> None:
        self._record.take(index, sentence, await attempt(annotator, sentence, limit))

    def _is_hopeless(self) -> bool:
        return not self.trusted and self._record.looks_like_outage()
