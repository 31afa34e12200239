"""Reading and writing documents in the formats of the field."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medner._documents import Document, RunFacts, as_plain, facts_of, from_annotated, from_plain
from medner._settings import in_settings
from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.core.labels import LabelSet

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


def read(  # noqa: PLR0913  the options of reading
    path: Place,
    *,
    format: str | None = None,  # noqa: A002
    labels: Place | LabelSet | None = None,
    skip_bad: bool = False,
    encoding: str | None = None,
    text_key: str | None = None,
    id_key: str | None = None,
    end: Literal["inclusive", "exclusive"] | None = None,
    annotator: str | None = None,
) -> list[Document]:
    """The documents of a file or folder, every entity checked against its text.

    ``format`` None: it is found from name and content. With ``labels`` Chinese names become codes and other labels are
    errors. BadInputError names the place of the first bad record; with ``skip_bad`` such records are left out, each
    with a warning. Results of medner come back with their conflicts. The other options are those of
    `medner convert`.
    """
    from medner.store.corpora import BadRecords, ReadOptions, read_documents
    from medner.store.corpora.reading.read_log import ReadLog

    known = label_set_of(labels)
    bad = BadRecords() if skip_bad else None
    options = ReadOptions(encoding, False, text_key, id_key, end, annotator, ReadLog(_warn))
    try:
        reading = read_documents(Path(path), format=format, labels=known, skip_bad=bad, options=options)
        documents = list(reading)
    except UserError as error:
        error.args = (in_settings(str(error)),)
        raise
    for record in bad or ():
        _warn(f"skipped: {record}")
    run = RunFacts(known)
    whole = _whole_results(Path(path), run) if reading.provenance["sentences"] else {}
    return [whole.get(one.id) or from_plain(one, run) for one in documents]


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
) -> Written:
    """Writes documents to a file, or to a folder for formats of one file a document; whole or not at all.

    ``format`` is a corpus format (``jsonl``, ``cmeee``, ``ccks``, ``bio``, ``brat``, ``label-studio``, ``doccano``,
    ``text``) or ``html``; None: ``.jsonl``, ``.bio`` and ``.html`` tell it. JSON lines hold everything, conflicts and
    decisions too; what another format cannot hold is counted in ``losses``, with a warning.
    """
    from medner.store.corpora import write_documents

    target = Path(path)
    name = format or _SUFFIXES.get(target.suffix.lower())
    if name is None:
        raise UserError(f"{target}: its name does not tell the format; name it, for example format='brat'")
    if isinstance(documents, Document):
        documents = [documents]
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
