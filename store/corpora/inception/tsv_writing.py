"""Writing WebAnno TSV 3.3: sentences as medner cuts them, words and single Han characters as tokens.

Only tokens and parts of them have rows, so that an entity cannot begin or end in white space. White space between two
sentences is part of the first one's text, unless it is what readers fill a gap with.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from medner.core.records import Document, Entity, Span
from medner.store.corpora.inception.escapes import escape_text, escape_value
from medner.store.corpora.inception.layers import NAMED_ENTITY, VALUE
from medner.store.corpora.inception.segments import sentence_starts, tokens_of
from medner.store.corpora.inception.utf16 import utf16_offsets
from medner.store.corpora.reading.format import Writing
from medner.store.corpora.reading.notes import Loss

_HEAD = f"#FORMAT=WebAnno TSV 3.3\n#T_SP={NAMED_ENTITY}|{VALUE}\n\n"
_FILLED_GAP = re.compile(r"\n *")


@dataclass(frozen=True, slots=True)
class _Unit:
    """A token, or a part of one, with the number of its row in its sentence; entities that have this row."""

    number: str
    span: Span
    entities: tuple[Entity, ...]


def written(document: Document, writing: Writing) -> str:
    """A document's file."""
    text = document.text.replace("\0", "\ufffd")
    writing.losses[Loss.CONTROL] += document.text.count("\0")
    tokens = tokens_of(text)
    if not tokens:
        writing.losses[Loss.EMPTY] += bool(text)
        writing.losses[Loss.ALL_WHITE] += len(document.entities)
        return _HEAD
    leading = text[: tokens[0].start]
    writing.losses[Loss.LEADING_WHITE] += leading.strip(" ") != ""
    entities = list(dict.fromkeys(_on_tokens(document, writing)))
    sentences = [_units(part, tokens, entities) for part in _parts(replace(document, text=text), tokens)]
    ids = _disambiguation_ids(unit for _, units in sentences for unit in units)
    offsets = utf16_offsets(text)
    blocks = []
    for number, (part, units) in enumerate(sentences, 1):
        lines = [f"#Text={escape_text(line)}" for line in text[part.start : part.end].split("\n")]
        for unit in units:
            begin, end = offsets[unit.span.start], offsets[unit.span.end]
            cell = "|".join(_value(one, ids, writing) for one in unit.entities) or "_"
            lines.append(f"{number}-{unit.number}\t{begin}-{end}\t{text[unit.span.start : unit.span.end]}\t{cell}\t")
        blocks.append("\n" + "\n".join(lines) + "\n")
    return _HEAD + "".join(blocks)


def _on_tokens(document: Document, writing: Writing) -> Iterator[Entity]:
    """The entities without white space at their edges."""
    for entity in document.entities:
        words = entity.text_in(document.text)
        left, right = len(words) - len(words.lstrip()), len(words) - len(words.rstrip())
        if left == len(words):
            writing.losses[Loss.ALL_WHITE] += 1
            continue
        writing.losses[Loss.EDGE_WHITE] += bool(left or right)
        yield replace(entity, start=entity.start + left, end=entity.end - right)


def _parts(document: Document, tokens: Sequence[Span]) -> Iterator[Span]:
    """The sentences, each from a token on, with white space that no gap can hold at their ends."""
    text = document.text
    starts = sentence_starts(document, tokens)
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        inside = len(text[start:end].rstrip())
        gap = text[start + inside : end]
        is_gap = end < len(text) and (not gap or _FILLED_GAP.fullmatch(gap) is not None)
        yield Span(start, start + inside if is_gap else end)


def _units(sentence: Span, tokens: Sequence[Span], entities: Sequence[Entity]) -> tuple[Span, list[_Unit]]:
    """The rows of a sentence: its tokens, each followed by the parts of it that entities begin or end in."""
    units: list[_Unit] = []
    inside = [token for token in tokens if sentence.contains(token)]
    near = [entity for entity in entities if entity.span.overlaps(sentence)]
    for number, token in enumerate(inside, 1):
        pieces: dict[Span, list[Entity]] = defaultdict(list)
        for entity in near:
            if entity.span.overlaps(token):
                pieces[Span(max(token.start, entity.start), min(token.end, entity.end))].append(entity)
        units.append(_Unit(str(number), token, tuple(pieces.pop(token, ()))))
        parts = sorted(pieces, key=lambda span: (span.start, -span.end))
        units += [_Unit(f"{number}.{place}", part, tuple(pieces[part])) for place, part in enumerate(parts, 1)]
    return sentence, units


def _disambiguation_ids(units: Iterator[_Unit]) -> dict[Entity, int]:
    """The numbers of entities that have several rows, or share one."""
    rows: dict[Entity, int] = {}
    shared: set[Entity] = set()
    for unit in units:
        for entity in unit.entities:
            rows[entity] = rows.get(entity, 0) + 1
        shared.update(unit.entities if len(unit.entities) > 1 else ())
    return {entity: number for number, entity in enumerate((one for one in rows if rows[one] > 1 or one in shared), 1)}


def _value(entity: Entity, ids: dict[Entity, int], writing: Writing) -> str:
    number = ids.get(entity)
    return escape_value(writing.label(entity.label)) + ("" if number is None else f"[{number}]")
