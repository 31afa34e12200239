"""Turns a file with gold and several systems' answers side by side into one JSONL file each.

    python examples/three_models.py predictions.jsonl out/
    medner evaluate out/gold.jsonl out/model_a.jsonl out/model_b.jsonl out/model_c.jsonl --ensembles

A line of the input holds `text`, `gold` and one list a system; an entity is `[start, end_inclusive, type]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from medner.core.errors import MednerError
from medner.evaluation.side_by_side import read_side_by_side
from medner.store.corpora import write_documents


def convert(source: Path, folder: Path) -> list[Path]:
    """The files written: gold.jsonl first, then one a system, named after it."""
    read = read_side_by_side(source)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, documents in {"gold": read.gold, **read.systems}.items():
        path = folder / f"{name}.jsonl"
        write_documents(documents, path, format="jsonl")
        written.append(path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/three_models.py PREDICTIONS.jsonl FOLDER")
    try:
        written = convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except (MednerError, OSError) as error:
        sys.exit(f"three_models: {error}")
    sys.stderr.write("".join(f"wrote {path}\n" for path in written))
