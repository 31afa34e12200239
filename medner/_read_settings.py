"""How files are read, in the words of Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

from medner.core.errors import UserError

if TYPE_CHECKING:
    from medner.store.corpora import ReadOptions


class ReadSettings(TypedDict, total=False):
    """How files are read; the options of `medner convert` and `medner annotate` of the same names.

    - ``encoding``: the files', where it is not recognised.
    - ``text_key``, ``id_key``: where JSON records keep the text and the id; ``text_column``, ``id_column``: the same of
      tables.
    - ``keep``: columns or keys that go along, to ``Document.kept`` and to tables of entities.
    - ``sheet``: of an Excel file, by name or number. ``delimiter``: of CSV. ``header_row``: the row that names the
      columns, 0 for none. ``query``: what a database is asked.
    - ``end``: what the end of an entity counts. ``annotator``: whose annotations are read, where there are several.
    """

    encoding: str | None
    text_key: str | None
    text_column: str | None
    id_key: str | None
    id_column: str | None
    keep: str | Sequence[str]
    sheet: str | int | None
    delimiter: str | None
    header_row: int | None
    query: str | None
    end: Literal["inclusive", "exclusive"] | None
    annotator: str | None


def read_options(settings: ReadSettings, warn: Callable[[str], None]) -> ReadOptions:
    """The settings as readers take them; ``warn`` gets what the readings leave out."""
    from medner.store.corpora.reading.read_log import ReadLog
    from medner.store.corpora.reading.read_options import ReadOptions, TableOptions

    text, id_ = (_either(settings, f"{name}_key", f"{name}_column") for name in ("text", "id"))
    keep = settings.get("keep", ())
    keep = keep.split(",") if isinstance(keep, str) else keep
    sheet = settings.get("sheet")
    table = TableOptions(
        tuple(name.strip() for name in keep if name.strip()),
        None if sheet is None else str(sheet),
        settings.get("query"),
        settings.get("delimiter"),
        settings.get("header_row"),
    )
    return ReadOptions(
        encoding=settings.get("encoding"),
        text_key=text,
        id_key=id_,
        end=settings.get("end"),
        annotator=settings.get("annotator"),
        log=ReadLog(warn),
        table=table,
    )


def _either(settings: ReadSettings, key: str, column: str) -> str | None:
    """The one of two names of a setting that is given."""
    values = [str(value) for name in (key, column) if (value := settings.get(name)) is not None]
    if len(set(values)) > 1:
        raise UserError(f"{key} and {column} are one setting; give one of them")
    return values[0] if values else None
