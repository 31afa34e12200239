"""CCKS2017: ``NAME.txtoriginal.txt`` with the text, ``NAME.txt`` with a row ``entity<TAB>start<TAB>end<TAB>type`` each.

Read, not written. An end is the last character of its entity; the strings say so, or ``--end`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.reading.encoding import decode_text
from medner.store.corpora.reading.filenames import document_id
from medner.store.corpora.reading.format import Format, Mention, Reading
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.raw_records import files_in, open_bytes, read_unicode
from medner.store.corpora.text_formats.entity_table import TableRow, as_mentions, is_table, table_row

#: How the name of a text ends; before it is the name of its table without the suffix.
TEXT_SUFFIX = ".txtoriginal.txt"


def text_of(path: Path) -> Path | None:
    """The text of a pair that this file belongs to; None when it belongs to none."""
    if path.name.lower().endswith(TEXT_SUFFIX):
        return path
    text = path.with_name(path.name + "original.txt")
    return text if path.suffix.lower() == ".txt" and text.is_file() else None


def table_of(path: Path) -> Path:
    """The table of a pair that this text belongs to; any other file is given back."""
    is_text = path.name.lower().endswith(TEXT_SUFFIX)
    return path.with_name(path.name[: -len("original.txt")]) if is_text else path


def looks_like_table(lines: Sequence[str]) -> bool:
    """Whether these lines of a file are a table of entities."""
    return is_table(lines)


def without_text(path: Path) -> BadInputError:
    """The error for a table whose text is not there."""
    return BadInputError(
        f"a table of entities as CCKS2017 has them, without its text: {path.name}original.txt is expected beside it",
        path=path,
    )


def _read(reading: Reading) -> Iterator[Document]:
    if reading.path.is_dir():
        folder, texts = reading.path, files_in(reading.path, TEXT_SUFFIX)
    else:
        text = text_of(reading.path)
        folder, texts = None, [] if text is None else [text]
    if not texts:
        raise without_text(reading.path)
    for path in texts:
        try:
            yield _document(reading, path, folder)
        except BadInputError as error:
            reading.refuse(error, "")


def _document(reading: Reading, path: Path, folder: Path | None) -> Document:
    text = _content(reading, path)
    table = table_of(path)
    mentions: list[Mention] = []
    if table.is_file():
        mentions = as_mentions(list(_rows(reading, table)), text, reading.options.end, inclusive=True)
    else:
        reading.notes[Note.NO_TABLE] += 1
    kept = []
    for mention in mentions:
        try:
            reading.check(mention, text)
        except BadInputError as error:
            line = int(mention.key.removeprefix("line "))
            reading.refuse(BadInputError(error.reason, path=table, line=line), mention.text or "")
        else:
            kept.append(mention)
    return reading.document(document_id(table, folder), text, kept, line=None)


def _rows(reading: Reading, table: Path) -> Iterator[TableRow]:
    if is_blank(read_unicode(table)):
        return
    for number, line in enumerate(_content(reading, table).split("\n"), 1):
        raw = line.removesuffix("\r")
        if is_blank(raw):
            continue
        row = table_row(raw, f"line {number}")
        if row is None:
            reading.refuse(
                BadInputError(
                    "entity, start, end and type with tabs between them are expected", path=table, line=number
                ),
                raw,
            )
        else:
            yield row


def _content(reading: Reading, path: Path) -> str:
    with open_bytes(path) as file:
        text, encoding = decode_text(file.read(), path, reading.options)
    if encoding.note is not None:
        reading.notes[encoding.note] += 1
    return text


FORMAT = Format("ccks2017", "CCKS2017, pairs NAME.txt and NAME.txtoriginal.txt", _read)
