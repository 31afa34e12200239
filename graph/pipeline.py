"""The graph behind a small interface, for callers that do not care about LangGraph."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from langsmith import tracing_context

from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument, Annotation, Document, Sentence
from medner.core.sentences import split_sentences
from medner.graph.deps import Deps
from medner.graph.sentence import sentence_graph
from medner.graph.tracing import Tracer
from medner.store.traces import TracePolicy

OnSentence = Callable[[Annotation], Awaitable[None]]


async def _nothing(_: Annotation) -> None:
    """The callback of a caller that does not care."""


class Pipeline:
    """Annotates sentences and documents with the agents of ``deps``.

    At most ``concurrency`` sentences of all documents are under way at a time; the engine batches what they ask.
    LangSmith tracing is off whatever the environment says: it would send notes out of the building. ``tracer`` keeps
    traces on this side of the wall; None: none. A pipeline belongs to the event loop it is first used on.
    """

    def __init__(self, deps: Deps, *, concurrency: int = 16, tracer: Tracer | None = None) -> None:
        if concurrency < 1:
            raise UserError(f"concurrency must be at least 1, got {concurrency}")
        self.deps = deps
        self._tracer = tracer
        self._window = asyncio.Semaphore(concurrency)
        self._admission = asyncio.Lock()

    def split(self, document: Document) -> tuple[Sentence, ...]:
        """The document's sentences, cut as this pipeline's settings say."""
        return split_sentences(document, max_chars=self.deps.max_chars, join_lines=self.deps.join_lines)

    async def annotate_sentence(self, sentence: Sentence) -> Annotation:
        """One sentence through the graph. UserError when a tagger is used wrongly; all other failures are records."""
        with tracing_context(enabled=False):
            if self._tracer is not None and self._tracer.policy is not TracePolicy.NONE:
                return await self._tracer.annotate(sentence, self.deps)
            at_once = {"max_concurrency": len(self.deps.taggers)}
            graph = sentence_graph(self.deps.tagger_names)
            final = await graph.ainvoke({"sentence": sentence}, context=self.deps, config=at_once)
            annotation: Annotation = final["annotation"]
            return annotation

    async def annotate_document(
        self,
        document: Document,
        *,
        sentences: Sequence[Sentence] | None = None,
        finished: Mapping[str, Annotation] | None = None,
        on_sentence: OnSentence = _nothing,
        on_begun: Callable[[], None] = lambda: None,
    ) -> AnnotatedDocument:
        """All sentences of a document through the graph, in text order.

        ``sentences`` None: the document is split here. ``finished`` are annotations of an earlier run by sentence id,
        taken over where the sentence is still the same. ``on_sentence`` is awaited after each sentence that was done
        now; what it raises ends the run, as the first error of a sentence does. ``on_begun`` is called when the last
        sentence has begun: documents begin their sentences one document after the other, in the order of the calls.
        """
        pieces = self.split(document) if sentences is None else sentences
        known = finished or {}
        annotations: list[Annotation | asyncio.Task[Annotation]] = []
        try:
            async with asyncio.TaskGroup() as group, self._admission:
                for sentence in pieces:
                    earlier = known.get(sentence.id)
                    if earlier is not None and earlier.sentence == sentence:
                        annotations.append(earlier)
                        continue
                    await self._window.acquire()
                    task = group.create_task(self._one(sentence, on_sentence))
                    # Not in the task: one that is cancelled before it runs would never leave.
                    task.add_done_callback(lambda _: self._window.release())
                    annotations.append(task)
                on_begun()
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        done = (one if isinstance(one, Annotation) else one.result() for one in annotations)
        return AnnotatedDocument(document, tuple(done))

    async def _one(self, sentence: Sentence, on_sentence: OnSentence) -> Annotation:
        annotation = await self.annotate_sentence(sentence)
        await on_sentence(annotation)
        return annotation


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error itself, out of the groups around it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
