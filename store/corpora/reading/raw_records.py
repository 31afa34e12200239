"""Files taken apart into raw records, good and bad, without giving up at the first bad one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from medner.core.characters import is_blank, is_unicode
from medner.core.errors import BadInputError, UserError
from medner.core.records import Document
from medner.store.corpora.reading.encoding import is_streamable, unicode_text
from medner.store.corpora.reading.format import Layout, Reading

NOT_UTF8 = "bytes that are not UTF-8 (for another encoding --encoding NAME, or iconv -f NAME -t UTF-8 OLD > NEW)"
_BOM = "\ufeff"
_OBJECT = re.compile(r'\{\s*"')
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WHITE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record before it is understood: its place (line, or place in the array, from 1), text, and syntax error."""

    place: int
    raw: str
    value: object = None
    error: str | None = None


def open_bytes(path: Path) -> BinaryIO:
    """The file, opened for reading; BadInputError when it is not there or may not be read."""
    try:
        return path.open("rb")
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", path=path) from error


def read_unicode(path: Path, reading: Reading | None = None) -> str:
    """The file's text with its byte order mark; bytes that are in no known encoding are lone surrogates.

    GB18030 and UTF-16 are recognised. With ``reading`` this is noted, and an encoding that its options name is used.
    """
    with open_bytes(path) as file:
        return unicode_text(file.read(), reading)


def files_in(folder: Path, suffix: str) -> list[Path]:
    """The files with this suffix in a folder and its subfolders, sorted; UserError when a folder may not be read."""

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error

    return sorted(
        Path(parent) / name
        for parent, _, names in os.walk(folder, onerror=refuse)
        for name in names
        if name.lower().endswith(suffix) and not name.startswith(".")
    )


def read_records(
    reading: Reading, records: Iterator[RawRecord], understand: Callable[[Reading, RawRecord], Document | None]
) -> Iterator[Document]:
    """The documents of the records that can be understood; the others are refused through ``reading``.

    Records for which ``understand`` gives None are left out.
    """

    def one_or_none(reading: Reading, record: RawRecord) -> Iterator[Document]:
        document = understand(reading, record)
        if document is not None:
            yield document

    return read_several(reading, records, one_or_none)


def read_several(
    reading: Reading, records: Iterator[RawRecord], understand: Callable[[Reading, RawRecord], Iterator[Document]]
) -> Iterator[Document]:
    """The documents of records that may hold several; a record of which one is bad is refused as a whole."""
    for record in records:
        try:
            if record.error is not None:
                raise reading.error(record.error, record.place)
            if not is_unicode(record.raw):
                raise reading.error(NOT_UTF8, record.place)
            documents = list(understand(reading, record))
        except BadInputError as error:
            reading.refuse(error, record.raw)
        else:
            yield from documents


def parse(model: type[_Model], reading: Reading, record: RawRecord) -> _Model:
    """The record as a ``model``; BadInputError names the key. Keys the model does not know are counted."""
    try:
        parsed = model.model_validate_json(record.raw, strict=True)
    except ValidationError as error:
        raise reading.error(*first_problem(error, record.place)) from error
    reading.drop_keys(parsed.model_extra)
    return parsed


def first_problem(error: ValidationError, line: int | None) -> tuple[str, int | None, str | None]:
    """The first thing that is wrong, as reason, line and key."""
    first = error.errors(include_url=False)[0]
    return first["msg"], line, ".".join(map(str, first["loc"])) or None


def lines(reading: Reading) -> Iterator[RawRecord]:
    """The lines of a file, without their ends; BadInputError when none of them holds anything."""
    empty = True
    for number, line in enumerate(_whole_lines(reading), 1):
        if number == 1:
            newline = "\r\n" if line.endswith("\r\n") else "\n"
            reading.set_layout(replace(reading.layout, bom=line.startswith(_BOM), newline=newline))
            line = line.removeprefix(_BOM)  # noqa: PLW2901
        row = line.removesuffix("\n").removesuffix("\r")
        if not is_blank(row):
            empty = False
        yield RawRecord(number, row)
    if empty:
        raise reading.error("the file is empty", None)


def filled_lines(reading: Reading) -> Iterator[RawRecord]:
    """The lines of a file that are not blank."""
    return (record for record in lines(reading) if not is_blank(record.raw))


def _whole_lines(reading: Reading) -> Iterator[str]:
    """The lines with their ends; a file that is not UTF-8 is held in memory."""
    with open_bytes(reading.path) as file:
        if is_streamable(reading.path, reading.options):
            for data in file:
                yield data.decode("utf-8", "surrogateescape")
        else:
            yield from _LINE.findall(unicode_text(file.read(), reading))


def json_array(reading: Reading, text: str, is_record: Callable[[object], bool]) -> Iterator[RawRecord]:
    """The elements of a JSON array, decoded one by one; what cannot be decoded becomes a record with an error.

    After a broken element the reading goes on at the next object for which ``is_record`` holds, so that a damaged
    or cut-off file still gives its good records.
    """
    reading.unit = "record"
    at = after_white(text, 1 if text.startswith(_BOM) else 0)
    if at == len(text):
        raise reading.error("the file is empty", None)
    if text[at] != "[":
        raise reading.error("not a JSON array (it does not begin with '[')", None)
    at, place = after_white(text, at + 1), 1
    if text[at : at + 1] == "]":
        return
    while True:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            resume = _next_record(text, at + 1, is_record)
            yield RawRecord(place, text[at:resume], error=_why(error, text, at, resume))
            if resume is None:
                return
            at, place = resume, place + 1
            continue
        yield RawRecord(place, text[at:end], value)
        at, place = after_white(text, end), place + 1
        mark = text[at : at + 1]
        if mark == "]":
            return
        if mark == ",":
            at = after_white(text, at + 1)
            continue
        resume = _next_record(text, at, is_record)
        reason = "a comma is missing before this record" if mark else "the file is cut off: the closing ']' is missing"
        yield RawRecord(place, text[at:resume], error=reason)
        if resume is None:
            return
        place += resume != at
        at = resume


def array_layout(text: str, layout: Layout) -> Layout:
    """The layout with the style of this JSON array: records on lines, indented, or all in one line."""
    bom = text.startswith(_BOM)
    head = re.match(r"\s*\[(\r?\n)?([ \t]*)\{(\r?\n)?", text.removeprefix(_BOM))
    broken, indented = bool(head and head[1]), bool(head and head[3])
    return replace(
        layout,
        bom=bom,
        newline="\r\n" if head and head[1] == "\r\n" else "\n",
        final_newline=text.endswith("\n"),
        record_lines=broken or head is None,
        indent=len(head[2]) if head and broken and indented else None,
    )


def _why(error: Exception, text: str, at: int, resume: int | None) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error}"
    if resume is None and (error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")):
        return "the file is cut off in the middle of this record"
    return f"not valid JSON: {error.msg} at character {error.pos - at} of the record"


def _next_record(text: str, at: int, is_record: Callable[[object], bool]) -> int | None:
    while (match := _OBJECT.search(text, at)) is not None:
        try:
            value, at = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            at = match.start() + 1
        else:
            if is_record(value):
                return match.start()
    return None


def after_white(text: str, at: int) -> int:
    """The first place from ``at`` on that is no white space of JSON."""
    match = _WHITE.match(text, at)
    return match.end() if match else at
