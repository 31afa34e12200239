"""The paper's own numbers, read from `published.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

_TEXT_KEYS = ("key", "name")


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of a table or figure: ``values`` is dataset -> the table's columns; a dataset may be missing."""

    key: str
    name: str
    values: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table (or a figure's numbers) of the paper; ``columns`` names what a row's values are."""

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]

    def rows_on(self, dataset: str) -> dict[str, PublishedRow]:
        """The rows that have numbers on a dataset, by key, in the paper's order."""
        return {row.key: row for row in self.rows if dataset in row.values}


@dataclass(frozen=True, slots=True)
class Published:
    """All the paper's numbers that a report sets beside ours, by the table's or figure's number."""

    source: str
    tables: Mapping[int, PublishedTable]
    figures: Mapping[int, PublishedTable]


@cache
def published() -> Published:
    """The numbers that come with medner."""
    text = (resources.files("medner.evaluation.paper") / "published.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Published(data["source"], _numbered(data["tables"]), _numbered(data["figures"]))


def _numbered(entries: list[dict[str, Any]]) -> dict[int, PublishedTable]:
    return {
        entry["number"]: PublishedTable(
            entry["number"], entry["title"], tuple(entry["columns"]), tuple(_row(row) for row in entry["rows"])
        )
        for entry in entries
    }


def _row(row: dict[str, Any]) -> PublishedRow:
    values = {name: tuple(map(float, numbers)) for name, numbers in row.items() if name not in _TEXT_KEYS}
    return PublishedRow(row["key"], row["name"], values)
