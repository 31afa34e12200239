"""The sentence graph: its nodes and every edge between them.

::

    START -> tag (one Send a tagger) -> filter -> detect_conflicts -> judge -> merge -> END

The judge is passed by where there are no conflicts.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from medner.graph.deps import Deps
from medner.graph.nodes import filter_candidates, find_conflicts, merge, settle_conflicts, tag
from medner.graph.state import SentenceState, TagTask


def to_taggers(state: SentenceState, runtime: Runtime[Deps]) -> list[Send]:
    """One task a tagger."""
    return [Send("tag", TagTask(sentence=state["sentence"], tagger=tagger.name)) for tagger in runtime.context.taggers]


def to_judge_or_merge(state: SentenceState) -> Literal["judge", "merge"]:
    """The judge is asked only about conflicts."""
    return "judge" if state["conflicts"] else "merge"


@cache
def sentence_graph() -> Any:
    """The compiled graph of one sentence; its context is a :class:`Deps`."""
    return _builder().compile()


def sentence_graph_with(saver: BaseCheckpointSaver[Any]) -> Any:
    """The same graph, whose checkpoints go to ``saver``."""
    return _builder().compile(checkpointer=saver)


@cache
def _builder() -> StateGraph[SentenceState, Deps, SentenceState, SentenceState]:
    builder = StateGraph(SentenceState, context_schema=Deps)
    builder.add_node("tag", tag)
    builder.add_node("filter", filter_candidates)
    builder.add_node("detect_conflicts", find_conflicts)
    builder.add_node("judge", settle_conflicts)
    builder.add_node("merge", merge)
    builder.add_conditional_edges(START, to_taggers, ["tag"])
    builder.add_edge("tag", "filter")
    builder.add_edge("filter", "detect_conflicts")
    builder.add_conditional_edges("detect_conflicts", to_judge_or_merge)
    builder.add_edge("judge", "merge")
    builder.add_edge("merge", END)
    return builder
