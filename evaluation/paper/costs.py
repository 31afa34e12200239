"""What a tagger's answers cost, and the answers themselves, out of a file of `medner annotate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from medner.core.errors import BadInputError
from medner.core.labels import LabelSet
from medner.core.records import Annotation, Document, Entity, TaggerOutput
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_documents
from medner.store.corpora.json_formats.jsonl import DocumentLine


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of a tagger: ``by_document`` holds seconds and answered sentences of each document that has any.

    ``seconds`` run from a request to its end. Sentences share forward passes, so a run takes less than their sum.
    """

    by_document: tuple[tuple[float, int], ...]
    answer_tokens: int
    passes: int

    @property
    def answers(self) -> int:
        """How many sentences were answered."""
        return sum(number for _, number in self.by_document)


@dataclass(frozen=True, slots=True)
class Answers:
    """The documents with a system's entities; where the file knows it, what a tagger's answers cost, and how many
    sentences had no answer."""

    documents: tuple[Document, ...]
    costs: Costs | None = None
    failed: int = 0


def read_answers(
    path: Path, labels: LabelSet, *, tagger: str, output: str | None = None, options: ReadOptions = NO_OPTIONS
) -> Answers:
    """A system's predictions; with ``output``, its own answers out of a file that several taggers wrote.

    Costs are those of the tagger ``output`` or ``tagger``, or of the only one in the file. BadInputError when
    the file holds no answers of ``output``.
    """
    reading = read_documents(path, labels=labels, options=options)
    documents = tuple(reading)
    lines = list(_sentences(path)) if reading.format.name == "jsonl" else [()] * len(documents)
    failed = sum(not annotation.complete for sentences in lines for annotation in sentences)
    known = {one.tagger for sentences in lines for annotation in sentences for one in annotation.outputs}
    if output is None:
        name = tagger if tagger in known else next(iter(known)) if len(known) == 1 else None
        return Answers(documents, None if name is None else _costs(lines, name), failed)
    if output not in known:
        there = f"it has those of {', '.join(sorted(known))}" if known else "write it with medner annotate -o"
        raise BadInputError(f"holds no answers of a tagger {output!r}; {there}", path=path)
    given = (
        replace(document, entities=tuple(_entities(sentences, output, labels, path)))
        for document, sentences in zip(documents, lines, strict=True)
    )
    return Answers(tuple(given), _costs(lines, output), failed)


def _sentences(path: Path) -> Iterator[tuple[Annotation, ...]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield DocumentLine.model_validate_json(line, strict=True).sentences or ()
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                key = ".".join(map(str, first["loc"])) or None
                raise BadInputError(first["msg"], path=path, line=number, key=key) from error


def _of(annotation: Annotation, name: str) -> list[TaggerOutput]:
    return [one for one in annotation.outputs if one.tagger == name]


def _entities(sentences: Sequence[Annotation], name: str, labels: LabelSet, path: Path) -> Iterator[Entity]:
    for annotation in sentences:
        for one in _of(annotation, name):
            for entity in one.decoded.entities:
                if entity.label not in labels or entity.end > len(annotation.sentence.text):
                    raise BadInputError(
                        f"{name} gave [{entity.start}, {entity.end}) {entity.label!r}, which is no entity of a "
                        f"sentence of {len(annotation.sentence.text)} characters in label set {labels.name!r}",
                        path=path,
                    )
                yield entity.shifted(annotation.sentence.offset)


def _costs(lines: Sequence[Sequence[Annotation]], name: str) -> Costs | None:
    """None when nothing was timed: a replayed or converted file."""
    rows, tokens, passes = [], 0, 0
    for sentences in lines:
        costs = [one.cost for annotation in sentences for one in _of(annotation, name)]
        if costs:
            rows.append((sum(cost.seconds for cost in costs), len(costs)))
        tokens += sum(cost.answer_tokens for cost in costs)
        passes += sum(cost.passes for cost in costs)
    return Costs(tuple(rows), tokens, passes) if any(seconds > 0 for seconds, _ in rows) else None
