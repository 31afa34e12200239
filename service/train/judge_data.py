"""From gold and what taggers said to conflicts whose truth is known, and from people's decisions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from medner.agents.judges.judge import Case
from medner.agents.taggers.recorded import recorded_annotations
from medner.core.errors import BadInputError, UserError
from medner.core.labels import LabelSet
from medner.core.records import (
    Annotation,
    Candidate,
    Conflict,
    Decoded,
    Document,
    Entity,
    Sentence,
    Span,
    TaggerOutput,
)
from medner.core.validation import complaint
from medner.evaluation.side_by_side import SideBySide, read_side_by_side
from medner.graph.conflicts import Agreement, detect_conflicts, gather_candidates
from medner.service.traces.differences import gold_of
from medner.service.train.orders import JudgeOrder
from medner.store.corpora import read_all_documents
from medner.training.judges.examples import JudgedCase


def judged_cases(order: JudgeOrder, labels: LabelSet) -> list[JudgedCase]:
    """All conflicts of an order's files, without those of excluded texts. UserError when there are none."""
    excluded = {one.text for one in read_all_documents(order.exclude, labels=labels, options=order.options)}
    found = list(_all(order, labels))
    kept = [one for one in found if not _is_among(one.case.sentence.text, excluded)]
    if not kept:
        raise UserError("no conflict is left to learn from: give the answers of two taggers or more that disagree")
    return kept


def _is_among(text: str, excluded: set[str]) -> bool:
    """Whether a sentence is one of the texts or stands in one of them."""
    return text in excluded or any(text in other for other in excluded if len(other) > len(text))


def _all(order: JudgeOrder, labels: LabelSet) -> Iterator[JudgedCase]:
    for path in order.side_by_side:
        yield from side_by_side_cases(read_side_by_side(path), labels)
    gold = list(read_all_documents(order.files, labels=labels, options=order.options))
    for path in order.answers:
        yield from annotated_cases(list(recorded_annotations(path)), gold, labels)
    for path in order.decisions:
        yield from _decided(path, labels)


def side_by_side_cases(found: SideBySide, labels: LabelSet) -> Iterator[JudgedCase]:
    """The conflicts of a file that holds gold and the answers of several systems."""
    for number, gold in enumerate(found.gold):
        answers = {name: documents[number].entities for name, documents in found.systems.items()}
        yield from sentence_cases(Sentence(f"{gold.id}#0", gold.text, 0, gold.id), answers, gold.entities, labels)


def annotated_cases(found: Sequence[Annotation], gold: Sequence[Document], labels: LabelSet) -> Iterator[JudgedCase]:
    """The conflicts in annotations, whatever judge settled them then; the filter's scores are taken over."""
    for annotation, truth in zip(found, gold_of(found, gold), strict=True):
        answers = {output.tagger: output.decoded.entities for output in annotation.outputs}
        scores = {one.entity: one.score for conflict in annotation.conflicts for one in conflict.candidates}
        dropped = {drop.candidate.entity for drop in annotation.dropped}
        kept = {name: tuple(one for one in said if one not in dropped) for name, said in answers.items()}
        yield from sentence_cases(annotation.sentence, kept, truth.entities, labels, scores)


def agreement_of(answers: Mapping[str, Sequence[Entity]], labels: LabelSet) -> Agreement:
    """What systems agree about, and their conflicts, as the graph finds them."""
    outputs = [TaggerOutput(name, "", Decoded(tuple(said))) for name, said in answers.items()]
    return detect_conflicts(gather_candidates(outputs), answers, labels.nesting)


def sentence_cases(
    sentence: Sentence,
    answers: Mapping[str, Sequence[Entity]],
    gold: Iterable[Entity],
    labels: LabelSet,
    scores: Mapping[Entity, float | None] | None = None,
) -> Iterator[JudgedCase]:
    """The conflicts of one sentence; the first carries the sentence's counts."""
    right, voters = frozenset(gold), tuple(sorted(answers))
    found = agreement_of(answers, labels)
    agreed = [one.entity for one in found.agreed]
    counts = (len(agreed), sum(one in right for one in agreed), len(right))
    for conflict in found.conflicts:
        scored = tuple(
            Candidate(one.entity, one.taggers, (scores or {}).get(one.entity)) for one in conflict.candidates
        )
        case = Case(
            sentence, Conflict(conflict.id, conflict.region, conflict.kind, scored, conflict.context), labels, voters
        )
        among = frozenset(one.entity for one in scored) & right
        yield JudgedCase(case, among, *counts, complete_gold=right)
        counts = (0, 0, 0)


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid")
    start: int
    end: int
    label: str

    def entity(self) -> Entity:
        """The entity."""
        return Entity(self.start, self.end, self.label)


class _DecidedCandidate(_Place):
    taggers: tuple[str, ...]
    score: float | None = None
    right: bool


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
    labels: str
    voters: tuple[str, ...]
    context: tuple[_Place, ...] = ()
    candidates: tuple[_DecidedCandidate, ...]
    by: str = ""
    at: str = ""
    why: str = ""


def _decided(path: Path, labels: LabelSet) -> Iterator[JudgedCase]:
    """The conflicts that people decided; what the rest of their sentences holds is not known, so it is not counted."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _decided_case(_decision(path, number, line), number, labels)


def _decision(path: Path, number: int, line: str) -> _Decision:
    try:
        return _Decision.model_validate(json.loads(line))
    except (ValueError, ValidationError) as error:
        reason, key = complaint(error) if isinstance(error, ValidationError) else (str(error), None)
        raise BadInputError(reason, path=path, line=number, key=key) from error


def _decided_case(one: _Decision, number: int, labels: LabelSet) -> JudgedCase:
    candidates = [Candidate(each.entity(), tuple(sorted(each.taggers)), each.score) for each in one.candidates]
    found = detect_conflicts(candidates, [*one.voters, "nobody"], labels.nesting).conflicts
    context = tuple(each.entity() for each in one.context)
    region = Span(min(c.region.start for c in found), max(c.region.end for c in found))
    conflict = Conflict("c0", region, found[0].kind, tuple(candidates), context)
    sentence = Sentence(f"decision#{number}", one.text)
    right = frozenset(each.entity() for each in one.candidates if each.right)
    case = Case(sentence, conflict, labels, tuple(sorted(one.voters)))
    return JudgedCase(case, right, gold=len(right))
