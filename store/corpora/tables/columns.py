"""Which columns of a table hold the text, the id, and what goes along to the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from medner.core.errors import BadInputError
from medner.core.listing import first_few
from medner.store.corpora.reading.format import Reading

#: So many columns are named in a message.
_MOST_COLUMNS = 40
_TEXT, _ID = "text", "id"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is used: its name, and its place in a row from 0."""

    name: str
    place: int


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table that are used; ``width`` is how many there are. ``id`` None: rows are numbered."""

    text: Column
    id: Column | None
    keep: tuple[Column, ...]
    width: int

    def in_words(self) -> str:
        """Which column is what."""
        ids = "rows numbered" if self.id is None else f"id: {self.id.name}"
        kept = f"; kept: {', '.join(one.name for one in self.keep)}" if self.keep else ""
        return f"text: {self.text.name}; {ids}{kept}"


def clean_name(cell: object) -> str:
    """A cell of a header as the name of its column: without white space at its edges, line breaks as spaces."""
    return "" if cell is None else " ".join(str(cell).split())


def chosen_columns(reading: Reading, names: Sequence[str], row: int | None) -> Columns:
    """The columns that the options name, or ``text`` and ``id`` where they name none.

    ``row`` is the one that the names stand in. BadInputError lists the columns there are.
    """
    options = reading.options
    if options.text_key is None and _TEXT not in names:
        raise reading.error(
            f"which column holds the text? Name it: --text-column NAME; the columns are {listed(names)}", row
        )
    text = _column(reading, names, options.text_key or _TEXT, row)
    id_name = options.id_key or (_ID if names.count(_ID) == 1 else None)
    id_column = None if id_name is None else _column(reading, names, id_name, row)
    keep = tuple(_column(reading, names, name, row) for name in dict.fromkeys(options.table.keep))
    return Columns(text, id_column, keep, len(names))


def missing_column(reading: Reading, names: Sequence[str]) -> str | None:
    """The first column that the options name and the table lacks; None where all are there."""
    options = reading.options
    wanted = [options.text_key or _TEXT, *([options.id_key] if options.id_key else []), *options.table.keep]
    return next((name for name in wanted if clean_name(name) not in names), None)


def listed(names: Sequence[str]) -> str:
    """The names of columns, for a message."""
    filled = [name for name in names if name]
    unnamed = len(names) - len(filled)
    more = f" (and {unnamed} without a name)" if unnamed else ""
    return (first_few(filled, _MOST_COLUMNS) or "(none has a name)") + more


def _column(reading: Reading, names: Sequence[str], name: str, row: int | None) -> Column:
    name = clean_name(name)
    count = Counter(names)[name] if name else 0
    if count == 1:
        return Column(name, names.index(name))
    if count:
        places = ", ".join(str(place) for place, each in enumerate(names, 1) if each == name)
        raise reading.error(
            f"{count} columns have this name (columns {places}); rename one, or read without names: --header-row 0, "
            "and name columns by their numbers",
            row,
            name,
        )
    raise _no_column(reading, names, name, row)


def _no_column(reading: Reading, names: Sequence[str], name: str, row: int | None) -> BadInputError:
    close = get_close_matches(name, [each for each in names if each], 1, 0.5)
    meant = f"; is {close[0]} meant?" if close else ""
    return reading.error(f"there is no such column; the columns are {listed(names)}{meant}", row, name)
