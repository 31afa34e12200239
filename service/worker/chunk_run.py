"""One claim of a chunk: its sentences annotated, results recorded now and then, all of it finished or handed back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum

from pydantic import ValidationError
from redis.exceptions import RedisError

from medner.core.errors import MednerError
from medner.core.records import Sentence
from medner.service.worker.attempts import Annotator, Failed, answers
from medner.service.worker.chunk_record import ChunkRecord
from medner.service.worker.retry_waits import Stopped
from medner.service.worker.run_context import RunContext, Signals
from medner.service.worker.sentence_lanes import SentenceLanes
from medner.store.jobs.chunks import Chunk, load_chunk, sentences_of
from medner.store.jobs.claims import Claim
from medner.store.jobs.records import JobSpec
from medner.store.jobs.spool import Spool

#: After this many lost workers a chunk's sentences go one by one, so that the one at fault is found.
_SUSPICIOUS = 2
_BACKOFF_GROWTH = 3.0
_LONGEST_BACKOFF_S = 300.0
_PROBE_TIMEOUT_S = 60.0
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


class ChunkRun:
    """A claimed chunk under way."""

    def __init__(self, claim: Claim, spec: JobSpec, spool: Spool, context: RunContext) -> None:
        self.claim = claim
        self.signals = Signals()
        self._spec = spec
        self._spool = spool
        self._context = context
        self._record = ChunkRecord(claim, self.signals, context)
        self._lanes = SentenceLanes(self._record, spec, self.signals, context)
        self._texts: tuple[str, ...] = ()

    async def run(self, annotator: Annotator) -> Outcome:
        """Does what is left of the chunk. UserError where the agents are set up wrongly; the claim is given back."""
        try:
            chunk = await self._load()
            sentences = sentences_of(chunk)
            self._texts = tuple(sentence.text for sentence in sentences)
            await self._annotate(annotator, sentences)
            if not self.signals.stop and self._record.may_be_outage():
                if not await answers(annotator, min(_PROBE_TIMEOUT_S, self._spec.sentence_timeout_s)):
                    await self._hand_back(delay_s=self._spec.backoff_s)
                    return Outcome.OUTAGE
                self._lanes.trusted = True
                await self._annotate(annotator, sentences)
            if self.signals.lost:
                return Outcome.LOST
            # A job may be cancelled and replayed meanwhile: what counts is that nothing was left out.
            if self.signals.stop or self._record.untried(sentences):
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
            give_up=lambda: self.signals.lost,
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
        for index in self._record.untried(sentences):
            self._record.failed[index] = Failed(kind, reason, outside=False)
            self._record.attempts[index] = count
        return await self._complete(chunk, sentences)

    def _without_text(self, error: Exception) -> str:
        """The error's message, unless it may quote a text."""
        message = str(error)
        if isinstance(error, ValidationError):
            return f"{error.error_count()} values of {error.title} cannot be used"
        return message[:_LONGEST_REASON] if not any(text in message for text in self._texts) else "…"

    async def _record_quietly(self) -> None:
        """Keeps what is finished, if that can be done."""
        with suppress(Exception):
            await self._record.put()

    async def _load(self) -> Chunk:
        retry, claim = self._context.retry, self.claim
        if claim.content is not None:
            chunk = load_chunk(claim.content)
        else:
            chunk = await retry(lambda: self._spool.get(claim.chunk), give_up=lambda: self.signals.stop)
        if claim.begun:
            progress = await retry(lambda: self._context.claims.progress(claim), give_up=lambda: self.signals.lost)
            kept = await retry(lambda: self._spool.known(claim.chunk), give_up=lambda: self.signals.stop)
            self._record.begin_with(kept or (), progress)
        return chunk

    async def _annotate(self, annotator: Annotator, sentences: list[Sentence]) -> None:
        if self.claim.lost < _SUSPICIOUS:
            await self._lanes.many(annotator, sentences)
        else:
            await self._lanes.one_by_one(annotator, sentences)

    async def _settle(self, chunk: Chunk, sentences: list[Sentence]) -> Outcome:
        """Ends the chunk if every sentence has a result or had its attempts; else gives it back for another."""
        if self.claim.lost < _SUSPICIOUS:
            for index in self._record.failed:
                await self._record.count_attempt(index)
        if self.signals.lost:
            return Outcome.LOST
        least = self._record.least_attempts(self._spec.attempts)
        if least < self._spec.attempts:
            backoff_s = min(self._spec.backoff_s * _BACKOFF_GROWTH ** (least - 1), _LONGEST_BACKOFF_S)
            await self._hand_back(delay_s=max(backoff_s, 0.001))
            return Outcome.AGAIN_LATER
        return await self._complete(chunk, sentences)

    async def _complete(self, chunk: Chunk, sentences: list[Sentence]) -> Outcome:
        """Ends the chunk; what failed becomes dead letters."""
        record, claim, spool, context = self._record, self.claim, self._spool, self._context
        letters = record.give_up(sentences)
        results = [record.results.get(index) for index in range(len(sentences))]
        kept = await context.retry(
            lambda: spool.keep(claim.chunk, claim.token, chunk, results), give_up=lambda: self.signals.stop
        )
        held = await context.retry(
            lambda: context.claims.complete(claim, spool.where, kept, record.fresh, letters, context.place),
            give_up=lambda: self.signals.lost,
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
            await self._record.put()
            await self._context.retry(lambda: self._context.claims.release(self.claim, delay_s=delay_s))
        return Outcome.HANDED_BACK
