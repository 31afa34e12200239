"""Annotates a column of notes on a Ray cluster: Parquet in, Parquet with a list of entities a row out.

    RAY_USAGE_STATS_ENABLED=0 ray start --head
    python examples/clusters/ray_notes.py notes/ annotated/ --text-column note --concurrency 4 --preset fast

Every node needs medner with its base model (docs/clusters.md).
"""

from __future__ import annotations

import argparse
import sys

import ray

from medner.ray import ERROR_COLUMN, annotate


def main() -> None:
    """Reads, annotates, writes, counts what went wrong."""
    options = argparse.ArgumentParser(description="Annotates a column of notes on a Ray cluster.")
    options.add_argument("notes", help="a folder or file in Parquet")
    options.add_argument("annotated", help="the folder to write")
    options.add_argument("--text-column", default="text")
    options.add_argument("--labels", default="cmeee-v2")
    options.add_argument("--preset", default="balanced")
    options.add_argument("--concurrency", type=int, default=1, help="actors, a core each")
    given = options.parse_args()

    ray.init()
    notes = ray.data.read_parquet(given.notes)
    # A small file is one block, which one actor does alone.
    blocks = notes.repartition(4 * given.concurrency)
    found = annotate(
        blocks, given.labels, text_column=given.text_column, preset=given.preset, concurrency=given.concurrency
    )
    found.write_parquet(given.annotated)
    wrong = ray.data.read_parquet(given.annotated).filter(lambda row: row[ERROR_COLUMN] is not None).count()
    sys.stderr.write(f"notes without a whole result: {wrong}\n")


if __name__ == "__main__":
    main()
