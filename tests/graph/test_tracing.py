"""The tracer: what a policy keeps, and that nothing but the judge and merge run again in a fork."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.judge import BestTagger, HardVote
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.errors import UserError
from medner.core.records import Decision, Document, Entity, Sentence
from medner.graph import Deps, Pipeline
from medner.graph.tracing import Tracer
from medner.store.traces import Trace, TracePolicy

TEXT = "胸痛三天。"
AGREED = Entity(0, 1, "bod")
A, B = Entity(0, 2, "sym"), Entity(1, 2, "sym")


@pytest.fixture
def deps(labels, scripted_tagger) -> Deps:
    return Deps(labels, (scripted_tagger("a", [AGREED, A]), scripted_tagger("b", [AGREED, B])), BestTagger("a"))


def _asked(deps: Deps) -> int:
    engines = [tagger.engine for tagger in deps.taggers if isinstance(tagger, GenerativeTagger)]
    asked = [len(engine.requests) for engine in engines if isinstance(engine, ScriptedEngine)]
    assert len(asked) == len(deps.taggers)
    return sum(asked)


async def test_policies(deps, labels, scripted_tagger) -> None:
    """all: every state of every sentence; conflicts: two states of those with a conflict; none: nothing."""
    alike = replace(deps, taggers=(scripted_tagger("a", [A]), scripted_tagger("b", [A])))
    for policy, with_conflict, without in (("all", 7, 6), ("conflicts", 2, None), ("none", None, None)):
        kept: list[Trace] = []
        tracer = Tracer("run", TracePolicy(policy), kept.append)
        await Pipeline(deps, tracer=tracer).annotate_sentence(Sentence("x", TEXT))
        await Pipeline(alike, tracer=tracer).annotate_sentence(Sentence("y", TEXT))
        found = {trace.sentence_id: len(trace.snapshots) for trace in kept}
        assert (found.get("x"), found.get("y")) == (with_conflict, without)


async def test_tracing_changes_no_answer(deps) -> None:
    """The annotation is the same with and without, but for its times."""
    kept: list[Trace] = []
    document = Document("d", TEXT * 5)
    plain = await Pipeline(deps).annotate_document(document)
    traced = await Pipeline(deps, tracer=Tracer("r", TracePolicy.ALL, kept.append)).annotate_document(document)
    assert [one.entities for one in traced.annotations] == [one.entities for one in plain.annotations]
    assert {trace.sentence_id: trace.annotation for trace in kept} == {
        one.sentence.id: one for one in traced.annotations
    }


async def test_sentences_under_way_at_once_keep_apart(deps) -> None:
    """Many sentences of many documents with one id: each trace holds its own sentence."""
    kept: list[Trace] = []
    pipeline = Pipeline(deps, tracer=Tracer("r", TracePolicy.ALL, kept.append), concurrency=8)
    await pipeline.annotate_document(Document("d", TEXT * 30))
    assert len(kept) == 30
    for trace in kept:
        assert all(one.values["sentence"].id == trace.sentence_id for one in trace.snapshots if one.next_node)
        assert trace.id == f"r/{trace.sentence_id}"


async def test_a_fork_asks_no_tagger(deps) -> None:
    """Another judge, the same answers of the taggers; the fork's trace can be forked again."""
    kept: list[Trace] = []
    await Tracer("r", TracePolicy.CONFLICTS, kept.append).annotate(Sentence("x", TEXT), deps)
    asked = _asked(deps)
    forks: list[Trace] = []
    tracer = Tracer("f", TracePolicy.CONFLICTS, forks.append)
    annotation = await tracer.fork(kept[0], replace(deps, judge=BestTagger("b")))
    assert _asked(deps) == asked
    assert {one.entity for one in annotation.entities} == {AGREED, B}
    assert annotation.outputs == kept[0].annotation.outputs
    assert forks[0].annotation == annotation
    again = await Tracer("g", TracePolicy.ALL, lambda _: None).fork(forks[0], deps)
    assert again.entities == kept[0].annotation.entities


async def test_a_trace_without_the_boundary_is_told_of(deps) -> None:
    """A trace whose first states are gone cannot be forked."""
    kept: list[Trace] = []
    tracer = Tracer("r", TracePolicy.CONFLICTS, kept.append)
    await tracer.annotate(Sentence("x", TEXT), deps)
    with pytest.raises(UserError, match="nothing can be forked"):
        await tracer.fork(replace(kept[0], snapshots=kept[0].snapshots[-1:]), deps)


async def test_amended_states_go_through_merge_alone(deps) -> None:
    """What a person puts in the judge's place is merged; tagger, filter and judge stay as they were."""
    kept: list[Trace] = []
    tracer = Tracer("r", TracePolicy.CONFLICTS, kept.append)
    before = await tracer.annotate(Sentence("x", TEXT), deps)
    asked = _asked(deps)
    verdicts = [replace(one, kept=(B,), dropped=(A,)) for one in before.verdicts]
    after = await tracer.amend(kept[0], replace(deps, judge=HardVote()), {"verdicts": verdicts})
    assert _asked(deps) == asked
    assert {one.entity for one in after.entities} == {AGREED, B}
    assert [one.values.get("verdicts") for one in kept[1].snapshots] == [verdicts, verdicts]
    assert kept[1].snapshots[0].parent == kept[0].snapshots[-1].id
    assert [one.decision for one in after.entities] == [Decision.AGREED, Decision.JUDGED]


async def test_a_tagger_used_wrongly_ends_the_run_and_leaves_nothing(deps, labels, scripted_tagger) -> None:
    """States of a run that a user's mistake ended are forgotten."""
    broken = replace(deps, taggers=(scripted_tagger("a", UserError("no such adapter")),))
    tracer = Tracer("r", TracePolicy.ALL, lambda _: pytest.fail("kept"))
    with pytest.raises(UserError, match="no such adapter"):
        await tracer.annotate(Sentence("x", TEXT), replace(broken, judge=HardVote()))
    assert not tracer.under_way
