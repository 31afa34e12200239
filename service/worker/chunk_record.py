"""What a claim knows of its chunk's sentences: results, failures, attempts. Redis gets them while the run goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from medner.core.records import Annotation, Sentence
from medner.service.worker.attempts import Failed
from medner.service.worker.run_context import RunContext, Signals
from medner.store.jobs.claims import Claim, Finished, Progress
from medner.store.jobs.payload import given_up
from medner.store.jobs.records import DeadLetter

log = logging.getLogger("medner.worker")

_RECORD_EVERY_S = 1.0
#: So many failures from outside and no result: the agents are asked before the rest of the chunk is tried.
_ENOUGH = 4


class ChunkRecord:
    """The sentences of a chunk by their index in it. ``fresh`` results are not in Redis yet."""

    def __init__(self, claim: Claim, signals: Signals, context: RunContext) -> None:
        self.results: dict[int, Annotation] = {}
        self.fresh: list[Finished] = []
        self.failed: dict[int, Failed] = {}
        self.attempts: dict[int, int] = {}
        self._claim = claim
        self._signals = signals
        self._context = context
        self._recorded_s = time.monotonic()

    def begin_with(self, kept: Sequence[Annotation | None], progress: Progress) -> None:
        """Takes over what earlier claims did: results that were kept or recorded, and attempts."""
        self.results = {index: one for index, one in enumerate(kept) if one is not None and one.complete}
        self.results.update(progress.recorded)
        self.attempts = dict(progress.attempts)

    def take(self, index: int, sentence: Sentence, found: Annotation | Failed) -> None:
        """Takes over how an attempt ended."""
        if isinstance(found, Failed):
            self.failed[index] = found
            self._context.on_failure()
            where = {"job": self._claim.job, "chunk": self._claim.chunk, "sentence": sentence.id}
            log.warning("a sentence has no result", extra={**where, "kind": found.kind})
            return
        self.results[index] = found
        self.fresh.append(Finished(index, found))
        self._context.on_annotation(found)

    async def put(self) -> None:
        """Puts what is finished into Redis, so that a lost worker costs little."""
        self._recorded_s = time.monotonic()
        fresh, self.fresh = self.fresh, []
        if fresh and not await self._context.retry(
            lambda: self._context.claims.record(self._claim, fresh), give_up=lambda: self._signals.lost
        ):
            self._signals.lost = True

    async def put_now_and_then(self) -> None:
        """The same, where the last time is long enough ago."""
        if time.monotonic() - self._recorded_s > _RECORD_EVERY_S:
            await self.put()

    async def count_attempt(self, index: int) -> None:
        """Counts an attempt at a sentence in Redis, where it outlives this worker."""
        count = await self._context.retry(
            lambda: self._context.claims.attempt(self._claim, index), give_up=lambda: self._signals.lost
        )
        self.attempts[index] = count
        self._signals.lost = self._signals.lost or count == 0

    def untried(self, sentences: Sequence[Sentence]) -> list[int]:
        """The sentences with neither result nor failure."""
        return [index for index in range(len(sentences)) if index not in self.results and index not in self.failed]

    def may_be_outage(self) -> bool:
        """Whether something outside the sentences may be to blame; then the agents are asked with another one."""
        return any(failed.outside for failed in self.failed.values())

    def looks_like_outage(self) -> bool:
        """Whether the agents are better asked before more sentences are tried."""
        return not self.fresh and len(self.failed) >= _ENOUGH and all(failed.outside for failed in self.failed.values())

    def least_attempts(self, otherwise: int) -> int:
        """The attempts at the failed sentence that had the fewest; ``otherwise`` where none failed."""
        return min((self.attempts.get(index, 0) for index in self.failed), default=otherwise)

    def give_up(self, sentences: Sequence[Sentence]) -> list[DeadLetter]:
        """The failed sentences as dead letters, in order; each gets an empty result."""
        letters = [self._letter(sentences[index], index) for index in sorted(self.failed)]
        for letter in letters:
            sentence = sentences[letter.index]
            self.results[letter.index] = given_up(sentence, letter.kind, letter.error, letter.worker)
        return letters

    def _letter(self, sentence: Sentence, index: int) -> DeadLetter:
        failed = self.failed[index]
        return DeadLetter(
            document=sentence.document_id,
            sentence=sentence.id,
            chunk=self._claim.chunk,
            index=index,
            kind=failed.kind,
            error=failed.error,
            attempts=self.attempts.get(index, 0),
            worker=self._context.claims.worker,
            at_s=time.time(),
        )
