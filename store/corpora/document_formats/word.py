"""Word documents (.docx, .docm): paragraphs, tables, text boxes, footnotes and endnotes, in the order of reading."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.document_formats.packages import Package, local_name, open_package, package_names
from medner.store.corpora.document_formats.placed_text import PlacedText, whole_document
from medner.store.corpora.document_formats.word_body import WordBody, value_of
from medner.store.corpora.reading.filenames import document_id
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.reading.notes import Note

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SUFFIXES = (".docx", ".docm")
_MAIN = re.compile(r"word/document\d*\.xml")
_BESIDE = re.compile(r"word/(header|footer|comments)\d*\.xml")
_NOTES = (("footnote", "word/footnotes.xml"), ("endnote", "word/endnotes.xml"))


def is_word(path: Path) -> bool:
    """Whether an archive is a Word document, whatever its name."""
    return any(map(_MAIN.fullmatch, package_names(path)))


def _read(reading: Reading) -> Document:
    with open_package(reading.path) as package:
        return _document(reading, package)


def _document(reading: Reading, package: Package) -> Document:
    main = package.xml(next(filter(_MAIN.fullmatch, sorted(package.names)), ""))
    if main is None:
        raise BadInputError("a ZIP archive, but no Word document: it has no word/document.xml", path=reading.path)
    text = PlacedText(reading)
    body = WordBody(text, has_pages=any(local_name(one) == "lastRenderedPageBreak" for one in main.iter()))
    for element in main:
        if local_name(element) == "body":
            body.blocks(element, "")
    for kind, name in _NOTES:
        _add_notes(body, kind, body.referred[kind], package.xml(name))
    reading.notes.update(body.notes)
    _note_left_out(reading, package)
    if not text.length and body.notes[Note.PICTURES]:
        raise BadInputError(
            "the document holds pictures and no text: it needs OCR (text recognition) first, with another program",
            path=reading.path,
        )
    return text.document(document_id(reading.path, None))


def _add_notes(body: WordBody, kind: str, referred: list[str], root: Element | None) -> None:
    """Adds the notes that the text refers to behind it, in the order of their marks."""
    found = {} if root is None else {value_of(one, "id"): one for one in root if local_name(one) == kind}
    for number, name in enumerate(referred, 1):
        if name in found:
            body.blocks(found[name], f"{kind} {number}", has_pages=False)


def _note_left_out(reading: Reading, package: Package) -> None:
    """Counts headers, footers and comments that hold text."""
    for name in sorted(package.names):
        kind = _BESIDE.fullmatch(name)
        root = package.xml(name) if kind else None
        if root is None or not any((one.text or "").strip() for one in root.iter() if local_name(one) == "t"):
            continue
        if kind and kind[1] == "comments":
            reading.notes[Note.COMMENTS] += sum(local_name(one) == "comment" for one in root)
        else:
            reading.notes[Note.HEADERS] += 1


FORMAT = Format("docx", "a Word document (.docx)", partial(whole_document, read=_read))
