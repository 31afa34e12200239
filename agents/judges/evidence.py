"""The evidence judge: the filter's score, and what a lexicon of a corpus says of the very strings, in boosted trees.

It is what a language model that judges has to beat: how often a string occurs in annotated text, and as what, is
knowledge that a small model has not learnt by heart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from medner.agents.evidence.lexicon import Lexicon, StringCounts
from medner.agents.filters.filter import probability
from medner.agents.judges.judge import Case, abstention, fall_back, likeliest_apart, verdict
from medner.agents.judges.trees import BoostedTrees
from medner.core.records import Entity, Span, Verdict

#: What an agreed entity, which is not in question, counts for as a probability.
AGREED = 0.98
#: So many characters on either side a longer entity is looked for.
_REACH = 4
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class EvidenceJudge:
    """Keeps the candidates of a probability of at least ``threshold``; of two that exclude one another the likelier.

    Every candidate needs a filter's score. ``abstain``: a conflict with a candidate whose probability lies between the
    two is left to a person.
    """

    trees: BoostedTrees
    lexicon: Lexicon
    name: str
    version: str = "1"
    threshold: float = 0.5
    abstain: tuple[float, float] | None = None

    async def judge(self, case: Case) -> Verdict:
        """The probable candidates; the probabilities of all are in the verdict, the evidence is its prompt."""
        began = time.perf_counter()
        if any(candidate.score is None for candidate in case.conflict.candidates):
            return fall_back(self, case, "the filter gave no score")
        counted = Counted(self.lexicon)
        rows = evidence_features(case, counted)
        chances = tuple(probability(logit, 1.0) for logit in self.trees.logits(rows))
        low, high = self.abstain or (1.0, 0.0)
        if any(low < chance < high for chance in chances):
            decided = abstention(self, case, f"a probability between {low:g} and {high:g}")
        else:
            scored = {one.entity: chance for one, chance in zip(case.conflict.candidates, chances, strict=True)}
            decided = verdict(self, case, likeliest_apart(case, scored, self.threshold), mode="evidence-1")
        seconds = time.perf_counter() - began
        return replace(decided, prompt=_in_words(case, counted), scores=chances, seconds=seconds)

    def prompt(self, case: Case) -> str:
        """What the lexicon says of each candidate."""
        return _in_words(case, Counted(self.lexicon))


class Counted:
    """A lexicon, without what one sentence adds to it: what is learnt must not know its own answer."""

    def __init__(self, lexicon: Lexicon, own: Mapping[str, StringCounts] | None = None) -> None:
        self.types = {code: place for place, code in enumerate(lexicon.types)}
        self._lexicon = lexicon
        self._own = own or {}
        self._found: dict[str, StringCounts | None] = {}

    def counts(self, part: str) -> StringCounts | None:
        """The counts of a string; None where it is no entity in the corpus."""
        if part not in self._found:
            found = self._lexicon.counts(part)
            if found is not None and (own := self._own.get(part)) is not None:
                found = found - own
            self._found[part] = found if found is not None and found.entities else None
        return self._found[part]


def evidence_features(case: Case, counted: Counted) -> list[dict[str, float]]:
    """The features of each candidate, in their order. Every candidate must have a score."""
    chances = {one.entity: one.score or 0.0 for one in case.conflict.candidates}
    chances |= dict.fromkeys(case.conflict.context, AGREED)
    return [_features(case, one.entity, chances, counted) for one in case.conflict.candidates]


def _features(case: Case, entity: Entity, chances: Mapping[Entity, float], counted: Counted) -> dict[str, float]:
    score = log_odds(chances[entity])
    length = math.log(len(entity.span))
    found = {
        "bias": 1.0,
        "score": score,
        f"type:{entity.label}": 1.0,
        f"score:{entity.label}": score,
        "length": length,
        f"length:{entity.label}": length,
        "score*length": score * length,
    }
    around = _relations(case, entity, chances)
    found |= around
    found["score-rival"] = score - log_odds(around["rival"])
    found |= _own_string(case.sentence.text, entity, score, around["in outer"], counted)
    found |= _neighbouring_strings(case.sentence.text, entity, counted)
    return found


def _relations(case: Case, entity: Entity, chances: Mapping[Entity, float]) -> dict[str, float]:
    """How likely the candidates are that share its stretch, hold it, stand in it, or exclude it."""
    outer_types = case.labels.nesting.outer
    found = {"same stretch": 0.0, "around it": 0.0, "in outer": 0.0, "inside it": 0.0, "rival": 0.0}

    def likelier(name: str, chance: float) -> None:
        found[name] = max(found[name], chance)

    for other, chance in chances.items():
        # Most are elsewhere in the sentence; to compare numbers is faster than to make spans.
        if other.start >= entity.end or entity.start >= other.end or other == entity:
            continue
        if other.span == entity.span:
            found["same stretch"] += chance
        elif other.span.contains(entity.span):
            likelier("around it", chance)
            if outer_types is None or other.label in outer_types:
                likelier("in outer", chance)
        elif entity.span.contains(other.span):
            likelier("inside it", chance)
        if case.labels.nesting.excludes(entity, other):
            likelier("rival", chance)
    return found


def _own_string(text: str, entity: Entity, score: float, outer: float, counted: Counted) -> dict[str, float]:
    """What the corpus says of the candidate's own string: as its type, as any, free and inside other entities."""
    counts = counted.counts(entity.text_in(text))
    if counts is None:
        return {"unseen": 1.0, "unseen*score": score}
    number = counted.types[entity.label]
    as_type = counts.whole[number] + counts.nested[number]
    found = {
        "seen": math.log1p(counts.occurrences),
        "as type": _share(as_type, counts.occurrences),
        "type of entities": _share(as_type, max(counts.entities, as_type)),
        "as type*doubt": _share(as_type, counts.occurrences) * abs(score) / 10,
        "never as type": float(as_type == 0),
    }
    if counts.free > 0:
        found["as type, free"] = _share(counts.whole[number], counts.free, 1.0) * (1 - outer)
    if counts.inside > 0:
        found["as type, inside"] = _share(counts.nested[number], counts.inside, 1.0) * outer
    return found


