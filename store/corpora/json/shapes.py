"""Records of further tools and data sets that hold entities with offsets, each told by its keys; read, not written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medner.store.corpora.json.entities import EntityKeys, entity_mentions, is_entity_list, label_text
from medner.store.corpora.json.fields import drop_unread, id_field, kind_of, lookup, string, text_field, whole_number
from medner.store.corpora.json.tags import is_tag_list, joined, tagged_mentions
from medner.store.corpora.reading.format import Mention, Reading
from medner.store.corpora.reading.notes import Note
from medner.store.corpora.reading.read_options import EVERY_ANNOTATOR

_TEXTS = ("text", "content", "sentence", "context", "data", "raw_text", "sent", "note", "doc", "document", "passage")
_IDS = ("id", "document_id", "doc_id", "docid", "doc_key")
_Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RecordText:
    """A text with its mentions, ends as in the file.

    ``inclusive`` is the shape's habit; None: the strings tell. ``of_tokens``: the places were counted in tokens, and
    are those of characters by now. ``parted``: the records of one text are parts of one document.
    """

    id: str
    text: str
    mentions: Sequence[Mention]
    inclusive: bool | None = None
    of_tokens: bool = False
    parted: bool = False


Read = Callable[[Reading, int, "_Fields"], Iterator[RecordText]]


def shape_of(value: object, text_key: str | None = None) -> Callable[[Reading, int], Iterator[RecordText]] | None:
    """How a record of this shape is read; None when it is of none of them."""
    if isinstance(value, str):
        return lambda reading, place: iter([RecordText(reading.made_up_id(place), value, ())])
    if isinstance(value, list):
        return _pair_reader(value)
    if not isinstance(value, dict):
        return None
    for is_shape, read in _SHAPES:
        if is_shape(value):
            return lambda reading, place, read=read: read(reading, place, value)  # type: ignore[misc]
    return plain_reader(value, text_key) if _entity_keys(value) else None


def plain_reader(value: object, text_key: str | None = None) -> Callable[[Reading, int], Iterator[RecordText]] | None:
    """How a record is read that has a text and no entities; None when there is no text either."""
    if not isinstance(value, dict):
        return None
    if text_key is None and not any(isinstance(value.get(key), str) for key in _TEXTS):
        return None
    return lambda reading, place: _entity_lists(reading, place, value)


def _pair_reader(value: list[object]) -> Callable[[Reading, int], Iterator[RecordText]] | None:
    """spaCy's training data: [text, {"entities": [[start, end, label]]}], or the list itself."""
    if len(value) != 2:
        return None
    text, marks = value
    if isinstance(text, str) and isinstance(marks, dict) and "entities" in marks:
        items = marks["entities"]
    elif isinstance(text, str) and isinstance(marks, list) and (not marks or is_entity_list(marks)):
        items = marks
    else:
        return None

    def read(reading: Reading, place: int) -> Iterator[RecordText]:
        if isinstance(marks, dict):
            drop_unread(reading, marks, ("entities",))
        mentions = tuple(entity_mentions(reading, place, items, "entities"))
        whole = string(reading, place, text, "0", "the text")
        yield RecordText(reading.made_up_id(place), whole, mentions, inclusive=False)

    return read


def _entity_keys(value: _Fields) -> list[str]:
    # Tokens have places and tags as well.
    return [key for key, items in value.items() if key not in ("tokens", "sents") and is_entity_list(items)]


def _text_id(reading: Reading, place: int, value: _Fields) -> tuple[str, str, str]:
    present = [key for key in _TEXTS if isinstance(value.get(key), str)]
    text, key = text_field(reading, place, value, present or _TEXTS[:1])
    return text, key, id_field(reading, place, value, _IDS)


