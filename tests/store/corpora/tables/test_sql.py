"""Databases by SQLAlchemy: read only, in a stream, and without a password in any message."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from medner.core.errors import BadInputError, ExternalError, MednerError, UserError
from medner.store.corpora import ReadOptions, read_documents
from medner.store.corpora.reading.read_options import TableOptions
from medner.store.corpora.tables.database_url import DatabaseUrl, is_database_url
from tests.store.corpora.tables.tables_kit import Reader, write_table

SECRET = "p@ss/w0rd:x"
ROWS = [(f"{number}", "内科", f"胸痛{number}天：无发热。") for number in range(2_500)]


def _read(url: str, query: str | None) -> list[str]:
    options = ReadOptions(text_key="主诉", id_key="住院号", database=url, table=TableOptions(query=query))
    return [one.text for one in read_documents("emr", options=options)]


def test_a_file_and_an_address(tmp_path: Path) -> None:
    """The same rows, in the order of the query."""
    path = write_table(tmp_path / "emr.db", ROWS)
    query = "SELECT * FROM notes WHERE \"主诉\" LIKE '%：%' ORDER BY rowid"
    assert [one.text for one in Reader().read(path, query=query)] == [row[2] for row in ROWS]
    assert _read(f"sqlite:///{path}", f"-- all notes\n/* of the ward */ {query}") == [row[2] for row in ROWS]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM notes",
        "DROP TABLE notes",
        "WITH a AS (SELECT 1) DELETE FROM notes",
        "/* SELECT */ UPDATE notes SET 主诉 = ''",
        "SELECT 1; DROP TABLE notes",
    ],
)
def test_nothing_is_written(query: str, tmp_path: Path) -> None:
    """What is no query is refused, and the connection can only read: not a byte of the database changes."""
    path = write_table(tmp_path / "emr.db", ROWS[:3])
    before = hashlib.sha256(path.read_bytes()).digest()
    with pytest.raises(UserError):
        Reader().read(path, query=query)
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [one.name for one in tmp_path.iterdir()] == ["emr.db"]


def test_mistakes_have_the_way_out(tmp_path: Path) -> None:
    """No query: the tables there are; wrong columns in the query and of its rows; a missing file, which is not made."""
    path = write_table(tmp_path / "emr.db", ROWS[:3])
    with pytest.raises(BadInputError, match=r"--query 'SELECT ...'; the database has the tables notes"):
        _read(f"sqlite:///{path}", None)
    with pytest.raises(BadInputError, match="the query fails: no such column: 主述"):
        _read(f"sqlite:///{path}", "SELECT 主述 FROM notes")
    with pytest.raises(BadInputError, match="the columns are 住院号"):
        _read(f"sqlite:///{path}", "SELECT 住院号 FROM notes")
    with pytest.raises(UserError, match="no such database file"):
        _read(f"sqlite:///{tmp_path}/none.db", "SELECT 1")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://ward:{SECRET.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:1/emr?connect_timeout=2",
        f"postgresql+psycopg://ward:{SECRET}@127.0.0.1:1/emr",
        f"mysql+nodriver://ward:{SECRET.replace('/', '%2F')}@db/emr",
        f"nonsense://ward:{SECRET}@db/emr",
        f"postgresql+psycopg://127.0.0.1:1/emr?user=ward&password={SECRET.replace('@', '%40')}",
    ],
)
def test_passwords_are_in_no_message(url: str) -> None:
    """Whatever goes wrong: a server that does not answer, a driver that is missing, an address that is none."""
    with pytest.raises(MednerError) as caught:
        _read(url, "SELECT 1")
    assert isinstance(caught.value, UserError | ExternalError)
    error: BaseException | None = caught.value
    while error is not None:
        for part in ("w0rd", "p@ss", "p%40ss"):
            assert part not in str(error)
        error = error.__cause__ if not error.__suppress_context__ else None
    for shown in (DatabaseUrl(url).shown, repr(DatabaseUrl(url)), repr(ReadOptions(database=url))):
        assert "w0rd" not in shown


def test_what_is_an_address() -> None:
    """Paths are none, Windows' neither."""
    assert all(map(is_database_url, ["sqlite:///a.db", "postgresql://u@h/d", "mysql+pymysql://h/d"]))
    assert not any(map(is_database_url, ["notes/a.csv", "C:/a.csv", "-", "C:\\a.csv", "a:b.txt"]))
    assert DatabaseUrl("postgresql://u:p@h:5432/emr?sslmode=require").name == "emr"


def test_values_of_other_types(tmp_path: Path) -> None:
    """Ids that are numbers, dates as the database gives them, missing values."""
    path = tmp_path / "emr.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE notes (住院号 INT, 日期 DATE, 主诉 TEXT)")
        database.executemany(
            "INSERT INTO notes VALUES (?, ?, ?)", [(1, "2024-01-05", "咳嗽"), (2, None, None), (3, None, b"x")]
        )
    database.close()
    reader = Reader()
    found = reader.read(path, keep=("日期",))
    assert [(one.id, one.kept) for one in found] == [("1", (("日期", "2024-01-05"),))]
    assert reader.told[-1] == "1 rows without text (left out): row 2"
    assert reader.bad == ["row 3 [主诉]: the cell holds bytes, not a text"]
