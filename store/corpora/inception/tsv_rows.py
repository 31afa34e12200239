"""A WebAnno TSV file taken apart: its layers, and its sentences with their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from medner.core.errors import BadInputError
from medner.store.corpora.inception.escapes import unescape_text
from medner.store.corpora.inception.layers import is_entity_layer, label_feature

_FORMAT = re.compile(r"#FORMAT=WebAnno TSV (\d+)\.(\d+)\s*")
_LAYER = re.compile(r"#T_(SP|CH|RL)=([^|]*)\|?(.*)")
_ROW = re.compile(r"\d+-\d+(\.\d+)?\t(\d+)-(\d+)\t([^\t]*)(?:\t(.*))?")
_TEXT, _ROLE = "#Text=", "ROLE_"


@dataclass(frozen=True, slots=True)
class TsvLayer:
    """A layer of the header. ``column`` is that of the label, or the layer's first; ``feature`` the label's."""

    name: str
    is_entities: bool
    column: int
    feature: str | None


@dataclass(frozen=True, slots=True)
class TsvRow:
    """A row: a token, or a part of one. Offsets are the file's."""

    line: int
    is_token: bool
    begin: int
    end: int
    token: str
    cells: tuple[str, ...]


@dataclass(slots=True)
class TsvSentence:
    """A sentence: its text, and its rows, the first of which begins where the text begins."""

    texts: list[str] = field(default_factory=list)
    rows: list[TsvRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TsvFile:
    """What a file holds."""

    layers: tuple[TsvLayer, ...]
    sentences: tuple[TsvSentence, ...]


def taken_apart(content: str, path: Path) -> TsvFile:
    """The file's layers and sentences. BadInputError, with the line, for what is not WebAnno TSV 3."""
    lines = [line.removesuffix("\r") for line in content.split("\n")]
    match = _FORMAT.fullmatch(lines[0])
    if match is None or match[1] != "3":
        raise BadInputError(
            "not WebAnno TSV 3, whose first line is #FORMAT=WebAnno TSV 3.3; export it from INCEpTION again",
            path=path,
            line=1,
        )
    layers: list[TsvLayer] = []
    column = number = 1
    column = 0
    while number < len(lines) and (declared := _LAYER.fullmatch(lines[number])) is not None:
        layer, width = _layer(declared, column)
        layers.append(layer)
        column += width
        number += 1
    sentences = _sentences(lines, number, column, (int(match[1]), int(match[2])), path)
    return TsvFile(tuple(layers), tuple(sentences))


def _layer(declared: re.Match[str], column: int) -> tuple[TsvLayer, int]:
    """A layer, and how many columns it has."""
    kind, name, rest = declared.groups()
    parts = rest.split("|")
    roles = {number for number, part in enumerate(parts) if part.startswith(_ROLE)}
    # A slot of links has two columns: the roles, and the type of what they lead to.
    plain = [part for number, part in enumerate(parts) if part and number not in roles and number - 1 not in roles]
    feature = label_feature(plain)
    at = column + (parts.index(feature) if feature is not None else 0)
    return TsvLayer(name, kind == "SP" and is_entity_layer(name), at, feature), len(parts)


def _sentences(
    lines: list[str], start: int, columns: int, version: tuple[int, int], path: Path
) -> Iterator[TsvSentence]:
    sentence = TsvSentence()
    for number, line in enumerate(lines[start:], start + 1):
        if not line:
            if sentence.texts or sentence.rows:
                yield _checked(sentence, path, number)
                sentence = TsvSentence()
        elif line.startswith("#"):
            if line.startswith(_TEXT):
                sentence.texts.append(unescape_text(line.removeprefix(_TEXT), version))
        else:
            sentence.rows.append(_row(line, number, columns, path))
    if sentence.texts or sentence.rows:
        yield _checked(sentence, path, len(lines))


def _row(line: str, number: int, columns: int, path: Path) -> TsvRow:
    match = _ROW.fullmatch(line)
    if match is None:
        raise BadInputError("not a row: 1-1<TAB>0-2<TAB>token is expected", path=path, line=number)
    cells = tuple((match[5] or "").split("\t"))
    if len(cells) < columns:
        raise BadInputError(
            f"{len(cells)} columns of annotation, where the header declares {columns}", path=path, line=number
        )
    return TsvRow(number, match[1] is None, int(match[2]), int(match[3]), match[4], cells)


def _checked(sentence: TsvSentence, path: Path, line: int) -> TsvSentence:
    if not sentence.texts or not sentence.rows:
        missing = "rows of tokens" if sentence.texts else "text (#Text=)"
        raise BadInputError(f"a sentence without {missing}", path=path, line=line)
    return sentence
