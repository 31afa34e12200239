"""A table of entities that is being written: whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from medner.core.records import KeptValue
from medner.store.corpora.entity_tables.forms import Form, WriteRow, form_of
from medner.store.corpora.entity_tables.rows import COLUMNS, PLACE_COLUMNS, Values, columns_with

Kept = tuple[tuple[str, KeptValue], ...]


class EntityTable:
    """Takes the entities of documents, one document after the other.

    ``rows`` counts the entities, ``cut`` the cells that Excel cannot hold whole. ``lost`` are kept columns that the
    table has no place for: its columns are those of the first document. ``lost_places``: the first document came from a
    file without pages and paragraphs, and a later one did not.
    """

    def __init__(self, path: Path, form: Form, kept: Sequence[str] | None, stack: ExitStack) -> None:
        self.path = path
        self.rows = 0
        self.cut = 0
        self.lost: set[str] = set()
        self.lost_places = False
        self._has_places = False
        self._form = form
        self._stack = stack
        self._kept: tuple[str, ...] | None = tuple(kept) if kept else None
        self._write: WriteRow | None = None

    def add(self, kept: Kept, rows: Iterable[Values], *, has_places: bool = False) -> None:
        """Writes the rows of a document, whose kept columns stand in each of them.

        ``has_places``: the rows have the columns of where entities stand in the file, too.
        """
        write = self._begin(tuple(name for name, _ in kept), has_places=has_places)
        width = len(COLUMNS) + len(PLACE_COLUMNS) if self._has_places else len(COLUMNS)
        self.lost_places |= has_places and not self._has_places
        values = dict(kept)
        names = self._kept or ()
        self.lost |= values.keys() - set(names)
        columns = tuple(values.get(name) for name in names)
        for row in rows:
            full = (*row, *(None,) * len(PLACE_COLUMNS))[:width]
            write((full[0], *columns, *full[1:]))
            self.rows += 1

    def end(self) -> None:
        """Writes the names of the columns where there was no document."""
        self._begin(())

    def remarks(self) -> Iterator[str]:
        """What the table could not hold, in a line each."""
        if self.cut:
            yield f"{self.path}: {self.cut:,} cells are cut: Excel holds 32,767 characters; CSV and Parquet hold all"
        if self.lost:
            yield f"{self.path}: without the columns {', '.join(sorted(self.lost))}, which the first document lacks"
        if self.lost_places:
            yield f"{self.path}: without page and paragraph, which the first document lacks (annotate it on its own)"

    def _begin(self, kept: tuple[str, ...], *, has_places: bool = False) -> WriteRow:
        if self._write is None:
            self._kept = kept if self._kept is None else self._kept
            self._has_places = has_places
            names = columns_with(self._kept, with_places=has_places)
            opened = self._form(self.path, names, self._count_cut)
            self._write = self._stack.enter_context(opened)
        return self._write

    def _count_cut(self) -> None:
        self.cut += 1


@contextmanager
def entity_table(path: Path, kept: Sequence[str] | None = None) -> Iterator[EntityTable]:
    """A table that appears at ``path`` when the block ends well. ``kept`` None: the first document's columns.

    The suffix says the form (.csv, .tsv, .xlsx, .parquet). UserError for another one.
    """
    form = form_of(path)
    with ExitStack() as stack:
        table = EntityTable(path, form, kept, stack)
        yield table
        table.end()
