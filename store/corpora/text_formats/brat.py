"""brat standoff: ``NAME.txt`` with the text, ``NAME.ann`` with a line ``T1<TAB>label start end<TAB>text`` an entity.

brat has no entity across a line break; such an entity is written as fragments (``0 3;4 6``), one a line of text,
and fragments with nothing but white space and a line break between them are read as one entity. Other discontinuous
entities are refused. Relations, events, attributes and notes are counted and left out. Offsets that count CR LF as
one character, or UTF-16 units, are recognised by the entities' strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from medner.core.characters import is_blank
from medner.core.errors import BadInputError, UserError
from medner.core.records import Document, Entity
from medner.store.corpora.reading.encoding import recognised
from medner.store.corpora.reading.filenames import document_id, file_stem
from medner.store.corpora.reading.format import Format, Mention, Reading, Writing
from medner.store.corpora.reading.notes import Loss, Note
from medner.store.corpora.reading.raw_records import NOT_UTF8, files_in, open_bytes
from medner.store.corpora.text_formats.brat_offsets import Fragments, Stated, counting_of, is_stated

_TEXT_BOUND = re.compile(r"T\S+\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?", re.DOTALL)
_BREAKS = re.compile(r"[\r\n]+")


def _read(reading: Reading) -> Iterator[Document]:
    folder = reading.path if reading.path.is_dir() else None
    paths = files_in(folder, ".txt") if folder else [reading.path.with_suffix(".txt")]
    if not paths:
        raise reading.error("the folder holds no .txt file", None)
    for path in paths:
        try:
            text, has_mark = _content(path, reading)
            if has_mark:
                reading.set_layout(replace(reading.layout, bom=True))
            mentions = list(_mentions(reading, path.with_suffix(".ann"), text, has_mark=has_mark))
            document = reading.document(document_id(path, folder), text, mentions, line=None)
        except BadInputError as error:
            reading.refuse(error, "")
        else:
            yield document


def _content(path: Path, reading: Reading) -> tuple[str, bool]:
    """A file's text without its byte order mark, and whether it has one; an empty file is an empty text."""
    with open_bytes(path) as file:
        data = file.read()
    encoding = recognised(data, reading.options.encoding)
    if encoding is None:
        raise BadInputError(NOT_UTF8, path=path)
    try:
        text = data.decode(encoding.name)
    except ValueError as error:
        raise BadInputError(f"bytes that are not {encoding.name} (--encoding)", path=path) from error
    if encoding.note is not None:
        reading.notes[encoding.note] += 1
    return text, encoding.has_mark


def _mentions(reading: Reading, path: Path, text: str, *, has_mark: bool) -> Iterator[Mention]:
    if not path.exists():
        reading.notes[Note.NO_ANN] += 1
        return
    rows = list(_rows(reading, path))
    counting = counting_of([stated for _, _, _, stated in rows], text, has_mark=has_mark)
    reading.notes.update(counting.notes)
    for number, row, label, stated in rows:
        try:
            mention = _mention(label, stated, counting.fragments(stated), text)
            # Checked one by one, so that a bad line costs its entity and not the document.
            reading.check(mention, text)
        except BadInputError as error:
            reading.refuse(BadInputError(error.reason, path=path, line=number), row)
        else:
            yield mention


def _rows(reading: Reading, path: Path) -> Iterator[tuple[int, str, str, Stated]]:
    """The entities of an .ann file: line, row, label, and the entity as it is stated."""
    content, _ = _content(path, reading)
    for number, line in enumerate(content.split("\n"), 1):
        row = line.removesuffix("\r")
        if not row.startswith("T"):
            reading.notes[Note.OTHER_LAYER] += not is_blank(row)
            continue
        match = _TEXT_BOUND.fullmatch(row)
        if match is None:
            reason = "not a text-bound line: T1<TAB>label start end<TAB>text is expected"
            reading.refuse(BadInputError(reason, path=path, line=number), row)
            continue
        pairs = (pair.split(" ") for pair in match[2].split(";"))
        yield number, row, match[1], Stated(tuple((int(start), int(end)) for start, end in pairs), match[3])


def _mention(label: str, stated: Stated, fragments: Fragments, text: str) -> Mention:
    for (_, end), (start, _) in pairwise(fragments):
        gap = text[end:start]
        if not (gap.isspace() and _BREAKS.search(gap)):
            raise BadInputError("a discontinuous entity; an entity here is one stretch of text")
    start, end = fragments[0][0], fragments[-1][1]
    words = text[start:end] if is_stated(stated.text, fragments, text) else stated.text
    return Mention(start, end, label, words, "entity")


def _write(documents: Iterable[Document], folder: Path, writing: Writing) -> None:
    for document in documents:
        stem = file_stem(document.id)
        path = folder / f"{stem}.txt"
        if path.exists():
            raise UserError(f"two documents have the id {document.id!r}: their files would be one")
        path.write_text(writing.mark_before(document.text) + document.text, encoding="utf-8", newline="")
        rows = [row for entity in document.entities for row in _row(entity, document.text, writing)]
        lines = "".join(f"T{number}\t{row}\n" for number, row in enumerate(rows, 1))
        (folder / f"{stem}.ann").write_text(lines, encoding="utf-8", newline="")


def _row(entity: Entity, text: str, writing: Writing) -> Iterator[str]:
    label = writing.label(entity.label)
    if re.search(r"\s", label):
        raise UserError(f"brat cannot hold the label {label!r}: it has white space in it")
    fragments = [
        (entity.start + match.start(), entity.start + match.end())
        for match in re.finditer(r"[^\r\n]+", entity.text_in(text))
    ]
    if not fragments:
        writing.losses[Loss.ACROSS_BREAK] += 1
        return
    if (fragments[0][0], fragments[-1][1]) != (entity.start, entity.end):
        writing.losses[Loss.EDGE_BREAK] += 1
    places = ";".join(f"{start} {end}" for start, end in fragments)
    yield f"{label} {places}\t" + " ".join(text[start:end] for start, end in fragments)


FORMAT = Format("brat", "brat standoff, a folder of .txt and .ann", _read, write_folder=_write)
