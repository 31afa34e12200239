"""Sentences in which scores are questioned too, from span taggers to the result, the trace and the page."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medner.agents.filters import SpanFilter
from medner.agents.judges.judge import FilterScore, HardVote
from medner.agents.taggers.tagger import ScoredOutput
from medner.core.errors import ExternalError
from medner.core.records import (
    AnnotatedDocument,
    Annotation,
    ConflictKind,
    Decision,
    Decoded,
    Document,
    Entity,
    Sentence,
    TaggerOutput,
)
from medner.core.wider_conflicts import DISAGREEMENTS, WiderConflicts
from medner.evaluation.measures.disputes import Share, disputes_in
from medner.graph import Deps, Pipeline
from medner.graph.tracing import Tracer
from medner.service.page.page import render_page
from medner.service.traces.agreement import agreement_lines
from medner.store.corpora.json_formats.jsonl import annotated_to_line, line_to_annotated
from medner.store.traces import Trace, TracePolicy
from medner.store.traces.serializer import RecordSerializer
from tests.graph.sentence_kit import NODE, PART, PHARYNGITIS, SENTENCE, TEXT, THROAT

#: Logits: a doubtful pharyngitis, a throat that nobody gives, a node that is agreed.
LOGITS = {NODE: 3.0, PHARYNGITIS: -0.5, THROAT: -0.4, PART: -6.0}
WIDER = WiderConflicts(doubtful=0.5, maybe=0.1)


@dataclass(frozen=True)
class TableTagger:
    """A tagger that scores by a table and gives what it is told to."""

    name: str
    gives: tuple[Entity, ...]
    scores: dict[Entity, float]
    fails: bool = False

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        return (await self.tag_scored(sentence)).output

    async def tag_scored(self, sentence: Sentence) -> ScoredOutput:
        if self.fails:
            raise ExternalError("gone")
        return ScoredOutput(TaggerOutput(self.name, "", Decoded(self.gives)), TableScores(self.scores))

    async def logits(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        return (await self.tag_scored(sentence)).scores.logits(entities)


@dataclass(frozen=True)
class TableScores:
    """Scores of a table; what is not in it is out of the question."""

    scores: dict[Entity, float]

    def logits(self, entities: Sequence[Entity]) -> list[float]:
        return [self.scores.get(entity, -9.0) for entity in entities]

    def likely(self, least: float) -> list[Entity]:
        return list(self.scores)


def deps(labels, *, wider: WiderConflicts = WIDER, judge=None, fails: bool = False) -> Deps:
    taggers = tuple(TableTagger(name, (NODE, PHARYNGITIS), LOGITS, fails=fails and name == "b") for name in ("a", "b"))
    return Deps(labels, taggers, judge or FilterScore(0.35), SpanFilter(taggers), wider=wider)


def annotate(given: Deps) -> Annotation:
    return asyncio.run(Pipeline(given).annotate_sentence(SENTENCE))


def test_a_maybe_is_kept_and_a_doubtful_one_dropped_by_their_scores(labels) -> None:
    """What none gave is in the result without a tagger; what all gave can leave it."""
    annotation = annotate(deps(labels, judge=FilterScore(0.39)))
    assert [(one.kind, [each.entity for each in one.candidates]) for one in annotation.conflicts] == [
        (ConflictKind.MAYBE, [THROAT]),
        (ConflictKind.DOUBTFUL, [PHARYNGITIS]),
    ]
    assert [(one.entity, one.decision, one.taggers, one.conflict_id) for one in annotation.entities] == [
        (NODE, Decision.AGREED, ("a", "b"), None),
        (THROAT, Decision.JUDGED, (), "c0"),
    ]
    assert annotation.verdicts[1].dropped == (PHARYNGITIS,)


def test_off_is_as_before(labels) -> None:
    """Without the settings no conflict is made of scores."""
    annotation = annotate(deps(labels, wider=DISAGREEMENTS))
    assert annotation.conflicts == ()
    assert [one.entity for one in annotation.entities] == [NODE, PHARYNGITIS]


def test_the_fallback_rule_leaves_things_as_they_were(labels) -> None:
    """Where a judge cannot decide, the majority does: what all gave stays, what none gave does not."""
    annotation = annotate(deps(labels, judge=HardVote()))
    assert len(annotation.conflicts) == 2
    assert [one.entity for one in annotation.entities] == [NODE, PHARYNGITIS]


def test_a_tagger_that_fails_makes_no_maybe(labels) -> None:
    """The mean over all span taggers is not to be had, so nothing has a score; the sentence goes on."""
    annotation = annotate(deps(labels, fails=True))
    assert annotation.conflicts == ()
    assert [one.entity for one in annotation.entities] == [NODE, PHARYNGITIS]
    assert {failure.stage for failure in annotation.failures} == {"tag", "filter"}


def test_what_is_over_the_bound_is_told(labels) -> None:
    """The likeliest is asked about; the number of the others is in the annotation, its line and the views."""
    taggers = tuple(TableTagger(name, (NODE,), {**LOGITS, PHARYNGITIS: -1.0}) for name in ("a", "b"))
    given = Deps(labels, taggers, FilterScore(), SpanFilter(taggers), wider=replace(WIDER, most=1))
    annotation = annotate(given)
    assert [each.entity for one in annotation.conflicts for each in one.candidates] == [THROAT]
    assert annotation.left_out == {"maybe": 1}
    document = AnnotatedDocument(Document("note", TEXT), (annotation,))
    assert line_to_annotated(annotated_to_line(document)) == document
    assert "1 more maybe entities were too many" in "\n".join(
        agreement_lines(disputes_in([annotation]), labels, most=3)
    )
    assert '"left_out":{"maybe":1}' in render_page([document], labels, title="t", configuration={})


def test_lines_traces_and_views_hold_candidates_of_no_tagger(labels) -> None:
    """The line of a result and the trace give back what was written; page and agreement view count both kinds."""
    kept: list[Trace] = []
    pipeline = Pipeline(deps(labels), tracer=Tracer("run", TracePolicy.CONFLICTS, kept.append))
    annotation = asyncio.run(pipeline.annotate_sentence(SENTENCE))
    document = AnnotatedDocument(Document("note", TEXT), (annotation,))
    assert line_to_annotated(annotated_to_line(document)) == document
    serializer = RecordSerializer()
    stored = serializer.loads_typed(serializer.dumps_typed(kept[0].snapshots[-1].checkpoint))
    assert stored["channel_values"]["annotation"] == annotation
    found = disputes_in([annotation])
    assert found.kinds == {"maybe": 1, "doubtful": 1}
    assert (found.of_none, found.of_all) == (Share(1, 1), Share(1, 1))
    assert json.loads(json.dumps(found.as_data()))["of_none"] == {"kept": 1, "disputed": 1}
    page = render_page([document], labels, title="t", configuration={})
    assert '"kind":"maybe"' in page
    assert '"kind":"doubtful"' in page


def test_a_fork_judges_the_same_conflicts(labels) -> None:
    """Another judge decides about the maybes and the doubtful ones of a trace; no tagger is asked."""
    kept: list[Trace] = []
    tracer = Tracer("run", TracePolicy.CONFLICTS, kept.append)
    first = asyncio.run(Pipeline(deps(labels), tracer=tracer).annotate_sentence(SENTENCE))
    again = asyncio.run(tracer.fork(kept[0], deps(labels, judge=FilterScore(0.9))))
    assert again.conflicts == first.conflicts
    assert [one.entity for one in again.entities] == [NODE]
