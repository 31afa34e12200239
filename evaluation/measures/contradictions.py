"""Gold that all taggers contradict: places to look at again, since a model rarely errs alike with all the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from medner.core.records import Entity, in_order
from medner.evaluation.measures.annotated_texts import AnnotatedText


class Contradiction(StrEnum):
    """How all taggers contradict gold, the strongest first.

    ``OTHER``: they all give the same other entity that shares a character with it. ``ADDED``: they all give an entity
    where gold has nothing. ``MISSED``: none of them gives the entity, and they do not agree on another one.
    """

    OTHER = "other"
    ADDED = "added"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Contradicted:
    """A place where all taggers contradict gold: gold's entities there, and those that all taggers give."""

    document: str
    text: str
    kind: Contradiction
    gold: tuple[Entity, ...]
    given: tuple[Entity, ...]

    @property
    def start(self) -> int:
        """Where the place begins."""
        return min(entity.start for entity in (*self.gold, *self.given))

    @property
    def end(self) -> int:
        """Where the place ends."""
        return max(entity.end for entity in (*self.gold, *self.given))


def contradicted(
    texts: Iterable[AnnotatedText], taggers: Mapping[str, Mapping[str, frozenset[Entity]]]
) -> list[Contradicted]:
    """The places, the strongest contradictions first, in order of the texts.

    Gold is what all annotators of a text marked. ``taggers`` hold, by the id of a text and the tagger's name, what a
    tagger gives; texts of which there is none are left out.
    """
    found = [one for text in texts if taggers.get(text.id) for one in _of_text(text, taggers[text.id])]
    order = list(Contradiction)
    return sorted(found, key=lambda one: order.index(one.kind))


def _of_text(text: AnnotatedText, taggers: Mapping[str, frozenset[Entity]]) -> Iterator[Contradicted]:
    annotators, answers = list(text.entities.values()), list(taggers.values())
    gold, marked = frozenset.intersection(*annotators), frozenset.union(*annotators)
    proposed = frozenset.union(*answers)
    # What any annotator marked is no news of the taggers.
    agreed = in_order(frozenset.intersection(*answers) - marked)
    missed = in_order(gold - proposed)
    told: set[Entity] = set()
    for entity in missed:
        others = tuple(one for one in agreed if one.span.overlaps(entity.span))
        told.update(others)
        kind = Contradiction.OTHER if others else Contradiction.MISSED
        yield Contradicted(text.id, text.text, kind, (entity,), others)
    for entity in agreed:
        if entity not in told and not any(entity.span.overlaps(one.span) for one in marked):
            yield Contradicted(text.id, text.text, Contradiction.ADDED, (), (entity,))
