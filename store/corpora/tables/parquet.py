"""Parquet files, read batch by batch; only the columns that are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.tables.columns import Column, Columns, chosen_columns, clean_name, listed
from medner.store.corpora.tables.extra import library
from medner.store.corpora.tables.rows import Row, documents_of

_BATCH_ROWS = 1_024


def _read(reading: Reading) -> Iterator[Document]:
    parquet = library("pyarrow.parquet", "Parquet files")
    pyarrow = library("pyarrow", "Parquet files")
    try:
        # Whole row groups would else be read ahead.
        file = parquet.ParquetFile(reading.path, pre_buffer=False)
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror or error}", path=reading.path) from error
    except pyarrow.ArrowInvalid as error:
        raise BadInputError("cannot be read as Parquet; is the file complete?", path=reading.path) from error
    with file:
        reading.unit = "row"
        schema = file.schema_arrow
        columns = chosen_columns(reading, [clean_name(name) for name in schema.names], None)
        _check_text(reading, schema, columns, pyarrow.types)
        reading.tell(f"read as a Parquet table of {file.metadata.num_rows:,} rows; {columns.in_words()}")
        yield from documents_of(reading, *_needed(file, columns))


def _needed(file: Any, columns: Columns) -> tuple[Columns, Iterator[Row]]:
    """The columns as they stand in the rows that are read, and these rows, numbered from 1."""
    schema = file.schema_arrow
    used = (columns.text, *([columns.id] if columns.id else []), *columns.keep)
    places = {place: number for number, place in enumerate(sorted({one.place for one in used}))}
    names = [schema.names[place] for place in places]
    moved = Columns(
        Column(columns.text.name, places[columns.text.place]),
        None if columns.id is None else Column(columns.id.name, places[columns.id.place]),
        tuple(Column(one.name, places[one.place]) for one in columns.keep),
        len(places),
    )
    # A dot in a name, and a name that two columns have, would read something else.
    plain = not any("." in name or schema.names.count(name) > 1 for name in names)
    return moved, _rows(file, names if plain else None, list(places))


def _rows(file: Any, names: list[str] | None, places: list[int]) -> Iterator[Row]:
    number = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names):
        chosen = batch.columns if names is not None else [batch.columns[place] for place in places]
        for cells in zip(*(column.to_pylist() for column in chosen), strict=True):
            number += 1
            yield Row(number, cells)


def _check_text(reading: Reading, schema: Any, columns: Columns, types: Any) -> None:
    """BadInputError where the type of the column says that it holds no texts."""

    def is_text(kind: Any) -> bool:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        return bool(
            types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind)
        )

    kinds = schema.types
    if not is_text(kinds[columns.text.place]):
        texts = [name for name, kind in zip(schema.names, kinds, strict=True) if is_text(kind)]
        raise reading.error(
            f"the column holds {kinds[columns.text.place]}, not text; columns of text are {listed(texts)}",
            None,
            columns.text.name,
        )


FORMAT = Format("parquet", "a Parquet table", _read)
