"""Judges that are rules: no model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from medner.core.errors import UserError
from medner.service.config.judges.judge import JudgeConfig

if TYPE_CHECKING:
    from medner.agents.judges.judge import Judge
    from medner.service.config.parts import JudgeParts


class _RuleConfig(JudgeConfig):
    """A rule."""

    is_open_to_clients: ClassVar[bool] = True

    def rule(self, parts: JudgeParts) -> Judge:
        """The rule that runs."""
        raise NotImplementedError

    def build(self, parts: JudgeParts, name: str | None, version: str) -> Judge:
        """The rule under the name that verdicts call it, or its own."""
        from medner.agents.judges.judge import Renamed  # noqa: PLC0415  configurations need no agents

        return self.rule(parts) if name is None else Renamed(self.rule(parts), name, version)


class HardVoteConfig(_RuleConfig):
    """Keeps what more than half of the taggers found."""

    only_counts_votes: ClassVar[bool] = True

    kind: Literal["hard-vote"] = "hard-vote"

    def rule(self, parts: JudgeParts) -> Judge:
        """The vote."""
        from medner.agents.judges.judge import HardVote  # noqa: PLC0415  configurations need no agents

        del parts
        return HardVote()


class BestTaggerConfig(_RuleConfig):
    """Keeps what one tagger found: ``tagger``, or the first."""

    only_counts_votes: ClassVar[bool] = True
    behind_colon: ClassVar[str] = "NAME"

    kind: Literal["best-tagger"] = "best-tagger"
    tagger: str | None = None

    @classmethod
    def from_words(cls, words: str, rest: str) -> dict[str, Any]:
        """The tagger's name."""
        del words
        return {"tagger": rest or None}

    def follows(self, first: str) -> str:
        """The tagger that it follows."""
        return self.tagger or first

    def more(self, followed: str | None) -> str | None:
        """The tagger that it follows."""
        return followed or self.tagger

    def rule(self, parts: JudgeParts) -> Judge:
        """The follower."""
        from medner.agents.judges.judge import BestTagger  # noqa: PLC0415  configurations need no agents

        return BestTagger(self.follows(parts.first_tagger))


class FilterScoreConfig(_RuleConfig):
    """Keeps what the filter gives a probability of at least ``least``."""

    needs_filter: ClassVar[bool] = True
    behind_colon: ClassVar[str] = "LEAST"

    kind: Literal["filter-score"] = "filter-score"
    least: float = Field(default=0.5, ge=0, le=1)

    @classmethod
    def from_words(cls, words: str, rest: str) -> dict[str, Any]:
        """The least probability."""
        if not rest:
            return {}
        try:
            least = float(rest)
        except ValueError:
            least = -1.0
        if not 0 <= least <= 1:
            raise UserError(f"--judge: {words!r} names no probability; write filter-score:LEAST, from 0 to 1")
        return {"least": least}

    def rule(self, parts: JudgeParts) -> Judge:
        """The judge by scores."""
        from medner.agents.judges.judge import FilterScore  # noqa: PLC0415  configurations need no agents

        del parts
        return FilterScore(self.least)
