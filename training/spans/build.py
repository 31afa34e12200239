"""From annotated files to a span tagger's training data."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medner.agents.engines.local.vocabulary import Vocabulary
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_all_documents
from medner.training.nesting import Pairs, nested_pairs
from medner.training.sentences import annotated_sentences, sentence_texts, text_number
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
        return text_number(text) // HELD_BACK % self.of == self.number

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
    texts = _FreshTexts(exclude, labels, options)
    complete = texts.read(files)
    rest = sorted(texts.read(partial), key=lambda document: text_number(document.text))[:most_partial]
    missing = nested_pairs(complete) if labels.nested else frozenset()
    held = [document for document in complete if is_held_back(document.text)]
    learnt = [document for document in complete if not is_held_back(document.text) and not _in(fold, document)]
    if not held or not learnt:
        raise UserError(f"{len(complete)} annotated texts are too few to train on and to hold some back")
    not_learnt = texts.unseen | sentence_texts(held, join_lines=options.join_lines)
    whole = texts.sentences(learnt, not_learnt)
    flat = texts.sentences((one for one in rest if not _in(fold, one)), not_learnt)
    vocabulary = Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))
    if split is None:
        split = split_tokens([*whole, *flat], vocabulary.encode, vocabulary.data)
    example = functools.partial(
        span_example, labels=labels, encode=vocabulary.encode, token_bytes=vocabulary.data, split=frozenset(split)
    )

    def softened(sentence: Document, pairs: Pairs = frozenset()) -> SpanExample:
        known = soft.get(sentence.text)
        return example(sentence, missing=pairs) if known is None else known.of(example(sentence))

    return SpanData(
        complete=tuple(map(softened, whole)),
        partial=tuple(softened(sentence, missing) for sentence in flat),
        held_back=tuple((sentence, example(sentence)) for sentence in texts.sentences(held, texts.unseen)),
        documents=len(complete) + len(rest),
        excluded=texts.excluded,
        lost_entities=texts.lost_entities,
        split_tokens=tuple(split),
    )


class _FreshTexts:
    """Reads annotated files, each text once and none that is set aside, and counts what is left out.

    ``unseen`` are the sentences of the texts set aside.
    """

    def __init__(self, exclude: Sequence[Path], labels: LabelSet, options: ReadOptions) -> None:
        self._labels, self._options = labels, options
        set_aside = list(read_all_documents(exclude, labels=labels, options=options))
        self._excluded_texts = {document.text for document in set_aside}
        self._seen_texts: set[str] = set()
        self.unseen = sentence_texts(set_aside, join_lines=options.join_lines)
        self.excluded = 0
        self.lost_entities = 0

    def read(self, paths: Iterable[Path]) -> list[Document]:
        """The documents of some files whose texts were not read before."""
        fresh = []
        for document in read_all_documents(paths, labels=self._labels, options=self._options):
            if document.text in self._excluded_texts:
                self.excluded += 1
            elif document.text not in self._seen_texts:
                self._seen_texts.add(document.text)
                fresh.append(document)
        return fresh

    def sentences(self, documents: Iterable[Document], left_out: AbstractSet[str]) -> list[Document]:
        """The sentences of some documents, without those of some texts."""
        found = []
        for document in documents:
            sentences, lost = annotated_sentences(document, join_lines=self._options.join_lines)
            self.lost_entities += lost
            found += [sentence for sentence in sentences if sentence.text not in left_out]
        return found


def is_held_back(text: str) -> bool:
    """Whether a completely annotated text is held back from training."""
    return text_number(text) % HELD_BACK == 0


def _in(fold: Fold | None, document: Document) -> bool:
    return fold is not None and fold.holds(document.text)
