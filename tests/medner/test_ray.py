"""The actor class of Ray Data on Arrow tables; tests/clusters runs it on a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import medner
from medner.ray import ERROR_COLUMN, AnnotateBatches
from medner.testing import annotator
from tests.medner.conftest import ONLY, WORDS

pa = pytest.importorskip("pyarrow")

TEXT = "患者😀胸痛3天。\r\n查心电图。"
TABLE = {"id": [7, 8, 9, 10], "note": [TEXT, "好。", None, " "]}


@pytest.fixture(scope="module")
def nlp() -> Iterator[medner.Annotator]:
    """A dictionary instead of models."""
    with annotator(WORDS, only=ONLY, judge="best-tagger:json-plain") as loaded:
        yield loaded


def test_a_table_gets_its_entities(nlp: medner.Annotator) -> None:
    """The columns are kept, offsets count code points, and rows without a text say why they have no result."""
    found = AnnotateBatches(text_column="note").use(nlp)(pa.table(TABLE))
    assert found.column_names == ["id", "note", "entities", ERROR_COLUMN]
    assert found.select(["id", "note"]).to_pydict() == TABLE
    first, second, third, fourth = found["entities"].to_pylist()
    assert (second, third, fourth) == ([], None, [])
    assert first == [
        {
            "start": one.start,
            "end": one.end,
            "label": one.label,
            "label_name": one.label_name,
            "text": TEXT[one.start : one.end],
            "score": one.score,
            "decision": one.decision,
        }
        for one in nlp.annotate(TEXT).entities
    ]
    assert [one["text"] for one in first] == ["胸痛", "心电图"]
    assert found[ERROR_COLUMN].to_pylist() == [None, None, "there is no text (null)", "the text is blank"]


def test_flat_tables_have_a_row_an_entity(nlp: medner.Annotator) -> None:
    """Beside the kept columns; what has no entity is left out, unless something is wrong with it."""
    found = AnnotateBatches(text_column="note", flat=True).use(nlp)(pa.table(TABLE))
    assert "note" not in found.column_names
    assert found.select(["id", "entity_text", "entity_start", ERROR_COLUMN]).to_pylist() == [
        {"id": 7, "entity_text": "胸痛", "entity_start": 3, ERROR_COLUMN: None},
        {"id": 7, "entity_text": "心电图", "entity_start": 11, ERROR_COLUMN: None},
        {"id": 9, "entity_text": None, "entity_start": None, ERROR_COLUMN: "there is no text (null)"},
        {"id": 10, "entity_text": None, "entity_start": None, ERROR_COLUMN: "the text is blank"},
    ]
    alone = AnnotateBatches(flat=True).use(nlp)(pa.table({"text": ["胸痛，咳嗽。"]}))
    assert alone["entity_text"].to_pylist() == ["胸痛", "咳嗽"]


@pytest.mark.parametrize("flat", [False, True])
def test_every_batch_has_the_same_types(nlp: medner.Annotator, flat: bool) -> None:
    """Also one without entities, without texts, and without rows: else Ray could not put the blocks together."""
    made = AnnotateBatches(flat=flat).use(nlp)
    text = pa.schema([("text", pa.string())])
    tables = [["胸痛。"], ["好。"], [None], []]
    schemas = {str(made(pa.table({"text": one}, schema=text)).schema) for one in tables}
    assert len(schemas) == 1


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["胸痛。", None], pa.large_string()),
        pa.array(["胸痛。", None]).dictionary_encode(),
        pa.array(["胸痛。", None], pa.string_view()),
        pa.array(["胸痛。".encode(), None], pa.binary()),
        pa.chunked_array([["胸痛。"], [None]]),
    ],
    ids=["large", "dictionary", "view", "bytes", "chunks"],
)
def test_texts_of_every_arrow_type(nlp: medner.Annotator, column: Any) -> None:
    """As Parquet files and other programs hold them."""
    found = AnnotateBatches().use(nlp)(pa.table({"text": column}))
    assert [len(one or ()) for one in found["entities"].to_pylist()] == [1, 0]
    assert found["text"].type == column.type


def test_bytes_that_are_no_text_are_told(nlp: medner.Annotator) -> None:
    """GB18030 in a column of bytes, or in a column that says it is UTF-8; the rows beside are annotated."""
    bytes_ = pa.array(["胸痛。".encode("gb18030"), "胸痛。".encode()], pa.binary())
    for column in (bytes_, bytes_.view(pa.string())):
        found = AnnotateBatches().use(nlp)(pa.table({"text": column}))
        assert found[ERROR_COLUMN].to_pylist() == ["the text is not UTF-8", None]
        assert [len(one or ()) for one in found["entities"].to_pylist()] == [0, 1]


def test_wrong_tables_and_settings(nlp: medner.Annotator) -> None:
    """The message names the column and what to do; a wrong setting is an error before any model is loaded."""
    made = AnnotateBatches().use(nlp)
    wrong: list[tuple[Any, str]] = [
        (pa.table({"note": ["胸痛"]}), "no column 'text'; text_column names one of note"),
        (pa.table({"text": [1]}), "column 'text' holds int64"),
        (pa.table({"text": ["胸痛"], "entities": [1]}), "a column 'entities' already"),
        ({"text": ["胸痛"]}, "batch_format='pyarrow'"),
    ]
    for table, message in wrong:
        with pytest.raises(medner.UserError, match=message):
            made(table)
    with pytest.raises(medner.UserError, match="preset"):
        AnnotateBatches(preset="none")
    with pytest.raises(medner.UserError, match="there is no setting"):
        AnnotateBatches(text_colum="note")


def test_ray_is_not_needed_to_import_it_and_reports_nothing() -> None:
    """The import turns Ray's usage report off, and leaves Ray alone; without Ray, the message says how to get it."""
    code = (
        "import sys, os; sys.modules['ray'] = None\n"
        "import medner.ray\n"
        "print(os.environ['RAY_USAGE_STATS_ENABLED'])\n"
        "try: medner.ray.annotate(None)\n"
        "except medner.UserError as error: print(error)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RAY_USAGE_STATS_ENABLED"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "0\nray is missing: data sets of Ray need pip install 'medner[ray]'\n"
