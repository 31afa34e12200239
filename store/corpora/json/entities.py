"""Entities of JSON records as tools write them: objects with places and a label, or lists of start, end and label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medner.core.characters import is_unicode
from medner.store.corpora.json.fields import kind_of, listed, whole_number
from medner.store.corpora.json.offsets import fitted
from medner.store.corpora.reading.format import Mention, Reading
from medner.store.corpora.reading.notes import Note

STARTS = (
    "start",
    "start_idx",
    "start_offset",
    "start_pos",
    "startOffset",
    "begin",
    "start_char",
    "start_index",
    "from",
)
ENDS = ("end", "end_idx", "end_offset", "end_pos", "endOffset", "finish", "end_char", "end_index", "to")
PAIRS = (
    "char_interval",
    "char_span",
    "span",
    "offset",
    "offsets",
    "pos",
    "position",
    "positions",
    "interval",
    "loc",
    "idx",
)
LABELS = ("label", "labels", "type", "label_type", "entity_type", "tag", "category", "class", "entity_group", "types")
WORDS = (
    "entity",
    "text",
    "mention",
    "word",
    "words",
    "value",
    "entity_text",
    "entity_name",
    "name",
    "surface",
    "span_text",
)


@dataclass(frozen=True, slots=True)
class EntityKeys:
    """Which keys of an entity object hold its start, its end, its label and its string, most telling first.

    ``unused`` keys belong to the format and say nothing that is kept.
    """

    starts: Sequence[str] = STARTS
    ends: Sequence[str] = ENDS
    labels: Sequence[str] = LABELS
    words: Sequence[str] = WORDS
    unused: Sequence[str] = ()


ANY_KEYS = EntityKeys()


def entity_mentions(
    reading: Reading, place: int, items: object, key: str, keys: EntityKeys = ANY_KEYS
) -> Iterator[Mention]:
    """The mentions of a list of entities, ends as they are in the file; nothing for null.

    BadInputError for what is no entity. Keys of the entities that are not used are counted.
    """
    if items is None:
        return
    if not isinstance(items, list):
        raise reading.error(f"{kind_of(items)} and not a valid array of entities with offsets", place, key)
    for number, item in enumerate(items):
        where = f"{key}.{number}"
        if isinstance(item, dict):
            yield from _of_object(reading, place, item, where, keys)
        elif isinstance(item, list):
            yield _of_list(reading, place, item, where)
        else:
            raise reading.error(
                f"an entity is an object or a list [start, end, label], and this is {kind_of(item)}"
                + (f" ({_shown(item)}): without offsets it has no place in the text" if isinstance(item, str) else ""),
                place,
                where,
            )


def with_ends(reading: Reading, mentions: Iterable[Mention], *, inclusive: bool) -> Iterator[Mention]:
    """The mentions with ends as medner has them: --end says what the file's are, else ``inclusive``."""
    chosen = reading.options.end
    past = int(inclusive if chosen is None else chosen == "inclusive")
    for mention in mentions:
        yield replace(mention, end=mention.end + past) if past else mention


def swapped_as_in_text(mention: Mention, text: str) -> Mention:
    """The mention of a list [start, end, string, label], told from [start, end, label, string] by the text."""
    words = text[max(mention.start, 0) : max(mention.end, 0)]
    if mention.text is not None and mention.text != words and mention.label == words:
        return replace(mention, label=mention.text, text=mention.label)
    return mention


def as_in_text(reading: Reading, text: str, mentions: Iterable[Mention]) -> list[Mention]:
    """The mentions in code points of the text, as their strings tell; see :func:`fitted`."""
    return fitted(reading, text, [swapped_as_in_text(mention, text) for mention in mentions])


def is_entity_list(value: object) -> bool:
    """Whether the value is a list whose items all seem to be entities, at least one."""
    return isinstance(value, list) and bool(value) and all(map(_is_entity, value))


def _is_entity(item: object) -> bool:
    if isinstance(item, dict):
        placed = (first_key(item, STARTS) and first_key(item, ENDS)) or _pair(item) is not None
        return bool(placed) and bool(first_key(item, LABELS) or "entity" in item or "extraction_class" in item)
    if isinstance(item, list) and len(item) >= 3:
        numbers = [one for one in item[:3] if whole_number(one) is not None]
        return len(numbers) == 2 and any(isinstance(one, str) and whole_number(one) is None for one in item)
    return False


def first_key(item: Mapping[str, object], keys: Iterable[str]) -> str | None:
    """The first of the keys that the object has."""
    return next((key for key in keys if key in item), None)


