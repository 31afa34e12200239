"""A sentence on its way through the graph: what becomes a result, and from whom."""

import asyncio
import json
from dataclasses import dataclass, replace
from itertools import permutations

from medner.agents.exemplars import FixedExemplars
from medner.agents.judges.judge import BestTagger
from medner.core.errors import ExternalError
from medner.core.records import AnnotatedDocument, Decision, Decoded, Document, Entity, Sentence, TaggerOutput
from medner.graph import Deps, Pipeline
from medner.store.corpora.json_formats.jsonl import annotated_to_line, line_to_annotated
from tests.graph.sentence_kit import NODE, PART, PHARYNGITIS, TEXT, THROAT, WHOLE, A, B, C, ScoreTable, annotate, found


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
