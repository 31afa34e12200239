"""The regions of a Label Studio annotation as mentions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from medner.store.corpora.json.entities import label_text, number_at
from medner.store.corpora.reading.format import Mention, Reading
from medner.store.corpora.reading.notes import Note

_Fields = Mapping[str, object]
#: Types of results that mark places of a text.
_REGIONS = ("labels", "hypertextlabels")


def region_mentions(reading: Reading, place: int, results: Sequence[_Fields]) -> Iterator[Mention]:
    """The mentions of an annotation's results, with ends and units as they are in the file; the rest is counted."""
    for number, result in enumerate(results):
        if not regions_fit(result):
            reading.notes[Note.OTHER_LAYER] += 1
            continue
        key = f"result.{number}.value"
        value = result.get("value")
        if not isinstance(value, dict):
            raise reading.error("the region has no value object", place, key)
        start, end = _places(reading, place, value, key)
        labels = _labels(value)
        if not labels:
            reading.notes[Note.NO_LABEL] += 1
        words = value.get("text")
        for label in labels:
            name = label_text(reading, place, label, f"{key}.labels")
            yield Mention(start, end, name, words if isinstance(words, str) else None, key)


def regions_fit(result: _Fields) -> bool:
    """Whether the result marks a place in the text in a way that is read."""
    kind = result.get("type")
    value = result.get("value")
    if kind in _REGIONS:
        return True
    return not kind and isinstance(value, dict) and any(name in value for name in _REGIONS)


def _labels(value: _Fields) -> list[object]:
    labels = next((value[name] for name in _REGIONS if value.get(name)), [])
    return list(labels) if isinstance(labels, list) else [labels]


def _places(reading: Reading, place: int, value: _Fields, key: str) -> tuple[int, int]:
    """Start and end in the whole text.

    Regions of HyperText name a node of the page and an offset in it; ``globalOffsets`` are those of the text. Of a
    page of one node both are the same.
    """
    whole = value.get("globalOffsets")
    if isinstance(whole, dict) and "start" in whole and "end" in whole:
        return _pair(reading, place, whole, ("start", "end"), f"{key}.globalOffsets")
    if "startOffset" in value or "endOffset" in value:
        if value.get("start") != value.get("end"):
            raise reading.error(
                "the region spans several nodes of a page and has no globalOffsets; export from a project whose "
                "object is Text, or with a newer Label Studio",
                place,
                key,
            )
        return _pair(reading, place, value, ("startOffset", "endOffset"), key)
    return _pair(reading, place, value, ("start", "end"), key)


def _pair(reading: Reading, place: int, value: _Fields, names: tuple[str, str], key: str) -> tuple[int, int]:
    for name in names:
        if name not in value:
            raise reading.error(f"{name!r} is missing", place, f"{key}.{name}")
    start, end = (number_at(reading, place, value[name], f"{key}.{name}") for name in names)
    return start, end
