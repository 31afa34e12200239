"""The scores that entities of a result have, which a :class:`Document` does not hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medner.core.records import Entity


def entity_scores(path: Path) -> dict[str, dict[Entity, float]]:
    """The scores in JSON lines as `medner annotate -o` writes them, by document id; nothing for any other file.

    A line that cannot be read has none: whoever reads the documents reports it.
    """
    # A pipe has been read to its end already, and would be waited for.
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path] if path.is_file() else []
    found: dict[str, dict[Entity, float]] = {}
    for file in files:
        for record in _records(file):
            scores = dict(_scores(record))
            if scores:
                found[str(record.get("id"))] = scores
    return found


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            for line in lines:
                # A JSON array or another format cannot begin so; its one long line is not parsed twice.
                if not line.startswith("{"):
                    return
                record = json.loads(line)
                if isinstance(record, Mapping):
                    yield record
    except (OSError, ValueError):
        return


def _scores(record: Mapping[str, Any]) -> Iterator[tuple[Entity, float]]:
    entities = record.get("entities")
    for one in entities if isinstance(entities, list) else ():
        if not isinstance(one, Mapping):
            continue
        match (one.get("start"), one.get("end"), one.get("label"), one.get("score")):
            case int(start), int(end), str(label), (int() | float()) as score if 0 <= start < end and 0 <= score <= 1:
                yield Entity(start, end, label), float(score)
