"""Values of JSON records that other tools wrote: what is used is checked, whatever else there is may be anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from medner.core.characters import is_unicode
from medner.core.listing import first_few
from medner.core.records import KeptValue
from medner.store.corpora.reading.format import Reading
from medner.store.corpora.reading.raw_records import RawRecord

#: So many keys of a record are named in a message.
_MOST_KEYS = 8
#: Keys that say who, when and how, never what: they are left out without a word.
BOOKKEEPING = frozenset(
    [
        "annotation_approver",
        "annotation_id",
        "annotations_count",
        "approved_by",
        "cancelled_annotations",
        "comment_authors",
        "comment_count",
        "completed_by",
        "created_at",
        "created_username",
        "draft_exists",
        "drafts",
        "file_upload",
        "file_upload_id",
        "inner_id",
        "is_labeled",
        "last_comment_updated_at",
        "lead_time",
        "origin",
        "project",
        "result_count",
        "storage_filename",
        "total_annotations",
        "total_predictions",
        "unique_id",
        "unresolved_comment_count",
        "updated_at",
        "updated_by",
        "user",
        "tokenized",
    ]
)


def record_fields(reading: Reading, record: RawRecord) -> Mapping[str, object]:
    """The record as a JSON object; BadInputError when it is something else."""
    if not isinstance(record.value, dict):
        raise reading.error(f"a record is a JSON object, and this is {kind_of(record.value)}", record.place)
    return record.value


def text_field(reading: Reading, place: int, fields: Mapping[str, object], keys: Sequence[str]) -> tuple[str, str]:
    """The record's text and its key: the one --text-key names, else the first of ``keys`` that is there."""
    chosen = reading.options.text_key
    key = chosen if chosen is not None else next((key for key in keys if key in fields), None)
    found, value = (False, None) if key is None else lookup(fields, key)
    if key is None or not found:
        raise reading.error(_no_text(fields, keys, chosen), place, chosen)
    return string(reading, place, value, key, "the text"), key


def id_field(reading: Reading, place: int, fields: Mapping[str, object], keys: Sequence[str] = ("id",)) -> str:
    """The record's id, which is --id-key's value, else that of the first of ``keys`` that is usable; else made up."""
    chosen = reading.options.id_key
    if chosen is not None:
        found, value = lookup(fields, chosen)
        name = id_text(value)
        if not found or name is None:
            what = "is missing" if not found else f"is {kind_of(value)}, not a string or a whole number"
            raise reading.error(f"the id {what}; the record has the keys {listed(fields)}", place, chosen)
        return name
    for key in keys:
        name = id_text(lookup(fields, key)[1])
        if name is not None:
            if reading.layout.id_key != key:
                reading.set_layout(replace(reading.layout, id_key=key))
            return name
    return reading.made_up_id(place)


def kept_fields(reading: Reading, place: int, fields: Mapping[str, object]) -> tuple[tuple[str, KeptValue], ...]:
    """The values of the keys that --keep names, lists and objects as JSON; else those that medner kept earlier.

    BadInputError for a key that the record has not.
    """
    earlier = fields.get("kept")
    held: dict[str, object] = {}
    for key in reading.options.table.keep:
        found, held[key] = lookup(fields, key)
        if not found and isinstance(earlier, dict):
            found, held[key] = key in earlier, earlier.get(key)
        if not found:
            raise reading.error(f"there is no such key to keep; the record has the keys {listed(fields)}", place, key)
    if not reading.options.table.keep and isinstance(earlier, dict):
        held = dict(earlier)
    return tuple(
        (key, value if value is None or isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False))
        for key, value in held.items()
    )


def id_text(value: object) -> str | None:
    """The id as text where it is a string or a whole number that says something; else None."""
    if isinstance(value, str):
        return value if value and is_unicode(value) else None
    number = whole_number(value)
    return None if number is None else str(number)


def lookup(fields: Mapping[str, object], key: str) -> tuple[bool, object]:
    """Whether the key is there, and its value; ``a.b`` is the key b of the object under a, unless a.b is a key."""
    if key in fields:
        return True, fields[key]
    first, dot, rest = key.partition(".")
    inner = fields.get(first)
    return lookup(inner, rest) if dot and isinstance(inner, dict) else (False, None)