def _entity_lists(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    """Prodigy's ``spans``, spaCy's ``ents``, TPLinker's ``entity_list`` ...: a text and one list of entities."""
    text, key, name = _text_id(reading, place, value)
    wanted = reading.options.annotator
    if wanted not in (None, EVERY_ANNOTATOR) and "_annotator_id" in value and value["_annotator_id"] != wanted:
        reading.notes[Note.NOT_BY_ANNOTATOR] += 1
        return
    if value.get("answer") in ("reject", "ignore"):
        reading.notes[Note.REJECTED] += 1
        return
    lists = _entity_keys(value)
    first = lists[0] if lists else ""
    if len(lists) > 1:
        raise reading.error(
            f"entities under several keys ({', '.join(lists)}); leave one of them in the file", place, first
        )
    drop_unread(reading, value, (key, *lists, *_IDS, "answer", "tokens", "meta", "entities", "spans", "ents"))
    mentions = tuple(entity_mentions(reading, place, value.get(first), first)) if lists else ()
    yield RecordText(name, text, mentions)


def _cluener(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    text, key, name = _text_id(reading, place, value)
    labels = value["label"]
    mentions = []
    for label, words in labels.items() if isinstance(labels, dict) else ():
        for mention, places in words.items() if isinstance(words, dict) else ():
            for number, span in enumerate(places if isinstance(places, list) else ()):
                start, end = _two(reading, place, span, f"label.{label}.{number}")
                mentions.append(Mention(start, end, str(label), str(mention), f"label.{label}"))
    drop_unread(reading, value, (key, "label", *_IDS))
    yield RecordText(name, text, mentions)


def _tokens(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    key, tags_key = _tagged_keys(value) or ("", "")
    raw, tags = value[key], value[tags_key]
    tokens = [str(one) for one in raw] if isinstance(raw, list) else list(str(raw))
    names = [str(one) for one in tags] if isinstance(tags, list) else str(tags).split()
    if len(tokens) != len(names):
        raise reading.error(f"{len(tokens)} tokens and {len(names)} tags", place, tags_key)
    text, bounds = joined(tokens)
    drop_unread(reading, value, (key, tags_key, *_IDS, "speaker", "sentence_id"))
    mentions = tagged_mentions(reading, place, names, bounds, tags_key)
    yield RecordText(id_field(reading, place, value, _IDS), text, mentions, of_tokens=True)


def _dialogue(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    """IMCS: a dialogue of sentences, each with its tags; a document a sentence."""
    name = id_field(reading, place, value, _IDS)
    sentences = value["dialogue"]
    drop_unread(reading, value, ("dialogue", "id"))
    for number, sentence in enumerate(sentences if isinstance(sentences, list) else (), 1):
        if isinstance(sentence, dict) and _is_tagged(sentence):
            for found in _tokens(reading, place, sentence):
                yield RecordText(f"{name}-{number}", found.text, found.mentions, of_tokens=True)


def _gliner(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    """GLiNER: tokens, and [first token, last token, label]."""
    raw = value["tokenized_text"]
    text, bounds = joined([str(one) for one in raw] if isinstance(raw, list) else [])
    counted = entity_mentions(reading, place, value.get("ner"), "ner")
    mentions = [_over_tokens(reading, place, mention, bounds, "ner") for mention in counted]
    drop_unread(reading, value, ("tokenized_text", "ner", *_IDS))
    yield RecordText(id_field(reading, place, value, _IDS), text, mentions, of_tokens=True)


def _langextract(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    text, key, name = _text_id(reading, place, value)
    items = value["extractions"]
    objects = [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    placed = [one for one in objects if one.get("char_interval")]
    reading.notes[Note.NO_PLACE] += len(objects) - len(placed)
    keys = EntityKeys((), (), ("extraction_class",), ("extraction_text",), unused=_LANGEXTRACT)
    mentions = tuple(entity_mentions(reading, place, placed, "extractions", keys))
    drop_unread(reading, value, (key, "extractions", *_IDS))
    yield RecordText(name, text, mentions, inclusive=False)


_LANGEXTRACT = ("alignment_status", "extraction_index", "group_index", "description", "token_interval")


def _uie(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    """UIE: a record a text and prompt; the prompt is the label."""
    text, key, name = _text_id(reading, place, value)
    label = label_text(reading, place, value.get("prompt"), "prompt")
    items = value["result_list"]
    named = [{**one, "label": label} for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    mentions = tuple(entity_mentions(reading, place, named, "result_list"))
    drop_unread(reading, value, (key, "result_list", "prompt", *_IDS))
    yield RecordText(name, text, mentions, parted=True)


def _mrc(reading: Reading, place: int, value: _Fields) -> Iterator[RecordText]:
    """Entities as answers to questions: a record a text and label, offsets of tokens with inclusive ends."""
    context = string(reading, place, value["context"], "context", "the text")
    text, bounds = joined(context.split(" ") if " " in context else list(context))
    label = label_text(reading, place, value.get("entity_label"), "entity_label")
    starts, ends = value.get("start_position"), value.get("end_position")
    if not isinstance(starts, list) or not isinstance(ends, list) or len(starts) != len(ends):
        raise reading.error("start_position and end_position are lists of the same length", place, "start_position")
    mentions = []
    for pair in zip(starts, ends, strict=True):
        start, end = _two(reading, place, list(pair), "start_position")
        mentions.append(
            _over_tokens(reading, place, Mention(start, end, label, None, "start_position"), bounds, "start_position")
        )
    drop_unread(reading, value, (*_MRC, *_IDS))
    yield RecordText(id_field(reading, place, value, ()), text, mentions, of_tokens=True, parted=True)


_MRC = ("context", "start_position", "end_position", "entity_label", "span_position", "query", "qas_id", "impossible")


def _over_tokens(
    reading: Reading, place: int, mention: Mention, bounds: Sequence[tuple[int, int]], key: str
) -> Mention:
    """The mention from token to token as one of characters."""
    first, last = mention.start, mention.end
    if not 0 <= first <= last < len(bounds):
        raise reading.error(f"[{first}, {last}] are no tokens of the text, which has {len(bounds)}", place, key)
    return Mention(bounds[first][0], bounds[last][1], mention.label, None, mention.key)


def _two(reading: Reading, place: int, span: object, key: str) -> tuple[int, int]:
    numbers = [whole_number(one) for one in span] if isinstance(span, list) else []
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise reading.error(f"a place is [start, end], and this is {kind_of(span)}", place, key)
    return numbers[0], numbers[1]


def _tagged_keys(value: _Fields) -> tuple[str, str] | None:
    """The keys of the tokens and of their tags; None where there are none."""
    key = next((key for key in _TOKENS if isinstance(value.get(key), (list, str)) and value[key]), None)
    if key is None:
        return None
    tags_key = next((each for each, tags in value.items() if each != key and is_tag_list(tags)), None)
    # A text in one piece may have something else beside it that looks like tags.
    if tags_key is None or (key == "text" and isinstance(value[key], str) and len(value[key]) != len(value[tags_key])):  # type: ignore[arg-type]
        return None
    return key, tags_key


def _is_tagged(value: _Fields) -> bool:
    return _tagged_keys(value) is not None


_TOKENS = ("tokens", "words", "chars", "sentence", "text")

_SHAPES: tuple[tuple[Callable[[_Fields], bool], Read], ...] = (
    (lambda value: isinstance(value.get("dialogue"), list), _dialogue),
    (lambda value: "tokenized_text" in value and "ner" in value, _gliner),
    (lambda value: isinstance(value.get("extractions"), list) and "text" in value, _langextract),
    (lambda value: "result_list" in value and "prompt" in value, _uie),
    (lambda value: "context" in value and "entity_label" in value and "start_position" in value, _mrc),
    (lambda value: isinstance(value.get("label"), dict) and lookup(value, "text")[0], _cluener),
    (_is_tagged, _tokens),
    (lambda value: "answer" in value and "spans" in value and "text" in value, _entity_lists),
)
