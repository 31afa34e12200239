"""The formats by name, and which of them a file is in."""

from __future__ import annotations

from pathlib import Path

from medner.store.corpora import (
    bio,
    brat,
    ccks,
    ccks2017,
    ccks2018,
    cmeee,
    cmeee_v1,
    doccano,
    jsonl,
    label_studio,
    other_json,
    text,
)
from medner.store.corpora.format import Format
from medner.store.corpora.guessing import format_of_file, format_of_folder
from medner.store.corpora.read_options import NO_OPTIONS, ReadOptions
from medner.store.errors import UserError

FORMATS: dict[str, Format] = {
    one.FORMAT.name: one.FORMAT
    for one in (cmeee, ccks, jsonl, text, bio, brat, label_studio, doccano, other_json, cmeee_v1, ccks2017, ccks2018)
}


def format_named(name: str) -> Format:
    """The format with this name; UserError when there is none."""
    if name not in FORMATS:
        raise UserError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def guess_format(path: Path, options: ReadOptions = NO_OPTIONS) -> Format:
    """The format of a file or folder, by its name and content; UserError when neither tells."""
    name = format_of_folder(path) if path.is_dir() else format_of_file(path, options)
    if name is None:
        raise UserError(
            f"{path}: cannot tell its format; there are {', '.join(FORMATS)} (a command that has --from takes one)"
        )
    return FORMATS[name]
