"""Reads files that hold gold and the answers of several systems side by side.

A line is a JSON object with ``text``, ``gold`` and one list a system; an entity is ``[start, end_inclusive, type]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.core.errors import BadInputError
from medner.core.records import Document, Entity
from medner.core.validation import complaint


class _Line(BaseModel):
    # The systems' names are the free keys, so every key that is not known must be a list of entities.
    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, list[tuple[int, int, str]]] = Field(init=False)
    text: str = Field(min_length=1)
    gold: list[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Gold and every system's answers, on the same documents; the ids count the lines from 1."""

    gold: tuple[Document, ...]
    systems: Mapping[str, tuple[Document, ...]]


def read_side_by_side(path: Path) -> SideBySide:
    """The documents of the file. BadInputError names line and key: broken JSON, offsets outside the text, a system
    that is missing in a line."""
    gold: list[Document] = []
    systems: dict[str, list[Document]] = {}
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.strip():
                continue
            line = _parse(raw, path, number)
            answers = line.__pydantic_extra__
            if not gold:
                systems = {name: [] for name in answers}
            odd = sorted(set(answers) ^ set(systems))
            if odd:
                raise BadInputError(
                    "every line must hold the same systems, and this one is not in all lines",
                    path=path,
                    line=number,
                    key=odd[0],
                )
            place = (path, number)
            gold.append(_document(line.text, line.gold, "gold", place))
            for name, entities in answers.items():
                systems[name].append(_document(line.text, entities, name, place))
    if not gold:
        raise BadInputError("holds no line", path=path)
    return SideBySide(tuple(gold), {name: tuple(documents) for name, documents in systems.items()})


def _parse(raw: bytes, path: Path, number: int) -> _Line:
    try:
        return _Line.model_validate_json(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInputError(f"not UTF-8: {error.reason}", path=path, line=number) from error
    except ValidationError as error:
        reason, key = complaint(error)
        raise BadInputError(reason, path=path, line=number, key=key) from error


def _document(text: str, entities: list[tuple[int, int, str]], key: str, place: tuple[Path, int]) -> Document:
    path, number = place
    try:
        found = tuple(Entity(start, end + 1, label) for start, end, label in entities)
        return Document(str(number), text, found)
    except ValueError as error:
        raise BadInputError(str(error), path=path, line=number, key=key) from error
