"""Annotated documents cut into sentences as a run cuts them: models are trained on what they will see."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from medner.core.joined_lines import has_line_break, joined_lines
from medner.core.records import Document
from medner.core.sentences import split_sentences


def annotated_sentences(
    document: Document, *, max_chars: int = 256, join_lines: bool = False
) -> tuple[list[Document], int]:
    """The document's sentences with their entities, and how many entities lie in no single sentence.

    Those are left out; no tagger that sees a sentence at a time could find them. ``join_lines``: sentences go on over a
    single line break and are without it, as taggers see them then.
    """
    sentences = []
    kept = 0
    for sentence in split_sentences(document, max_chars=max_chars, join_lines=join_lines):
        end = sentence.offset + len(sentence.text)
        inside = tuple(
            entity.shifted(-sentence.offset)
            for entity in document.entities
            if sentence.offset <= entity.start and entity.end <= end
        )
        kept += len(inside)
        sentences.append(_joined(Document(sentence.id, sentence.text, inside)))
    return sentences, len(document.entities) - kept


def text_number(text: str) -> int:
    """A number that depends on the text alone, so that every run puts equal texts into the same part."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _joined(sentence: Document) -> Document:
    if not has_line_break(sentence.text):
        return sentence
    lines = joined_lines(sentence.text)
    entities = (lines.joined(entity) for entity in sentence.entities)
    return Document(sentence.id, lines.text, tuple(entity for entity in entities if entity is not None))


def sentence_texts(documents: Iterable[Document], *, join_lines: bool = False) -> frozenset[str]:
    """The texts of the documents' sentences. Those of a test set are not to be learnt, wherever else they stand."""
    return frozenset(
        joined_lines(sentence.text).text if join_lines else sentence.text
        for document in documents
        for sentence in split_sentences(document, join_lines=join_lines)
    )
