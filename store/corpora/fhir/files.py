"""Files of FHIR Bundles: one Bundle of all documents, or a Bundle a line and document. Written document by document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from medner.core.errors import UserError
from medner.core.files.atomic import replacing_file
from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument
from medner.store.corpora.fhir.mapping import FhirMapping, load_mapping
from medner.store.corpora.fhir.resources import FhirWriter

_LINES = (".ndjson", ".jsonl")
SUFFIXES = (".json", *_LINES)
Add = Callable[[AnnotatedDocument], None]


@dataclass(slots=True)
class FhirFile:
    """A file that is being written; ``add`` takes the documents in order."""

    path: Path
    writer: FhirWriter
    add: Add
    documents: int = 0

    def remarks(self) -> Iterator[str]:
        """What has no resource, in a line."""
        left_out = self.writer.left_out
        if left_out:
            types = ", ".join(f"{label} {count:,}" for label, count in left_out.most_common())
            yield (
                f"{self.path}: {left_out.total():,} entities have no FHIR resource and are left out: {types} "
                "(--fhir-mapping FILE gives them one)"
            )


def check_path(path: Path) -> None:
    """UserError where the name of a file does not say its form."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: FHIR is written as .json (one Bundle) or .ndjson (a Bundle a document)")


@contextmanager
def fhir_file(path: Path, mapping: FhirMapping | Path | str | None, labels: LabelSet | None) -> Iterator[FhirFile]:
    """A file that appears at ``path`` when the block ends well; ``mapping`` None is the one of the label set.

    ``.json`` is one Bundle, ``.ndjson`` and ``.jsonl`` a Bundle a document, a line each. UserError for another name.
    """
    check_path(path)
    known = mapping if isinstance(mapping, FhirMapping) else load_mapping(mapping, labels)
    writer = FhirWriter(known, labels)
    with replacing_file(path) as out:
        if path.suffix.lower() in _LINES:
            yield FhirFile(path, writer, lambda document: _write_line(out, writer, document))
            return
        begun = False

        def add(document: AnnotatedDocument) -> None:
            nonlocal begun
            for entry in writer.entries(document):
                out.write(",\n" if begun else _head(writer))
                out.write(_json(entry))
                begun = True

        yield FhirFile(path, writer, add)
        out.write("\n]}\n" if begun else _json(writer.bundle([])) + "\n")


def _head(writer: FhirWriter) -> str:
    """The beginning of a Bundle, up to its first entry."""
    return _json(writer.bundle([]))[:-1] + ', "entry": [\n'


def _write_line(out: TextIO, writer: FhirWriter, document: AnnotatedDocument) -> None:
    out.write(_json(writer.bundle(list(writer.entries(document)))) + "\n")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
