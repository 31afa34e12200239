"""The documents of a table's rows, one a row; what cannot be one is refused or noted by the number of its row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.tables.cells import id_of, is_empty, kept_value, looks_numeric, text_of
from medner.store.corpora.tables.columns import Columns, chosen_columns, clean_name, missing_column

#: So many rows under the first one are looked at for the names of the columns.
_HEADER_ROWS = 10
#: A column of which the first cells are all numbers is no column of texts.
_ALL_NUMBERS = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number, as a spreadsheet counts; its cells; what is wrong with it, where it could not be parsed."""

    number: int
    cells: Sequence[object]
    problem: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether no cell holds anything."""
        return self.problem is None and all(map(is_empty, self.cells))


def headed_documents(reading: Reading, rows: Iterator[Row], told: str, *, ragged: bool) -> Iterator[Document]:
    """The documents of rows, of which one names the columns. ``told`` says how the rows were got.

    ``ragged``: rows may have fewer or more cells than there are columns, as in a spreadsheet.
    """
    reading.unit = "row"
    header, rows = _header(reading, rows)
    names = [clean_name(cell) for cell in header.cells]
    if (missing := missing_column(reading, names)) is not None:
        _refuse_title(reading, header, list(islice(rows, _HEADER_ROWS)), missing)
    columns = chosen_columns(reading, names, header.number)
    reading.tell(f"{told}; {columns.in_words()}")
    yield from documents_of(reading, columns, rows, ragged=ragged)


def documents_of(
    reading: Reading, columns: Columns, rows: Iterator[Row], *, ragged: bool = False
) -> Iterator[Document]:
    """The documents of rows that all hold values."""
    reading.unit = "row"
    numbers = texts = 0
    for row in rows:
        if row.is_blank:
            continue
        try:
            document = _document(reading, columns, _fitting(reading, columns, row, ragged=ragged))
        except BadInputError as error:
            reading.refuse(error, "\t".join(map(str, row.cells)))
            continue
        if document is None:
            continue
        if looks_numeric(document.text):
            numbers += 1
        else:
            texts += 1
        if numbers == _ALL_NUMBERS and not texts:
            raise _only_numbers(reading, columns)
        reading.row = row.number
        yield document
    if numbers and not texts:
        raise _only_numbers(reading, columns)


def _document(reading: Reading, columns: Columns, row: Row) -> Document | None:
    """The document of a row; None where its text is empty."""
    cells = row.cells
    text = text_of(reading, row.number, columns.text, cells[columns.text.place])
    if text is None:
        return None
    if columns.id is None:
        name = reading.made_up_id(row.number)
    else:
        name = id_of(reading, row.number, columns.id, cells[columns.id.place])
    kept = tuple((one.name, kept_value(reading, row.number, one, cells[one.place])) for one in columns.keep)
    return Document(name, text, (), kept)


def _fitting(reading: Reading, columns: Columns, row: Row, *, ragged: bool) -> Row:
    """The row with as many cells as there are columns. BadInputError where it has too few or too many."""
    if row.problem is not None:
        raise reading.error(row.problem, row.number)
    count = len(row.cells)
    if count == columns.width:
        return row
    if ragged or (count > columns.width and all(map(is_empty, row.cells[columns.width :]))):
        cells = [*row.cells[: columns.width], *[None] * (columns.width - count)]
        return Row(row.number, cells)
    raise reading.error(
        f"{count} fields, but there are {columns.width} columns; a field that holds the delimiter, a line break or a "
        "quotation mark must stand in quotation marks",
        row.number,
    )


def _header(reading: Reading, rows: Iterator[Row]) -> tuple[Row, Iterator[Row]]:
    """The row that names the columns, and the rows under it."""
    wanted = reading.options.table.header_row
    for row in rows:
        if row.is_blank or (wanted and row.number < wanted):
            continue
        if row.problem is not None:
            raise reading.error(row.problem, row.number)
        if wanted == 0:
            names = [str(number) for number in range(1, len(row.cells) + 1)]
            return Row(0, names), chain((row,), rows)
        return row, rows
    raise reading.error("the table is empty" if not wanted else f"there is no row {wanted}", None)


def _refuse_title(reading: Reading, header: Row, rows: Sequence[Row], missing: str) -> None:
    """BadInputError where a row further down names the columns: the first one is a title, or a merged header."""
    for row in rows:
        if missing_column(reading, [clean_name(cell) for cell in row.cells]) is None:
            raise reading.error(
                f"the names of the columns stand in row {row.number}, below a title or a merged header: "
                f"--header-row {row.number}",
                header.number,
                clean_name(missing),
            )


def _only_numbers(reading: Reading, columns: Columns) -> BadInputError:
    return reading.error(
        "this column holds numbers only, no texts; name the column of the texts: --text-column NAME",
        None,
        columns.text.name,
    )
