"""From annotated files to a span tagger's training data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medner.agents.engines.local.vocabulary import Vocabulary
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_documents
from medner.store.errors import UserError
from medner.store.labels import LabelSet
from medner.store.records import Document
from medner.training.nesting import Pairs, nested_pairs
from medner.training.sentences import annotated_sentences, sentence_texts
from medner.training.spans.examples import SpanExample, span_example
from medner.training.spans.soft_labels import SoftCells
from medner.training.spans.split_tokens import split_tokens

#: Of this many texts one is held back, by the hash of the text.
HELD_BACK = 20
NO_SOFT_LABELS: Mapping[str, SoftCells] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SpanData:
    """Examples of completely and of partly annotated sentences, and sentences held back to choose a threshold."""

    complete: tuple[SpanExample, ...]
    partial: tuple[SpanExample, ...]
    held_back: tuple[tuple[Document, SpanExample], ...]
    documents: int
    excluded: int
    lost_entities: int
    split_tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """One of ``of`` parts of the texts, by the hash of the text; numbered from 0."""

    number: int
    of: int

    def holds(self, text: str) -> bool:
        """Whether a text belongs to this part."""
        # Not the remainder that decides what is held back, so that every part has its share of everything.
        return _hash(text) // HELD_BACK % self.of == self.number

    @classmethod
    def parse(cls, text: str) -> Fold:
        """The fold that ``0/3`` means. UserError for anything else."""
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
            raise UserError(f"{text!r} is no fold; write its number from 0 and how many there are, like 0/3")
        return cls(int(number), int(of))


def span_data(  # noqa: PLR0913  where the data comes from, and how it is read
    tokenizer: Any,
    files: Sequence[Path],
    labels: LabelSet,
    *,
    partial: Sequence[Path] = (),
    exclude: Sequence[Path] = (),
    most_partial: int | None = None,
    fold: Fold | None = None,
    soft: Mapping[str, SoftCells] = NO_SOFT_LABELS,
    split: Sequence[str] | None = (),
    options: ReadOptions = NO_OPTIONS,
) -> SpanData:
    """The training data of some annotated files, each text once, cut into sentences as a run cuts them.

    ``partial`` files may lack nested entities (their annotations are flattened): what pairs of types may nest is read
    off the complete files, and such cells do not count. At most ``most_partial`` of their documents are taken, by the
    hash of their text. Texts of ``exclude`` (test sets) are left out, and sentences that stand in one of them too; of
    what is learnt from, also those that stand in a text held back. Texts of ``fold`` are not learnt from either: what
    the tagger then says of them is honest. Sentences that ``soft`` knows are learnt with those labels. ``split`` are
    the tokens to read character by character; None: those that entities of the training data cut
    (:mod:`medner.training.spans.split_tokens`). UserError when nothing is left.
    """
    set_aside = [document for file in exclude for document in read_documents(file, labels=labels, options=options)]
    forbidden, unseen = (
        {document.text for document in set_aside},
        sentence_texts(set_aside, join_lines=options.join_lines),
    )
    known: set[str] = set()
    excluded = 0

    def fresh(paths: Iterable[Path]) -> list[Document]:
        nonlocal excluded
        found = []
        for path in paths:
            for document in read_documents(path, labels=labels, options=options):
                excluded += document.text in forbidden
                if document.text not in forbidden and document.text not in known:
                    known.add(document.text)
                    found.append(document)
        return found

    complete, rest = fresh(files), sorted(fresh(partial), key=lambda document: _hash(document.text))[:most_partial]
    missing = nested_pairs(complete) if labels.nested else frozenset()
    vocabulary = Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))
    lost = 0

    def sentences_of(documents: Iterable[Document], unseen: AbstractSet[str]) -> list[Document]:
        nonlocal lost
        found = []
        for document in documents:
            sentences, missed = annotated_sentences(document, join_lines=options.join_lines)
            lost += missed
            found += [sentence for sentence in sentences if sentence.text not in unseen]
        return found

    held = [document for document in complete if is_held_back(document.text)]
    kept = [document for document in complete if not is_held_back(document.text) and not _in(fold, document)]
    if not held or not kept:
        raise UserError(f"{len(complete)} annotated texts are too few to train on and to hold some back")
    mine = unseen | sentence_texts(held, join_lines=options.join_lines)
    whole, flat = sentences_of(kept, mine), sentences_of((one for one in rest if not _in(fold, one)), mine)
    if split is None:
        split = split_tokens([*whole, *flat], vocabulary.encode, vocabulary.data)
    apart = frozenset(split)

    def example(sentence: Document, pairs: Pairs = frozenset()) -> SpanExample:
        return span_example(sentence, labels, vocabulary.encode, vocabulary.data, missing=pairs, split=apart)

    def softened(sentence: Document, pairs: Pairs = frozenset()) -> SpanExample:
        known = soft.get(sentence.text)
        return example(sentence, pairs) if known is None else known.of(example(sentence))

    return SpanData(
        complete=tuple(map(softened, whole)),
        partial=tuple(softened(sentence, missing) for sentence in flat),
        held_back=tuple((sentence, example(sentence)) for sentence in sentences_of(held, unseen)),
        documents=len(complete) + len(rest),
        excluded=excluded,
        lost_entities=lost,
        split_tokens=tuple(split),
    )


def is_held_back(text: str) -> bool:
    """Whether a completely annotated text is held back from training."""
    return _hash(text) % HELD_BACK == 0


def _in(fold: Fold | None, document: Document) -> bool:
    return fold is not None and fold.holds(document.text)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
