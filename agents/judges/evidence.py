"""The evidence judge: what taggers think, what a corpus says of the very strings, what the judge reads itself.

How often a string occurs in annotated text, and as what, is knowledge that a small model has not learnt by heart. A
language model larger than the taggers may read the sentence beside it: it is asked only where there is a conflict.
Boosted trees weigh all of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medner.agents.evidence.lexicon import Lexicon, StringCounts
from medner.agents.filters.filter import probability
from medner.agents.judges.judge import Case, abstention, fall_back, likeliest_apart, verdict
from medner.agents.judges.trees import BoostedTrees
from medner.core.records import Entity, Span, Verdict

if TYPE_CHECKING:
    from medner.agents.filters.spans import ScoresSpans

#: What an agreed entity, which is not in question, counts for as a probability.
AGREED = 0.98
#: So many characters on either side a longer entity is looked for.
_REACH = 4
_LEAST = 1e-4
#: What the judge reads itself counts so many times what the taggers think, where their logits are averaged.
_READING = 2.0
#: Logits of what it reads are cut here: training data lists nothing below.
READ_LIMIT = 6.0


@dataclass(frozen=True, slots=True)
class EvidenceJudge:
    """Keeps the candidates of a probability of at least ``threshold``; of two that exclude one another the likelier.

    Every candidate needs a filter's score. ``abstain``: a conflict with a candidate whose probability lies between the
    two is left to a person. ``reader`` is the language model that reads the sentence; None: there is none.
    """

    trees: BoostedTrees
    lexicon: Lexicon
    name: str
    version: str = "1"
    threshold: float = 0.5
    abstain: tuple[float, float] | None = None
    reader: ScoresSpans | None = None

    async def judge(self, case: Case) -> Verdict:
        """The probable candidates; the probabilities of all are in the verdict, the evidence is its prompt."""
        began = time.perf_counter()
        if any(candidate.score is None for candidate in case.conflict.candidates):
            return fall_back(self, case, "the filter gave no score")
        counted = Counted(self.lexicon)
        entities = [one.entity for one in case.conflict.candidates]
        read = None if self.reader is None else await self.reader.logits(case.sentence, entities)
        rows = evidence_features(case, counted, read)
        chances = tuple(probability(logit, 1.0) for logit in self.trees.logits(rows))
        low, high = self.abstain or (1.0, 0.0)
        if any(low < chance < high for chance in chances):
            decided = abstention(self, case, f"a probability between {low:g} and {high:g}")
        else:
            scored = {one.entity: chance for one, chance in zip(case.conflict.candidates, chances, strict=True)}
            decided = verdict(
                self,
                case,
                likeliest_apart(case, scored, self.threshold),
                mode="evidence-1" if read is None else "evidence-read-1",
            )
        seconds = time.perf_counter() - began
        return replace(decided, prompt=_in_words(case, counted, read), scores=chances, seconds=seconds)

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


def evidence_features(case: Case, counted: Counted, read: Sequence[float] | None = None) -> list[dict[str, float]]:
    """The features of each candidate, in their order. Every candidate must have a score.

    ``read`` are the logits that the judge's own model gives the candidates.
    """
    candidates = case.conflict.candidates
    chances = {one.entity: one.score or 0.0 for one in candidates}
    thought = [log_odds(chances[one.entity]) for one in candidates]
    own: list[dict[str, float]] = [{} for _ in candidates]
    if read is not None:
        cut = [min(max(logit, -READ_LIMIT), READ_LIMIT) for logit in read]
        own = [{"taggers": said, "reader": seen} for said, seen in zip(thought, cut, strict=True)]
        for one, said, seen in zip(candidates, thought, cut, strict=True):
            chances[one.entity] = probability((said + _READING * seen) / (1.0 + _READING), 1.0)
    chances |= dict.fromkeys(case.conflict.context, AGREED)
    rows = [_features(case, one.entity, chances, counted) for one in candidates]
    return [row | more for row, more in zip(rows, own, strict=True)]


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


def _in_words(case: Case, counted: Counted, read: Sequence[float] | None = None) -> str:
    lines = [evidence_line(case, one.entity, counted) for one in case.conflict.candidates]
    if read is not None:
        lines = [f"{line}; read as {probability(logit, 1.0):.2f}" for line, logit in zip(lines, read, strict=True)]
    return "\n".join(lines)


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
