"""The graphs behind a small interface, for callers that do not care about LangGraph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from langsmith import tracing_context

from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument, Annotation, Document, Sentence
from medner.graph.deps import Deps
from medner.graph.document import DocumentRun, OnSentence, annotated, document_graph
from medner.graph.tracing import Tracer


class Pipeline:
    """Annotates sentences and documents with the agents of ``deps``.

    At most ``concurrency`` sentences of a document are under way at a time; the engine batches what they ask.
    LangSmith tracing is off whatever the environment says: it would send notes out of the building. ``tracer`` keeps
    traces on this side of the wall; None: none.
    """

    def __init__(self, deps: Deps, *, concurrency: int = 16, tracer: Tracer | None = None) -> None:
        if concurrency < 1:
            raise UserError(f"concurrency must be at least 1, got {concurrency}")
        self.deps = deps
        self._concurrency = concurrency
        self._tracer = tracer

    async def annotate_sentence(self, sentence: Sentence) -> Annotation:
        """One sentence through the graph. UserError when a tagger is used wrongly; all other failures are records."""
        with tracing_context(enabled=False):
            return await annotated(sentence, self.deps, self._tracer)

    async def annotate_document(
        self,
        document: Document,
        *,
        finished: Mapping[str, Annotation] | None = None,
        on_sentence: OnSentence | None = None,
    ) -> AnnotatedDocument:
        """One document through the graph.

        ``finished`` are annotations of an earlier run by sentence id, taken over where the sentence is still the same;
        ``on_sentence`` is awaited after each sentence that was done now; what it raises ends the run.
        """
        run = DocumentRun(self.deps, finished or {}, tracer=self._tracer)
        if on_sentence is not None:
            run = replace(run, on_sentence=on_sentence)
        with tracing_context(enabled=False):
            final = await document_graph().ainvoke(
                {"document": document}, context=run, config={"max_concurrency": self._concurrency}
            )
        result: AnnotatedDocument = final["result"]
        return result
