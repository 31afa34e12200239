"""Annotates a stream of documents: many sentences at once, results in the order of the documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from medner.core.records import AnnotatedDocument, Annotation, Sentence
from medner.graph import Pipeline
from medner.graph.pipeline import first_error
from medner.service.annotate.counts import RunCounts
from medner.service.annotate.journal import Journal
from medner.service.inputs.splitting import SplitDocument

#: Documents that are done may wait for a slow one before them; more than this many and no new one starts.
_WAITING_DOCUMENTS = 256

Emit = Callable[[AnnotatedDocument], None]
OnProgress = Callable[[], None]


class Annotating:
    """One run over documents.

    The pipeline bounds how many sentences are under way, whatever documents they belong to, so that documents of one
    sentence fill the engine's batches too. ``journal`` None: nothing is kept for a later run. ``on_progress`` is called
    after every sentence.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        tally: RunCounts,
        *,
        journal: Journal | None = None,
        on_progress: OnProgress = lambda: None,
    ) -> None:
        self._pipeline = pipeline
        self._tally = tally
        self._journal = journal
        self._on_progress = on_progress

    async def run(self, documents: Iterator[SplitDocument], emit: Emit) -> None:
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
        documents: Iterator[SplitDocument],
        queue: asyncio.Queue[asyncio.Task[AnnotatedDocument] | None],
        group: asyncio.TaskGroup,
    ) -> None:
        # Reading a large file would hold up the loop.
        while (piece := await asyncio.to_thread(self._next, documents)) is not None:
            begun = asyncio.Event()
            task = group.create_task(self._document(*piece, begun.set))
            await queue.put(task)
            await begun.wait()
        await queue.put(None)

    def _next(self, documents: Iterator[SplitDocument]) -> tuple[SplitDocument, Mapping[str, Annotation]] | None:
        """The next document, and what is known of its sentences already."""
        split = next(documents, None)
        if split is None:
            return None
        found = ((sentence.id, self._known(sentence)) for sentence in split.sentences)
        return split, {id_: annotation for id_, annotation in found if annotation is not None}

    def _known(self, sentence: Sentence) -> Annotation | None:
        return None if self._journal is None else self._journal.known(sentence)

    async def _document(
        self, split: SplitDocument, finished: Mapping[str, Annotation], on_begun: Callable[[], None]
    ) -> AnnotatedDocument:
        for annotation in finished.values():
            self._tally.count(annotation, reused=True)
        self._on_progress()
        return await self._pipeline.annotate_document(
            split.document,
            sentences=split.sentences,
            finished=finished,
            on_sentence=self._sentence_done,
            on_begun=on_begun,
        )

    async def _sentence_done(self, annotation: Annotation) -> None:
        # A sentence without an answer is not kept: the next run tries it again.
        if self._journal is not None and annotation.complete:
            await self._journal.add(annotation)
        self._tally.count(annotation)
        self._on_progress()
