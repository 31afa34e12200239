"""The formats by name, and which of them a file is in."""

from __future__ import annotations

from pathlib import Path

from medner.core.errors import UserError
from medner.store.corpora.guessing.guess import format_of_file, format_of_folder
from medner.store.corpora.json_formats import ccks, cmeee, doccano, jsonl, label_studio, other_json
from medner.store.corpora.reading.format import Format
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions
from medner.store.corpora.text_formats import bio, brat, ccks2017, ccks2018, cmeee_v1
from medner.store.corpora.text_formats.text import text_format

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        cmeee.FORMAT,
        ccks.FORMAT,
        jsonl.FORMAT,
        text_format(format_of_file),
        bio.FORMAT,
        brat.FORMAT,
        label_studio.FORMAT,
        doccano.FORMAT,
        other_json.FORMAT,
        cmeee_v1.FORMAT,
        ccks2017.FORMAT,
        ccks2018.FORMAT,
    )
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
