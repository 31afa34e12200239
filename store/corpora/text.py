"""Plain text, one document a file: UTF-8 (a byte order mark is allowed) or GB18030."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from medner.store.characters import is_blank
from medner.store.corpora.filenames import document_id, file_stem
from medner.store.corpora.format import Format, Loss, Note, Reading, Writing
from medner.store.corpora.source import files_in, open_bytes
from medner.store.errors import BadInputError, UserError
from medner.store.records import Document

_TEXT_CONTROLS = frozenset("\t\n\r\f\v\x85")


def _read(reading: Reading) -> Iterator[Document]:
    folder = reading.path if reading.path.is_dir() else None
    paths = files_in(folder, ".txt") if folder else [reading.path]
    if not paths:
        raise reading.error("the folder holds no .txt file", None)
    for path in paths:
        try:
            document = Document(document_id(path, folder), _text_of(path, reading))
        except BadInputError as error:
            reading.refuse(error, "")
        else:
            yield document


def _text_of(path: Path, reading: Reading) -> str:
    with open_bytes(path) as file:
        data = file.read()
    text, encoding = decode_text(data, path)
    if encoding == "gb18030":
        reading.notes[Note.GB18030] += 1
    elif data.startswith(codecs.BOM_UTF8):
        reading.set_layout(replace(reading.layout, bom=True))
    return text


def decode_text(data: bytes, path: Path) -> tuple[str, str]:
    """The text of a file without a byte order mark, and its encoding (``utf-8`` or ``gb18030``).

    BadInputError when it is empty, binary, or in neither.
    """
    refuse_binary(data, path)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "gb18030" and not _is_plausible(text):
            break
        if is_blank(text):
            raise BadInputError("the file is empty", path=path)
        return text, encoding.removesuffix("-sig")
    raise BadInputError("neither UTF-8 nor GB18030 text; a binary file?", path=path)


def refuse_binary(data: bytes, path: Path) -> None:
    """BadInputError when these first bytes of a file are no text that any format is written in."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadInputError("the file is UTF-16 (iconv -f UTF-16 -t UTF-8 OLD > NEW)", path=path)
    if b"\0" in data:
        raise BadInputError("the file is binary, not text (it holds zero bytes)", path=path)


def _is_plausible(text: str) -> bool:
    """Whether text decoded from GB18030, which accepts most bytes, reads like text."""
    categories = [unicodedata.category(char) for char in text if char not in _TEXT_CONTROLS]
    return "Cc" not in categories and sum(kind in ("Co", "Cn") for kind in categories) * 100 <= len(categories)


def _write_folder(documents: Iterable[Document], folder: Path, writing: Writing) -> None:
    for document in documents:
        writing.losses[Loss.ALL_ENTITIES] += len(document.entities)
        path = folder / f"{file_stem(document.id)}.txt"
        if path.exists():
            raise UserError(f"two documents have the id {document.id!r}: their files would be one")
        path.write_text(writing.mark_before(document.text) + document.text, encoding="utf-8", newline="")


def _write_stream(documents: Iterable[Document], out: TextIO, writing: Writing) -> None:
    for number, document in enumerate(documents):
        if number:
            raise UserError("text holds one document a file: name a folder with -o")
        writing.losses[Loss.ALL_ENTITIES] += len(document.entities)
        out.write(writing.mark_before(document.text) + document.text)


FORMAT = Format(
    "text", "plain text, one document a file", _read, write_stream=_write_stream, write_folder=_write_folder
)
