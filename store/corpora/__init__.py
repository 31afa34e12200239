"""Corpora in the formats of the field: one file a format, one way in and one way out."""

from medner.store.corpora.json_formats.jsonl import annotated_to_line, document_to_line, line_to_annotated
from medner.store.corpora.read import read_all_documents, read_documents
from medner.store.corpora.reading.bad_records import BadRecord, BadRecords
from medner.store.corpora.reading.format import Format, Layout, Reading, Writing
from medner.store.corpora.reading.notes import Loss, Note
from medner.store.corpora.reading.read_options import NO_OPTIONS, ReadOptions
from medner.store.corpora.registry import FORMATS, TABLES, guess_format
from medner.store.corpora.write import write_documents

__all__ = [
    "FORMATS",
    "NO_OPTIONS",
    "TABLES",
    "BadRecord",
    "BadRecords",
    "Format",
    "Layout",
    "Loss",
    "Note",
    "ReadOptions",
    "Reading",
    "Writing",
    "annotated_to_line",
    "document_to_line",
    "guess_format",
    "line_to_annotated",
    "read_all_documents",
    "read_documents",
    "write_documents",
]
