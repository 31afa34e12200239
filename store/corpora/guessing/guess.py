"""Which format a file is in, by its name and its first characters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.store.corpora.document_formats import cda, pdf, word
from medner.store.corpora.guessing.foreign import foreign_bytes, foreign_suffix, foreign_text
from medner.store.corpora.guessing.json_signs import json_format
from medner.store.corpora.inception import cas_json, cas_xmi, webanno_tsv
from medner.store.corpora.reading.encoding import head_text, refuse_binary
from medner.store.corpora.reading.raw_records import files_in, open_bytes
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions
from medner.store.corpora.tables import excel
from medner.store.corpora.tables.delimited import is_delimited
from medner.store.corpora.text_formats import ccks2017, ccks2018, cmeee_v1
from medner.store.corpora.text_formats.tag_rows import look_tagged

#: How the names of files end: of tables, of notes, of Word and PDF, of JSON, of tokens with tags.
TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".parquet")
TEXT_SUFFIXES = (".txt", ".text", ".md")
DOCUMENT_SUFFIXES = (*word.SUFFIXES, *pdf.SUFFIXES, *cda.SUFFIXES)
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
TAGGED_SUFFIXES = (".bio", ".conll", ".iob", ".iob2", ".bioes", ".bieos", ".bmes", ".bilou", ".bmeo")
#: How the names of INCEpTION's files end; others share two of them.
INCEPTION_SUFFIXES = (".tsv", ".xmi", ".json")
_HEAD_BYTES = 1 << 16
_TABLE_MARKS = ((b"PAR1", "parquet"), (b"SQLite format 3\0", "sql"))
#: How a JSON object, or an array of objects, begins; and a key anywhere.
_JSON_START = re.compile(r'\[?\s*\{\s*"[^"\n]*"\s*:')
_KEY = re.compile(r'(?<!\\)"(\w+)"\s*:')
_DECODER = json.JSONDecoder()


def format_of_folder(path: Path) -> str | None:
    """The name of a folder's format; None when nothing tells."""
    if files_in(path, ".ann"):
        return "brat"
    if files_in(path, ccks2017.TEXT_SUFFIX):
        return "ccks2017"
    if files_in(path, ".txt"):
        return "text"
    return next((name for one in _one_of_each(path) if (name := _of_inception(_start(one))) is not None), None)


def _one_of_each(folder: Path) -> Iterator[Path]:
    """A file of each suffix that INCEpTION gives its files."""
    for suffix in INCEPTION_SUFFIXES:
        yield from files_in(folder, suffix)[:1]


def is_of_inception(path: Path) -> bool:
    """Whether the file is in a format of INCEpTION."""
    return path.suffix.lower() in INCEPTION_SUFFIXES and _of_inception(_start(path)) is not None


def _start(path: Path) -> str:
    with open_bytes(path) as file:
        return head_text(file.read(_HEAD_BYTES)).lstrip()


def format_of_file(path: Path, options: ReadOptions = NO_OPTIONS) -> str | None:
    """The name of a file's format, None when nothing tells.

    BadInputError for an empty or binary file, and for one that looks like annotation or an export but cannot be read:
    it must not be taken for a note.
    """
    suffix = path.suffix.lower()
    if suffix == ".ann" or (suffix == ".txt" and path.with_suffix(".ann").exists()):
        return "brat"
    if ccks2017.text_of(path) is not None:
        return "ccks2017"
    with open_bytes(path) as file:
        data = file.read(_HEAD_BYTES)
    if (table := _table_by_bytes(path, data)) is not None:
        return table
    if data.startswith(b"PK\x03\x04") and (suffix in word.SUFFIXES or word.is_word(path)):
        return "docx"
    if data.startswith(b"%PDF-"):
        return "pdf"
    if (foreign := foreign_bytes(data, path)) is not None:
        raise foreign.error(path)
    refuse_binary(data, path, options)
    head = head_text(data, options)
    if is_blank(head):
        # A long blank beginning says nothing of what follows; the reader of text knows.
        if len(data) == _HEAD_BYTES and suffix in TEXT_SUFFIXES:
            return "text"
        raise BadInputError("the file is empty", path=path)
    if (name := _of_inception(head.lstrip())) is not None:
        return name
    if cda.is_cda(head):
        return "cda"
    start = head.lstrip()
    is_note = suffix in TEXT_SUFFIXES and _KEY.search(start) is None
    if start[0] in "[{" and not is_note and (suffix in JSON_SUFFIXES or looks_like_json(start)):
        return _of_json(path, start, options)
    name = _of_annotated(path, head, cut=len(data) == _HEAD_BYTES)
    return name if name is not None else _of_text(path, head, options)


def _table_by_bytes(path: Path, data: bytes) -> str | None:
    """The format of a table that its first bytes tell, together with the file's name."""
    if data.startswith(b"PK\x03\x04") and path.suffix.lower() in excel.SUFFIXES:
        return "excel"
    if is_delimited(path) and b"\0" in data:
        return "csv"  # UTF-16, whose reader knows more
    return next((name for mark, name in _TABLE_MARKS if data.startswith(mark)), None)


def looks_like_json(head: str) -> bool:
    """Whether this is the beginning of JSON, and not a note that begins with a bracket."""
    if head[:1] not in ("{", "["):
        return False
    try:
        value, end = _DECODER.raw_decode(head)
    except (ValueError, RecursionError):
        # Cut off, or broken: the reader says where.
        return _JSON_START.match(head) is not None
    return isinstance(value, (dict, list)) and not head[end:].partition("\n")[0].strip(" \t\r,")


#: The formats of INCEpTION, which say in their first lines what they are.
_INCEPTION = {
    "webanno-tsv": webanno_tsv.looks_like_it,
    "cas-json": cas_json.looks_like_it,
    "cas-xmi": cas_xmi.looks_like_it,
}


def _of_inception(start: str) -> str | None:
    return next((name for name, looks in _INCEPTION.items() if looks(start)), None)


def _of_json(path: Path, head: str, options: ReadOptions) -> str | None:
    def whole() -> str:
        with open_bytes(path) as file:
            return head_text(file.read(), options)

    name = json_format(path, head, whole, options.text_key)
    if name is None:
        keys = ", ".join(dict.fromkeys(_KEY.findall(head)[:8]))
        raise BadInputError(f"JSON of no format that is known here (its keys: {keys or 'none'})", path=path)
    return name


def _of_annotated(path: Path, head: str, *, cut: bool) -> str | None:
    """The format of text with annotation; None where it has none."""
    lines = [line.removesuffix("\r") for line in head.split("\n") if not is_blank(line)]
    # The last line of a long file's beginning is half a line.
    lines = lines[:-1] if cut and len(lines) > 1 else lines
    if cmeee_v1.looks_like_it(lines):
        return "cmeee-v1"
    if ccks2018.looks_like_it(lines):
        return "ccks2018"
    if ccks2017.looks_like_table(lines):
        raise ccks2017.without_text(path)
    return "bio" if look_tagged(lines) else None


def _of_text(path: Path, head: str, options: ReadOptions) -> str | None:
    suffix = path.suffix.lower()
    foreign = foreign_text(head)
    if is_delimited(path) and (foreign is None or foreign.may_be_note):
        return "csv"
    if foreign is not None and foreign.is_table and options.text_key is not None:
        return "csv"
    if foreign is None and suffix in TAGGED_SUFFIXES:
        return "bio"
    if foreign is None and suffix not in TEXT_SUFFIXES:
        foreign = foreign_suffix(path)
    if foreign is not None:
        raise foreign.error(path)
    return "text" if suffix in TEXT_SUFFIXES else None
