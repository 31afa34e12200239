"""The formats by name, and which of them a file is in."""

from __future__ import annotations

import re
from pathlib import Path

from medner.store.characters import is_blank
from medner.store.corpora import bio, brat, ccks, cmeee, doccano, jsonl, label_studio, text
from medner.store.corpora.format import Format
from medner.store.corpora.source import files_in, open_bytes
from medner.store.errors import BadInputError, UserError

FORMATS: dict[str, Format] = {
    one.FORMAT.name: one.FORMAT for one in (cmeee, ccks, jsonl, text, bio, brat, label_studio, doccano)
}

_HEAD_BYTES = 1 << 16
_TEXT_SUFFIXES = (".txt", ".text", ".md")
_BIO_LINES = re.compile(r"\s*(\S[^\n]*?|[ \t])[\t ](O|[BI]-\S+)\s*$")
# Keys of a JSON file that only one format has, most telling first; an escaped quote before a key is text, not a key.
_ARRAY_SIGNS = (
    (r'"start_idx"\s*:', "cmeee"),
    (r'"(annotations|predictions)"\s*:\s*\[', "label-studio"),
    (r'"data"\s*:\s*\{', "label-studio"),
    (r'"entities"\s*:\s*\[', "cmeee"),
)
_LINE_SIGNS = (
    (r'"originalText"\s*:', "ccks"),
    (r'"labels?"\s*:\s*\[', "doccano"),
    (r'"start_offset"\s*:', "doccano"),
    (r'"text"\s*:', "jsonl"),
)


def format_named(name: str) -> Format:
    """The format with this name; UserError when there is none."""
    if name not in FORMATS:
        raise UserError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def guess_format(path: Path) -> Format:
    """The format of a file or folder, by its name and content; UserError when neither tells."""
    name = _of_folder(path) if path.is_dir() else _of_file(path)
    if name is None:
        raise UserError(
            f"{path}: cannot tell its format; there are {', '.join(FORMATS)} (a command that has --from takes one)"
        )
    return FORMATS[name]


def _of_folder(path: Path) -> str | None:
    if files_in(path, ".ann"):
        return "brat"
    return "text" if files_in(path, ".txt") else None


def _of_file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix == ".ann" or (suffix == ".txt" and path.with_suffix(".ann").exists()):
        return "brat"
    with open_bytes(path) as file:
        data = file.read(_HEAD_BYTES)
    text.refuse_binary(data, path)
    head = data.decode("utf-8-sig", "replace").lstrip()
    if is_blank(head):
        # A long blank beginning says nothing of what follows; the reader of text knows.
        if len(data) == _HEAD_BYTES and suffix in _TEXT_SUFFIXES:
            return "text"
        raise BadInputError("the file is empty", path=path)
    if head[0] in "[{":
        signs = _ARRAY_SIGNS if head[0] == "[" else _LINE_SIGNS
        for sign, name in signs:
            if re.search(r"(?<!\\)" + sign, head):
                return name
        if head.replace(" ", "") == "[]":
            return "cmeee"
    if suffix in (".bio", ".conll") or all(_BIO_LINES.match(line) for line in _whole_lines(head)):
        return "bio"
    return "text" if suffix in _TEXT_SUFFIXES else None


def _whole_lines(head: str) -> list[str]:
    lines = [line for line in head.split("\n") if not is_blank(line)]
    return lines[:-1] if len(lines) > 1 else lines