def _neighbouring_strings(text: str, entity: Entity, counted: Counted) -> dict[str, float]:
    """Whether a longer stretch around the candidate, or a part at one of its edges, is a known entity."""
    number = counted.types[entity.label]
    found = {"longer": 0.0, "longer, same type": 0.0, "part": 0.0, "part, same type": 0.0}
    stretches = [(name, span) for name, spans in _stretches(len(text), entity.span).items() for span in spans]
    for name, (start, end) in stretches:
        counts = counted.counts(text[start:end])
        if counts is None:
            continue
        of = counts.occurrences + 1
        found[name] = max(found[name], counts.entities / of)
        same = f"{name}, same type"
        found[same] = max(found[same], (counts.whole[number] + counts.nested[number]) / of)
    return found


def _stretches(size: int, span: Span) -> dict[str, list[tuple[int, int]]]:
    longer = [
        (start, end)
        for start in range(max(0, span.start - _REACH), span.start + 1)
        for end in range(span.end, min(size, span.end + _REACH) + 1)
        if (start, end) != (span.start, span.end)
    ]
    heads = [(span.start, end) for end in range(span.start + 1, span.end)]
    tails = [(start, span.end) for start in range(span.start + 1, span.end)]
    return {"longer": longer, "part": heads + tails}


def _in_words(case: Case, counted: Counted) -> str:
    return "\n".join(evidence_line(case, one.entity, counted) for one in case.conflict.candidates)


def evidence_line(case: Case, entity: Entity, counted: Counted) -> str:
    """What the corpus says of a candidate's string, in words."""
    part = entity.text_in(case.sentence.text)
    counts = counted.counts(part)
    if counts is None:
        return f"{part} ({entity.label}): no entity in the corpus"
    types = [
        f"{code} {counts.whole[number] + counts.nested[number]}"
        for code, number in counted.types.items()
        if counts.whole[number] + counts.nested[number]
    ]
    return f"{part} ({entity.label}): occurs {counts.occurrences} times in the corpus, as {', '.join(types)}"


def log_odds(chance: float) -> float:
    """The logit of a probability, within bounds."""
    bounded = min(max(chance, _LEAST), 1 - _LEAST)
    return math.log(bounded / (1 - bounded))


def _share(part: int, whole: int, prior: float = 0.5) -> float:
    """The smoothed log odds of a share."""
    return math.log((part + prior) / (max(whole - part, 0) + prior))
