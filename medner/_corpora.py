"""Reading and writing documents in the formats of the field."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from medner._documents import Document, RunFacts, annotated_of, as_plain, facts_of, from_annotated, from_plain
from medner._read_settings import ReadSettings, read_options
from medner._settings import in_settings
from medner.core.errors import UserError
from medner.store.corpora.reading.bad_records import BadRecords

if TYPE_CHECKING:
    from medner.core.labels import LabelSet
    from medner.store.corpora import Reading

Place = str | os.PathLike[str]
#: Formats by the suffix of a file, where it tells.
_SUFFIXES = {".jsonl": "jsonl", ".html": "html", ".bio": "bio"}


@dataclass(frozen=True, slots=True)
class Written:
    """What a writing wrote. ``losses`` counts, by a few words, what the format could not hold."""

    path: Path
    documents: int
    entities: int
    losses: Mapping[str, int] = field(default_factory=dict)


def read(
    path: Place,
    *,
    format: str | None = None,  # noqa: A002
    labels: Place | LabelSet | None = None,
    skip_bad: bool = False,
    **settings: Unpack[ReadSettings],
) -> list[Document]:
    """The documents of a file, folder or database, every entity checked against its text.

    ``format`` None: it is found from name and content. With ``labels`` Chinese names become codes and other labels are
    errors. BadInputError names the place of the first bad record; with ``skip_bad`` such records are left out, each
    with a warning. Results of medner come back with their conflicts. Rows of tables are documents
    (``text_column=``); a database is named by its SQLAlchemy URL, with ``query=``.
    """
    known = label_set_of(labels)
    bad = BadRecords() if skip_bad else None
    with _in_settings():
        reading = _reading(path, format, known, bad, settings)
        documents = list(reading)
    for record in bad or ():
        _warn(f"skipped: {record}")
    run = RunFacts(known)
    whole = _whole_results(Path(path), run) if reading.provenance["sentences"] else {}
    return [whole.get(one.id) or from_plain(one, run) for one in documents]


def stream(
    path: Place,
    *,
    format: str | None = None,  # noqa: A002
    labels: Place | LabelSet | None = None,
    skip_bad: bool = False,
    **settings: Unpack[ReadSettings],
) -> Iterator[Document]:
    """The documents of :func:`read` one after the other, for files that are larger than memory.

    For ``nlp.pipe`` and ``write``. Entities come without what is known of how they came about.
    """
    known = label_set_of(labels)
    bad = BadRecords() if skip_bad else None
    with _in_settings():
        reading = _reading(path, format, known, bad, settings)
    return _streamed(reading, bad, RunFacts(known))


def _streamed(reading: Reading, bad: BadRecords | None, run: RunFacts) -> Iterator[Document]:
    with _in_settings():
        for document in reading:
            yield from_plain(document, run)
            for record in bad.taken() if bad else ():
                _warn(f"skipped: {record}")
        for record in bad.taken() if bad else ():
            _warn(f"skipped: {record}")


def _reading(
    path: Place, name: str | None, labels: LabelSet | None, bad: BadRecords | None, settings: ReadSettings
) -> Reading:
    from medner.store.corpora import read_documents
    from medner.store.corpora.tables.database_url import DatabaseUrl, is_database_url

    for setting in settings:
        if setting not in ReadSettings.__annotations__:
            raise TypeError(f"read() got an unexpected keyword argument {setting!r}")
    options = read_options(settings, _warn)
    if not is_database_url(os.fspath(path)):
        return read_documents(Path(path), format=name, labels=labels, skip_bad=bad, options=options)
    url = DatabaseUrl(os.fspath(path))
    if options.log is not None:
        options.log.names[Path(url.name)] = url.shown
    return read_documents(url.name, labels=labels, skip_bad=bad, options=replace(options, database=os.fspath(path)))


@contextmanager
def _in_settings() -> Iterator[None]:
    """Messages in the words of Python."""
    try:
        yield
    except UserError as error:
        error.args = (in_settings(str(error)),)
        raise


def _whole_results(path: Path, run: RunFacts) -> dict[str, Document]:
    """The documents of a result of medner that hold their whole annotation, by id."""
    from medner.store.corpora.json_formats.jsonl import read_annotated

    try:
        return {one.document.id: from_annotated(one, run) for one in read_annotated(path) if one.annotations}
    except UserError as error:
        _warn(f"{path}: read without conflicts and decisions: {error}")
        return {}


def write(
    documents: Iterable[Document],
    path: Place,
    *,
    format: str | None = None,  # noqa: A002
    labels: Place | LabelSet | None = None,
    fhir_mapping: Place | None = None,
) -> Written:
    """Writes documents to a file, or to a folder for formats of one file a document; whole or not at all.

    ``format`` is a corpus format (``jsonl``, ``cmeee``, ``ccks``, ``bio``, ``brat``, ``label-studio``, ``doccano``,
    ``webanno-tsv``, ``cas-json``, ``cas-xmi``, ``text``) or ``html``; None: ``.jsonl``, ``.bio`` and ``.html`` tell it.
    JSON lines hold everything, conflicts and decisions too; what another format cannot hold is counted in ``losses``,
    with a warning. ``.xlsx``, ``.csv``, ``.tsv`` and ``.parquet`` are tables of the entities, a row an entity, with the
    kept columns of the documents.
    ``fhir`` writes FHIR Bundles: ``.json`` one, ``.ndjson`` one a document; ``fhir_mapping`` is a file of your own that
    says which resources the types become.
    """
    from medner.store.corpora import write_documents
    from medner.store.corpora.entity_tables.forms import FORMS

    target = Path(path)
    if format is None and target.suffix.lower() in FORMS:
        return _write_table([documents] if isinstance(documents, Document) else documents, target)
    name = format or _SUFFIXES.get(target.suffix.lower())
    if name is None:
        raise UserError(f"{target}: its name does not tell the format; name it, for example format='brat'")
    if isinstance(documents, Document):
        documents = [documents]
    if name != "fhir" and fhir_mapping is not None:
        raise UserError("fhir_mapping is for format='fhir'")
    if name == "fhir":
        return _write_fhir(iter(documents), target, fhir_mapping, label_set_of(labels))
    if name == "html":
        return _write_page(list(documents), target)
    if name == "jsonl" and labels is None:
        return _write_lines(iter(documents), target)
    found = list(documents)
    known = label_set_of(labels) or facts_of(found).labels
    writing = write_documents(map(as_plain, found), target, format=name, labels=known)
    losses = {str(loss): count for loss, count in writing.losses.items()}
    for loss, count in losses.items():
        _warn(f"{target}: lost: {count:,} {loss}")
    return Written(target, writing.documents, writing.entities, losses)


def _write_page(documents: list[Document], path: Path) -> Written:
    from medner._display import page
    from medner.core.files.atomic import replacing_file

    if not documents:
        raise UserError("there is no document to make a page of")
    with replacing_file(path) as out:
        out.write(page(documents))
    return Written(path, len(documents), sum(len(one.entities) for one in documents))


def _write_table(documents: Iterable[Document], path: Path) -> Written:
    from medner._display import rows_of
    from medner.store.corpora.entity_tables.table import entity_table

    number = 0
    with entity_table(path) as table:
        for document in documents:
            table.add(tuple(document.kept.items()), rows_of(document), has_places=bool(document.places))
            number += 1
    for remark in table.remarks():
        _warn(remark)
    return Written(path, number, table.rows)


def _write_fhir(documents: Iterator[Document], path: Path, mapping: Place | None, labels: LabelSet | None) -> Written:
    from medner.core.records import AnnotatedDocument
    from medner.store.corpora.fhir.files import fhir_file

    first = next(documents, None)
    if first is None:
        raise UserError("there is no document to write")
    number = 0
    known = labels or facts_of([first]).labels
    with fhir_file(path, None if mapping is None else Path(mapping), known) as bundle:
        for document in chain((first,), documents):
            bundle.add(annotated_of(document) or AnnotatedDocument(as_plain(document), ()))
            number += 1
    for remark in bundle.remarks():
        _warn(remark)
    losses = {f"entities of type {label} (no FHIR resource)": count for label, count in bundle.writer.left_out.items()}
    return Written(path, number, bundle.writer.resources, losses)


def _write_lines(documents: Iterator[Document], path: Path) -> Written:
    from medner.core.files.atomic import replacing_file

    number = entities = 0
    with replacing_file(path) as out:
        for document in documents:
            out.write(document.to_json() + "\n")
            number += 1
            entities += len(document.entities)
    return Written(path, number, entities)


def documents_of(given: Iterable[Document] | Place, labels: LabelSet | None) -> list[Document]:
    """Documents as they are, or those of a file."""
    if isinstance(given, str | os.PathLike):
        return read(given, labels=labels)
    found = list(given)
    wrong = next((one for one in found if not isinstance(one, Document)), None)
    if wrong is not None:
        raise UserError(f"documents must be medner.Document (medner.read gives them), got {type(wrong).__name__}")
    return found


def label_set_of(labels: Place | LabelSet | None) -> LabelSet | None:
    """A label set as it is, or by its name or file."""
    from medner.core.labels import LabelSet, load_label_set

    return labels if labels is None or isinstance(labels, LabelSet) else load_label_set(os.fspath(labels))


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=4)
