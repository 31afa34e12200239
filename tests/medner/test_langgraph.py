"""The sentence graph from Python: the settings of `load`, and results equal to those of `annotate`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.langgraph import SentenceSettings, sentence, sentence_graph
from medner.testing import TAGGERS, DictionaryEngine
from tests.medner.conftest import ONLY, WORDS

ROOT = Path(__file__).parents[2]
TEXT = "患者胸痛3天，查心电图。"


def scripted(**settings: Any) -> Any:
    engine = DictionaryEngine(WORDS, only=ONLY)
    return sentence_graph(engine=engine, taggers=TAGGERS, judge="best-tagger:json-plain", **settings)


def test_results_are_those_of_annotate(nlp: medner.Annotator) -> None:
    """A text of one sentence, by the same settings."""
    result = asyncio.run(scripted().ainvoke({"text": TEXT}))
    assert [(one["text"], one["decision"]) for one in result["entities"]] == [("胸痛", "agreed"), ("心电图", "judged")]
    with medner.load(
        engine=DictionaryEngine(WORDS, only=ONLY), taggers=TAGGERS, judge="best-tagger:json-plain"
    ) as annotator:
        document = annotator.annotate(TEXT)
    assert [(one["start"], one["end"], one["label"], one["decision"]) for one in result["entities"]] == [
        (one.start, one.end, one.label, one.decision) for one in document.entities
    ]


def test_models_are_kept_between_runs_and_loops() -> None:
    """A server runs a graph on several loops; the models have one of their own."""
    graph = scripted()
    found = [asyncio.run(graph.ainvoke({"text": TEXT})) for _ in range(2)]
    assert found[0]["entities"] == found[1]["entities"]


def test_the_first_runs_may_be_at_once() -> None:
    """They wait for one load."""

    async def several() -> list[Any]:
        graph = scripted()
        return await asyncio.gather(*(graph.ainvoke({"text": f"{TEXT}{number}"}) for number in range(8)))

    assert {len(one["entities"]) for one in asyncio.run(several())} == {2}


def test_wrong_settings_are_told_before_a_model_is_loaded() -> None:
    """As of `medner.load`."""
    with pytest.raises(medner.UserError, match="judgment"):
        sentence_graph(judgment="hard-vote")  # type: ignore[call-arg]
    with pytest.raises(medner.UserError, match="no preset"):
        sentence_graph(preset="slow")


def test_an_assistant_chooses_label_set_and_preset() -> None:
    """Each choice has its own graph, which shows its taggers, and is made once."""
    default, fast = sentence({}), sentence({"configurable": {"preset": "fast"}})
    assert [len([one for one in graph.get_graph().nodes if one.startswith("tag ")]) for graph in (default, fast)] == [
        2,
        1,
    ]
    assert sentence({"configurable": {"preset": "fast", "thread_id": "1"}}) is fast
    assert sentence({"configurable": {"labels": "ccks2019"}}) is not default
    offered = default.get_context_jsonschema()
    assert offered is not None
    assert set(offered["properties"]) == set(SentenceSettings.__annotations__)


def test_langgraph_json_names_the_graph_and_sends_nothing() -> None:
    """Tracing, its keys and the look for new versions are off in the file that ships."""
    given = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    assert given["graphs"]["sentence"]["path"] == "medner.langgraph:sentence"
    assert {given["env"][name] for name in given["env"] if "TRACING" in name} == {"false"}
    assert {given["env"][name] for name in given["env"] if "KEY" in name} == {""}
    assert given["env"]["LANGGRAPH_NO_VERSION_CHECK"] == "true"
    assert given["http"]["cors"]["allow_origins"] == ["https://smith.langchain.com"]
