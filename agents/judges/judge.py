"""The contract of a judge, and the rules that need no model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Candidate, Conflict, Entity, Exemplar, Fallback, Sentence, Verdict


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

    @property
    def name(self) -> str:
        """The judge's name in verdicts."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same case might be settled otherwise."""
        ...

    async def judge(self, case: Case) -> Verdict:
        """Which candidates are kept."""
        ...

    def prompt(self, case: Case) -> str:
        """What a model is asked about the case, for the record; empty for a rule."""
        ...


@dataclass(frozen=True, slots=True)
class HardVote:
    """Keeps what more than half of the voters said (the paper's hard voting, table 7)."""

    name: str = "hard-vote"
    version: str = "1"

    async def judge(self, case: Case) -> Verdict:
        """Candidates with a majority are kept."""
        wanted = [candidate for candidate in case.conflict.candidates if has_majority(candidate, case.voters)]
        return verdict(self, case, without_clashes(case, wanted), mode="vote")

    def prompt(self, case: Case) -> str:  # noqa: ARG002  the contract's name
        """Nothing is asked."""
        return ""


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
        wanted = [candidate for candidate in case.conflict.candidates if self.tagger in candidate.taggers]
        return verdict(self, case, without_clashes(case, wanted), mode="best-tagger")

    def prompt(self, case: Case) -> str:  # noqa: ARG002  the contract's name
        """Nothing is asked."""
        return ""


@dataclass(frozen=True, slots=True)
class FilterScore:
    """Keeps what the filter gives a probability of at least ``least``, the likelier of two that exclude one another.

    Two exclude one another when they are the same stretch, overlap in the same type, or overlap where the label set
    forbids it.
    """

    least: float = 0.5
    name: str = "filter-score"
    version: str = "1"

    async def judge(self, case: Case) -> Verdict:
        """Probable candidates are kept; where the filter gave no scores, the fallback rule decides."""
        scores = {candidate.entity: candidate.score for candidate in case.conflict.candidates}
        known = {entity: score for entity, score in scores.items() if score is not None}
        if len(known) < len(scores):
            return fall_back(self, case, "the filter gave no score")
        return verdict(self, case, likeliest_apart(case, known, self.least), mode="filter-score")

    def prompt(self, case: Case) -> str:  # noqa: ARG002  the contract's name
        """Nothing is asked."""
        return ""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A rule under a name and a version of somebody's own."""

    rule: Judge
    name: str
    version: str

    async def judge(self, case: Case) -> Verdict:
        """What the rule decides."""
        return replace(await self.rule.judge(case), judge=self.name, judge_version=self.version)

    def prompt(self, case: Case) -> str:
        """What the rule asks."""
        return self.rule.prompt(case)


def likeliest_apart(case: Case, scores: Mapping[Entity, float], least: float) -> set[Entity]:
    """The entities of a score of at least ``least``, of two that exclude one another the one that scores higher.

    An agreed entity goes before all. Two exclude one another as :class:`FilterScore` says.
    """
    likely = [(score, entity) for entity, score in scores.items() if score >= least]
    kept: list[Entity] = []
    for _, entity in sorted(likely, key=lambda one: (-one[0], one[1])):
        if not any(case.labels.nesting.excludes(entity, other) for other in (*case.conflict.context, *kept)):
            kept.append(entity)
    return set(kept)


def has_majority(candidate: Candidate, voters: tuple[str, ...]) -> bool:
    """Whether more than half of the voters said it."""
    return 2 * len(candidate.taggers) > len(voters)


def without_clashes(case: Case, wanted: Sequence[Candidate]) -> set[Entity]:
    """The wanted entities without those that the label set forbids beside an agreed entity or a better one.

    Better is what more taggers said, then what the filter scored higher, then what stands further left, then what is
    longer.
    """
    nesting = case.labels.nesting
    kept: list[Entity] = []
    for candidate in sorted(wanted, key=_best_first):
        entity = candidate.entity
        if not any(nesting.forbids(entity, other) for other in (*case.conflict.context, *kept)):
            kept.append(entity)
    return set(kept)


def _best_first(candidate: Candidate) -> tuple[int, float, int, int, str]:
    entity = candidate.entity
    return -len(candidate.taggers), -(candidate.score or 0.0), entity.start, -entity.end, entity.label


def verdict(judge: Judge, case: Case, kept: Collection[Entity], *, mode: str) -> Verdict:
    """The record of a decision: candidates not kept are dropped, both in text order.

    UserError where ``kept`` holds something else than entities of candidates: it would be lost.
    """
    candidates = [candidate.entity for candidate in case.conflict.candidates]
    if foreign := [entity for entity in kept if entity not in candidates]:
        raise UserError(
            f"judge {judge.name}: keeps {foreign[0]}, which is no candidate's entity; keep candidate.entity, and give "
            "what no tagger proposed as Verdict.added"
        )
    return Verdict(
        conflict_id=case.conflict.id,
        kept=tuple(entity for entity in candidates if entity in kept),
        dropped=tuple(entity for entity in candidates if entity not in kept),
        judge=judge.name,
        judge_version=judge.version,
        mode=mode,
    )


def abstention(judge: Judge, case: Case, reason: str) -> Verdict:
    """The judge leaves the conflict to a person; until one decides, what the fallback rule says stands."""
    return replace(fall_back(judge, case, reason), abstained=True)


def fall_back(judge: Judge, case: Case, reason: str) -> Verdict:
    """The stated rule for when a judge cannot decide: the majority; where votes tie, a filter score of at least .5.

    The rule keeps no two entities that the label set forbids beside one another, as :func:`without_clashes` says.
    """
    wanted: list[Candidate] = []
    rule = Fallback.MAJORITY
    for candidate in case.conflict.candidates:
        if has_majority(candidate, case.voters):
            wanted.append(candidate)
        elif 2 * len(candidate.taggers) == len(case.voters) and candidate.score is not None:
            rule = Fallback.FILTER_SCORE
            if candidate.score >= 0.5:
                wanted.append(candidate)
    decided = verdict(judge, case, without_clashes(case, wanted), mode="fallback")
    return replace(decided, fallback=rule, fallback_reason=reason)
