"""Plain text, one document a file: UTF-8 (a byte order mark is allowed), GB18030, UTF-16, or what --encoding names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TextIO

from medner.core.errors import BadInputError, UserError
from medner.core.records import Document
from medner.store.corpora.reading.encoding import decode_text
from medner.store.corpora.reading.filenames import document_id, file_stem
from medner.store.corpora.reading.format import Format, Reading, Writing
from medner.store.corpora.reading.notes import Loss
from medner.store.corpora.reading.raw_records import files_in, open_bytes
from medner.store.corpora.reading.read_options import ReadOptions

#: The name of a file's format, None when nothing tells; as :func:`medner.store.corpora.guessing.guess.format_of_file`.
Guess = Callable[[Path, ReadOptions], str | None]


def text_format(guess: Guess) -> Format:
    """The format. ``guess`` tells notes from other files that lie in the same folder."""
    return Format(
        "text",
        "plain text, one document a file",
        partial(_read, guess=guess),
        write_stream=_write_stream,
        write_folder=_write_folder,
    )


def _read(reading: Reading, guess: Guess) -> Iterator[Document]:
    folder = reading.path if reading.path.is_dir() else None
    paths = files_in(folder, ".txt") if folder else [reading.path]
    if not paths:
        raise reading.error("the folder holds no .txt file", None)
    for path in paths:
        try:
            if folder is not None and reading.guessed:
                _check_is_text(path, reading, guess)
            document = Document(document_id(path, folder), _text_of(path, reading))
        except BadInputError as error:
            reading.refuse(error, "")
        else:
            yield document


def _check_is_text(path: Path, reading: Reading, guess: Guess) -> None:
    """BadInputError for a file that a folder of notes holds and that is no note."""
    name = guess(path, reading.options)
    if name != "text":
        raise BadInputError(
            f"looks like {name}, not like a note; read it by itself, or name the folder's format", path=path
        )


def _text_of(path: Path, reading: Reading) -> str:
    with open_bytes(path) as file:
        data = file.read()
    text, encoding = decode_text(data, path, reading.options)
    if encoding.note is not None:
        reading.notes[encoding.note] += 1
    if encoding.has_mark:
        reading.set_layout(replace(reading.layout, bom=True))
    return text


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
