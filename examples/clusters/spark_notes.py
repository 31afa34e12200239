"""Annotates a column of notes with Spark: Parquet in, Parquet with a row an entity out.

    spark-submit examples/clusters/spark_notes.py notes/ entities/ --text-column note --id-column id --preset fast

Every executor needs medner with its base model, pandas and PyArrow. Set `spark.task.cpus` and OMP_NUM_THREADS to the
same number: then the models take no more cores than Spark gives them (docs/clusters.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

import medner

#: The columns of the result beside the id. Offsets count code points of the text, the end is exclusive.
ENTITY = "start long, end long, label string, label_name string, text string, score double, decision string"
FIELDS = [field.split()[0] for field in ENTITY.split(", ")]
#: Says why a note has no result, or not a whole one; such a note has a row without an entity.
ERROR = "medner_error"


def rows_of(id_: object, document: medner.Document) -> list[tuple[object, ...]]:
    """A row an entity; one without an entity where only an error is to be told."""
    error = None
    if not document.text.strip():
        error = "there is no text"
    elif not document.complete:
        error = "; ".join(document.failures) or "a sentence has no result"
    rows = [(id_, *(getattr(one, name) for name in FIELDS), error) for one in document.entities]
    return rows or ([(id_, *[None] * len(FIELDS), error)] if error is not None else [])


def entities_of(
    text_column: str, id_column: str, **settings: Any
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """What `mapInPandas` calls with the frames of a partition; it gives a frame of entities for each."""

    def annotate(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        # Loaded once a partition: many notes in few partitions cost less than the same notes in many.
        with medner.load(**settings) as nlp:
            for frame in frames:
                texts = [text if isinstance(text, str) else "" for text in frame[text_column]]
                documents = zip(frame[id_column], nlp.pipe(texts), strict=True)
                rows = [row for id_, document in documents for row in rows_of(id_, document)]
                yield pd.DataFrame(rows, columns=[id_column, *FIELDS, ERROR], dtype=object)

    return annotate


def annotate(notes: DataFrame, text_column: str, id_column: str, **settings: Any) -> DataFrame:
    """The entities of all notes, a row each. ``settings`` are those of :func:`medner.load`."""
    id_type = notes.schema[id_column].dataType.simpleString()
    schema = f"`{id_column}` {id_type}, {ENTITY}, {ERROR} string"
    return notes.select(id_column, text_column).mapInPandas(entities_of(text_column, id_column, **settings), schema)


def main() -> None:
    """Reads, annotates, writes."""
    options = argparse.ArgumentParser(description="Annotates a column of notes with Spark.")
    options.add_argument("notes", help="a folder or file in Parquet")
    options.add_argument("entities", help="the folder to write")
    options.add_argument("--text-column", default="text")
    options.add_argument("--id-column", default="id")
    options.add_argument("--labels", default="cmeee-v2")
    options.add_argument("--preset", default="balanced")
    given = options.parse_args()
    spark = SparkSession.builder.appName("medner").getOrCreate()
    try:
        notes = spark.read.parquet(given.notes)
        found = annotate(notes, given.text_column, given.id_column, labels=given.labels, preset=given.preset)
        found.write.parquet(given.entities)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
