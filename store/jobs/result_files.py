"""The files of a result folder: documents as JSON lines or Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, Protocol

from medner.core.choices import PartFormat
from medner.core.errors import UserError
from medner.core.records import AnnotatedDocument, Annotation, Document
from medner.store.corpora.json_formats.jsonl import annotated_to_line, line_to_annotated
from medner.store.jobs.chunks import Chunk, Piece

Results = tuple[Annotation | None, ...]


class PartFile(Protocol):
    """A form of files that hold annotated documents, a row each."""

    suffix: str

    def write(self, documents: Iterable[AnnotatedDocument], out: BinaryIO) -> None:
        """Writes all documents."""
        ...

    def read(self, file: BinaryIO) -> Iterator[AnnotatedDocument]:
        """The documents of a file, equal to those that were written."""
        ...


class JsonLinesPart:
    """medner's own JSON lines."""

    suffix = "jsonl"

    def write(self, documents: Iterable[AnnotatedDocument], out: BinaryIO) -> None:
        """A line a document."""
        for document in documents:
            out.write(annotated_to_line(document).encode("utf-8") + b"\n")

    def read(self, file: BinaryIO) -> Iterator[AnnotatedDocument]:
        """The documents of the lines."""
        for line in io.TextIOWrapper(file, encoding="utf-8", newline="\n"):
            yield line_to_annotated(line)


class ParquetPart:
    """Parquet: id, text and entities as columns, the whole document as JSON beside them."""

    suffix = "parquet"

    def write(self, documents: Iterable[AnnotatedDocument], out: BinaryIO) -> None:
        """A row a document."""
        import pyarrow as pa  # noqa: PLC0415  an optional dependency
        import pyarrow.parquet as pq  # noqa: PLC0415

        entity = pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string()), ("text", pa.string())])
        schema = pa.schema(
            [
                ("id", pa.string()),
                ("text", pa.string()),
                ("entities", pa.list_(entity)),
                ("sentences", pa.int32()),
                ("incomplete", pa.int32()),
                ("document", pa.string()),
            ]
        )
        pq.write_table(pa.Table.from_pylist([_row(one) for one in documents], schema), out, compression="zstd")

    def read(self, file: BinaryIO) -> Iterator[AnnotatedDocument]:
        """The documents of the rows."""
        import pyarrow.parquet as pq  # noqa: PLC0415  an optional dependency

        for batch in pq.ParquetFile(file).iter_batches(batch_size=256, columns=["document"]):
            for line in batch.column(0).to_pylist():
                yield line_to_annotated(line)


def _row(one: AnnotatedDocument) -> dict[str, object]:
    text = one.document.text
    return {
        "id": one.document.id,
        "text": text,
        "entities": [
            {"start": entity.start, "end": entity.end, "label": entity.label, "text": entity.text_in(text)}
            for entity in one.entities
        ],
        "sentences": len(one.annotations),
        "incomplete": sum(not annotation.complete for annotation in one.annotations),
        "document": annotated_to_line(one),
    }


def part_file(form: PartFormat) -> PartFile:
    """The form of a job's parts. UserError where what it needs is not installed."""
    if form == "jsonl":
        return JsonLinesPart()
    try:
        import pyarrow  # noqa: F401, PLC0415  an optional dependency
    except ImportError as error:
        raise UserError("pyarrow is missing: parts in Parquet need pip install 'medner[parquet]'") from error
    return ParquetPart()


def documents_of(chunk: Chunk, results: Results) -> list[AnnotatedDocument]:
    """A chunk's documents with their results; sentences without one are left out.

    A piece of a long document is a document of its own here, named ``ID@START``, with offsets from its own beginning.
    """
    at = 0
    found = []
    for piece in chunk:
        annotations = [one for one in results[at : at + len(piece.places)] if one is not None]
        at += len(piece.places)
        name = piece.document if piece.is_whole else f"{piece.document}@{piece.start}"
        moved = tuple(_moved(one, -piece.start) for one in annotations)
        given = piece.given if piece.is_whole else ()
        source_places = tuple(place.shifted(-piece.start) for place in piece.source_places)
        found.append(AnnotatedDocument(Document(name, piece.text, given, piece.kept, source_places), moved))
    return found


def pieces_of(
    documents: Iterable[AnnotatedDocument], cut: dict[int, Piece]
) -> Iterator[tuple[Piece, tuple[Annotation, ...]]]:
    """The pieces again, with their annotations; ``cut`` are the rows that hold only a piece of their document."""
    for row, one in enumerate(documents):
        if row in cut:
            piece = cut[row]
            annotations = tuple(_moved(annotation, piece.start) for annotation in one.annotations)
            source_places = tuple(place.shifted(piece.start) for place in one.document.places)
            whole = replace(piece, text=one.document.text, kept=one.document.kept, source_places=source_places)
            yield whole, annotations
        else:
            places = tuple((it.sentence.offset, len(it.sentence.text)) for it in one.annotations)
            document = one.document
            piece = Piece(
                document.id,
                document.text,
                places,
                given=document.entities,
                kept=document.kept,
                source_places=document.places,
            )
            yield piece, one.annotations


def _moved(annotation: Annotation, by: int) -> Annotation:
    if by == 0:
        return annotation
    return replace(annotation, sentence=replace(annotation.sentence, offset=annotation.sentence.offset + by))
