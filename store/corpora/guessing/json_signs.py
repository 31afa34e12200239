"""Which format the records of a JSON file are in, told by their keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from medner.core.characters import is_blank
from medner.core.errors import BadInputError
from medner.store.corpora.json.entities import STARTS, first_key, is_entity_list
from medner.store.corpora.json.fields import listed
from medner.store.corpora.json.records import Container, container_of, decoded, wrapped_records
from medner.store.corpora.json.refused import refusal
from medner.store.corpora.json.shapes import shape_of
from medner.store.corpora.json.tags import is_tag_list
from medner.store.corpora.json_formats.label_studio import is_minimal_list
from medner.store.corpora.reading.raw_records import after_white

_DECODER = json.JSONDecoder()
_SAMPLE = 200
# Keys of a JSON file that only one format has, for a file whose first record is broken, most telling first; an escaped
# quote before a key is text, not a key.
_ARRAY_SIGNS = (
    (r'"originalText"\s*:', "ccks"),
    (r'"start_idx"\s*:', "cmeee"),
    (r'"(annotations|predictions|completions)"\s*:\s*\[', "label-studio"),
    (r'"data"\s*:\s*\{', "label-studio"),
    (r'"entities"\s*:\s*\[', "cmeee"),
    (r'"text"\s*:', "cmeee"),
)
_LINE_SIGNS = (
    (r'"originalText"\s*:', "ccks"),
    (r'"start_idx"\s*:', "cmeee"),
    (r'"data"\s*:\s*\{', "label-studio"),
    (r'"labels?"\s*:\s*\[', "doccano"),
    (r'"start_offset"\s*:', "doccano"),
    (r'"text"\s*:', "jsonl"),
)


def json_format(path: Path, head: str, whole: Callable[[], str], text_key: str | None = None) -> str | None:
    """The format of a file that begins like JSON; None when it is no JSON after all.

    ``head`` is its beginning, ``whole`` gives all of it. BadInputError for JSON that holds no records medner reads; it
    says what the file seems to be, and the way out.
    """
    if is_blank(head):
        return None
    values = list(islice(_values(head), _SAMPLE))
    container = container_of(head)
    if not values:
        text = whole()
        values, container = list(islice(_values(text), _SAMPLE)), container_of(text)
    if len(values) == 1 and container is not Container.ARRAY:
        values = wrapped_records(values[0], text_key) or values
        container = Container.ARRAY if len(values) > 1 else container
    if not values and _by_signs(head) is None:
        line = head.lstrip("\ufeff").strip().partition("\n")[0]
        reason = decoded(line)[1] or "not valid JSON"
        raise BadInputError(
            f"{reason} (of the first line); a note that begins so is named with the format text", path=path
        )
    if not any(isinstance(value, (dict, list, str)) for value in values):
        return _by_signs(head)
    return _of_values(path, values, container, text_key)


def _of_values(path: Path, values: list[object], container: Container, text_key: str | None) -> str:
    weak: str | None = None
    for value in values:
        name, sure = _of_value(value, container, text_key)
        if sure and name is not None:
            return name
        weak = weak or name
    if weak is not None:
        return weak
    for value in values:
        reason = refusal(value)
        if reason is not None:
            raise BadInputError(reason, path=path)
    first = next((value for value in values if isinstance(value, dict)), None)
    if first is None:
        raise BadInputError("JSON without records that medner reads: a record is an object with a text", path=path)
    strings = {key: value for key, value in first.items() if isinstance(value, str)}
    longest = max(strings, key=lambda key: len(strings[key]), default=None)
    way = "none of them a text" if longest is None else f"name the key of the text: --text-key {longest}"
    raise BadInputError(
        f"JSON, and no format that medner knows: the first record has the keys {listed(first)}; {way}", path=path
    )


def _of_value(value: object, container: Container, text_key: str | None) -> tuple[str | None, bool]:
    """The format that a record speaks for, and whether it cannot be another."""
    if not isinstance(value, dict):
        return ("json", True) if shape_of(value, text_key) is not None else (None, False)
    own = _of_keys(value)
    if own is not None:
        return own, True
    if shape_of(value, text_key) is not None:
        return "json", True
    if refusal(value) is not None and text_key is None:
        return None, False
    if "relations" in value and "Comments" in value and "text" in value:
        return "doccano", False
    if "label" in value or "labels" in value:
        listy = all(value.get(key) is None or isinstance(value.get(key), list) for key in ("label", "labels"))
        return (
            ("doccano", False) if listy and isinstance(value.get("text"), str) else _plain(value, container, text_key)
        )
    return _plain(value, container, text_key)


def _of_keys(value: Mapping[str, object]) -> str | None:
    """The format that the record's keys tell beyond doubt."""
    if "originalText" in value:
        return "ccks"
    if isinstance(value.get("data"), dict) or any(map(is_minimal_list, value.values())):
        return "label-studio"
    entities = value.get("entities")
    if isinstance(entities, list) and entities and all(isinstance(one, dict) for one in entities):
        return _of_entity(entities[0])
    if isinstance(value.get("text"), str) and "sentences" in value and "entities" in value:
        return "jsonl"
    if "data" in value or "text" in value:
        for key in ("label", "labels", "annotations"):
            items = value.get(key)
            if isinstance(items, list) and items and not is_tag_list(items) and _is_doccano(key, items):
                return "doccano"
    return None


def _of_entity(entity: Mapping[str, object]) -> str | None:
    start = first_key(entity, STARTS)
    if start == "start":
        return "jsonl" if "label" in entity and "end" in entity else None
    return {"start_idx": "cmeee", "start_offset": "doccano", "start_pos": None}.get(str(start))


def _is_doccano(key: str, items: list[object]) -> bool:
    if key == "annotations":
        return all(isinstance(one, dict) and "start_offset" in one for one in items)
    return any(isinstance(one, (list, str)) for one in items) or is_entity_list(items)


def _plain(value: Mapping[str, object], container: Container, text_key: str | None) -> tuple[str | None, bool]:
    """The format of a record that holds a text, and nothing that is surely entities."""
    if text_key is not None and text_key.split(".")[0] in value:
        return "jsonl", False
    if "text" not in value:
        return None, False
    more = value.keys() - {"text", "entities"}
    return ("cmeee" if container is Container.ARRAY and not more else "jsonl"), False


def _values(text: str) -> Iterator[object]:
    """The records that can be decoded, from the beginning on."""
    at = after_white(text, 1 if text.startswith("\ufeff") else 0)
    array = container_of(text) is Container.ARRAY
    at = after_white(text, at + 1) if array else at
    while at < len(text):
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield value
        at = after_white(text, at)
        if array and text[at : at + 1] == ",":
            at = after_white(text, at + 1)


def _by_signs(head: str) -> str | None:
    signs = _ARRAY_SIGNS if head.lstrip("\ufeff").lstrip().startswith("[") else _LINE_SIGNS
    for sign, name in signs:
        if re.search(r"(?<!\\)" + sign, head):
            return name
    return "cmeee" if head.replace(" ", "").strip() == "[]" else None
