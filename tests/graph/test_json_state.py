"""The sentence graph over JSON: the same graph and the same results, and a state that a person can change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from medner.core.errors import UserError
from medner.core.records import Annotation
from medner.graph import Deps
from medner.graph.json_state import _REMEMBERED_TEXTS, SentenceGraphError, json_builder
from medner.graph.sentence import sentence_graph
from tests.graph.sentence_kit import NODE, PHARYNGITIS, TEXT, THROAT, WHOLE, A, B, C, ScoreTable, annotate
from tests.graph.test_sentence import without_seconds
from tests.graph.test_wider_sentence import deps as wider_deps


class Nothing(TypedDict, total=False):
    """No settings."""


def graph_of(deps: Deps, *, max_chars: int = 256, saver: InMemorySaver | None = None) -> Any:
    async def run_node(work: Callable[[Deps], Any]) -> Any:
        return await work(deps)

    return json_builder(deps.tagger_names, run_node, max_chars=max_chars, context=Nothing).compile(checkpointer=saver)


@pytest.fixture
def deps(labels, scripted_tagger, scripted_judge) -> Deps:
    """Three taggers that differ, a filter that drops something, a judge that is asked."""
    judge, _ = scripted_judge("1")
    taggers = (scripted_tagger("a", A), scripted_tagger("b", B), scripted_tagger("c", C))
    return Deps(labels, taggers, judge, ScoreTable({NODE: 0.2}))


async def test_results_are_those_of_the_graph_on_records(deps) -> None:
    """The same annotation, but for seconds and the sentence's id, and the same entities in words beside it."""
    result = await graph_of(deps).ainvoke({"text": TEXT})
    ours = TypeAdapter(Annotation).validate_python(result["annotation"])
    theirs = await annotate(deps)
    plain: list[Any] = [
        without_seconds(TypeAdapter(Annotation).dump_python(one, mode="json")) for one in (ours, theirs)
    ]
    assert {**plain[0], "sentence": None} == {**plain[1], "sentence": None}
    assert [(one["start"], one["end"], one["label"]) for one in result["entities"]] == [
        (one.entity.start, one.entity.end, one.entity.label) for one in theirs.entities
    ]
    assert result["entities"][0] == {
        "text": "颈部淋巴结肿大",
        "label": "sym",
        "label_name": "临床表现",
        "start": 2,
        "end": 9,
        "score": 0.9,
        "decision": "judged",
        "taggers": ["a", "c"],
        "conflict": "c0",
    }


@pytest.mark.parametrize("wider", [False, True])
async def test_everything_that_is_shown_is_json(deps, labels, wider) -> None:
    """Every state and every update, of scoring taggers too, whose scores are in none."""
    graph = graph_of(wider_deps(labels) if wider else deps)
    shown = [chunk async for chunk in graph.astream({"text": TEXT}, stream_mode=["values", "updates"])]
    assert len(shown) > 8
    json.dumps(shown, allow_nan=False)
    assert "scores" not in {name for _, chunk in shown for name in chunk}


async def test_scoring_taggers_hand_their_scores_on(labels) -> None:
    """What none gave and the filter finds likely is a candidate, as in the graph on records."""
    deps = wider_deps(labels)
    result = await graph_of(deps).ainvoke({"text": TEXT})
    assert [(one["start"], one["taggers"]) for one in result["entities"]] == [
        (one.entity.start, list(one.taggers)) for one in (await annotate(deps)).entities
    ]
    assert THROAT.start in {one["start"] for one in result["entities"]}


def test_nodes_and_edges_are_the_same(deps) -> None:
    """A drawing shows the graph that runs everywhere else."""
    ours, theirs = graph_of(deps).get_graph(), sentence_graph(deps.tagger_names).get_graph()
    assert list(ours.nodes) == list(theirs.nodes)
    assert set(ours.edges) == set(theirs.edges)
    assert [one for one in ours.nodes if one.startswith("tag ")] == ["tag a", "tag b", "tag c"]


def test_its_input_is_a_text(deps) -> None:
    """Which is what Studio makes its form of."""
    schema = graph_of(deps).get_input_jsonschema()
    assert (schema["properties"], schema["required"]) == ({"text": {"title": "Text", "type": "string"}}, ["text"])


async def _before(graph: Any, config: Any, node: str) -> Any:
    return await anext(one async for one in graph.aget_state_history(config) if one.next == (node,))


async def test_a_person_changes_a_candidate_and_the_graph_goes_on(deps) -> None:
    """From the state before the conflicts, without a tagger being asked."""
    graph = graph_of(deps, saver=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke({"text": TEXT}, config)
    before = await _before(graph, config, "detect_conflicts")
    changed = [one for one in before.values["candidates"] if one["taggers"] == ["a", "b", "c"]]
    fork = await graph.aupdate_state(before.config, {"candidates": changed}, as_node="filter")
    result = await graph.ainvoke(None, fork)
    assert [(one["start"], one["decision"]) for one in result["entities"]] == [(PHARYNGITIS.start, "agreed")]


async def test_a_person_changes_a_taggers_answer(deps) -> None:
    """The changed output takes the place of the tagger's own; scores that are not remembered are asked for again."""
    graph = graph_of(deps, saver=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke({"text": TEXT}, config)
    before = await _before(graph, config, "filter")
    second = next(one for one in before.values["outputs"] if one["tagger"] == "b")
    second["decoded"]["entities"] = [{"start": one.start, "end": one.end, "label": one.label} for one in (WHOLE,)]
    fork = await graph.aupdate_state(before.config, {"outputs": [second]}, as_node="tag b")
    result = await graph.ainvoke(None, fork)
    assert next(one for one in result["entities"] if one["start"] == WHOLE.start)["taggers"] == ["a", "b", "c"]


async def test_forgotten_scores_are_asked_for_again(labels) -> None:
    """A run that goes on long after has the candidates that only scores name."""
    deps = wider_deps(labels)
    graph = graph_of(replace(deps, max_chars=256), saver=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    first = await graph.ainvoke({"text": TEXT}, config)
    for number in range(_REMEMBERED_TEXTS):
        await graph.ainvoke({"text": f"{TEXT}{number}"}, {"configurable": {"thread_id": f"other-{number}"}})
    before = await _before(graph, config, "filter")
    again = await graph.ainvoke(None, before.config)
    assert again["entities"] == first["entities"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "text: must be a sentence"), (" \n", "is blank"), ("咳" * 11, "at most 10 characters, got 11")],
)
async def test_a_text_that_is_no_sentence_is_refused(deps, text, message) -> None:
    """In words that LangGraph's server shows: it shows those of a ValueError."""
    with pytest.raises(SentenceGraphError, match=message) as raised:
        await graph_of(deps, max_chars=10).ainvoke({"text": text})
    assert isinstance(raised.value, UserError)
    assert isinstance(raised.value, ValueError)


async def test_a_state_that_is_no_record_is_named(deps) -> None:
    """The place in the JSON and what is wrong there."""
    graph = graph_of(deps, saver=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke({"text": TEXT}, config)
    before = await _before(graph, config, "detect_conflicts")
    wrong = [{"entity": {"start": 5, "end": 2, "label": "sym"}, "taggers": ["a"]}]
    fork = await graph.aupdate_state(before.config, {"candidates": wrong}, as_node="filter")
    with pytest.raises(SentenceGraphError, match=r"candidates\.0\.entity.*0 <= start < end"):
        await graph.ainvoke(None, fork)
