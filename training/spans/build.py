"""From annotated files to a span tagger's training data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.agents.engines.local.vocabulary import Vocabulary
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_documents
from medner.training.nesting import Pairs, nested_pairs
from medner.training.sentences import annotated_sentences, sentence_texts
from medner.training.spans.examples import SpanExample, span_example

#: Of this many texts one is held back, by the hash of the text.
HELD_BACK = 20


@dataclass(frozen=True, slots=True)
class SpanData:
    """Examples of completely and of partly annotated sentences, and sentences held back to choose a threshold."""

    complete: tuple[SpanExample, ...]
    partial: tuple[SpanExample, ...]
    held_back: tuple[tuple[Document, SpanExample], ...]
    documents: int
    excluded: int
    lost_entities: int


def span_data(  # noqa: PLR0913  where the data comes from, and how it is read
    tokenizer: Any,
    files: Sequence[Path],
    labels: LabelSet,
    *,
    partial: Sequence[Path] = (),
    exclude: Sequence[Path] = (),
    most_partial: int | None = None,
    options: ReadOptions = NO_OPTIONS,
) -> SpanData:
    """The training data of some annotated files, each text once, cut into sentences as a run cuts them.

    ``partial`` files may lack nested entities (their annotations are flattened): what pairs of types may nest is read
    off the complete files, and such cells do not count. At most ``most_partial`` of their documents are taken, by the
    hash of their text. Texts of ``exclude`` (test sets) are left out, and sentences that stand in one of them too; of
    what is learnt from, also those that stand in a text held back. UserError when nothing is left.
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

    def examples(
        documents: Iterable[Document], pairs: Pairs, unseen: AbstractSet[str]
    ) -> list[tuple[Document, SpanExample]]:
        nonlocal lost
        made = []
        for document in documents:
            sentences, missed = annotated_sentences(document, join_lines=options.join_lines)
            lost += missed
            made += [
                (one, span_example(one, labels, vocabulary.encode, vocabulary.data, missing=pairs))
                for one in sentences
                if one.text not in unseen
            ]
        return made

    held = [document for document in complete if _hash(document.text) % HELD_BACK == 0]
    kept = [document for document in complete if _hash(document.text) % HELD_BACK]
    if not held or not kept:
        raise UserError(f"{len(complete)} annotated texts are too few to train on and to hold some back")
    mine = unseen | sentence_texts(held, join_lines=options.join_lines)
    return SpanData(
        complete=tuple(example for _, example in examples(kept, frozenset(), mine)),
        partial=tuple(example for _, example in examples(rest, missing, mine)),
        held_back=tuple(examples(held, frozenset(), unseen)),
        documents=len(complete) + len(rest),
        excluded=excluded,
        lost_entities=lost,
    )


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