def string(reading: Reading, place: int, value: object, key: str, what: str) -> str:
    """The value as a string; BadInputError when it is none, or holds half a character."""
    if not isinstance(value, str):
        way = "; --skip-bad leaves such records out" if value is None else ""
        raise reading.error(f"{what} is {kind_of(value)}, not a valid string{way}", place, key)
    if not is_unicode(value):
        raise reading.error(f"not valid JSON: {what} holds half a character (a lone surrogate)", place, key)
    return value


def whole_number(value: object) -> int | None:
    """The whole number that the value is or spells (2, 2.0, "2"); else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        digits = value.strip()
        spelt = digits.removeprefix("-")
        return int(digits) if spelt.isascii() and spelt.isdigit() and len(spelt) <= 18 else None
    return value if isinstance(value, int) else None


def listed(fields: Iterable[str]) -> str:
    """The keys in words, the first ones where there are many."""
    return first_few((repr(str(key)) for key in fields), _MOST_KEYS) or "(none)"


def kind_of(value: object) -> str:
    """What a JSON value is, in words: "null", "a number" ..."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "a string", list: "a list", dict: "an object", int: "a number", float: "a number"}
    return kinds.get(type(value), "unknown")


def drop_unread(reading: Reading, fields: Mapping[str, object], read: Iterable[str]) -> None:
    """Counts the keys of a record that were not read and hold something; those like annotation apart as well."""
    known = {
        *read,
        *((reading.options.text_key or "").split(".")[:1]),
        *((reading.options.id_key or "").split(".")[:1]),
        *(key.split(".")[0] for key in reading.options.table.keep),
    }
    unread = {
        key: value
        for key, value in fields.items()
        if key not in known and key not in BOOKKEEPING and not key.startswith("_") and value not in (None, "", [], {})
    }
    reading.drop_keys(unread)
    reading.unread.update(key for key, value in unread.items() if looks_like_entities(key, value))


_NAMES = frozenset(
    [
        "entity",
        "entities",
        "entites",
        "entitys",
        "ents",
        "ner",
        "ners",
        "nes",
        "mention",
        "mentions",
        "span",
        "spans",
        "annotation",
        "annotations",
        "completions",
        "predictions",
        "tags",
        "ner_tags",
        "labels",
        "bio_label",
        "bio_labels",
        "spo_list",
        "relations",
        "extractions",
        "entity_list",
        "result_list",
        "results",
        "concepts",
    ]
)
_PLACES = frozenset(
    [
        "start",
        "end",
        "begin",
        "start_idx",
        "end_idx",
        "start_offset",
        "end_offset",
        "start_pos",
        "end_pos",
        "startoffset",
    ]
)


def looks_like_entities(key: str, value: object) -> bool:
    """Whether the value of a key that no reader knows seems to be annotation: by its name or by places in it."""
    if not isinstance(value, (list, dict)) or not value:
        return False
    return key.lower() in _NAMES or _holds_places(value, 4)


def _holds_places(value: object, depth: int) -> bool:
    if depth == 0:
        return False
    if isinstance(value, dict):
        if any(str(key).lower() in _PLACES for key in value):
            return True
        return any(_holds_places(each, depth - 1) for each in list(value.values())[:20])
    if isinstance(value, list):
        numbers = sum(whole_number(each) is not None for each in value)
        if numbers >= 2 and any(isinstance(each, str) and whole_number(each) is None for each in value):
            return True
        return any(_holds_places(each, depth - 1) for each in value[:20])
    return False


def _no_text(fields: Mapping[str, object], keys: Sequence[str], chosen: str | None) -> str:
    missing = f"no key {chosen!r}" if chosen is not None else f"no text: there is no key {' or '.join(map(repr, keys))}"
    strings = {key: value for key, value in fields.items() if isinstance(value, str) and key not in BOOKKEEPING}
    longest = max(strings, key=lambda key: len(strings[key]), default=None)
    way = f"; name the key of the text: --text-key {longest if longest is not None and chosen is None else 'KEY'}"
    return f"{missing}; the record has the keys {listed(fields)}{way}"
