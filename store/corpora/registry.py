"""The formats by name, and which of them a file is in."""

from __future__ import annotations

import re
from pathlib import Path

from medner.store.corpora import bio, brat, ccks, cmeee, doccano, jsonl, label_studio, other_json, text
from medner.store.corpora.format import NO_OPTIONS, Format, ReadOptions
from medner.store.corpora.json_signs import json_format
from medner.store.corpora.source import files_in, open_bytes, read_unicode
from medner.store.errors import BadInputError, UserError

FORMATS: dict[str, Format] = {
    one.FORMAT.name: one.FORMAT for one in (cmeee, ccks, jsonl, text, bio, brat, label_studio, doccano, other_json)
}

_HEAD_BYTES = 1 << 16
_BIO_LINES = re.compile(r"\s*(\S[^\n]*?|[ \t])[\t ](O|[BI]-\S+)\s*$")


def format_named(name: str) -> Format:
    """The format with this name; UserError when there is none."""
    if name not in FORMATS:
        raise UserError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def guess_format(path: Path, options: ReadOptions = NO_OPTIONS) -> Format:
    """The format of a file or folder, by its name and content; UserError when neither tells."""
    name = _of_folder(path) if path.is_dir() else _of_file(path, options)
    if name is None:
        raise UserError(
            f"{path}: cannot tell its format; there are {', '.join(FORMATS)} (a command that has --from takes one)"
        )
    return FORMATS[name]


def _of_folder(path: Path) -> str | None:
    if files_in(path, ".ann"):
        return "brat"
    return "text" if files_in(path, ".txt") else None


def _of_file(path: Path, options: ReadOptions) -> str | None:
    suffix = path.suffix.lower()
    if suffix == ".ann" or (suffix == ".txt" and path.with_suffix(".ann").exists()):
        return "brat"
    with open_bytes(path) as file:
        data = file.read(_HEAD_BYTES)
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise BadInputError("the file is empty", path=path)
    text.refuse_binary(data, path)
    head = data.decode("utf-8-sig", "replace").lstrip()
    if head[0] in "[{":
        name = json_format(path, head, lambda: read_unicode(path), options.text_key)
        if name is not None:
            return name
    if suffix in (".bio", ".conll") or all(_BIO_LINES.match(line) for line in _whole_lines(head)):
        return "bio"
    return "text" if suffix in (".txt", ".text", ".md") else None


def _whole_lines(head: str) -> list[str]:
    lines = [line for line in head.split("\n") if line.strip()]
    return lines[:-1] if len(lines) > 1 else lines
