"""Entities are trimmed before taggers are compared, and scores travel with their sentence."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from medner.agents.filters import SpanFilter
from medner.agents.judges.judge import HardVote
from medner.agents.taggers.tagger import ScoredOutput
from medner.core.edges import Edges
from medner.core.labels import load_label_set
from medner.core.records import Decision, Decoded, Entity, Rejection, Sentence, TaggerOutput
from medner.graph import Deps, Pipeline
from medner.graph.tracing import Tracer
from medner.graph.trimming import with_trimmed_edges
from medner.store.traces import Trace, TracePolicy
from medner.store.traces.serializer import RecordSerializer

LABELS = load_label_set("cmeee-v2")
TEXT = "诊断 COPD ，急性加重"


@dataclass(frozen=True)
class Says:
    name: str
    entities: tuple[Entity, ...]

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        return TaggerOutput(self.name, "as written", Decoded(self.entities))


class Scored(Says):
    """A tagger with scores, which counts how often it has to make them."""

    asked = 0

    async def tag_scored(self, sentence: Sentence) -> ScoredOutput:
        return ScoredOutput(await self.tag(sentence), self)

    def logits(self, entities: Sequence[Entity]) -> list[float]:
        return [float(entity.start) for entity in entities]

    def likely(self, least: float) -> list[Entity]:
        return list(self.entities)


class ForFilter:
    """The same tagger as the filter knows it; to ask it costs a pass."""

    def __init__(self, name: str) -> None:
        self.name, self.passes = name, 0

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        self.passes += 1
        return [0.0 for _ in entities]


def test_taggers_that_mean_the_same_agree() -> None:
    """' COPD', 'COPD ，' and 'COPD' are one agreed entity; the answers stay as they were written."""
    taggers = tuple(
        Says(name, (Entity(start, end, "dis"),)) for name, start, end in (("a", 2, 7), ("b", 3, 9), ("c", 3, 7))
    )
    annotation = asyncio.run(Pipeline(Deps(LABELS, taggers)).annotate_sentence(Sentence("s", TEXT)))
    assert [(item.entity, item.decision, item.taggers) for item in annotation.entities] == [
        (Entity(3, 7, "dis"), Decision.AGREED, ("a", "b", "c"))
    ]
    assert all(output.answer == "as written" for output in annotation.outputs)
    assert annotation.conflicts == ()


def test_what_is_nothing_but_edges_is_refused_with_a_reason() -> None:
    """White space alone is no entity, and of two that become one the second is a repeat; nothing else changes."""
    said = (Entity(2, 7, "dis"), Entity(3, 7, "dis"), Entity(7, 9, "sym"), Entity(9, 11, "sym"))
    output = with_trimmed_edges(TaggerOutput("a", "", Decoded(said)), TEXT, LABELS)
    assert output.decoded.entities == (Entity(3, 7, "dis"), Entity(9, 11, "sym"))
    assert [(one.reason, one.raw, one.detail) for one in output.decoded.rejected] == [
        (Rejection.DUPLICATE, " COPD", "dis [2, 7)"),
        (Rejection.ONLY_EDGES, " ，", "sym [7, 9)"),
    ]
    clean = TaggerOutput("a", "", Decoded((Entity(3, 7, "dis"),)))
    assert with_trimmed_edges(clean, TEXT, LABELS) is clean


def test_the_label_set_says_what_is_trimmed() -> None:
    """With a rule that has no marks, a comma stays; white space never does."""
    labels = replace(LABELS, edges=Edges(marks=""))
    output = with_trimmed_edges(TaggerOutput("a", "", Decoded((Entity(2, 9, "dis"),))), TEXT, labels)
    assert output.decoded.entities == (Entity(3, 9, "dis"),)


def run(policy: TracePolicy) -> tuple[list[Trace], int, list[float | None]]:
    known, unknown = ForFilter("a"), ForFilter("b")
    taggers = (Scored("a", (Entity(3, 7, "dis"),)), Says("b", (Entity(9, 11, "sym"),)))
    traces: list[Trace] = []
    deps = Deps(LABELS, taggers, HardVote(), SpanFilter((known, unknown)))
    pipeline = Pipeline(deps, tracer=Tracer("run", policy, traces.append))
    annotation = asyncio.run(pipeline.annotate_sentence(Sentence("s", TEXT)))
    assert unknown.passes == 1
    scores = [candidate.score for conflict in annotation.conflicts for candidate in conflict.candidates]
    return traces, known.passes, scores


@pytest.mark.parametrize("policy", [TracePolicy.NONE, TracePolicy.ALL])
def test_scores_travel_with_the_sentence(policy: TracePolicy) -> None:
    """The filter takes a tagger's scores from the state, traced or not; only a tagger without them is asked."""
    _, passes, scores = run(policy)
    assert passes == 0
    assert scores == pytest.approx([0.8176, 0.9890], abs=1e-3)


def test_no_trace_holds_scores() -> None:
    """Every checkpoint can be written: scores are in none of them."""
    traces, _, _ = run(TracePolicy.ALL)
    serializer = RecordSerializer()
    assert len(traces[0].snapshots) > 3
    for snapshot in traces[0].snapshots:
        assert "scores" not in snapshot.values
        serializer.dumps_typed(snapshot.checkpoint)
