"""Traces made by the real graph, over answers from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.judge import HardVote
from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.graph import Deps
from medner.graph.tracing import Tracer
from medner.store.traces import Trace, TracePolicy

LABELS = load_label_set("cmeee-v2")
TEXT = "患者因反复胸痛3天入院，既往高血压病史。"
SAID = {
    "a": (Entity(5, 7, "sym"), Entity(13, 16, "dis")),
    "b": (Entity(3, 7, "sym"), Entity(13, 16, "dis")),
}


def _tagger(name: str) -> GenerativeTagger:
    answer = CODECS["symbol"].encode(TEXT, SAID[name], LABELS)
    return GenerativeTagger(name, ScriptedEngine(lambda _: answer), CODECS["symbol"], LABELS)


@pytest.fixture(scope="session")
def make_trace() -> Callable[..., Trace]:
    """The trace of one sentence with a conflict, under any run and id."""

    def make(run: str = "run", sentence_id: str = "note#0", policy: TracePolicy = TracePolicy.CONFLICTS) -> Trace:
        kept: list[Trace] = []
        deps = Deps(LABELS, (_tagger("a"), _tagger("b")), HardVote())
        asyncio.run(Tracer(run, policy, kept.append).annotate(Sentence(sentence_id, TEXT), deps))
        return kept[0]

    return make
