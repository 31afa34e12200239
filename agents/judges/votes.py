"""A linear layer over who said a candidate and what it looks like, with the model's own score among the features."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from medner.agents.judges.judge import Case
from medner.agents.judges.linear import LinearLayer
from medner.core.records import Candidate, Entity

#: The weights of the layer, beside a judge's adapter; a judge may be without.
VOTES_FILE = "votes.json"
#: The model's score (a logit) among the features.
MODEL = "model"


@dataclass(frozen=True, slots=True)
class VoteLayer(LinearLayer):
    """Weights by feature; ``taggers`` are those whose votes it has learnt, others' count for nothing."""

    taggers: tuple[str, ...]


def case_features(case: Case, taggers: Sequence[str], scores: Sequence[float] | None = None) -> list[dict[str, float]]:
    """The features of each candidate; ``scores`` are the model's logits, None: votes and surface alone."""
    known = sorted(set(taggers))
    listed = case.conflict.candidates
    rows = [dict(_features(case, candidate, known)) for candidate in listed]
    if scores is not None:
        for row, score in zip(rows, scores, strict=True):
            row[MODEL] = score
    return rows


def _features(case: Case, candidate: Candidate, taggers: Sequence[str]) -> Iterator[tuple[str, float]]:
    entity, text = candidate.entity, case.sentence.text
    said = [name for name in taggers if name in candidate.taggers]
    yield "bias", 1.0
    yield f"type:{entity.label}", 1.0
    for name in said:
        yield f"vote:{name}", 1.0
        yield f"vote:{name}:{entity.label}", 1.0
    for one, other in combinations(said, 2):
        yield f"votes:{one}+{other}", 1.0
        yield f"votes:{one}+{other}:{entity.label}", 1.0
    yield f"kind:{case.conflict.kind.value}", 1.0
    yield from _surface(entity.text_in(text), entity.label)
    yield from _relations(case, entity)
    if candidate.score is not None:
        yield "filter", math.log(max(candidate.score, 1e-6) / max(1 - candidate.score, 1e-6))


def _surface(part: str, label: str) -> Iterator[tuple[str, float]]:
    yield "length", math.log(len(part))
    yield f"length:{label}", math.log(len(part))
    if len(part) == 1:
        yield "single", 1.0
    for name, test in (("digit", str.isdecimal), ("latin", str.isascii)):
        if any(test(char) for char in part):
            yield name, 1.0
    if any(char in "，、；：的和及与或（）()" for char in part):
        yield "joined", 1.0
    yield f"first:{part[0]}", 1.0
    yield f"last:{part[-1]}:{label}", 1.0


def _relations(case: Case, entity: Entity) -> Iterator[tuple[str, float]]:
    """How the candidate stands to the others and to what is settled."""
    others = [one.entity for one in case.conflict.candidates if one.entity != entity]
    yield "others", math.log1p(len(others))
    for where, neighbours in (("", others), ("settled ", case.conflict.context)):
        for other in neighbours:
            if other.span == entity.span:
                yield f"{where}same span", 1.0
            elif entity.span.contains(other.span):
                yield f"{where}inside it", 1.0
                yield f"{where}inside it:{'same' if other.label == entity.label else 'other'}", 1.0
            elif other.span.contains(entity.span):
                yield f"{where}around it", 1.0
                yield f"{where}around it:{'same' if other.label == entity.label else 'other'}", 1.0
