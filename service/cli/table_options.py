"""Options of commands whose inputs may be tables."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from medner.service.cli.bounds import MOST, column_names, delimiter, not_empty


def _keep(*names: str) -> tuple[Any, None]:
    option = typer.Option(
        *names,
        metavar="A,B",
        callback=column_names,
        help="Columns of a table, or keys of JSON records, that go along to the result; repeatable.",
    )
    return Annotated[list[str] | None, option], None


#: The options of a command that reads tables, which become the ``table`` of its ReadOptions, by that record's fields.
TABLE_OPTIONS: dict[str, tuple[Any, Any]] = {
    "keep": _keep("--keep", "--keep-columns"),
    "sheet": (
        Annotated[
            str | None,
            typer.Option(
                "--sheet",
                metavar="NAME|N",
                callback=not_empty,
                help="The sheet of an Excel file to read, by name or number; by default the first one.",
            ),
        ],
        None,
    ),
    "query": (
        Annotated[
            str | None,
            typer.Option(
                "--query",
                metavar="SQL",
                callback=not_empty,
                help="What to ask a database, whose address (SQLAlchemy) or SQLite file is the input. It is only read.",
            ),
        ],
        None,
    ),
    "delimiter": (
        Annotated[
            str | None,
            typer.Option(
                "--delimiter",
                metavar="CHAR",
                callback=delimiter,
                help="What parts the fields of a CSV file: a character, or tab; by default detected, and printed.",
            ),
        ],
        None,
    ),
    "header_row": (
        Annotated[
            int | None,
            typer.Option(
                "--header-row",
                metavar="N",
                min=0,
                max=MOST,
                help="The row with the names of the columns, if a title is above it; 0: there is none, columns are "
                "1, 2, 3 ...",
            ),
        ],
        None,
    ),
}
#: The same for a command whose --keep is something else.
JOB_TABLE_OPTIONS = {
    "keep_columns": _keep("--keep-columns"),
    **{name: option for name, option in TABLE_OPTIONS.items() if name != "keep"},
}
