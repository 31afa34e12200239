"""Reading BIO and CoNLL: a token and its tag a line, a blank line between documents."""

from __future__ import annotations

from collections.abc import Iterator

from medner.core.characters import is_blank
from medner.core.records import Document
from medner.store.corpora.reading.format import Mention, Reading
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.raw_records import RawRecord, lines, read_records
from medner.store.corpora.text_formats.tag_rows import (
    Tag,
    TagPosition,
    TagRow,
    TagScheme,
    is_comment,
    is_docstart,
    row_of,
    tag_of,
    tag_scheme_of,
)

_TAGS = "O, or B-type, I-type (also E, S, M, L, U, W; also B_type and type-B)"


def read_tagged(reading: Reading) -> Iterator[Document]:
    """The documents of a file of tagged tokens, the scheme of its tags found from all of them."""
    scheme = tag_scheme_of(record.raw for record in lines(reading))
    if scheme.counted:
        raise reading.error(
            "the first column counts the tokens, as in CoNLL-U; the token must be the first column and the tag the "
            "last (cut -f 2- OLD > NEW)",
            None,
        )
    for number, block in enumerate(_blocks(reading), 1):
        yield from read_records(reading, iter((block,)), _Understand(number, scheme))


def _blocks(reading: Reading) -> Iterator[RawRecord]:
    """The stretches between blank lines, each with the number of its first line."""
    block: list[str] = []
    first = 1
    for record in lines(reading):
        if not is_blank(record.raw) and not is_docstart(record.raw):
            if not block:
                first = record.place
            block.append(record.raw)
            continue
        reading.notes[Note.COMMENT] += not is_blank(record.raw)
        if block:
            yield RawRecord(first, "\n".join(block))
            block = []
    if block:
        yield RawRecord(first, "\n".join(block))


class _Understand:
    """Reads one block; ``number`` is its place in the file, which the made-up id carries."""

    def __init__(self, number: int, scheme: TagScheme) -> None:
        self._number = number
        self._scheme = scheme

    def __call__(self, reading: Reading, record: RawRecord) -> Document:
        entities = _Entities(reading, self._scheme)
        text: list[str] = []
        length = comments = 0
        line = record.place
        for line, raw in enumerate(record.raw.split("\n"), record.place):
            row = row_of(raw)
            if is_comment(raw, row):
                comments += 1
                continue
            checked, tag = self._checked(reading, row, line)
            entities.add(tag, checked.tag, length, line)
            token = checked.token[:-1] if self._scheme.segmented else checked.token
            text.append(token)
            length += len(token)
        entities.end(length, line)
        reading.notes[Note.SEGMENTED] += len(text) if self._scheme.segmented else 0
        reading.notes[Note.COMMENT] += comments
        name = reading.made_up_id(self._number)
        return reading.document(name, "".join(text), entities.mentions, line=record.place)

    def _checked(self, reading: Reading, row: TagRow | None, line: int) -> tuple[TagRow, Tag]:
        if row is None:
            raise reading.error("a line needs a token and a tag, with a tab or a space between them", line)
        tag = tag_of(row.tag)
        if tag is None:
            raise reading.error(f"unknown tag {row.tag!r}: {_TAGS} is expected", line, "tag")
        if not row.by_tab and len(row.columns) != self._scheme.columns:
            raise reading.error(
                f"{len(row.columns)} columns where the other lines have {self._scheme.columns}; a token with spaces in "
                "it needs a tab before its tag",
                line,
            )
        return row, tag


class _Entities:
    """The entities of one block, from its tags one after the other."""

    def __init__(self, reading: Reading, scheme: TagScheme) -> None:
        self.mentions: list[Mention] = []
        self._reading = reading
        self._scheme = scheme
        self._open: Tag | None = None
        self._start = 0

    def add(self, tag: Tag, shown: str, at: int, line: int) -> None:
        """Takes the tag of the token that begins at ``at``."""
        if tag.mark in (TagPosition.INSIDE, TagPosition.LAST):
            self._go_on(tag, shown, at, line)
            return
        self._close(at, line)
        if tag.mark is not TagPosition.OUTSIDE:
            self._open, self._start = tag, at

    def end(self, at: int, line: int) -> None:
        """The text ends here."""
        self._close(at, line + 1)

    def _go_on(self, tag: Tag, shown: str, at: int, line: int) -> None:
        before = self._open
        continues = (
            before is not None and before.label == tag.label and before.mark in (TagPosition.FIRST, TagPosition.INSIDE)
        )
        if not continues:
            if not (self._scheme.iob1 and tag.mark is TagPosition.INSIDE):
                raise self._reading.error(
                    f"{shown} does not continue an entity of its type (an entity begins with B-)", line, "tag"
                )
            self._close(at, line)
            self._start = at
        self._open = tag

    def _close(self, at: int, line: int) -> None:
        """Ends the entity that is open, with the line before this one."""
        tag, self._open = self._open, None
        if tag is None:
            return
        if self._scheme.closes and tag.mark in (TagPosition.FIRST, TagPosition.INSIDE):
            raise self._reading.error(
                f"the entity {tag.label!r} ends here without its last tag (E- or L-), which the file's other entities "
                "have",
                line - 1,
                "tag",
            )
        self.mentions.append(Mention(self._start, at, tag.label, None, f"line {line - 1}"))
