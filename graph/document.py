"""The document graph: split, annotate every sentence, collect.

::

    START -> split -> annotate (one Send a sentence) -> collect -> END
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Required, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from medner.core.records import AnnotatedDocument, Annotation, Document, Sentence
from medner.core.sentences import split_sentences
from medner.graph.deps import Deps
from medner.graph.sentence import sentence_graph
from medner.graph.tracing import Tracer
from medner.store.traces import TracePolicy

OnSentence = Callable[[Annotation], Awaitable[None]]


async def _nothing(_: Annotation) -> None:
    """The callback of a caller that does not care."""


@dataclass(frozen=True, slots=True)
class DocumentRun:
    """The document graph's context: the agents, what is done already, and whom to tell.

    ``finished`` maps sentence ids to annotations of an earlier run: those sentences are not done again. Which of
    them count as finished (only complete ones, say) is the caller's to choose.
    """

    deps: Deps
    finished: Mapping[str, Annotation] = field(default_factory=dict)
    on_sentence: OnSentence = _nothing
    tracer: Tracer | None = None


async def annotated(sentence: Sentence, deps: Deps, tracer: Tracer | None) -> Annotation:
    """One sentence through the sentence graph, with a trace where there is a tracer."""
    if tracer is not None and tracer.policy is not TracePolicy.NONE:
        return await tracer.annotate(sentence, deps)
    # Without a limit of its own the inner graph takes over the document's, and taggers would wait for one another.
    at_once = {"max_concurrency": len(deps.taggers)}
    final = await sentence_graph().ainvoke({"sentence": sentence}, context=deps, config=at_once)
    annotation: Annotation = final["annotation"]
    return annotation


def by_offset(left: list[Annotation], right: list[Annotation]) -> list[Annotation]:
    """Both lists in text order."""
    return sorted([*left, *right], key=lambda annotation: annotation.sentence.offset)


class DocumentState(TypedDict, total=False):
    """The state of one document."""

    document: Required[Document]
    sentences: list[Sentence]
    annotations: Annotated[list[Annotation], by_offset]
    result: AnnotatedDocument


class SentenceTask(TypedDict):
    """One sentence's share of the fan-out."""

    sentence: Sentence


async def split(state: DocumentState, runtime: Runtime[DocumentRun]) -> dict[str, Any]:
    """Cuts the document into sentences."""
    deps = runtime.context.deps
    return {"sentences": list(split_sentences(state["document"], max_chars=deps.max_chars, join_lines=deps.join_lines))}


def to_sentences(state: DocumentState) -> list[Send] | str:
    """One task a sentence; a document without any goes straight on."""
    return [Send("annotate", SentenceTask(sentence=sentence)) for sentence in state["sentences"]] or "collect"


async def annotate(state: SentenceTask, runtime: Runtime[DocumentRun]) -> dict[str, Any]:
    """The sentence graph on one sentence, unless an earlier run has done it."""
    run = runtime.context
    known = run.finished.get(state["sentence"].id)
    if known is not None and known.sentence == state["sentence"]:
        return {"annotations": [known]}
    annotation = await annotated(state["sentence"], run.deps, run.tracer)
    await run.on_sentence(annotation)
    return {"annotations": [annotation]}


async def collect(state: DocumentState) -> dict[str, Any]:
    """The document with its annotations in text order."""
    return {"result": AnnotatedDocument(state["document"], tuple(state.get("annotations", [])))}


@cache
def document_graph() -> Any:
    """The compiled graph of one document; its context is a :class:`DocumentRun`."""
    builder = StateGraph(DocumentState, context_schema=DocumentRun)
    builder.add_node("split", split)
    builder.add_node("annotate", annotate)
    builder.add_node("collect", collect)
    builder.add_edge(START, "split")
    builder.add_conditional_edges("split", to_sentences, ["annotate", "collect"])
    builder.add_edge("annotate", "collect")
    builder.add_edge("collect", END)
    return builder.compile()
