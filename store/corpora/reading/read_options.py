"""What a user says about files that their content does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from medner.core.errors import UserError
from medner.store.corpora.reading.read_log import ReadLog

#: As ``annotator``: every one's annotations, each a document of its own where the format tells them apart.
EVERY_ANNOTATOR: Final = "*"


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What a user says about tables.

    ``keep``: columns that go along to the result. ``sheet``: name or number (from 1) of the sheet of a workbook.
    ``query``: what a database is asked. ``delimiter``: what parts the fields of a row. ``header_row``: the row that
    names the columns, 0 where none does.
    """

    keep: tuple[str, ...] = ()
    sheet: str | None = None
    query: str | None = None
    delimiter: str | None = None
    header_row: int | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise UserError(f"--delimiter: must be one character or tab, got {self.delimiter!r}")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user says about files that their content does not tell. UserError for an encoding that there is not.

    ``encoding``: the files', where they are not UTF-8. ``join_lines``: lines are cut at a fixed width, so a single
    line break inside a paragraph ends no sentence. ``text_key`` and ``id_key``: where JSON records keep the text and
    the id, or the columns of a table that do. ``end``: what the end of an entity counts. ``annotator``: whose
    annotations are read, where there are several (``*``: all). ``log`` is told what each reading left out.
    ``database`` is the address of the database that is read in place of a file.
    """

    encoding: str | None = None
    join_lines: bool = False
    text_key: str | None = None
    id_key: str | None = None
    end: Literal["inclusive", "exclusive"] | None = None
    annotator: str | None = None
    log: ReadLog | None = field(default=None, compare=False, repr=False)
    table: TableOptions = TableOptions()
    # May hold a password.
    database: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.encoding is None:
            return
        try:
            # Not every codec is an encoding: rot13 and base64 are none, and fail here too.
            "".encode(self.encoding)
        except (LookupError, ValueError) as error:
            raise UserError(
                f"--encoding: there is no encoding {self.encoding!r}; usual ones are utf-8, gb18030, utf-16, big5"
            ) from error


#: What a file is comes from the file alone.
NO_OPTIONS: Final = ReadOptions()
