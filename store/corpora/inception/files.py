"""Formats of one document a file: a file or a folder of them is read, a file or a folder is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TextIO

from medner.core.errors import BadInputError, UserError
from medner.core.records import Document
from medner.store.corpora.reading.encoding import decode_text
from medner.store.corpora.reading.filenames import document_id, file_stem
from medner.store.corpora.reading.format import Format, Mention, Reading, Writing
from medner.store.corpora.reading.raw_records import files_in, open_bytes

#: Gives the text of a file and the entities in it; ``content`` is the file's, without its byte order mark.
Understand = Callable[[Reading, Path, str], tuple[str, list[Mention]]]
#: Gives the content of a document's file.
Write = Callable[[Document, Writing], str]


def one_a_file(  # noqa: PLR0913  what a format is
    name: str,
    title: str,
    suffix: str,
    understand: Understand,
    write: Write,
    *,
    expects: str,
    beside: Mapping[str, Callable[[], str]] | None = None,
) -> Format:
    """The format of files that end in ``suffix``. ``beside``: what else goes into a folder of them, by its name."""
    return Format(
        name,
        title,
        partial(_read, suffix=suffix, understand=understand),
        write_stream=partial(_write_stream, name=name, write=write),
        write_folder=partial(_write_folder, suffix=suffix, write=write, beside=beside or {}),
        expects=expects,
        file_suffixes=(suffix,),
    )


def _read(reading: Reading, suffix: str, understand: Understand) -> Iterator[Document]:
    folder = reading.path if reading.path.is_dir() else None
    paths = files_in(folder, suffix) if folder else [reading.path]
    if not paths:
        raise reading.error(f"the folder holds no {suffix} file", None)
    for path in paths:
        try:
            content = _content(path, reading)
            text, mentions = understand(reading, path, content)
            document = reading.document(document_id(path, folder), text, mentions, line=None)
        except BadInputError as error:
            named = BadInputError(error.reason, path=path, line=error.line, unit=error.unit, key=error.key)
            reading.refuse(named, "")
        else:
            yield document


def _content(path: Path, reading: Reading) -> str:
    with open_bytes(path) as file:
        text, encoding = decode_text(file.read(), path, reading.options)
    if encoding.note is not None:
        reading.notes[encoding.note] += 1
    if encoding.has_mark:
        reading.set_layout(replace(reading.layout, bom=True))
    return text


def _write_folder(
    documents: Iterable[Document],
    folder: Path,
    writing: Writing,
    suffix: str,
    write: Write,
    beside: Mapping[str, Callable[[], str]],
) -> None:
    for name, content_of in beside.items():
        (folder / name).write_text(content_of(), encoding="utf-8", newline="")
    for document in documents:
        path = folder / f"{file_stem(document.id)}{suffix}"
        if path.exists():
            raise UserError(f"two documents have the id {document.id!r}: their files would be one")
        content = write(document, writing)
        path.write_text(writing.mark_before(content) + content, encoding="utf-8", newline="")


def _write_stream(documents: Iterable[Document], out: TextIO, writing: Writing, name: str, write: Write) -> None:
    for number, document in enumerate(documents):
        if number:
            raise UserError(f"{name} holds one document a file: name a folder with -o")
        content = write(document, writing)
        out.write(writing.mark_before(content) + content)
