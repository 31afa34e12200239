"""brat standoff: ``NAME.txt`` with the text, ``NAME.ann`` with a line ``T1<TAB>label start end<TAB>text`` an entity.

brat has no entity across a line break; such an entity is written as fragments (``0 3;4 6``), one a line of text,
and fragments with nothing but white space and a line break between them are read as one entity. Other discontinuous
entities are refused. Relations, events, attributes and notes are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from medner.store.corpora.filenames import document_id, file_stem
from medner.store.corpora.format import Format, Loss, Mention, Note, Reading, Writing
from medner.store.corpora.source import NOT_UTF8, files_in, open_bytes
from medner.store.errors import BadInputError, UserError
from medner.store.records import Document, Entity

_TEXT_BOUND = re.compile(r"T\S+\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?", re.DOTALL)
_BREAKS = re.compile(r"[\r\n]+")


def _read(reading: Reading) -> Iterator[Document]:
    folder = reading.path if reading.path.is_dir() else None
    paths = files_in(folder, ".txt") if folder else [reading.path.with_suffix(".txt")]
    if not paths:
        raise reading.error("the folder holds no .txt file", None)
    for path in paths:
        try:
            text = _utf8(path)
            mentions = list(_mentions(reading, path.with_suffix(".ann"), text))
            document = reading.document(document_id(path, folder), text, mentions, line=None)
        except BadInputError as error:
            reading.refuse(error, "")
        else:
            yield document


def _utf8(path: Path) -> str:
    with open_bytes(path) as file:
        try:
            return file.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInputError(NOT_UTF8, path=path) from error


def _mentions(reading: Reading, path: Path, text: str) -> Iterator[Mention]:
    if not path.exists():
        reading.notes[Note.NO_ANN] += 1
        return
    for number, line in enumerate(_utf8(path).split("\n"), 1):
        row = line.removesuffix("\r")
        if not row.startswith("T"):
            reading.notes[Note.OTHER_LAYER] += bool(row.strip())
            continue
        try:
            mention = _mention(row, text)
            # Checked one by one, so that a bad line costs its entity and not the document.
            reading.check(mention, text)
        except BadInputError as error:
            reading.refuse(BadInputError(error.reason, path=path, line=number), row)
        else:
            yield mention


def _mention(row: str, text: str) -> Mention:
    match = _TEXT_BOUND.fullmatch(row)
    if match is None:
        raise BadInputError("not a text-bound line: T1<TAB>label start end<TAB>text is expected")
    fragments = [(int(start), int(end)) for start, end in (pair.split(" ") for pair in match[2].split(";"))]
    for (_, end), (start, _) in pairwise(fragments):
        gap = text[end:start]
        if not (gap.isspace() and _BREAKS.search(gap)):
            raise BadInputError("a discontinuous entity; an entity here is one stretch of text")
    start, end = fragments[0][0], fragments[-1][1]
    stated = match[3]
    if stated is not None and stated in (
        " ".join(text[first:last] for first, last in fragments),
        _BREAKS.sub(" ", text[start:end]),
        text[start:end].replace("\r", " ").replace("\n", " "),
    ):
        stated = text[start:end]
    return Mention(start, end, match[1], stated, "entity")


def _write(documents: Iterable[Document], folder: Path, writing: Writing) -> None:
    for document in documents:
        stem = file_stem(document.id)
        path = folder / f"{stem}.txt"
        if path.exists():
            raise UserError(f"two documents have the id {document.id!r}: their files would be one")
        path.write_text(document.text, encoding="utf-8", newline="")
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
