"""CCKS2018: a table ``id,entity<TAB>start<TAB>end<TAB>type;entity ...`` a line, and a text file an id beside it.

Read, not written. The text of id 7 is ``7.txt`` or a name that ends so (``入院现病史-7.txt``), in the table's folder or
below. An end is the character after its entity; the strings say so, or ``--end`` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medner.core.records import Document
from medner.store.corpora.reading.encoding import decode_text
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.reading.raw_records import RawRecord, files_in, filled_lines, open_bytes, read_records
from medner.store.corpora.text_formats.entity_table import TableRow, as_mentions, table_row

_LINE = re.compile(r'\s*([\w-]+)\s*,\s*"?((?:[^\t;]+\t\s*\d+\s*\t\s*\d+\s*\t[^\t;]+;?)*)"?\s*')
_TEXT_NAME = re.compile(r"(?:.*[-_. ])?([A-Za-z]*\d+)(?:\.txtoriginal)?", re.DOTALL)


def looks_like_it(rows: Sequence[str]) -> bool:
    """Whether these lines of a file are in this format, one with an entity at least."""
    matches = [_LINE.fullmatch(row) for row in rows]
    fitting = [match for match in matches if match is not None]
    return any(match[2] for match in fitting) and len(fitting) * 10 >= len(rows) * 9


def _read(reading: Reading) -> Iterator[Document]:
    texts = _texts(reading.path)

    def understand(reading: Reading, record: RawRecord) -> Document:
        return _document(reading, record, texts)

    return read_records(reading, filled_lines(reading), understand)


def _texts(table: Path) -> Mapping[str, Path]:
    """The text files beside a table, by the id at the end of their names; the nearest where there are several."""
    found: dict[str, Path] = {}
    for path in sorted(files_in(table.parent, ".txt"), key=lambda path: (len(path.parts), path)):
        match = _TEXT_NAME.fullmatch(path.stem)
        if match is not None and path != table:
            found.setdefault(match[1], path)
    return found


def _document(reading: Reading, record: RawRecord, texts: Mapping[str, Path]) -> Document:
    match = _LINE.fullmatch(record.raw)
    if match is None:
        raise reading.error(
            "an id, a comma, and entities with ; between them (entity, start, end, type with tabs) are expected",
            record.place,
        )
    name = match[1]
    path = texts.get(name)
    if path is None:
        raise reading.error(
            f"the labels of a CCKS2018 table, and the text of {name!r} is not beside it: {name}.txt, or a name that "
            f"ends in -{name}.txt, is expected",
            record.place,
        )
    with open_bytes(path) as file:
        text, encoding = decode_text(file.read(), path, reading.options)
    if encoding.note is not None:
        reading.notes[encoding.note] += 1
    mentions = as_mentions(list(_rows(match[2])), text, reading.options.end, inclusive=False)
    return reading.document(name, text, mentions, line=record.place)


def _rows(cell: str) -> Iterator[TableRow]:
    for number, part in enumerate(cell.split(";")):
        row = table_row(part.strip("\r\n "), f"entities.{number}")
        if row is not None:
            yield row


FORMAT = Format("ccks2018", "CCKS2018, a table of entities beside its texts", _read)
