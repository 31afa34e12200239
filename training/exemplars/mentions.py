"""The distinct entities of annotated files, each with one sentence it stands in."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medner.core.errors import UserError
from medner.core.files.hashing import sha256_of
from medner.core.labels import LabelSet
from medner.core.records import Document, Entity
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_all_documents
from medner.training.sentences import annotated_sentences


@dataclass(frozen=True, slots=True)
class ExemplarMention:
    """An entity in its sentence: ``context[start:start + len(text)] == text``, without white space at its edges."""

    text: str
    label: str
    context: str
    start: int


@dataclass(frozen=True, slots=True)
class Mentions:
    """The chosen mentions, type by type in the label set's order; ``distinct`` counts all there are, by type.

    ``excluded`` sentences stood in a file that must not be used, ``cut`` entities in no single sentence.
    """

    chosen: tuple[ExemplarMention, ...]
    distinct: dict[str, int]
    excluded: int
    cut: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entities are taken: at most ``max_per_type`` of a type, a seeded sample; sentences as a run cuts them.

    ``options`` say how the files are read.
    """

    labels: LabelSet
    max_per_type: int = 2_000
    seed: int = 7
    max_chars: int = 256
    options: ReadOptions = NO_OPTIONS


def gather_mentions(files: Sequence[Path], selection: Selection, *, exclude: Sequence[Path] = ()) -> Mentions:
    """The distinct entities (text and type) of annotated files, each where it stands first.

    Sentences that stand in a file of ``exclude`` (test sets) are left out. UserError when no entity is left.
    """
    forbidden = {
        text
        for document in read_all_documents(exclude, labels=selection.labels, options=selection.options)
        for text in (document.text, *_sentence_texts(document, selection))
    }
    found: dict[str, dict[str, ExemplarMention]] = {code: {} for code in selection.labels.codes}
    excluded = cut = 0
    for document in read_all_documents(files, labels=selection.labels, options=selection.options):
        sentences, lost = _cut(document, selection)
        cut += lost
        for sentence in sentences:
            if document.text in forbidden or sentence.text in forbidden:
                excluded += 1
                continue
            for entity in sentence.entities:
                mention = _mention(sentence.text, entity)
                if mention is not None:
                    found[mention.label].setdefault(mention.text, mention)
    chosen = tuple(one for code, known in found.items() for one in _sample(code, list(known.values()), selection))
    if not chosen:
        raise UserError(
            f"no entity is left in {', '.join(map(str, files))}: the files are not annotated, or all is excluded"
        )
    return Mentions(chosen, {code: len(known) for code, known in found.items()}, excluded, cut)


def _cut(document: Document, selection: Selection) -> tuple[list[Document], int]:
    join = selection.options.join_lines
    return annotated_sentences(document, max_chars=selection.max_chars, join_lines=join)


def _sentence_texts(document: Document, selection: Selection) -> list[str]:
    return [sentence.text for sentence in _cut(document, selection)[0]]


def _mention(context: str, entity: Entity) -> ExemplarMention | None:
    whole = entity.text_in(context)
    text = whole.strip()
    start = entity.start + len(whole) - len(whole.lstrip())
    return ExemplarMention(text, entity.label, context, start) if text else None


def _sample(code: str, mentions: list[ExemplarMention], selection: Selection) -> list[ExemplarMention]:
    if len(mentions) <= selection.max_per_type:
        return mentions
    # A type's sample depends on nothing but the seed and its own entities.
    draw = random.Random(f"{selection.seed}:{code}")  # noqa: S311  reproducibility, not secrecy
    return [mentions[place] for place in sorted(draw.sample(range(len(mentions)), selection.max_per_type))]


def input_hash(path: Path) -> str:
    """The SHA-256 of a file, or of a folder's files and their names."""
    if not path.is_dir():
        return sha256_of(path)
    lines = [f"{one.relative_to(path)} {input_hash(one)}\n" for one in sorted(path.rglob("*")) if one.is_file()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
