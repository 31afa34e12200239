"""BIO (CoNLL): a character and its tag a line, a blank line between documents.

A document cannot hold a line break here, nor an entity inside or across another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from medner.store.corpora.format import Format, Loss, Mention, Reading, Writing
from medner.store.corpora.source import RawRecord, lines, read_records
from medner.store.records import Document, Entity


def _read(reading: Reading) -> Iterator[Document]:
    for number, block in enumerate(_blocks(reading), 1):
        yield from read_records(reading, iter((block,)), _Understand(number))


def _blocks(reading: Reading) -> Iterator[RawRecord]:
    """The stretches between blank lines, each with the number of its first line."""
    block: list[str] = []
    first = 1
    for record in lines(reading):
        if record.raw.strip():
            if not block:
                first = record.place
            block.append(record.raw)
        elif block:
            yield RawRecord(first, "\n".join(block))
            block = []
    if block:
        yield RawRecord(first, "\n".join(block))


class _Understand:
    """Reads one block; ``number`` is its place in the file, which the made-up id carries."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, reading: Reading, record: RawRecord) -> Document:
        text: list[str] = []
        length = 0
        open_at, open_label = 0, ""
        mentions: list[Mention] = []
        for line, row in enumerate(record.raw.split("\n"), record.place):
            token, tag = _row(reading, row, line)
            mark, _, label = tag.partition("-")
            if mark == "I" and label != open_label:
                raise reading.error(f"{tag} does not continue an entity of its type (BIO begins with B-)", line, "tag")
            if mark != "I" and open_label:
                mentions.append(Mention(open_at, length, open_label, None, f"line {line - 1}"))
            if mark == "B":
                open_at = length
            open_label = label
            text.append(token)
            length += len(token)
        if open_label:
            mentions.append(Mention(open_at, length, open_label, None, "last line"))
        return reading.document(reading.made_up_id(self._number), "".join(text), mentions, line=record.place)


def _row(reading: Reading, row: str, line: int) -> tuple[str, str]:
    """The token and the tag of a line: between them a tab, or else the last space."""
    token, mark, tag = row.rpartition("\t" if "\t" in row else " ")
    tag = tag.strip()
    if not mark or not token:
        raise reading.error("a line needs a character, a tab and a tag", line)
    if tag != "O" and not (tag[:2] in ("B-", "I-") and len(tag) > 2):
        raise reading.error(f"unknown tag {tag!r}: O, B-type or I-type is expected", line, "tag")
    return token, tag


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
        if line.strip() or line == document.text != "" or any(tag != "O" for tag in here):
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


FORMAT = Format("bio", "BIO (CoNLL), a character a line", _read, write_stream=_write)
