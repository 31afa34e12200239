"""JSON of further tools and data sets with entities and offsets (prodigy, spaCy, CLUENER, GLiNER ...): read only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from medner.core.errors import BadInputError
from medner.core.records import Document
from medner.store.corpora.json.ends import EndVotes
from medner.store.corpora.json.entities import as_in_text, with_ends
from medner.store.corpora.json.fields import listed
from medner.store.corpora.json.records import TEXT_KEYS, json_records
from medner.store.corpora.json.refused import refusal
from medner.store.corpora.json.shapes import RecordText, plain_reader, shape_of
from medner.store.corpora.reading.format import Format, Mention, Reading
from medner.store.corpora.reading.raw_records import RawRecord, read_several


@dataclass(slots=True)
class _Whole:
    """A document put together from the records of its text; ``place`` is the first one's."""

    id: str
    place: int
    mentions: list[Mention] = field(default_factory=list)


def _read(reading: Reading) -> Iterator[Document]:
    inclusive = _ends_are_inclusive(reading)
    wholes: dict[str, _Whole] = {}

    def understand(reading: Reading, record: RawRecord) -> Iterator[Document]:
        for found in _record_texts(reading, record):
            mentions = _settled(reading, found, inclusive=inclusive)
            if not found.parted:
                yield reading.document(found.id, found.text, mentions, line=record.place)
                continue
            for mention in mentions:
                reading.check(mention, found.text, line=record.place)
            wholes.setdefault(found.text, _Whole(found.id, record.place)).mentions += mentions

    yield from read_several(reading, json_records(reading, _is_record), understand)
    for text, whole in wholes.items():
        yield reading.document(whole.id, text, whole.mentions, line=whole.place)


def _settled(reading: Reading, found: RecordText, *, inclusive: bool) -> Sequence[Mention]:
    """The mentions in code points with exclusive ends."""
    if found.of_tokens:
        return found.mentions
    ends = inclusive if found.inclusive is None else found.inclusive
    return as_in_text(reading, found.text, with_ends(reading, found.mentions, inclusive=ends))


def _record_texts(reading: Reading, record: RawRecord) -> list[RecordText]:
    read = shape_of(record.value, reading.options.text_key) or plain_reader(record.value, reading.options.text_key)
    if read is not None:
        return list(read(reading, record.place))
    reason = refusal(record.value)
    if reason is None:
        keys = listed(record.value) if isinstance(record.value, dict) else "no keys"
        reason = f"no record that medner reads: it has {keys}; name the key of the text with --text-key"
    raise reading.error(reason, record.place)


def _ends_are_inclusive(reading: Reading) -> bool:
    """What the entity strings of the whole file say; exclusive where there are none."""
    if reading.options.end is not None:
        return reading.options.end == "inclusive"
    before = Counter(reading.notes), Counter(reading.dropped_keys), Counter(reading.unread), reading.layout
    votes = EndVotes()
    for record in json_records(reading, _is_record):
        try:
            texts = [] if record.error is not None else _record_texts(reading, record)
        except BadInputError:  # raised again when the record is read for its document
            continue
        for found in texts:
            if found.inclusive is None:
                for one in found.mentions:
                    if one.text is not None:
                        votes.add(found.text, one.start, one.end, one.text, record.place)
    reading.notes, reading.dropped_keys, reading.unread = before[:3]
    reading.set_layout(replace(before[3]))
    return votes.settle(reading) if votes.seen else False


def _is_record(value: object) -> bool:
    return isinstance(value, (str, list)) or (isinstance(value, dict) and any(key in value for key in TEXT_KEYS))


FORMAT = Format("json", "JSON of other tools", _read, expects="a text and one list of entities with start, end, label")
