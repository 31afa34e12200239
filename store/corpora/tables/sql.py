"""The rows that a database gives to a query. Nothing is written: the query runs in a transaction that only reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from medner.core.errors import BadInputError, ExternalError, MednerError, UserError
from medner.core.listing import first_few
from medner.core.records import Document
from medner.store.corpora.reading.format import Format, Reading
from medner.store.corpora.tables.columns import chosen_columns, clean_name
from medner.store.corpora.tables.database_url import DatabaseUrl
from medner.store.corpora.tables.extra import library
from medner.store.corpora.tables.rows import Row, documents_of

_BATCH_ROWS = 1_000
_COMMENT = re.compile(r"\s+|--[^\n]*(\n|$)|/\*.*?\*/|\(", re.DOTALL)
_READS = re.compile(r"(select|with|values|table|show|from)\b", re.IGNORECASE)
_MOST_TABLES = 20


def _read(reading: Reading) -> Iterator[Document]:
    url = DatabaseUrl(reading.options.database or f"sqlite:///{os.path.abspath(reading.path)}")
    query = reading.options.table.query
    with _asking(url), _connected(url) as connection:
        if query is None:
            raise reading.error(f"what shall be read? --query 'SELECT ...'{_tables(connection)}", None)
        _refuse_writing(query)
        # Colons and percent signs of the query are no parameters.
        options = {"yield_per": _BATCH_ROWS, "no_parameters": True}
        result = connection.execution_options(**options).exec_driver_sql(query)
        names = [clean_name(name) for name in result.keys()]  # noqa: SIM118  no dict
        reading.unit = "row"
        columns = chosen_columns(reading, names, None)
        reading.tell(f"the rows of the query, only read; {columns.in_words()}")
        rows = (Row(number, tuple(row)) for number, row in enumerate(result, 1))
        yield from documents_of(reading, columns, rows)


def _refuse_writing(query: str) -> None:
    """UserError for what is no query. The transaction is read-only too where the database has such ones."""
    at = 0
    while (match := _COMMENT.match(query, at)) is not None and match.end() > at:
        at = match.end()
    if _READS.match(query, at) is None:
        raise UserError("--query: must be a query that reads (SELECT ..., WITH ...); medner writes to no database")


@contextmanager
def _connected(url: DatabaseUrl) -> Iterator[Any]:
    """A connection whose transaction is rolled back at the end, and can only read where the database allows that."""
    engine = url.engine(library("sqlalchemy", "databases"))
    try:
        with engine.connect() as connection:
            for statement in _READ_ONLY.get(url.dialect, ()):
                connection.exec_driver_sql(statement)
            try:
                yield connection
            finally:
                connection.rollback()
    finally:
        engine.dispose()


#: What makes a transaction, once it has begun, one that only reads.
_READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON",),
    "postgresql": ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET TRANSACTION READ ONLY"),
    "mysql": ("START TRANSACTION READ ONLY",),
    "mariadb": ("START TRANSACTION READ ONLY",),
    "oracle": ("SET TRANSACTION READ ONLY",),
}


@contextmanager
def _asking(url: DatabaseUrl) -> Iterator[None]:
    """Errors of the database as errors of medner's, without the password."""
    errors = library("sqlalchemy.exc", "databases")
    try:
        yield
    except MednerError:
        raise
    except (errors.OperationalError, errors.InterfaceError) as error:
        if _is_mistake(str(error.orig)):
            raise BadInputError(f"the query fails: {url.without_secret(error.orig)}", path=url.shown) from None
        raise ExternalError(f"{url.shown}: the database cannot be read: {url.without_secret(error.orig)}") from None
    except errors.DBAPIError as error:
        raise BadInputError(f"the query fails: {url.without_secret(error.orig)}", path=url.shown) from None
    except errors.SQLAlchemyError as error:
        raise UserError(f"{url.shown}: {url.without_secret(error)}") from None


def _is_mistake(reason: str) -> bool:
    """Whether a database that calls all its errors operational means the query: SQLite and MySQL do."""
    return (
        re.search(r"syntax|no such|unknown (column|table)|doesn't exist|readonly|read.only", reason, re.I) is not None
    )


def _tables(connection: Any) -> str:
    """The tables of the database, for a message."""
    names = library("sqlalchemy", "databases").inspect(connection).get_table_names()
    return f"; the database has the tables {first_few(names, _MOST_TABLES)}" if names else ""


FORMAT = Format("sql", "the rows of a database (SQLAlchemy)", _read)
