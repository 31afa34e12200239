"""The folder of cases, and what is read from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medner.store.corpora import ReadOptions, read_documents

CASES = Path(__file__).parent
Make = Callable[..., Path]


def found(path: Path, **options: object) -> tuple[str, list[tuple[str, list[tuple[str, str]]]]]:
    """A file's format, and its texts with their entities."""
    reading = read_documents(path, options=ReadOptions(**options))  # type: ignore[arg-type]
    documents = list(reading)
    return reading.format.name, [
        (one.text, [(entity.text_in(one.text), entity.label) for entity in one.entities]) for one in documents
    ]


def rows(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
