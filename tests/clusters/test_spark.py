"""The example for Spark, on a real local Spark with two workers: what `medner.annotate` finds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pyspark = pytest.importorskip("pyspark")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

EXAMPLE = Path(__file__).parents[2] / "examples" / "clusters" / "spark_notes.py"
Places = list[tuple[int, int, str]]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Spark on this machine's loopback, two tasks at a time, without its web page."""
    if shutil.which("java") is None:
        pytest.skip("no Java here: scripts/ensure_java.sh installs one on Debian")
    os.environ.update(SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable, OMP_NUM_THREADS="1")
    folder = tmp_path_factory.mktemp("spark")
    session = (
        pyspark.sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "512m")
        .config("spark.sql.warehouse.dir", str(folder))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def test_spark_finds_what_annotate_finds(
    spark: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    notes: list[str],
    expected: dict[str, Places],
) -> None:
    """Parquet in, Parquet out, in two partitions; a note without a text has a row that says so."""
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    spark.sparkContext.addPyFile(str(EXAMPLE))
    from spark_notes import annotate

    pq.write_table(
        pa.table({"id": [*range(len(notes)), 998, 999], "note": [*notes, None, " "]}), tmp_path / "notes.parquet"
    )
    table = spark.read.parquet(str(tmp_path / "notes.parquet")).repartition(2)
    annotate(table, "note", "id", **settings).write.parquet(str(tmp_path / "entities"))
    rows = pq.read_table(tmp_path / "entities").to_pylist()
    found: dict[str, Places] = {note: [] for note in notes}
    errors = {}
    for row in rows:
        if row["id"] >= len(notes):
            errors[row["id"]] = (row["medner_error"], row["start"])
            continue
        note = notes[row["id"]]
        assert note[row["start"] : row["end"]] == row["text"]
        assert row["medner_error"] is None
        found[note].append((row["start"], row["end"], row["label"]))
    assert found == expected
    assert errors == dict.fromkeys((998, 999), ("there is no text", None))
