"""Parquet: types of columns, dictionaries, nested values, names with dots, damaged files."""

from __future__ import annotations

from pathlib import Path

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medner.core.errors import BadInputError
from tests.store.corpora.tables.tables_kit import Reader


def test_a_frame_of_pandas(tmp_path: Path) -> None:
    """Ids that became 12.0 beside an empty one are 12; categories, missing texts, lists and dates are understood."""
    path = tmp_path / "a.parquet"
    pandas.DataFrame(
        {
            "住院号": [11.0, 12.0, None, 14.0],
            "科室": pandas.Categorical(["内科", "内科", None, "外科"]),
            "v.x": [[1, 2], [], None, [3]],
            "日期": pandas.to_datetime(["2024-01-05"] * 4),
            "主诉": pandas.Categorical(["咳嗽", "胸痛", "头痛", None]),
        }
    ).to_parquet(path)
    reader = Reader()
    found = reader.read(path, keep=("科室", "v.x", "日期"))
    assert [(one.id, one.text) for one in found] == [("11", "咳嗽"), ("12", "胸痛")]
    assert found[0].kept == (("科室", "内科"), ("v.x", "[1, 2]"), ("日期", "2024-01-05"))
    assert reader.bad[0].startswith("row 3 [住院号]: the row has no id")
    assert reader.told[-1] == "1 rows without text (left out): row 4"


def test_a_column_that_is_no_text_by_its_type(tmp_path: Path) -> None:
    """The message names its type and the columns of text."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"住院号": [1, 2], "主诉": ["咳嗽", "胸痛"]}), path)
    with pytest.raises(BadInputError, match=r"\[住院号\]: the column holds int64, not text; columns of text are 主诉"):
        Reader().read(path, text_key="住院号")


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    """Is refused in one line."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"主诉": ["咳嗽"] * 99}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInputError, match="cannot be read as Parquet"):
        Reader().read(path)
