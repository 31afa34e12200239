"""The same inputs, versions and seed give the same bytes, whatever the taggers' order and the concurrency."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from medner.agents.engines.engine import Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.exemplars import FixedExemplars
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.judge import HardVote, Judge
from medner.agents.judges.rewrite import RewriteJudge
from medner.agents.judges.select import SelectJudge
from medner.core.errors import ExternalError
from medner.core.records import Document, Entity
from medner.graph import Deps, Pipeline
from medner.graph.tracing import Tracer
from medner.store.corpora import annotated_to_line
from medner.store.traces import Trace, TracePolicy
from medner.store.traces.serializer import RecordSerializer

LINES = "咽痛三天，发热。\n伴头痛、咳嗽。\n" * 6
SAID = {
    "a": [Entity(0, 2, "sym"), Entity(3, 4, "ite")],
    "b": [Entity(0, 2, "dis"), Entity(1, 3, "sym")],
    "c": [Entity(0, 4, "sym"), Entity(1, 3, "sym")],
}


def _answer(request: Request) -> str | Exception:
    """A judge that decides by the prompt's bytes, and cannot now and then."""
    number = sum(request.messages[-1].content.encode())
    return ExternalError("gone") if number % 5 == 0 else ["1", "无", "1,2", "都对"][number % 4]


def _judges() -> dict[str, Callable[[], tuple[Judge, ...]]]:
    def chat() -> EngineChatModel:
        return EngineChatModel(engine=ScriptedEngine(_answer), model_name="m")

    return {
        "vote": lambda: (HardVote(),),
        "select": lambda: (SelectJudge(chat(), "m"),),
        "joint, then vote": lambda: (SelectJudge(chat(), "m", joint=True), HardVote()),
        "rewrite, then select": lambda: (RewriteJudge(chat(), "m"), SelectJudge(chat(), "m2")),
    }


def _without_time(data: Any) -> Any:
    """The data without what a clock says."""
    if isinstance(data, dict):
        return {key: _without_time(one) for key, one in data.items() if key not in ("seconds", "timings")}
    return [_without_time(one) for one in data] if isinstance(data, list) else data


@pytest.mark.parametrize("judge", _judges())
async def test_bytes_are_the_same(labels: Any, scripted_tagger: Callable[..., Any], judge: str) -> None:
    """Six orders of the taggers, one or sixteen sentences at a time, traced or not: one result."""
    results, kept = set(), set()
    for number, order in enumerate(permutations(SAID)):
        first, *others = _judges()[judge]()
        taggers = tuple(scripted_tagger(name, SAID[name]) for name in order)
        deps = Deps(labels, taggers, first, None, FixedExemplars.shipped(labels), understudies=tuple(others))
        traces: list[Trace] = []
        tracer = Tracer("run", TracePolicy.ALL, traces.append) if number % 2 else None
        pipeline = Pipeline(deps, concurrency=(1, 16)[number // 3], tracer=tracer)
        document = await pipeline.annotate_document(Document("note", LINES))
        results.add(json.dumps(_without_time(json.loads(annotated_to_line(document))), ensure_ascii=False))
        kept |= {_states(traces)} if traces else set()
    assert len(results) == 1
    assert len(kept) == 1


def _states(traces: list[Trace]) -> str:
    """The states of a run's traces as they are written, without their times."""
    serializer = RecordSerializer(packed=False)
    ordered = sorted(traces, key=lambda trace: trace.sentence_id)
    states = [serializer.dumps_typed(dict(one.values))[1] for trace in ordered for one in trace.snapshots[-2:]]
    return json.dumps([_without_time(json.loads(state)) for state in states], ensure_ascii=False)
