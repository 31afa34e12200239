"""Counts the strings of annotated sentences, for a lexicon."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from medner.agents.evidence.lexicon import LONGEST, StringCounts
from medner.core.labels import LabelSet
from medner.core.records import Document, Span


def count_strings(
    complete: Iterable[Document], partial: Iterable[Document], labels: LabelSet
) -> dict[str, StringCounts]:
    """The counts of every string that is an entity in one of some annotated sentences.

    ``partial`` sentences may lack nested entities: what is annotated inside an entity there counts, what is not says
    nothing.
    """
    listed = [(one, True) for one in complete] + [(one, False) for one in partial]
    known = {part for one, _ in listed for part in entity_strings(one)}
    total: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
    for one, is_complete in listed:
        for part, found in sentence_counts(one, known, labels, complete=is_complete).items():
            row = np.array((found.free, found.inside, *found.whole, *found.nested))
            total[part] = total[part] + row if part in total else row
    types = len(labels.codes)
    return {
        part: StringCounts(
            int(row[0]), int(row[1]), tuple(row[2 : 2 + types].tolist()), tuple(row[2 + types :].tolist())
        )
        for part, row in total.items()
    }


def sentence_counts(
    sentence: Document, known: Collection[str], labels: LabelSet, *, complete: bool = True
) -> dict[str, StringCounts]:
    """How often each of the ``known`` strings occurs in one annotated sentence, and as what."""
    text, types = sentence.text, len(labels.codes)
    number = {code: place for place, code in enumerate(labels.codes)}
    annotated: dict[Span, list[int]] = {}
    for entity in sentence.entities:
        annotated.setdefault(entity.span, []).append(number[entity.label])
    counts: dict[str, list[int]] = {}
    for start in range(len(text)):
        for end in range(start + 1, min(len(text), start + LONGEST) + 1):
            part = text[start:end]
            if part not in known:
                continue
            span = Span(start, end)
            inside = any(other != span and other.contains(span) for other in annotated)
            if inside and not complete and span not in annotated:
                continue
            row = counts.setdefault(part, [0] * (2 + 2 * types))
            row[int(inside)] += 1
            for place in annotated.get(span, ()):
                row[2 + types * int(inside) + place] += 1
    return {
        part: StringCounts(row[0], row[1], tuple(row[2 : 2 + types]), tuple(row[2 + types :]))
        for part, row in counts.items()
    }


def entity_strings(sentence: Document) -> set[str]:
    """The strings of a sentence's entities that a lexicon may hold."""
    return {part for entity in sentence.entities if len(part := entity.text_in(sentence.text)) <= LONGEST}
