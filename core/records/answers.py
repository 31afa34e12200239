"""A tagger's answer on one sentence: what it wrote, what was read, what was refused, what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from medner.core.records.text import Entity


class Rejection(StrEnum):
    """Why a piece of a model's answer did not become an entity."""

    NOT_IN_TEXT = "not_in_text"
    UNFAITHFUL_COPY = "unfaithful_copy"
    UNKNOWN_LABEL = "unknown_label"
    MALFORMED = "malformed"
    UNBALANCED = "unbalanced"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    TRUNCATED = "truncated"
    ONLY_EDGES = "only_edges"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refused piece of an answer, with the reason. ``raw`` is the piece as the model wrote it."""

    reason: Rejection
    raw: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a codec read out of an answer.

    ``offsets_exact`` and ``offsets_repaired`` count the entities of an offset-bearing strategy whose stated
    offsets were right, and those whose offsets were found by searching the text; both stay 0 for strategies that
    state no offsets.
    """

    entities: tuple[Entity, ...]
    rejected: tuple[Rejected, ...] = ()
    offsets_exact: int = 0
    offsets_repaired: int = 0


@dataclass(frozen=True, slots=True)
class DecodingCost:
    """What an answer cost: forward passes of the model it took part in, tokens, seconds of wall time."""

    passes: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    drafted_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TaggerOutput:
    """One tagger's answer on one sentence, whole: what it wrote, what was read, what was refused."""

    tagger: str
    answer: str
    decoded: Decoded
    cost: DecodingCost = DecodingCost()
