"""A real PostgreSQL: rows in a stream, nothing written, percent signs in queries as they are."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from medner.core.errors import BadInputError, UserError
from medner.store.corpora import ReadOptions, read_documents
from medner.store.corpora.reading.read_options import TableOptions
from tests.store.traces.postgres import running_postgres

COUNT = 2_500


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server with a table of notes."""
    with running_postgres() as address:
        with psycopg.connect(address) as connection:
            connection.execute("CREATE TABLE notes (id bigint, ward text, note text)")
            connection.execute(
                "INSERT INTO notes SELECT number, '内科', '胸痛' || number || '天😀：血氧95%%。' "
                "FROM generate_series(1, %s::int) AS number",
                (COUNT,),
            )
        yield address.replace("postgresql://", "postgresql+psycopg://")


def _read(url: str, query: str) -> list[tuple[str, str, object]]:
    options = ReadOptions(text_key="note", database=url, table=TableOptions(keep=("ward",), query=query))
    return [(one.id, one.text, dict(one.kept)["ward"]) for one in read_documents("emr", options=options)]


def test_rows_and_percent_signs(url: str) -> None:
    """All rows, ids that are numbers as text; a query with LIKE '%' and a colon is taken as it is."""
    found = _read(url, "SELECT * FROM notes WHERE note LIKE '%天😀：血氧95%' ORDER BY id")
    assert found == [(str(number), f"胸痛{number}天😀：血氧95%。", "内科") for number in range(1, COUNT + 1)]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM notes",
        "WITH gone AS (DELETE FROM notes RETURNING *) SELECT * FROM gone",
        "SELECT * INTO copied FROM notes",
        "SELECT 1 AS id, '' AS ward, 'a' AS note; COMMIT; DELETE FROM notes",
    ],
)
def test_nothing_is_written(url: str, query: str) -> None:
    """The transaction, and any that a query begins itself, can only read."""
    with pytest.raises(UserError):
        _read(url, query)
    assert len(_read(url, "SELECT * FROM notes")) == COUNT


def test_mistakes_of_a_query(url: str) -> None:
    """Are the user's, in one line, and without the password."""
    with pytest.raises(BadInputError, match=r"the query fails: .*nothing") as caught:
        _read(url, "SELECT nothing FROM notes")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
