"""What another judge changed: two runs over the same sentences, and with gold what it did to the score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medner.core.errors import UserError
from medner.core.records import Annotation, Document, Entity, Verdict
from medner.store.traces import TraceBackend


@dataclass(frozen=True, slots=True)
class Change:
    """A sentence whose result differs: the entities that only A, and only B, has."""

    sentence_id: str
    text: str
    only_a: tuple[Entity, ...]
    only_b: tuple[Entity, ...]


@dataclass(slots=True)
class RunDifferences:
    """Counts over the sentences that both runs have. ``by_kind`` counts conflicts as (settled alike, otherwise)."""

    sentences: int = 0
    conflicts: int = 0
    changed_conflicts: int = 0
    by_kind: dict[str, list[int]] = field(default_factory=dict)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    fallbacks: tuple[int, int] = (0, 0)
    seconds: tuple[float, float] = (0.0, 0.0)
    only_a: int = 0
    only_b: int = 0
    changes: list[Change] = field(default_factory=list)

    def add(self, a: Annotation, b: Annotation) -> None:
        """Counts one sentence."""
        self.sentences += 1
        verdicts_a, verdicts_b = _by_conflict(a), _by_conflict(b)
        for conflict in a.conflicts:
            alike = _result(verdicts_a.get(conflict.id)) == _result(verdicts_b.get(conflict.id))
            self.conflicts += 1
            self.changed_conflicts += not alike
            self.by_kind.setdefault(conflict.kind.value, [0, 0])[0 if alike else 1] += 1
        self.fallbacks = (self.fallbacks[0] + _fallbacks(a), self.fallbacks[1] + _fallbacks(b))
        self.seconds = (self.seconds[0] + _judging(a), self.seconds[1] + _judging(b))
        left, right = ({one.entity for one in side.entities} for side in (a, b))
        self.lost.update(entity.label for entity in left - right)
        self.gained.update(entity.label for entity in right - left)
        if left != right:
            only = (tuple(sorted(left - right)), tuple(sorted(right - left)))
            self.changes.append(Change(a.sentence.id, a.sentence.text, *only))

    def as_data(self) -> dict[str, Any]:
        """The counts as plain data."""
        return {
            "sentences": self.sentences,
            "only_in_a": self.only_a,
            "only_in_b": self.only_b,
            "conflicts": self.conflicts,
            "changed_conflicts": self.changed_conflicts,
            "changed_sentences": len(self.changes),
            "by_kind": {kind: {"alike": a, "otherwise": b} for kind, (a, b) in sorted(self.by_kind.items())},
            "gained": dict(sorted(self.gained.items())),
            "lost": dict(sorted(self.lost.items())),
            "fallbacks": list(self.fallbacks),
            "judging_seconds": [round(one, 3) for one in self.seconds],
        }


@dataclass(frozen=True, slots=True)
class Sides:
    """The annotations of the sentences that two runs share, in A's order, and their differences."""

    a: Sequence[Annotation]
    b: Sequence[Annotation]
    differences: RunDifferences


def compared(backend: TraceBackend, a: str, b: str) -> Sides:
    """The sentences that runs A and B both have. UserError when there are none."""
    known_b = {one.sentence_id for one in backend.summaries(b)}
    known_a = [one.sentence_id for one in backend.summaries(a)]
    shared = [one for one in known_a if one in known_b]
    if not shared:
        raise UserError(f"runs {a} and {b} have no sentence in common; diff a run and its fork")
    found = RunDifferences(only_a=len(known_a) - len(shared), only_b=len(known_b) - len(shared))
    left, right = list(annotations_of(backend, a, shared)), list(annotations_of(backend, b, shared))
    for one, other in zip(left, right, strict=True):
        if one.sentence.text != other.sentence.text:
            raise UserError(f"sentence {one.sentence.id!r} is another text in run {b}; diff runs over the same texts")
        found.add(one, other)
    return Sides(left, right, found)


def annotations_of(backend: TraceBackend, run: str, sentences: Sequence[str] | None = None) -> Iterator[Annotation]:
    """The annotations of a run's traces, or of those sentences of it, in their order."""
    wanted = [one.sentence_id for one in backend.summaries(run)] if sentences is None else sentences
    for sentence_id in wanted:
        trace = backend.trace(run, sentence_id)
        if trace is not None:
            yield trace.annotation


def as_documents(found: Sequence[Annotation]) -> list[Document]:
    """Each annotated sentence as a document of its own."""
    return [Document(one.sentence.id, one.sentence.text, tuple(each.entity for each in one.entities)) for one in found]


def gold_of(found: Sequence[Annotation], gold: Sequence[Document]) -> list[Document]:
    """The gold of each sentence: out of the gold document of its id, or of the one that holds its text alone.

    Gold entities that reach beyond the sentence count as missed by both runs and are left out here.
    UserError when a sentence is in no gold document.
    """
    by_id = {document.id: document for document in gold}
    by_text: Mapping[str, Document] = {document.text: document for document in gold}
    cut = []
    for one in found:
        sentence = one.sentence
        document = by_id.get(sentence.document_id)
        if document is None or not document.text.startswith(sentence.text, sentence.offset):
            document = by_text.get(sentence.text)
        if document is None:
            raise UserError(f"--gold: sentence {sentence.id!r} is in no gold document, neither by id nor by text")
        offset = sentence.offset if document.text.startswith(sentence.text, sentence.offset) else 0
        end = offset + len(sentence.text)
        inside = [entity for entity in document.entities if offset <= entity.start and entity.end <= end]
        cut.append(Document(sentence.id, sentence.text, tuple(entity.shifted(-offset) for entity in inside)))
    return cut


def _by_conflict(annotation: Annotation) -> dict[str, Verdict]:
    return {verdict.conflict_id: verdict for verdict in annotation.verdicts}


def _result(verdict: Verdict | None) -> frozenset[Entity] | None:
    return None if verdict is None else frozenset((*verdict.kept, *verdict.added))


def _fallbacks(annotation: Annotation) -> int:
    return sum(verdict.fallback is not None for verdict in annotation.verdicts)


def _judging(annotation: Annotation) -> float:
    return annotation.timings.get("judge", 0.0)
