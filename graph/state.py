"""What the nodes hand on. Parallel nodes' results meet in reducers whose outcome does not depend on their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Required, TypedDict

from langgraph.channels import UntrackedValue

from medner.agents.taggers.tagger import StretchScores
from medner.core.records import (
    Annotation,
    Candidate,
    Conflict,
    Failure,
    FilterDrop,
    Sentence,
    TaggerOutput,
    Verdict,
)


def join_outputs(left: list[TaggerOutput], right: list[TaggerOutput]) -> list[TaggerOutput]:
    """Both lists, by the taggers' names."""
    return sorted([*left, *right], key=lambda output: output.tagger)


def join_failures(left: list[Failure], right: list[Failure]) -> list[Failure]:
    """Both lists, by stage and agent."""
    return sorted([*left, *right], key=lambda failure: (failure.stage, failure.agent, failure.kind, failure.message))


def join_timings(left: dict[str, float], right: dict[str, float]) -> dict[str, float]:
    """Seconds by node; a node name that comes twice adds up."""
    return {name: left.get(name, 0.0) + right.get(name, 0.0) for name in sorted({*left, *right})}


class PassingScores(UntrackedValue[Mapping[str, StretchScores]]):
    """Taggers' scores by name, for the nodes that follow. They are in no checkpoint, so in no trace either."""

    def update(self, values: Sequence[Mapping[str, StretchScores]]) -> bool:
        """Adds what the taggers of this step give."""
        if not values:
            return False
        known: Mapping[str, StretchScores] = self.value if self.is_available() else {}
        self.value = {name: scores for given in (known, *values) for name, scores in given.items()}
        return True


class SentenceState(TypedDict, total=False):
    """The state of one sentence on its way through the graph."""

    sentence: Required[Sentence]
    outputs: Annotated[list[TaggerOutput], join_outputs]
    scores: Annotated[Mapping[str, StretchScores], PassingScores]
    failures: Annotated[list[Failure], join_failures]
    timings: Annotated[dict[str, float], join_timings]
    candidates: list[Candidate]
    dropped: list[FilterDrop]
    agreed: list[Candidate]
    conflicts: list[Conflict]
    left_out: list[Candidate]
    verdicts: list[Verdict]
    annotation: Annotation


class TaggerInput(TypedDict):
    """What a tagger's node reads of the state."""

    sentence: Sentence


class SentenceResult(TypedDict, total=False):
    """What the graph gives back."""

    annotation: Annotation
