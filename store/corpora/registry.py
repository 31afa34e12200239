"""The formats by name, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from medner.core.errors import UserError
from medner.core.plugins import load_plugin, plugin_names
from medner.store.corpora.document_formats import cda, pdf, word
from medner.store.corpora.guessing.guess import format_of_file, format_of_folder
from medner.store.corpora.inception import cas_json, cas_xmi, webanno_tsv
from medner.store.corpora.json_formats import ccks, cmeee, doccano, jsonl, label_studio, other_json
from medner.store.corpora.reading.format import Format
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions
from medner.store.corpora.tables import delimited, excel, parquet, sql
from medner.store.corpora.text_formats import bio, brat, ccks2017, ccks2018, cmeee_v1
from medner.store.corpora.text_formats.text import text_format

_SHIPPED: dict[str, Format] = {
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
        webanno_tsv.FORMAT,
        cas_json.FORMAT,
        cas_xmi.FORMAT,
        other_json.FORMAT,
        cmeee_v1.FORMAT,
        ccks2017.FORMAT,
        ccks2018.FORMAT,
        delimited.FORMAT,
        excel.FORMAT,
        parquet.FORMAT,
        sql.FORMAT,
        word.FORMAT,
        pdf.FORMAT,
        cda.FORMAT,
    )
}


#: Formats whose documents are the rows of a table.
TABLES = frozenset(one.name for one in (delimited.FORMAT, excel.FORMAT, parquet.FORMAT, sql.FORMAT))


#: Formats that hold one document a file, with pages, paragraphs or sections.
DOCUMENTS = frozenset(one.name for one in (word.FORMAT, pdf.FORMAT, cda.FORMAT))


class _Formats(Mapping[str, Format]):
    """The formats that ship, then those of other packages, which are looked for when a name does not ship."""

    def __getitem__(self, name: str) -> Format:
        if name in _SHIPPED:
            return _SHIPPED[name]
        if name not in plugin_names("formats"):
            raise KeyError(name)
        found = load_plugin("formats", name)
        if not isinstance(found, Format) or found.name != name:
            raise UserError(f"plugin {name!r}: is not a format of that name (medner.plugins.Format)")
        return found

    def __iter__(self) -> Iterator[str]:
        yield from _SHIPPED
        yield from (name for name in plugin_names("formats") if name not in _SHIPPED)

    def __len__(self) -> int:
        return len(list(iter(self)))


FORMATS: Mapping[str, Format] = _Formats()


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
