"""BIO (CoNLL): a character and its tag a line, a blank line between documents.

A document cannot hold a line break here, nor an entity inside or across another. Files in other schemes and with more
columns are read too (:mod:`medner.store.corpora.text_formats.bio_reading`); they are written as BIO.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from medner.core.characters import is_blank
from medner.core.records import Document, Entity
from medner.store.corpora.reading.format import Format, Writing
from medner.store.corpora.reading.notes import Loss
from medner.store.corpora.text_formats.bio_reading import read_tagged


def _write(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    empty = True
    for document in documents:
        writing.lose_id()
        for block in _written(document, writing):
            out.write((writing.mark_before(block) if empty else writing.layout.newline) + block)
            empty = False


def _written(document: Document, writing: Writing) -> Iterator[str]:
    tags = _tags(document, writing)
    writing.losses[Loss.EMPTY] += not document.text
    writing.losses[Loss.CUT_AT_BREAK] += "\n" in document.text
    newline = writing.layout.newline
    at = 0
    for line in document.text.split("\n"):
        here = tags[at : at + len(line)]
        # A document cut at its line breaks would leave a document of mere white space for every indented empty line.
        if not is_blank(line) or line == document.text != "" or any(tag != "O" for tag in here):
            yield "".join(f"{char}\t{tag}{newline}" for char, tag in zip(line, here, strict=True))
        at += len(line) + 1


def _tags(document: Document, writing: Writing) -> list[str]:
    tags = ["O"] * len(document.text)
    for entity in _flat(document, writing):
        label = writing.label(entity.label)
        tags[entity.start] = f"B-{label}"
        for at in range(entity.start + 1, entity.end):
            tags[at] = f"I-{label}"
    return tags


def _flat(document: Document, writing: Writing) -> Iterator[Entity]:
    """The entities the format can hold: the outermost, and of two that cross the first."""
    kept: Entity | None = None
    for entity in document.entities:
        if "\n" in entity.text_in(document.text):
            writing.losses[Loss.ACROSS_BREAK] += 1
        elif kept is None or entity.start >= kept.end:
            kept = entity
            yield entity
        elif entity.span == kept.span:
            writing.losses[Loss.SAME_SPAN] += 1
        elif kept.span.contains(entity.span):
            writing.losses[Loss.NESTED] += 1
        else:
            writing.losses[Loss.CROSSING] += 1


FORMAT = Format("bio", "BIO (CoNLL), a character a line", read_tagged, write_stream=_write)
