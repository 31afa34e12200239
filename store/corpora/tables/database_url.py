"""Addresses of databases, as SQLAlchemy writes them. The password appears in no message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from medner.core.errors import UserError

_SCHEME = re.compile(r"([a-z][a-z0-9]*)(\+[a-z0-9_]+)?://", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=://)([^/@]*?):(.*)@", re.DOTALL)
_PARAMETER = re.compile(r"([?&][^=&]*(?:password|passwd|pwd|token|secret|key)[^=&]*=)([^&]*)", re.IGNORECASE)
_HIDDEN = "***"


def is_database_url(argument: str) -> bool:
    """Whether an input is the address of a database and no path."""
    return _SCHEME.match(argument) is not None


class DatabaseUrl:
    """An address. ``shown`` is what messages call it; its password is only used to connect."""

    def __init__(self, url: str) -> None:
        self._url = url
        match = _SCHEME.match(url)
        self.dialect = match[1].lower() if match else ""
        self.shown = _PARAMETER.sub(rf"\1{_HIDDEN}", _PASSWORD.sub(rf"\1:{_HIDDEN}@", url))
        found = [one[2] for pattern in (_PASSWORD, _PARAMETER) for one in pattern.finditer(url)]
        self._secrets = sorted({each for one in found for each in (one, unquote(one)) if each}, key=len, reverse=True)

    @property
    def name(self) -> str:
        """A short name: that of the database."""
        path = self._url.partition("?")[0].rpartition("://")[2]
        return Path(path.rpartition("/")[2]).stem or self.dialect or "database"

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.shown!r})"

    def without_secret(self, error: object) -> str:
        """An error in one line, with the password hidden wherever a driver repeats it."""
        line = " ".join(str(error).split())
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        return line

    def engine(self, sqlalchemy: Any) -> Any:
        """The engine that connects. UserError for an address that is none, and for a driver that is missing."""
        try:
            url = sqlalchemy.make_url(self._url)
            if self.dialect == "sqlite":
                return _sqlite(sqlalchemy, url)
            return sqlalchemy.create_engine(url, hide_parameters=True)
        except (sqlalchemy.exc.ArgumentError, ValueError):
            raise UserError(
                f"{self.shown}: is no address of a database that SQLAlchemy knows, such as "
                "postgresql+psycopg://USER@HOST/DATABASE or sqlite:///FILE"
            ) from None
        except ImportError as error:
            raise UserError(
                f"{self.shown}: the driver of this database is missing ({error.name or error}); install it with pip, "
                "for example 'psycopg[binary]' (postgresql+psycopg://), pymysql (mysql+pymysql://) or oracledb "
                "(oracle+oracledb://)"
            ) from None


def _sqlite(sqlalchemy: Any, url: Any) -> Any:
    """SQLite opened for reading alone: a file that is not there is not made."""
    path = Path(url.database or "")
    if not path.is_file():
        raise UserError(f"{path}: no such database file")
    # Rows are fetched in whichever thread reads next, one at a time.
    address = f"{path.absolute().as_uri()}?mode=ro"
    import sqlite3  # noqa: PLC0415  only for this kind of database

    return sqlalchemy.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False),
        poolclass=sqlalchemy.pool.NullPool,
    )
