"""Candidates whose truth is known: gold entities, and wrong ones made from them (§3.2).

The paper shifts a boundary by 1 or 2 characters or changes the type, and draws 10,000 samples in all. It does not say
in which shares. Here half of the samples are right, and of the wrong ones a third has another start, a third another
end, a third another type.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from medner.core.records import Entity
from medner.training.nesting import Pairs, is_open

#: By how many characters a boundary is shifted.
SHIFTS = (-2, -1, 1, 2)


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence with the entities that are right in it.

    ``missing`` are pairs of types whose nested entities its annotation may lack: of those nothing is known.
    """

    text: str
    gold: frozenset[Entity]
    missing: Pairs = frozenset()

    def is_wrong(self, entity: Entity) -> bool:
        """Whether it is certain that the entity is none."""
        return entity not in self.gold and not (self.missing and is_open(entity, self.gold, self.missing))


@dataclass(frozen=True, slots=True)
class LabelledCandidate:
    """A candidate of a sentence, and whether it is right."""

    sentence: str
    entity: Entity
    right: bool


def wrong_starts(sentence: GoldSentence, entity: Entity, codes: Sequence[str]) -> list[Entity]:  # noqa: ARG001
    """The entity with its start shifted, as far as that is a wrong entity of the sentence."""
    moved = [entity.start + shift for shift in SHIFTS]
    return _wrong(sentence, [Entity(at, entity.end, entity.label) for at in moved if 0 <= at < entity.end])


def wrong_ends(sentence: GoldSentence, entity: Entity, codes: Sequence[str]) -> list[Entity]:  # noqa: ARG001
    """The entity with its end shifted, as far as that is a wrong entity of the sentence."""
    moved = [entity.end + shift for shift in SHIFTS]
    inside = [at for at in moved if entity.start < at <= len(sentence.text)]
    return _wrong(sentence, [Entity(entity.start, at, entity.label) for at in inside])


def wrong_types(sentence: GoldSentence, entity: Entity, codes: Sequence[str]) -> list[Entity]:
    """The entity under every other type that it does not have too."""
    return _wrong(sentence, [Entity(entity.start, entity.end, code) for code in codes if code != entity.label])


#: The ways of making a wrong candidate of a right one.
PERTURBATIONS: tuple[Callable[[GoldSentence, Entity, Sequence[str]], list[Entity]], ...] = (
    wrong_starts,
    wrong_ends,
    wrong_types,
)


def _wrong(sentence: GoldSentence, entities: list[Entity]) -> list[Entity]:
    return [entity for entity in entities if sentence.is_wrong(entity)]


def sampled(
    sentences: Sequence[GoldSentence], codes: Sequence[str], *, samples: int, seed: int
) -> tuple[LabelledCandidate, ...]:
    """At most ``samples`` candidates, half of them right, none twice; the same for the same seed.

    There are fewer when the sentences do not hold ``samples / 2`` entities. What is right in one of two equal
    sentences is right in both.
    """
    draw = random.Random(seed)  # noqa: S311  reproducibility, not secrecy
    pool = [(sentence, entity) for sentence in merged(sentences).values() for entity in sorted(sentence.gold)]
    half = min(samples // 2, len(pool))
    right = [LabelledCandidate(sentence.text, entity, True) for sentence, entity in draw.sample(pool, half)]
    wrong: dict[LabelledCandidate, None] = {}
    # An entity whose perturbations are used up leaves the round; the rest go on until there are enough.
    while pool and len(wrong) < half:
        draw.shuffle(pool)
        pool = [place for place in pool if len(wrong) >= half or _add_wrong(wrong, *place, codes, draw)]
    return (*right, *wrong)


def merged(sentences: Iterable[GoldSentence]) -> dict[str, GoldSentence]:
    """Each text once, with all its entities."""
    found: dict[str, GoldSentence] = {}
    for sentence in sentences:
        known = found.get(sentence.text, sentence)
        # What one complete annotation says is known.
        found[sentence.text] = GoldSentence(sentence.text, known.gold | sentence.gold, known.missing & sentence.missing)
    return found


def _add_wrong(
    wrong: dict[LabelledCandidate, None],
    sentence: GoldSentence,
    entity: Entity,
    codes: Sequence[str],
    draw: random.Random,
) -> bool:
    """Adds one new wrong candidate made from an entity; False when there is none left."""
    for perturb in draw.sample(PERTURBATIONS, len(PERTURBATIONS)):
        made = [LabelledCandidate(sentence.text, other, False) for other in perturb(sentence, entity, codes)]
        new = [candidate for candidate in made if candidate not in wrong]
        if new:
            wrong[draw.choice(new)] = None
            return True
    return False