def _of_object(
    reading: Reading, place: int, item: Mapping[str, object], where: str, keys: EntityKeys
) -> Iterator[Mention]:
    start, end, used = _span_of(reading, place, item, where, keys)
    label_key = first_key(item, keys.labels)
    words_key = next((key for key in keys.words if isinstance(item.get(key), str) and key != label_key), None)
    if label_key is None and "entity" in item and words_key != "entity":
        label_key = "entity"
    elif label_key is None and words_key == "entity":
        # Rasa and transformers' pipelines: 'entity' is the label, 'value' or 'word' the string.
        other = next((key for key in keys.words if key != "entity" and isinstance(item.get(key), str)), None)
        label_key, words_key = ("entity", other) if other is not None else (None, words_key)
    if label_key is None:
        raise reading.error(
            f"the label is missing: no key {' or '.join(map(repr, keys.labels[:3]))}; there are {listed(item)}",
            place,
            where,
        )
    words = None if words_key is None else str(item[words_key])
    reading.drop_keys(
        key
        for key, value in item.items()
        if key not in (*used, *keys.unused, label_key, words_key) and value not in (None, "", [], {})
    )
    label_value = item[label_key]
    labels = label_value if isinstance(label_value, list) else [label_value]
    if not labels:
        reading.notes[Note.NO_LABEL] += 1
    for label in labels:
        yield Mention(start, end, label_text(reading, place, label, f"{where}.{label_key}"), words, where)


def _span_of(
    reading: Reading, place: int, item: Mapping[str, object], where: str, keys: EntityKeys
) -> tuple[int, int, tuple[str, ...]]:
    """Start, end and the keys that hold them."""
    start_key, end_key = first_key(item, keys.starts), first_key(item, keys.ends)
    if start_key is not None and end_key is not None:
        return (
            number_at(reading, place, item[start_key], f"{where}.{start_key}"),
            number_at(reading, place, item[end_key], f"{where}.{end_key}"),
            (start_key, end_key),
        )
    pair = _pair(item)
    if pair is not None:
        return pair
    missing = next(iter(keys.starts or PAIRS)) if start_key is None else _partner(keys, start_key)
    lacking = "holds no place" if missing in item else "is missing"
    raise reading.error(
        f"{missing!r} {lacking}; there are {listed(item)} (entities need offsets)", place, f"{where}.{missing}"
    )


def _partner(keys: EntityKeys, start_key: str) -> str:
    return dict(zip(keys.starts, keys.ends, strict=False)).get(start_key, keys.ends[0])


def _pair(item: Mapping[str, object]) -> tuple[int, int, tuple[str, ...]] | None:
    """A place that one key holds: [start, end], [[start, end]], or an object; or an offset with a length."""
    offset, length = whole_number(item.get("offset")), whole_number(item.get("length"))
    if offset is not None and length is not None:
        return offset, offset + length, ("offset", "length")
    for key in PAIRS:
        value = item.get(key)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            start_key, end_key = first_key(value, STARTS), first_key(value, ENDS)
            value = [value.get(start_key or ""), value.get(end_key or "")]
        if isinstance(value, list) and len(value) == 2:
            start, end = map(whole_number, value)
            if start is not None and end is not None:
                return start, end, (key,)
    return None


def _of_list(reading: Reading, place: int, item: list[object], where: str) -> Mention:
    numbers = [at for at, one in enumerate(item) if whole_number(one) is not None][:2]
    strings = [one for at, one in enumerate(item) if at not in numbers]
    if len(item) < 3 or len(numbers) < 2 or numbers[1] != numbers[0] + 1:
        if len(item) >= 3 and len([one for one in item if whole_number(one) is not None]) == len(item):
            label_text(reading, place, item[2], where)
        raise reading.error(f"an entity is [start, end, label], and this is {_shown(item)}", place, where)
    if not strings:
        return Mention(0, 0, label_text(reading, place, item[2], where), None, where)
    start, end = (number_at(reading, place, item[at], where) for at in numbers)
    words = strings[1] if len(strings) > 1 and isinstance(strings[1], str) else None
    return Mention(start, end, label_text(reading, place, strings[0], where), words, where)


def number_at(reading: Reading, place: int, value: object, key: str) -> int:
    """The offset; BadInputError when it is no whole number."""
    number = whole_number(value)
    if number is None:
        raise reading.error(f"an offset is {_shown(value)}, not a valid integer", place, key)
    return number


def label_text(reading: Reading, place: int, label: object, key: str) -> str:
    """The label's name; BadInputError when it is none, with the way out where it is a number."""
    if isinstance(label, str) and label and is_unicode(label):
        return label
    if isinstance(label, int) and not isinstance(label, bool):
        raise reading.error(
            f"the label is the number {label}, not a name: older exports of doccano number the labels; export again as "
            "JSONL with label names, or put the names in",
            place,
            key,
        )
    what = "empty" if label == "" else kind_of(label)
    raise reading.error(f"the label is {what}, not a name", place, key)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:40] + "…"
