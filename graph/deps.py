"""Everything the nodes need, handed in through the graph's runtime context."""

from __future__ import annotations

from dataclasses import dataclass

from medner.agents.exemplars import ExemplarSource, FixedExemplars
from medner.agents.filters import Filter
from medner.agents.judges.judge import BestTagger, HardVote, Judge
from medner.agents.judges.judge_chain import JudgeChain, JudgeSource
from medner.agents.taggers.tagger import Tagger, unique_names
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.wider_conflicts import DISAGREEMENTS, WiderConflicts


@dataclass(frozen=True, slots=True)
class Deps:
    """The agents of a run.

    With fewer than ``min_taggers`` answers a sentence fails (its annotation is not complete); with fewer than all it
    goes on and says so. ``max_chars`` caps a sentence's length when a document is split, ``join_lines`` lets it go
    on over a single line break.
    ``understudies`` decide, in their order, where the judge cannot; ``judges`` gives judge and understudies anew for
    each sentence, instead of these two.
    ``filter`` None: no candidate is dropped before the conflicts are looked for. ``wider`` are the conflicts beside
    the taggers' disagreements; they need a filter, and those of entities that no tagger gave one of span taggers.
    """

    labels: LabelSet
    taggers: tuple[Tagger, ...]
    judge: Judge = HardVote()  # noqa: RUF009  frozen
    filter: Filter | None = None
    exemplars: ExemplarSource = FixedExemplars({})  # noqa: RUF009  never changes
    min_taggers: int = 1
    max_chars: int = 256
    join_lines: bool = False
    understudies: tuple[Judge, ...] = ()
    judges: JudgeSource | None = None
    wider: WiderConflicts = DISAGREEMENTS

    def __post_init__(self) -> None:
        if not self.taggers:
            raise UserError("no tagger is configured; give at least one")
        if not unique_names(self.taggers):
            raise UserError("two taggers have the same name; every tagger needs a name of its own")
        if not 1 <= self.min_taggers <= len(self.taggers):
            raise UserError(f"min_taggers must be from 1 to {len(self.taggers)}, the number of taggers")
        if self.max_chars < 1:
            raise UserError(f"max_chars must be at least 1, got {self.max_chars}")
        if isinstance(self.judge, BestTagger) and self.judge.tagger not in self.tagger_names:
            known = ", ".join(self.tagger_names)
            raise UserError(f"the judge follows tagger {self.judge.tagger!r}; there are: {known}")

    @property
    def tagger_names(self) -> tuple[str, ...]:
        """The taggers' names, in order."""
        return tuple(tagger.name for tagger in self.taggers)

    def judge_chain(self) -> JudgeChain:
        """The judges of the next sentence."""
        return JudgeChain((self.judge, *self.understudies)) if self.judges is None else self.judges.current()
