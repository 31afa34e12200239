"""Annotated documents cut into sentences as a run cuts them: models are trained on what they will see."""

from __future__ import annotations

from collections.abc import Iterable

from medner.store.records import Document
from medner.store.sentences import split_sentences


def annotated_sentences(document: Document, *, max_chars: int = 256) -> tuple[list[Document], int]:
    """The document's sentences with their entities, and how many entities lie in no single sentence.

    Those are left out; no tagger that sees a sentence at a time could find them.
    """
    sentences = []
    kept = 0
    for sentence in split_sentences(document, max_chars=max_chars):
        end = sentence.offset + len(sentence.text)
        inside = tuple(
            entity.shifted(-sentence.offset)
            for entity in document.entities
            if sentence.offset <= entity.start and entity.end <= end
        )
        kept += len(inside)
        sentences.append(Document(sentence.id, sentence.text, inside))
    return sentences, len(document.entities) - kept


def sentence_texts(documents: Iterable[Document], *, max_chars: int = 256) -> frozenset[str]:
    """The texts of the documents' sentences. Those of a test set are not to be learnt, wherever else they stand."""
    return frozenset(
        sentence.text for document in documents for sentence in split_sentences(document, max_chars=max_chars)
    )
