"""One claim of a chunk: its sentences annotated, results recorded now and then, all of it finished or handed back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError
from redis.exceptions import RedisError

from medner.core.errors import MednerError
from medner.core.records import Annotation, Sentence
from medner.graph.pipeline import first_error
from medner.service.worker.attempts import Annotator, Failed, TimeLimit, answers, attempt
from medner.service.worker.retry_waits import RetryWaits, Stopped
from medner.store.jobs.chunks import Chunk, load_chunk, sentences_of
from medner.store.jobs.claims import ChunkPlace, Claim, Claims, Finished
from medner.store.jobs.payload import given_up
from medner.store.jobs.records import DeadLetter, JobSpec
from medner.store.jobs.spool import Spool

log = logging.getLogger("medner.worker")

#: After this many lost workers a chunk's sentences go one by one, so that the one at fault is found.
_SUSPICIOUS = 2
#: A sentence may be under way this many more times than it may fail when its worker dies: others may be at fault.
_MORE_FOR_LOST = 2
_RECORD_EVERY_S = 1.0
_BACKOFF_GROWTH = 3.0
_LONGEST_BACKOFF_S = 300.0
_PROBE_TIMEOUT_S = 60.0
#: So many failures from outside and no result: the agents are asked before the rest of the chunk is tried.
_ENOUGH = 4


_LONGEST_REASON = 500


def is_unexpected(error: BaseException) -> bool:
    """Whether an error is none that is known to pass, that the user can mend, or that asks to end."""
    return isinstance(error, Exception) and not isinstance(error, (MednerError, OSError, RedisError, Stopped))


class Outcome(StrEnum):
    """How a claim ended."""

    DONE = "done"
    HANDED_BACK = "handed_back"
    AGAIN_LATER = "again_later"
    OUTAGE = "outage"
    LOST = "lost"


@dataclass(slots=True)
class Signals:
    """What a run is told from outside, looked at between sentences. ``lost``: the claim is another's now."""

    lost: bool = False
    ended: bool = False
    stopping: bool = False

    @property
    def stop(self) -> bool:
        """Whether no further sentence may begin."""
        return self.lost or self.ended or self.stopping


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a worker lends its runs: claims, retries, places for sentences under way, calls for what becomes of them.

    ``alone`` is held while a sentence is under way that may kill the worker.
    """

    claims: Claims
    retry: RetryWaits
    slots: asyncio.Semaphore
    alone: asyncio.Lock
    place: ChunkPlace | None = None
    lanes: int = 16
    on_annotation: Callable[[Annotation], None] = lambda _: None
    on_failure: Callable[[], None] = lambda: None


class ChunkRun:
    """A claimed chunk under way."""

    def __init__(self, claim: Claim, spec: JobSpec, spool: Spool, context: RunContext) -> None:
        self.claim = claim
        self.signals = Signals()
        self._spec = spec
        self._spool = spool
        self._context = context
        self._results: dict[int, Annotation] = {}
        self._fresh: list[Finished] = []
        self._failed: dict[int, Failed] = {}
        self._attempts: dict[int, int] = {}
        self._recorded_s = time.monotonic()
        self._trusted = False
        self._texts: tuple[str, ...] = ()

    async def run(self, annotator: Annotator) -> Outcome:
        """Does what is left of the chunk. UserError where the agents are set up wrongly; the claim is given back."""
        try:
            chunk = await self._load()
            sentences = sentences_of(chunk)
            self._texts = tuple(sentence.text for sentence in sentences)
            await self._annotate(annotator, sentences)
            if not self.signals.stop and self._may_be_outage():
                if not await answers(annotator, min(_PROBE_TIMEOUT_S, self._spec.sentence_timeout_s)):
                    await self._hand_back(delay_s=self._spec.backoff_s)
                    return Outcome.OUTAGE
                self._trusted = True
                await self._annotate(annotator, sentences)
            if self.signals.lost:
                return Outcome.LOST
            # A job may be cancelled and replayed meanwhile: what counts is that nothing was left out.
            if self.signals.stop or self._untried(sentences):
                return await self._hand_back()
            return await self._settle(chunk, sentences)
        except Stopped:
            return await self._hand_back()
        except BaseException as error:
            await asyncio.shield(self._record_quietly() if is_unexpected(error) else self._hand_back())
            raise

    async def broke_off(self, error: Exception) -> Outcome:
        """Counts an attempt that ended unexpectedly; after the last, what has no result becomes dead letters.

        A chunk that cannot even be given up ends the job, with the reason.
        """
        reason = f"{type(error).__name__}: {self._without_text(error)}"
        spec, claims = self._spec, self._context.claims
        count = await self._context.retry(
            lambda: claims.break_off(self.claim, reason, attempts=spec.attempts, backoff_s=spec.backoff_s),
            give_up=self._lost,
        )
        if count == 0:
            return Outcome.LOST
        if count < spec.attempts:
            return Outcome.AGAIN_LATER
        try:
            return await self._give_up(type(error).__name__, self._without_text(error), count)
        except Exception as second:
            if not is_unexpected(second):
                raise
            await claims.fail(self.claim.job, f"chunk {self.claim.chunk} breaks off each time: {reason}")
            return Outcome.LOST

    async def _give_up(self, kind: str, reason: str, count: int) -> Outcome:
        chunk = await self._load()
        sentences = sentences_of(chunk)
        for index in self._untried(sentences):
            self._failed[index] = Failed(kind, reason, outside=False)
            self._attempts[index] = count
        return await self._complete(chunk, sentences, [self._letter(sentences[at], at) for at in sorted(self._failed)])

    def _without_text(self, error: Exception) -> str:
        """The error's message, unless it may quote a text."""
        said = str(error)
        if isinstance(error, ValidationError):
            return f"{error.error_count()} values of {error.title} cannot be used"
        return said[:_LONGEST_REASON] if not any(text in said for text in self._texts) else "…"

    async def _record_quietly(self) -> None:
        """Keeps what is finished, if that can be done."""
        with suppress(Exception):
            await self._record()

    async def _load(self) -> Chunk:
        retry, claim = self._context.retry, self.claim
        if claim.content is not None:
            chunk = load_chunk(claim.content)
        else:
            chunk = await retry(lambda: self._spool.get(claim.chunk), give_up=self._stop)
        if not claim.begun:
            return chunk
        progress = await retry(lambda: self._context.claims.progress(claim), give_up=self._lost)
        known = await retry(lambda: self._spool.known(claim.chunk), give_up=self._stop) or ()
        self._results = {index: one for index, one in enumerate(known) if one is not None and one.complete}
        self._results.update(progress.recorded)
        self._attempts = dict(progress.attempts)
        return chunk

    async def _annotate(self, annotator: Annotator, sentences: list[Sentence]) -> None:
        todo = self._untried(sentences)
        if self.claim.lost < _SUSPICIOUS:
            try:
                await self._many(annotator, sentences, todo)
            except BaseExceptionGroup as errors:
                raise first_error(errors) from errors
            return
        await self._one_by_one(annotator, sentences, todo, TimeLimit(self._spec.sentence_timeout_s))

    async def _one_by_one(
        self, annotator: Annotator, sentences: list[Sentence], todo: list[int], limit: TimeLimit
    ) -> None:
        """For a chunk that workers were lost over: each sentence is noted before it begins."""
        most = self._spec.attempts + _MORE_FOR_LOST
        for index in todo:
            if self.signals.stop:
                break
            if self._attempts.get(index, 0) >= most:
                why = f"the worker died or stood still each time it was at this sentence ({most} times)"
                self._failed[index] = Failed("WorkerLost", why, outside=False)
                continue
            # Alone in this worker: if it dies, no other chunk's sentence is noted as under way.
            async with self._context.alone, self._context.slots:
                await self._count_attempt(index)
                await self._one(annotator, sentences[index], index, limit)
                await self._record()
        limit.close()

    async def _many(self, annotator: Annotator, sentences: list[Sentence], todo: list[int]) -> None:
        left = deque(todo)
        loop = asyncio.get_running_loop()

        async def lane(number: int) -> None:
            if number < self._context.lanes:
                loop.call_soon(open_lane, number + 1)
            limit = TimeLimit(self._spec.sentence_timeout_s)
            try:
                async with self._context.slots:
                    while left and not self.signals.stop and not self._is_hopeless():
                        index = left.popleft()
                        await self._one(annotator, sentences[index], index, limit)
                        if time.monotonic() - self._recorded_s > _RECORD_EVERY_S:
                            await self._record()
                    if self._is_hopeless():
                        left.clear()
            except BaseException:
                left.clear()
                raise
            finally:
                limit.close()

        def open_lane(number: int) -> None:
            # Called once the lane before waits for a sentence; where no sentence waits for anything, one lane does all.
            if left and not self.signals.stop:
                group.create_task(lane(number))

        async with asyncio.TaskGroup() as group:
            await lane(1)

    async def _one(self, annotator: Annotator, sentence: Sentence, index: int, limit: TimeLimit) -> None:
        found = await attempt(annotator, sentence, limit)
        if isinstance(found, Failed):
            self._failed[index] = found
            self._context.on_failure()
            where = {"job": self.claim.job, "chunk": self.claim.chunk, "sentence": sentence.id}
            log.warning("a sentence has no result", extra={**where, "kind": found.kind})
            return
        self._results[index] = found
        self._fresh.append(Finished(index, found))
        self._context.on_annotation(found)

    async def _record(self) -> None:
        """Puts what is finished into Redis, so that a lost worker costs little."""
        self._recorded_s = time.monotonic()
        fresh, self._fresh = self._fresh, []
        if fresh and not await self._context.retry(
            lambda: self._context.claims.record(self.claim, fresh), give_up=self._lost
        ):
            self.signals.lost = True

    async def _count_attempt(self, index: int) -> None:
        count = await self._context.retry(lambda: self._context.claims.attempt(self.claim, index), give_up=self._lost)
        self._attempts[index] = count
        self.signals.lost = self.signals.lost or count == 0

    def _untried(self, sentences: list[Sentence]) -> list[int]:
        return [index for index in range(len(sentences)) if index not in self._results and index not in self._failed]

    def _may_be_outage(self) -> bool:
        """Whether something outside the sentences may be to blame; then the agents are asked with another one."""
        return any(failed.outside for failed in self._failed.values())

    def _is_hopeless(self) -> bool:
        """Whether it looks so much like an outage that it is better asked before more sentences are tried."""
        return (
            not self._trusted
            and not self._fresh
            and len(self._failed) >= _ENOUGH
            and all(failed.outside for failed in self._failed.values())
        )

    async def _settle(self, chunk: Chunk, sentences: list[Sentence]) -> Outcome:
        """Ends the chunk if every sentence has a result or had its attempts; else gives it back for another."""
        if self.claim.lost < _SUSPICIOUS:
            for index in self._failed:
                await self._count_attempt(index)
        if self.signals.lost:
            return Outcome.LOST
        least = min((self._attempts.get(index, 0) for index in self._failed), default=self._spec.attempts)
        if least < self._spec.attempts:
            backoff_s = min(self._spec.backoff_s * _BACKOFF_GROWTH ** (least - 1), _LONGEST_BACKOFF_S)
            await self._hand_back(delay_s=max(backoff_s, 0.001))
            return Outcome.AGAIN_LATER
        letters = [self._letter(sentences[index], index) for index in sorted(self._failed)]
        return await self._complete(chunk, sentences, letters)

    async def _complete(self, chunk: Chunk, sentences: list[Sentence], letters: list[DeadLetter]) -> Outcome:
        for letter in letters:
            empty = given_up(sentences[letter.index], letter.kind, letter.error, letter.worker)
            self._results[letter.index] = empty
        retry, claim, spool = self._context.retry, self.claim, self._spool
        results = [self._results.get(index) for index in range(len(sentences))]
        kept = await retry(lambda: spool.keep(claim.chunk, claim.token, chunk, results), give_up=self._stop)
        held = await retry(
            lambda: self._context.claims.complete(claim, spool.where, kept, self._fresh, letters, self._context.place),
            give_up=self._lost,
        )
        if not held:
            await spool.withdraw(kept)
            return Outcome.LOST
        await spool.settled(claim.chunk, whole=not letters)
        return Outcome.DONE

    async def _hand_back(self, *, delay_s: float = 0.0) -> Outcome:
        """Records what is finished and gives the chunk to whoever comes."""
        # Where Redis is away at the end, the claim's lease ends by itself.
        with suppress(Stopped):
            await self._record()
            await self._context.retry(lambda: self._context.claims.release(self.claim, delay_s=delay_s))
        return Outcome.HANDED_BACK

    def _letter(self, sentence: Sentence, index: int) -> DeadLetter:
        failed = self._failed[index]
        return DeadLetter(
            document=sentence.document_id,
            sentence=sentence.id,
            chunk=self.claim.chunk,
            index=index,
            kind=failed.kind,
            error=failed.error,
            attempts=self._attempts.get(index, 0),
            worker=self._context.claims.worker,
            at_s=time.time(),
        )

    def _stop(self) -> bool:
        return self.signals.stop

    def _lost(self) -> bool:
        return self.signals.lost
