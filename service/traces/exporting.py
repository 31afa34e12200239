"""Results with people's decisions in them, and those decisions as training data for the judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument, Annotation, Document, Entity
from medner.service.traces.differences import annotations_of
from medner.service.traces.naming import KnownTraces
from medner.store.corpora import annotated_to_line
from medner.store.traces import RunRecord, TraceBackend


def sentence_documents(found: Iterable[Annotation]) -> Iterator[AnnotatedDocument]:
    """Each annotated sentence as a document of its own, which is what a trace alone knows of its document."""
    for one in found:
        sentence = replace(one.sentence, offset=0, document_id=one.sentence.id)
        yield AnnotatedDocument(Document(one.sentence.id, one.sentence.text), (replace(one, sentence=sentence),))


def with_decisions(
    documents: Iterable[AnnotatedDocument], decided: Mapping[str, Annotation]
) -> Iterator[AnnotatedDocument]:
    """The documents, each sentence that a person decided about replaced by what its trace says.

    A sentence is known by its id and its text.
    """
    for document in documents:
        yield replace(document, annotations=tuple(_newest(one, decided) for one in document.annotations))


def _newest(annotation: Annotation, decided: Mapping[str, Annotation]) -> Annotation:
    found = decided.get(annotation.sentence.id)
    if found is None or found.sentence.text != annotation.sentence.text:
        return annotation
    return replace(found, sentence=annotation.sentence)


def missing_decisions(
    backend: KnownTraces,
    run: RunRecord,
    documents: Iterable[AnnotatedDocument],
    decided: Mapping[str, Annotation],
) -> list[str]:
    """The ids of sentences that a person decided about and that the documents do not have.

    UserError where the documents have no sentence of the run at all: they are another run's.
    """
    texts = {one.sentence.id: one.sentence.text for document in documents for one in document.annotations}
    traced = [one.sentence_id for one in backend.summaries(run.run)]
    missing = [id_ for id_, one in decided.items() if texts.get(id_) != one.sentence.text]
    if traced and (not texts.keys() & set(traced) or (decided and len(missing) == len(decided))):
        raise UserError(
            f"--results: the file holds none of the sentences of run {run.run}: name what that run wrote, or another "
            "run (medner traces list)"
        )
    return missing


def decided_annotations(backend: TraceBackend, run: RunRecord) -> dict[str, Annotation]:
    """By sentence id, the annotations that a person overruled something in."""
    wanted = [one.sentence_id for one in backend.summaries(run.run) if one.overruled]
    return {one.sentence.id: one for one in annotations_of(backend, run.run, wanted)}


def judge_examples(found: Iterable[Annotation], labels: str) -> Iterator[dict[str, Any]]:
    """A line a conflict that a person decided, in the form `medner train judge --decisions` reads."""
    for one in found:
        conflicts = {conflict.id: conflict for conflict in one.conflicts}
        for verdict in one.verdicts:
            conflict = conflicts.get(verdict.conflict_id)
            if verdict.overruled is None or conflict is None:
                continue
            yield {
                "text": one.sentence.text,
                "labels": labels,
                "voters": sorted(output.tagger for output in one.outputs),
                "context": [_entity(entity) for entity in conflict.context],
                "candidates": [
                    {
                        **_entity(candidate.entity),
                        "taggers": list(candidate.taggers),
                        "score": candidate.score,
                        "right": candidate.entity in verdict.kept,
                    }
                    for candidate in conflict.candidates
                ],
                "by": verdict.overruled.by,
                "at": verdict.overruled.at,
                "why": verdict.overruled.why,
            }


def lines_of(documents: Iterable[AnnotatedDocument]) -> Iterator[str]:
    """The documents as medner's JSON lines."""
    return map(annotated_to_line, documents)


def _entity(entity: Entity) -> dict[str, Any]:
    return {"start": entity.start, "end": entity.end, "label": entity.label}
