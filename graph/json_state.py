"""The sentence graph over a state of plain JSON, for tools that show a state, change it, and send it over the network.

Nodes and edges are those of :mod:`medner.graph.sentence`: each node reads records out of the JSON, does its work, and
writes JSON. Agents are not in the state: ``run_node`` brings them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Annotated, Any, Final, Required, get_type_hints

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # typing's give no JSON schema on Python 3.11

from medner.agents.taggers.tagger import ScoringTagger, StretchScores
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Annotation, Sentence, TaggerOutput
from medner.graph.deps import Deps
from medner.graph.nodes import filter_candidates
from medner.graph.sentence import Node, StateForm, sentence_builder
from medner.graph.state import SentenceState, join_timings

Record = dict[str, Any]


class SentenceGraphError(UserError, ValueError):
    """A mistake of the user's in or before a run. LangGraph's server shows the words of a ValueError, not of others."""


#: Runs a node's work where the agents are, and gives its update.
RunNode = Callable[[Callable[[Deps], Coroutine[Any, Any, Any]]], Awaitable[Any]]


_REMEMBERED_TEXTS: Final = 64


def by_tagger(left: Sequence[Record], right: Sequence[Record]) -> list[Record]:
    """An output a tagger, by name; a later one takes the place of an earlier one, so that a person can change it."""
    return [one for _, one in sorted({one.get("tagger", ""): one for one in (*left, *right)}.items())]


def in_step_order(left: Sequence[Record], right: Sequence[Record]) -> list[Record]:
    """Both lists, by what failed."""
    return sorted([*left, *right], key=lambda one: [str(one.get(key, "")) for key in ("stage", "agent", "kind")])


class JsonState(TypedDict, total=False):
    """:class:`SentenceState` as JSON. ``text`` is the sentence, ``entities`` the result for a reader."""

    text: Required[str]
    outputs: Annotated[list[Record], by_tagger]
    failures: Annotated[list[Record], in_step_order]
    timings: Annotated[dict[str, float], join_timings]
    candidates: list[Record]
    dropped: list[Record]
    agreed: list[Record]
    conflicts: list[Record]
    left_out: list[Record]
    verdicts: list[Record]
    entities: list[Record]
    annotation: Record


class JsonInput(TypedDict):
    """What the graph is given: one sentence."""

    text: str


class JsonResult(TypedDict, total=False):
    """What the graph gives back: the entities, and everything known about the sentence."""

    entities: list[Record]
    annotation: Record


_FIELDS: Final[Mapping[str, TypeAdapter[Any]]] = {
    name: TypeAdapter(kind) for name, kind in get_type_hints(SentenceState).items() if name in JsonState.__annotations__
}


def json_builder(
    taggers: Sequence[str], run_node: RunNode, *, max_chars: int, context: type
) -> StateGraph[Any, Any, Any, Any]:
    """The graph before it is compiled. Its input is a sentence of at most ``max_chars`` characters."""
    adapted = partial(_over_json, run_node=run_node, max_chars=max_chars, scores=RememberedScores())
    form = StateForm(
        state=JsonState,
        given=JsonInput,
        tagging=JsonInput,
        result=JsonResult,
        context=context,
        adapted=adapted,
    )
    return sentence_builder(taggers, form)


class RememberedScores:
    """Taggers' scores of the last texts, for the nodes that follow. They are no JSON, so in no state.

    Where a run goes on from a state of long ago, its taggers are asked again.
    """

    def __init__(self) -> None:
        self._of_text: dict[str, dict[str, StretchScores]] = {}

    def add(self, text: str, scores: Mapping[str, StretchScores]) -> None:
        """Remembers what taggers think of a text."""
        known = self._of_text.pop(text, {})
        self._of_text[text] = {**known, **scores}
        while len(self._of_text) > _REMEMBERED_TEXTS:
            del self._of_text[next(iter(self._of_text))]

    async def of(self, sentence: Sentence, outputs: Sequence[TaggerOutput], deps: Deps) -> dict[str, StretchScores]:
        """The scores of the taggers that have answered, by name."""
        known = dict(self._of_text.get(sentence.text, {}))
        answered = {output.tagger for output in outputs}
        for tagger in deps.taggers:
            if tagger.name in answered - known.keys() and isinstance(tagger, ScoringTagger):
                known[tagger.name] = (await tagger.tag_scored(sentence)).scores
        return known


def _over_json(node: Node, *, run_node: RunNode, max_chars: int, scores: RememberedScores) -> Node:
    """A node on JSON of a node on records."""
    takes_agents = "runtime" in signature(node).parameters

    async def over_json(state: Mapping[str, Any]) -> Any:
        records = _records(state, max_chars)
        sentence = records["sentence"]

        async def work(deps: Deps) -> Any:
            if node is filter_candidates:
                records["scores"] = await scores.of(sentence, records.get("outputs", ()), deps)
            done = await (node(records, Runtime(context=deps)) if takes_agents else node(records))
            if isinstance(done, Command):
                return Command(goto=done.goto, update=_json(done.update or {}, deps.labels))
            scores.add(sentence.text, done.pop("scores", {}))
            return _json(done, deps.labels)

        try:
            return await run_node(work)
        except UserError as error:
            raise SentenceGraphError(str(error)) from error

    return over_json


def _records(state: Mapping[str, Any], max_chars: int) -> dict[str, Any]:
    """The state as nodes know it. UserError for a text that is no sentence, and for JSON that is no record."""
    text = state.get("text")
    if not isinstance(text, str) or not text.strip():
        raise SentenceGraphError("text: must be a sentence, and is blank")
    if len(text) > max_chars:
        raise SentenceGraphError(
            f"text: the graph takes one sentence of at most {max_chars} characters, got {len(text)}; "
            "medner.annotate and the command line split a text into sentences"
        )
    records: dict[str, Any] = {"sentence": Sentence("text", text)}
    for name, value in state.items():
        if name in _FIELDS:
            try:
                records[name] = _FIELDS[name].validate_python(value)
            except ValidationError as error:
                problem = error.errors()[0]
                place = ".".join(map(str, (name, *problem["loc"])))
                raise SentenceGraphError(f"{place}: {problem['msg']}") from error
    return records


def _json(update: Mapping[str, Any], labels: LabelSet) -> dict[str, Any]:
    """A node's update as JSON, with the result in words beside the annotation."""
    plain = {
        name: _FIELDS[name].dump_python(value, mode="json") if name in _FIELDS else value
        for name, value in update.items()
    }
    annotation = update.get("annotation")
    return plain if annotation is None else {**plain, "entities": _entities(annotation, labels)}


def _entities(annotation: Annotation, labels: LabelSet) -> list[Record]:
    return [
        {
            "text": one.entity.text_in(annotation.sentence.text),
            "label": one.entity.label,
            "label_name": labels.type_of(one.entity.label).name,
            "start": one.entity.start,
            "end": one.entity.end,
            "score": one.score,
            "decision": one.decision.value,
            "taggers": list(one.taggers),
            "conflict": one.conflict_id,
        }
        for one in annotation.entities
    ]
