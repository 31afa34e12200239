"""The contract of a judge, and the rules that need no model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from medner.store.labels import LabelSet
from medner.store.records import Candidate, Conflict, Entity, Exemplar, Fallback, Sentence, Verdict


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict before a judge. ``voters`` are the taggers that answered, sorted."""

    sentence: Sentence
    conflict: Conflict
    labels: LabelSet
    voters: tuple[str, ...]
    exemplars: tuple[Exemplar, ...] = ()


class Judge(Protocol):
    """Settles a conflict. Raises ModelOutputError for an answer it cannot use, ExternalError when it cannot answer."""

    name: str
    version: str

    async def judge(self, case: Case) -> Verdict:
        """Which candidates are kept."""
        ...


@dataclass(frozen=True, slots=True)
class HardVote:
    """Keeps what more than half of the voters said (the paper's hard voting, table 7)."""

    name: str = "hard-vote"
    version: str = "1"

    async def judge(self, case: Case) -> Verdict:
        """Candidates with a majority are kept."""
        kept = {candidate.entity for candidate in case.conflict.candidates if has_majority(candidate, case.voters)}
        return verdict(self, case, kept, mode="vote")


@dataclass(frozen=True, slots=True)
class BestTagger:
    """Keeps what one tagger said; when that one did not answer, what a majority said."""

    tagger: str
    version: str = "1"

    @property
    def name(self) -> str:
        """The judge's name says whom it follows."""
        return f"best-tagger:{self.tagger}"

    async def judge(self, case: Case) -> Verdict:
        """Candidates of the best tagger are kept."""
        if self.tagger not in case.voters:
            return fall_back(self, case, f"tagger {self.tagger} gave no answer")
        kept = {candidate.entity for candidate in case.conflict.candidates if self.tagger in candidate.taggers}
        return verdict(self, case, kept, mode="best-tagger")


def has_majority(candidate: Candidate, voters: tuple[str, ...]) -> bool:
    """Whether more than half of the voters said it."""
    return 2 * len(candidate.taggers) > len(voters)


def verdict(judge: Judge, case: Case, kept: Collection[Entity], *, mode: str) -> Verdict:
    """The record of a decision: candidates not kept are dropped, both in text order."""
    candidates = [candidate.entity for candidate in case.conflict.candidates]
    return Verdict(
        conflict_id=case.conflict.id,
        kept=tuple(entity for entity in candidates if entity in kept),
        dropped=tuple(entity for entity in candidates if entity not in kept),
        judge=judge.name,
        judge_version=judge.version,
        mode=mode,
        exemplars=case.exemplars,
    )


def fall_back(judge: Judge, case: Case, reason: str) -> Verdict:
    """The stated rule for when a judge cannot decide: the majority; where votes tie, a filter score of at least .5."""
    kept: set[Entity] = set()
    rule = Fallback.MAJORITY
    for candidate in case.conflict.candidates:
        if has_majority(candidate, case.voters):
            kept.add(candidate.entity)
        elif 2 * len(candidate.taggers) == len(case.voters) and candidate.score is not None:
            rule = Fallback.FILTER_SCORE
            if candidate.score >= 0.5:
                kept.add(candidate.entity)
    return replace(verdict(judge, case, kept, mode="fallback"), fallback=rule, fallback_reason=reason)
