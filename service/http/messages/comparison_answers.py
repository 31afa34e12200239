"""What differs between runs, and between taggers, as it goes out."""

from __future__ import annotations

from typing import Any, Self

from medner.service.http.messages.annotated import PlainEntity
from medner.service.http.messages.strict import Strict


class ChangeAnswer(Strict):
    """A sentence whose result differs: the entities that only one of the runs has."""

    sentence: str
    text: str
    only_a: tuple[PlainEntity, ...]
    only_b: tuple[PlainEntity, ...]


class KindChanges(Strict):
    """Conflicts of a kind that both runs settled alike, and otherwise."""

    alike: int
    otherwise: int


class ScoresAnswer(Strict):
    """Precision, recall and F1; None where nothing was there to count."""

    precision: float | None
    recall: float | None
    f1: float | None


class GoldAnswer(Strict):
    """Both runs against gold on the sentences they share, and F1 of B minus A with its interval (paired bootstrap)."""

    sentences: int
    gold_entities: int
    a: ScoresAnswer
    b: ScoresAnswer
    f1_difference: float | None
    interval: tuple[float | None, float | None]
    level: float
    p: float | None
    seed: int
    resamples: int


class DiffAnswer(Strict):
    """What differs between two runs over the same sentences; A is the first that was named."""

    a: str
    b: str
    sentences: int
    only_in_a: int
    only_in_b: int
    conflicts: int
    changed_conflicts: int
    changed_sentences: int
    by_kind: dict[str, KindChanges]
    gained: dict[str, int]
    lost: dict[str, int]
    fallbacks: tuple[int, int]
    judging_seconds: tuple[float, float]
    changes: tuple[ChangeAnswer, ...]
    score: GoldAnswer | None


class AgreementPair(Strict):
    """Of the entities that either of two taggers gave, those that both gave."""

    taggers: tuple[str, str]
    both: int
    either: int


class WinsAnswer(Strict):
    """Of a tagger's disputed candidates, those that were kept."""

    kept: int
    disputed: int


class TypeWins(WinsAnswer):
    """The same by type."""

    tagger: str
    type: str


class ContestedAnswer(WinsAnswer):
    """A disputed text with its type."""

    text: str
    type: str


class AgreementAnswer(Strict):
    """Who disagrees with whom about what, and whose word the judge takes.

    ``of_all`` and ``of_none`` are candidates that all taggers gave, and none; ``left_out`` counts those over the bound.
    """

    sentences: int
    in_dispute: int
    conflicts: int
    pairs: tuple[AgreementPair, ...]
    kinds: dict[str, int]
    wins: dict[str, WinsAnswer]
    wins_by_type: tuple[TypeWins, ...]
    of_all: WinsAnswer
    of_none: WinsAnswer
    left_out: dict[str, int]
    contested: tuple[ContestedAnswer, ...]
    judges: dict[str, int]
    fallbacks: int
    abstained: int
    overruled: int

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """The counts of :meth:`medner.evaluation.measures.disputes.Disputes.as_data`."""
        return cls.model_validate(data)
