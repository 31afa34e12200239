"""The sentence graph: its nodes and every edge between them.

::

    START -> one node a tagger -> filter -> detect_conflicts -> judge -> merge -> END

The judge is passed by where there are no conflicts. Each set of taggers has a graph of its own: nodes that are known
beforehand cost LangGraph less than tasks that are sent, and a drawing of the graph shows the taggers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from medner.graph.deps import Deps
from medner.graph.nodes import Update, filter_candidates, find_conflicts, merge, settle_conflicts, tag
from medner.graph.state import SentenceResult, SentenceState, TaggerInput

Node = Callable[..., Coroutine[Any, Any, Any]]

#: What LangGraph allows in no node's name.
_RESERVED = str.maketrans({":": " ", "|": " "})


async def detect_conflicts(state: SentenceState, runtime: Runtime[Deps]) -> Command[Literal["judge", "merge"]]:
    """The node of that name with what follows: the judge is asked only about conflicts."""
    update = await find_conflicts(state, runtime)
    return Command(goto="judge" if update["conflicts"] else "merge", update=update)


@dataclass(frozen=True)
class StateForm:
    """What the state of a graph is made of: its schemas, and what makes a node on records one on this state.

    ``given`` is what the graph is called with, ``tagging`` what a tagger reads of the state.
    """

    state: type
    given: type
    tagging: type
    result: type
    context: type
    adapted: Callable[[Node], Node]


#: The form in which medner runs the graph: records in the state, the agents in the context.
RECORDS = StateForm(
    state=SentenceState,
    given=SentenceState,
    tagging=TaggerInput,
    result=SentenceResult,
    context=Deps,
    adapted=lambda node: node,
)


@lru_cache(maxsize=64)
def sentence_graph(taggers: tuple[str, ...]) -> Any:
    """The compiled graph of one sentence, for taggers of these names; its context is a :class:`Deps`."""
    return sentence_builder(taggers).compile()


def sentence_graph_with(saver: BaseCheckpointSaver[Any], taggers: tuple[str, ...]) -> Any:
    """The same graph, whose checkpoints go to ``saver``."""
    return sentence_builder(taggers).compile(checkpointer=saver)


def sentence_builder(taggers: Sequence[str], form: StateForm = RECORDS) -> StateGraph[Any, Any, Any, Any]:
    """The graph before it is compiled, over a state of this form."""
    adapted = form.adapted
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(
        form.state, context_schema=form.context, input_schema=form.given, output_schema=form.result
    )
    for name, tagger in zip(_node_names(taggers), taggers, strict=True):
        builder.add_node(name, adapted(_tagging(tagger)), input_schema=form.tagging)
        builder.add_edge(START, name)
        # All taggers are of one step, so the filter runs once, after the last of them.
        builder.add_edge(name, "filter")
    builder.add_node("filter", adapted(filter_candidates))
    builder.add_node("detect_conflicts", adapted(detect_conflicts), destinations=("judge", "merge"))
    builder.add_node("judge", adapted(settle_conflicts))
    builder.add_node("merge", adapted(merge))
    builder.add_edge("filter", "detect_conflicts")
    builder.add_edge("judge", "merge")
    builder.add_edge("merge", END)
    return builder


def _tagging(tagger: str) -> Node:
    async def node(state: TaggerInput, runtime: Runtime[Deps]) -> Update:
        return await tag(tagger, state["sentence"], runtime.context)

    return node


def _node_names(taggers: Sequence[str]) -> list[str]:
    """``tag NAME`` for each tagger, different for all of them."""
    names: list[str] = []
    for number, tagger in enumerate(taggers):
        name = f"tag {tagger.translate(_RESERVED)}"
        names.append(f"{name} {number}" if name in names else name)
    return names
