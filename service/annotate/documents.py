"""Annotates a stream of documents: many sentences at once, results in the order of the documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from medner.core.records import AnnotatedDocument, Annotation, Document, Sentence
from medner.core.sentences import split_sentences
from medner.graph import Pipeline
from medner.service.annotate.counts import RunCounts
from medner.service.annotate.journal import Journal

#: Documents that are done may wait for a slow one before them; more than this many and no new one starts.
_WAITING_DOCUMENTS = 256

Emit = Callable[[AnnotatedDocument], None]
OnProgress = Callable[[], None]


class Annotating:
    """One run over documents.

    About ``concurrency`` sentences are under way at a time, whatever documents they belong to, so that documents of
    one sentence fill the engine's batches too. ``journal`` None: nothing is kept for a later run. ``on_progress`` is
    called after every sentence.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        tally: RunCounts,
        *,
        concurrency: int,
        journal: Journal | None = None,
        on_progress: OnProgress = lambda: None,
    ) -> None:
        self._pipeline = pipeline
        self._tally = tally
        self._journal = journal
        self._on_progress = on_progress
        self._window = _Window(concurrency)

    async def run(self, documents: Iterator[Document], emit: Emit) -> None:
        """Annotates all documents and hands each on in order. The first error ends the run."""
        queue: asyncio.Queue[asyncio.Task[AnnotatedDocument] | None] = asyncio.Queue(_WAITING_DOCUMENTS)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._admit(documents, queue, group))
                while (task := await queue.get()) is not None:
                    emit(await task)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors

    async def _admit(
        self,
        documents: Iterator[Document],
        queue: asyncio.Queue[asyncio.Task[AnnotatedDocument] | None],
        group: asyncio.TaskGroup,
    ) -> None:
        # Reading and splitting a large file would hold up the loop.
        while (piece := await asyncio.to_thread(self._next, documents)) is not None:
            document, finished, open_sentences = piece
            await self._window.enter(open_sentences)
            await queue.put(group.create_task(self._document(document, finished)))
        await queue.put(None)

    def _next(self, documents: Iterator[Document]) -> tuple[Document, dict[str, Annotation], int] | None:
        """The next document, what is known of it already, and how many sentences are left to do."""
        document = next(documents, None)
        if document is None:
            return None
        sentences = split_sentences(
            document, max_chars=self._pipeline.deps.max_chars, join_lines=self._pipeline.deps.join_lines
        )
        known = {sentence.id: found for sentence in sentences if (found := self._known(sentence)) is not None}
        return document, known, len(sentences) - len(known)

    def _known(self, sentence: Sentence) -> Annotation | None:
        return None if self._journal is None else self._journal.known(sentence)

    async def _document(self, document: Document, finished: dict[str, Annotation]) -> AnnotatedDocument:
        for annotation in finished.values():
            self._tally.count(annotation, reused=True)
        self._on_progress()
        return await self._pipeline.annotate_document(
            document, finished=finished, on_sentence=partial(self._sentence_done)
        )

    async def _sentence_done(self, annotation: Annotation) -> None:
        self._window.leave()
        # A sentence without an answer is not kept: the next run tries it again.
        if self._journal is not None and annotation.complete:
            await self._journal.add(annotation)
        self._tally.count(annotation)
        self._on_progress()


class _Window:
    """How many sentences are under way; opens while there are fewer than ``size``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._inside = 0
        self._open = asyncio.Event()
        self._open.set()

    async def enter(self, count: int) -> None:
        """Waits until there is room, then takes in the sentences of a document, however many they are."""
        await self._open.wait()
        self._add(count)

    def leave(self) -> None:
        """One sentence is done."""
        self._add(-1)

    def _add(self, count: int) -> None:
        self._inside += count
        if self._inside < self._size:
            self._open.set()
        else:
            self._open.clear()


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error itself, out of the groups around it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
