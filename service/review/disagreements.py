"""Annotators' disagreements as a file that `medner submit` takes, so that they come into the review queue.

Each annotator is in a tagger's place; the file holds what each marked in each sentence, and where they disagree. The
configuration beside it names them. No model is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medner.core.files.atomic import replacing_file
from medner.core.labels import LabelSet
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Decoded,
    Document,
    Entity,
    Sentence,
    TaggerOutput,
    in_order,
)
from medner.core.sentences import split_sentences
from medner.graph.conflicts import detect_conflicts, gather_candidates
from medner.store.corpora import annotated_to_line

#: Sentences are cut as little as can be, so that few entities lie across their ends.
MAX_CHARS = 8_192


@dataclass(slots=True)
class Disagreements:
    """What was written. ``across`` counts entities across a sentence's end, which no sentence can hold."""

    documents: int = 0
    conflicts: int = 0
    across: int = 0


def annotated_documents(
    texts: Iterable[tuple[Document, Mapping[str, Iterable[Entity]]]],
    labels: LabelSet,
    counts: Disagreements,
    *,
    join_lines: bool = False,
) -> Iterator[AnnotatedDocument]:
    """Each document with what its annotators marked in its sentences, and their conflicts; counted in ``counts``."""
    for document, entities in texts:
        plain = Document(document.id, document.text)
        sentences = split_sentences(plain, max_chars=MAX_CHARS, join_lines=join_lines)
        counts.across += sum(
            not any(_lies_in(entity, sentence) for sentence in sentences)
            for marked in entities.values()
            for entity in marked
        )
        annotations = tuple(_annotation(sentence, entities, labels) for sentence in sentences)
        counts.documents += 1
        counts.conflicts += sum(len(one.conflicts) for one in annotations)
        yield AnnotatedDocument(plain, annotations)


def _lies_in(entity: Entity, sentence: Sentence) -> bool:
    return sentence.offset <= entity.start and entity.end <= sentence.offset + len(sentence.text)


def _annotation(sentence: Sentence, entities: Mapping[str, Iterable[Entity]], labels: LabelSet) -> Annotation:
    outputs = tuple(_output(name, sentence, marked) for name, marked in sorted(entities.items()))
    found = detect_conflicts(gather_candidates(outputs), entities, labels.nesting)
    agreed = tuple(AnnotatedEntity(one.entity, Decision.AGREED, one.taggers) for one in found.agreed)
    return Annotation(sentence, agreed, outputs, conflicts=found.conflicts)


def _output(name: str, sentence: Sentence, marked: Iterable[Entity]) -> TaggerOutput:
    inside = in_order(one.shifted(-sentence.offset) for one in marked if _lies_in(one, sentence))
    return TaggerOutput(name, "", Decoded(inside))


def write_disagreements(path: Path, documents: Iterable[AnnotatedDocument]) -> None:
    """Writes the file."""
    with replacing_file(path) as out:
        out.writelines(annotated_to_line(document) + "\n" for document in documents)


def write_configuration(
    path: Path, answers: Path, annotators: Sequence[str], labels: str, *, join_lines: bool = False
) -> None:
    """Writes the configuration that names the annotators of ``answers``, in the same folder."""
    lines = [
        f"# medner submit {answers.name} --config {path.name}",
        f"labels = {json.dumps(labels, ensure_ascii=False)}",
        'filter = "off"',
        f"max_chars = {MAX_CHARS}",
        f"join_lines = {json.dumps(join_lines)}",
        "",
        "# What stays until somebody decides: entities that more than half of the annotators marked.",
        "[judge]",
        'kind = "hard-vote"',
    ]
    for name in annotators:
        lines += [
            "",
            "[[taggers]]",
            f"name = {json.dumps(name, ensure_ascii=False)}",
            'strategy = "annotator"',
            f"answers = {json.dumps(answers.name, ensure_ascii=False)}",
        ]
    with replacing_file(path) as out:
        out.write("\n".join(lines) + "\n")
