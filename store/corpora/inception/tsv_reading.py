"""Reading WebAnno TSV 3: the text out of its sentences, the entities out of the rows that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medner.core.errors import BadInputError
from medner.store.corpora.inception.escapes import unescape_text, values_in
from medner.store.corpora.inception.layers import layer_label, tell_layer
from medner.store.corpora.inception.tsv_rows import TsvFile, TsvLayer, TsvRow, TsvSentence, taken_apart
from medner.store.corpora.inception.utf16 import places_of_utf16, utf16_length
from medner.store.corpora.reading.format import Mention, Reading
from medner.store.corpora.reading.notes import Note


@dataclass(slots=True)
class _Annotation:
    """An annotation, from its first row to its last, in the file's offsets."""

    begin: int
    end: int
    label: str | None
    line: int


def understand(reading: Reading, path: Path, content: str) -> tuple[str, list[Mention]]:
    """The text of a file and its entities in code points."""
    file = taken_apart(content, path)
    text, places = _text_of(reading, file, path)
    mentions: list[Mention] = []
    for layer in file.layers:
        rows = [row for sentence in file.sentences for row in sentence.rows]
        found = list(_annotations(layer, rows))
        if not layer.is_entities:
            reading.notes[Note.OTHER_LAYER] += len(found)
            continue
        tell_layer(reading, layer.name, layer.feature)
        mentions += _mentions(reading, layer, found, places)
    return text, mentions


def _text_of(reading: Reading, file: TsvFile, path: Path) -> tuple[str, Mapping[int, int]]:
    """The text, and its place of each offset of the file. BadInputError where tokens are not where they should be."""
    text = _joined(file.sentences, utf16_length, path)
    places = places_of_utf16(text)
    wrong = _misplaced(file, text, places)
    if wrong is None:
        return text, places
    if not text.isascii():
        # Tools that are not in Java may count code points.
        other = _joined(file.sentences, len, path)
        counted = {place: place for place in range(len(other) + 1)}
        if _misplaced(file, other, counted) is None:
            reading.notes[Note.CODE_POINTS] += 1
            return other, counted
    there = text[places.get(wrong.begin, 0) : places.get(wrong.end, 0)]
    raise BadInputError(
        f"the token is said to be {wrong.token!r}, but [{wrong.begin}, {wrong.end}) of the text is {there!r}",
        path=path,
        line=wrong.line,
    )


def _joined(sentences: Sequence[TsvSentence], length: Callable[[str], int], path: Path) -> str:
    """The whole text: sentences at their offsets, a line break and spaces in the gaps between them."""
    parts: list[str] = []
    at = 0
    for sentence in sentences:
        begin = sentence.rows[0].begin
        gap = begin - at
        if gap < 0:
            raise BadInputError(
                "a sentence begins before the end of the one above", path=path, line=sentence.rows[0].line
            )
        parts.append(("\n" if parts else " ") * min(gap, 1) + " " * (gap - 1))
        whole = "\n".join(sentence.texts)
        parts.append(whole)
        at = begin + length(whole)
    return "".join(parts)


def _misplaced(file: TsvFile, text: str, places: Mapping[int, int]) -> TsvRow | None:
    """The first token that is not at its place; None when all are."""
    for row in (row for sentence in file.sentences for row in sentence.rows if row.is_token):
        begin, end = places.get(row.begin), places.get(row.end)
        if begin is None or end is None:
            return row
        if text[begin:end] != row.token and text[begin:end] != unescape_text(row.token, (3, 3)):
            return row
    return None


def _annotations(layer: TsvLayer, rows: Sequence[TsvRow]) -> Iterator[_Annotation]:
    """The annotations of a layer; those of several rows have a disambiguation id."""
    open_: dict[int, _Annotation] = {}
    for row in rows:
        for value, number in values_in(row.cells[layer.column]):
            annotation = None if number is None else open_.get(number)
            if annotation is not None:
                annotation.begin, annotation.end = min(annotation.begin, row.begin), max(annotation.end, row.end)
                continue
            annotation = _Annotation(row.begin, row.end, value, row.line)
            if number is None:
                yield annotation
            else:
                open_[number] = annotation
    yield from open_.values()


def _mentions(
    reading: Reading, layer: TsvLayer, annotations: Sequence[_Annotation], places: Mapping[int, int]
) -> Iterator[Mention]:
    for one in annotations:
        label = layer_label(layer.name) if layer.feature is None else one.label
        if label is None:
            reading.notes[Note.NO_LABEL] += 1
        elif one.begin >= one.end:
            reading.notes[Note.NO_PLACE] += 1
        else:
            yield Mention(places.get(one.begin, -1), places.get(one.end, -1), label, None, f"line {one.line}")
