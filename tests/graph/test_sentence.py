"""A sentence on its way through the graph: what becomes a result, what becomes a record, what ends the run."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import pytest

from medner.agents.exemplars import FixedExemplars
from medner.agents.judges.judge import BestTagger
from medner.core.errors import ExternalError, ModelOutputError, UserError
from medner.core.records import (
    TOO_FEW_TAGGERS,
    AnnotatedDocument,
    Annotation,
    Decision,
    Decoded,
    Document,
    Entity,
    Fallback,
    Sentence,
    TaggerOutput,
)
from medner.graph import Deps, Pipeline
from medner.store.corpora.json_formats.jsonl import annotated_to_line, line_to_annotated

TEXT = "患者颈部淋巴结肿大伴咽痛，考虑咽炎。"
SENTENCE = Sentence("note#0", TEXT, 0, "note")
WHOLE = Entity(2, 9, "sym")
PART = Entity(4, 9, "sym")
NODE = Entity(2, 7, "bod")
THROAT = Entity(10, 12, "sym")
PHARYNGITIS = Entity(15, 17, "dis")

A = [WHOLE, NODE, PHARYNGITIS]
B = [PART, NODE, THROAT, PHARYNGITIS]
C = [WHOLE, NODE, THROAT, PHARYNGITIS]


async def annotate(deps: Deps, sentence: Sentence = SENTENCE) -> Annotation:
    return await Pipeline(deps).annotate_sentence(sentence)


def found(annotation: Annotation) -> list[Entity]:
    return [item.entity for item in annotation.entities]


@dataclass(frozen=True)
class ScoreTable:
    """A filter that reads its scores from a table; an exception there is raised."""

    scores: dict[Entity, float] | Exception
    threshold: float = 0.5
    name: str = "table"

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        if isinstance(self.scores, Exception):
            raise self.scores
        return [self.scores.get(entity, 0.9) for entity in entities]


async def test_agreed_entities_need_no_judge(labels, scripted_tagger, scripted_judge) -> None:
    """Without a conflict the judge is not asked, and every entity names all taggers."""
    judge, engine = scripted_judge("1")
    taggers = (scripted_tagger("a", C), scripted_tagger("b", C))
    annotation = await annotate(Deps(labels, taggers, judge))
    assert engine.requests == []
    assert found(annotation) == [WHOLE, NODE, THROAT, PHARYNGITIS]
    assert {(item.decision, item.taggers, item.conflict_id) for item in annotation.entities} == {
        (Decision.AGREED, ("a", "b"), None)
    }
    assert annotation.complete
    assert set(annotation.timings) == {"tag:a", "tag:b", "filter", "detect_conflicts", "merge"}


async def test_the_judge_settles_only_conflicts(labels, scripted_tagger, scripted_judge) -> None:
    """Two conflicts, two questions; each entity of the result says how it got there."""
    judge, engine = scripted_judge("1")
    taggers = (scripted_tagger("a", A), scripted_tagger("b", B), scripted_tagger("c", C))
    annotation = await annotate(Deps(labels, taggers, judge))
    assert len(engine.requests) == 2
    provenance = {item.entity: (item.decision, item.taggers, item.conflict_id) for item in annotation.entities}
    assert provenance == {
        WHOLE: (Decision.JUDGED, ("a", "c"), "c0"),
        NODE: (Decision.AGREED, ("a", "b", "c"), None),
        THROAT: (Decision.JUDGED, ("b", "c"), "c1"),
        PHARYNGITIS: (Decision.AGREED, ("a", "b", "c"), None),
    }
    first, second = annotation.verdicts
    assert (first.conflict_id, first.kept, first.dropped) == ("c0", (WHOLE,), (PART,))
    assert (second.conflict_id, second.kept, second.dropped) == ("c1", (THROAT,), ())
    assert (first.judge, first.judge_version, first.answer, first.fallback) == ("scripted", "1", "1", None)
    assert TEXT in first.prompt
    assert annotation.conflicts[0].context == (NODE,)
    assert set(annotation.timings) >= {"judge", "merge"}
    assert annotation.failures == ()


@pytest.mark.parametrize("error", [ExternalError("no answer from the server"), ModelOutputError("odd", raw="???")])
async def test_a_failed_tagger_is_a_record(labels, scripted_tagger, error) -> None:
    """The others go on; the failure names stage, agent and kind and keeps the raw answer."""
    annotation = await annotate(Deps(labels, (scripted_tagger("a", error), scripted_tagger("b", C))))
    assert annotation.complete
    assert found(annotation) == [WHOLE, NODE, THROAT, PHARYNGITIS]
    (failure,) = annotation.failures
    assert (failure.stage, failure.agent, failure.kind) == ("tag", "a", type(error).__name__)
    assert failure.message == str(error)
    assert failure.raw == getattr(error, "raw", "")
    assert [output.tagger for output in annotation.outputs] == ["b"]
    assert "tag:a" in annotation.timings


@pytest.mark.parametrize("answered", [0, 1])
async def test_too_few_taggers_fail_the_sentence(labels, scripted_tagger, answered: int) -> None:
    """Below `min_taggers` there is no result, what was answered is kept, and the sentence is not complete."""
    lost = ExternalError("gone")
    taggers = tuple(scripted_tagger(name, C if n < answered else lost) for n, name in enumerate("abc"))
    annotation = await annotate(Deps(labels, taggers, min_taggers=2))
    assert not annotation.complete
    assert annotation.entities == annotation.conflicts == ()
    assert len(annotation.outputs) == answered
    (failed,) = [failure for failure in annotation.failures if failure.kind == TOO_FEW_TAGGERS]
    assert failed.message == f"{answered} of 3 taggers answered; at least 2 must"
    assert len(annotation.failures) == 4 - answered
    assert set(annotation.timings) == {"tag:a", "tag:b", "tag:c", "filter", "detect_conflicts", "merge"}


async def test_nothing_found_is_not_a_failure(labels, scripted_tagger) -> None:
    """A sentence without entities is complete and empty."""
    annotation = await annotate(Deps(labels, (scripted_tagger("a", []), scripted_tagger("b", []))))
    assert annotation.complete
    assert annotation.entities == annotation.failures == ()


async def test_a_users_mistake_ends_the_run(labels, scripted_tagger) -> None:
    """A UserError of a tagger comes out as it is."""
    wrong = UserError("no adapter 'x' is loaded")
    with pytest.raises(UserError) as raised:
        await annotate(Deps(labels, (scripted_tagger("a", wrong), scripted_tagger("b", C))))
    assert str(raised.value) == "no adapter 'x' is loaded"


async def test_the_filter_drops_with_its_score(labels, scripted_tagger) -> None:
    """A drop records candidate, score and threshold; a score at the threshold stays; scores follow the entity."""
    judged = ScoreTable({THROAT: 0.2, NODE: 0.5}, threshold=0.5)
    annotation = await annotate(Deps(labels, (scripted_tagger("a", C), scripted_tagger("b", C)), filter=judged))
    (drop,) = annotation.dropped
    assert (drop.candidate.entity, drop.candidate.score, drop.candidate.taggers) == (THROAT, 0.2, ("a", "b"))
    assert (drop.filter, drop.threshold) == ("table", 0.5)
    assert {item.entity: item.score for item in annotation.entities} == {WHOLE: 0.9, NODE: 0.5, PHARYNGITIS: 0.9}


async def test_what_the_filter_drops_is_not_disputed(labels, scripted_tagger, scripted_judge) -> None:
    """When one side of a disagreement is dropped, the judge decides about the other side only."""
    judge, _ = scripted_judge("无")
    judged = ScoreTable({PART: 0.1})
    taggers = (scripted_tagger("a", [WHOLE]), scripted_tagger("b", [PART]))
    annotation = await annotate(Deps(labels, taggers, judge, filter=judged))
    (conflict,) = annotation.conflicts
    assert [item.entity for item in conflict.candidates] == [WHOLE]
    assert annotation.entities == ()
    assert annotation.verdicts[0].dropped == (WHOLE,)


@pytest.mark.parametrize(
    "scores",
    [ExternalError("gone"), ModelOutputError("odd", raw="?"), {THROAT: float("nan")}, {THROAT: 1.5}],
)
async def test_a_failed_filter_keeps_every_candidate(labels, scripted_tagger, scores) -> None:
    """No candidate vanishes: neither when the filter fails nor when a score is not a probability."""
    annotation = await annotate(Deps(labels, (scripted_tagger("a", C),), filter=ScoreTable(scores)))
    assert found(annotation) == C
    assert annotation.dropped == ()
    (failure,) = annotation.failures
    assert (failure.stage, failure.agent) == ("filter", "table")


@pytest.mark.parametrize("answer", ["我认为都对", "9", "", "<think>1 和 2"])
async def test_an_unusable_answer_falls_back(labels, scripted_tagger, scripted_judge, answer: str) -> None:
    """The stated rule decides; verdict and failure keep the reason, the prompt and the raw answer."""
    judge, engine = scripted_judge(answer)
    taggers = (scripted_tagger("a", A), scripted_tagger("b", B), scripted_tagger("c", C))
    annotation = await annotate(Deps(labels, taggers, judge))
    assert found(annotation) == [WHOLE, NODE, THROAT, PHARYNGITIS]
    verdict = annotation.verdicts[0]
    assert (verdict.kept, verdict.dropped) == ((WHOLE,), (PART,))
    assert (verdict.fallback, verdict.mode, verdict.answer) == (Fallback.MAJORITY, "fallback", answer)
    assert verdict.fallback_reason
    assert all(message.content in verdict.prompt for message in engine.requests[0].messages)
    assert [item.decision for item in annotation.entities if item.conflict_id] == [Decision.FALLBACK] * 2
    failures = {(failure.stage, failure.agent, failure.kind, failure.raw) for failure in annotation.failures}
    assert failures == {("judge", "scripted", "ModelOutputError", answer)}


async def test_a_judge_out_of_reach_falls_back(labels, scripted_tagger, scripted_judge) -> None:
    """With two taggers and no filter a tie drops; a filter score of .5 or more keeps, and the verdict says so."""
    judge, _ = scripted_judge(ExternalError("connection refused"))
    taggers = (scripted_tagger("a", [WHOLE, THROAT]), scripted_tagger("b", [PHARYNGITIS]))
    plain = await annotate(Deps(labels, taggers, judge))
    assert plain.entities == ()
    assert {verdict.fallback for verdict in plain.verdicts} == {Fallback.MAJORITY}
    scored = await annotate(Deps(labels, taggers, judge, filter=ScoreTable({WHOLE: 0.3}, threshold=0.1)))
    assert found(scored) == [THROAT, PHARYNGITIS]
    assert {verdict.fallback for verdict in scored.verdicts} == {Fallback.FILTER_SCORE}
    assert all("connection refused" in verdict.fallback_reason for verdict in scored.verdicts)
    assert {failure.kind for failure in scored.failures} == {"ExternalError"}


async def test_following_a_tagger_that_failed(labels, scripted_tagger) -> None:
    """When the best tagger gave no answer, the majority of the others decides, and the verdict says why."""
    taggers = tuple(scripted_tagger(n, said) for n, said in zip("abcd", [ExternalError("gone"), A, B, C], strict=True))
    annotation = await annotate(Deps(labels, taggers, BestTagger("a")))
    assert found(annotation) == [WHOLE, NODE, THROAT, PHARYNGITIS]
    assert {verdict.fallback_reason for verdict in annotation.verdicts} == {"tagger a gave no answer"}
    followed = await annotate(Deps(labels, taggers, BestTagger("c")))
    # PART crosses NODE, which all gave: the label set forbids it.
    assert found(followed) == [NODE, THROAT, PHARYNGITIS]


def without_seconds(value: object) -> object:
    """JSON without what a clock put in."""
    if isinstance(value, dict):
        return {key: without_seconds(item) for key, item in value.items() if key not in ("timings", "seconds")}
    return [without_seconds(item) for item in value] if isinstance(value, list) else value


async def test_the_order_of_taggers_changes_nothing(labels, scripted_tagger, scripted_judge) -> None:
    """Every order of configuration gives the same bytes of result and asks the judge the same."""
    seen = set()
    exemplars = FixedExemplars.shipped(labels)
    for order in permutations([("a", A), ("b", B), ("c", C), ("d", ExternalError("gone"))]):
        judge, engine = scripted_judge("1")
        taggers = tuple(scripted_tagger(name, said) for name, said in order)
        deps = Deps(labels, taggers, judge, ScoreTable({}), exemplars)
        annotation = await annotate(deps)
        line = annotated_to_line(AnnotatedDocument(Document("note", TEXT), (annotation,)))
        assert line_to_annotated(line).annotations == (annotation,)
        asked = [[message.content for message in request.messages] for request in engine.requests]
        seen.add((json.dumps(without_seconds(json.loads(line)), ensure_ascii=False), json.dumps(asked)))
    assert len(seen) == 1


async def test_taggers_do_not_wait_for_one_another(labels) -> None:
    """A tagger that can only end after another one has begun and ended does not block it."""
    other_is_done = asyncio.Event()

    @dataclass(frozen=True)
    class Waits:
        name: str = "a"

        async def tag(self, sentence: Sentence) -> TaggerOutput:
            await other_is_done.wait()
            return TaggerOutput(self.name, "", Decoded((THROAT,)))

    @dataclass(frozen=True)
    class Frees:
        name: str = "b"

        async def tag(self, sentence: Sentence) -> TaggerOutput:
            other_is_done.set()
            return TaggerOutput(self.name, "", Decoded((THROAT,)))

    async with asyncio.timeout(20):
        alone = await annotate(Deps(labels, (Waits(), Frees())))
        other_is_done.clear()
        pipeline = Pipeline(Deps(labels, (Waits(), Frees())), concurrency=1)
        document = await pipeline.annotate_document(Document("note", TEXT))
    assert found(alone) == [THROAT]
    assert document.entities == (THROAT,)


async def test_conflicts_are_judged_together(labels, scripted_tagger) -> None:
    """The judge gets all conflicts of a sentence at once, so that an engine can batch them."""
    asked: list[str] = []
    all_asked = asyncio.Event()

    @dataclass(frozen=True)
    class Gathers(BestTagger):
        async def judge(self, case):
            asked.append(case.conflict.id)
            if len(asked) == 2:
                all_asked.set()
            await all_asked.wait()
            return await BestTagger.judge(self, case)

    taggers = (scripted_tagger("a", A), scripted_tagger("b", B))
    async with asyncio.timeout(20):
        annotation = await annotate(Deps(labels, taggers, Gathers("b")))
    assert sorted(asked) == ["c0", "c1"]
    assert [verdict.conflict_id for verdict in annotation.verdicts] == ["c0", "c1"]


async def test_an_entity_a_judge_adds_has_its_provenance(labels, scripted_tagger) -> None:
    """An added entity belongs to its conflict and to no tagger."""
    added = Entity(2, 4, "bod")

    @dataclass(frozen=True)
    class Adds(BestTagger):
        async def judge(self, case):
            return replace(await BestTagger.judge(self, case), added=(added,))

    taggers = (scripted_tagger("a", [WHOLE]), scripted_tagger("b", [PART]))
    annotation = await annotate(Deps(labels, taggers, Adds("a")))
    assert [(item.entity, item.taggers, item.conflict_id) for item in annotation.entities] == [
        (WHOLE, ("a",), "c0"),
        (added, (), "c0"),
    ]
