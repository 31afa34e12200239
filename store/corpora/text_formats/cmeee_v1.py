"""CMeEE V1 (CHIP2020), a text a line: ``text|||start end    type|||start end    type|||``; read, not written.

An end is the last character of its entity, unless ``--end exclusive`` says otherwise. There are no entity strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medner.core.records import Document
from medner.store.corpora.reading.format import Format, Mention, Reading
from medner.store.corpora.reading.raw_records import RawRecord, filled_lines, read_records

_BARS = "|||"
_ENTITY = re.compile(r"\s*(\d+)[\s,]+(\d+)[\s,]+(\S+)\s*")


def looks_like_it(rows: Sequence[str]) -> bool:
    """Whether these lines of a file are in this format: bars at their ends, entities between bars in one at least."""
    barred = sum(row.rstrip().endswith(_BARS) for row in rows)
    entities = any(_ENTITY.fullmatch(part) for row in rows for part in row.split(_BARS)[1:])
    return (entities and barred * 2 >= len(rows)) or (len(rows) > 1 and barred == len(rows))


def _read(reading: Reading) -> Iterator[Document]:
    return read_records(reading, filled_lines(reading), _understand)


def _understand(reading: Reading, record: RawRecord) -> Document:
    text, *parts = record.raw.split(_BARS)
    past = 0 if reading.options.end == "exclusive" else 1
    mentions = []
    for number, part in enumerate(parts):
        if not part.strip():
            continue
        match = _ENTITY.fullmatch(part)
        if match is None:
            raise reading.error(f"{part.strip()!r} between bars: start, end and type are expected", record.place)
        mentions.append(Mention(int(match[1]), int(match[2]) + past, match[3], None, f"entities.{number}"))
    return reading.document(reading.made_up_id(record.place), text, mentions, line=record.place)


FORMAT = Format("cmeee-v1", "CMeEE V1, text|||start end type|||", _read)
