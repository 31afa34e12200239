"""Judges that `medner train judge` wrote, from a folder to the judge that runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from medner.core.errors import BadInputError, UserError
from medner.service.config.bases import base_name
from medner.service.config.cards import JudgeCard, judge_card, names_labels
from medner.service.config.judges.judge import JudgeConfig
from medner.service.config.parts import encoder

if TYPE_CHECKING:
    from medner.agents.engines.engine import Encoder, Engine
    from medner.agents.judges.judge import Judge
    from medner.agents.judges.trained import Scorer, TrainedJudge
    from medner.agents.judges.votes import VoteLayer
    from medner.agents.taggers.spans.served.states import SpanServer
    from medner.core.labels import LabelSet
    from medner.service.config.parts import JudgeParts

#: What a span tagger's folder holds (agents/taggers/spans/settings.py; heavy to import).
SPAN_SETTINGS = "span.json"


class TrainedJudgeConfig(JudgeConfig):
    """A tuned adapter that gives each candidate a probability.

    ``base`` is its base model, a name or a folder, where that is another one than the run's ``model``. ``abstain`` are
    the probabilities between which it leaves a conflict to a person.
    """

    behind_colon: ClassVar[str] = "FOLDER"
    needed: ClassVar[Mapping[str, str]] = {"adapter": "a trained judge needs the folder that medner train judge wrote"}

    kind: Literal["trained"] = "trained"
    adapter: Path
    base: str | None = Field(default=None, min_length=1)
    abstain: tuple[float, float] | None = None

    @classmethod
    def from_words(cls, words: str, rest: str) -> dict[str, Any]:
        """The folder."""
        del words
        return {"adapter": Path(os.path.expanduser(rest)) if rest else None}

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.abstain is not None and not 0 <= self.abstain[0] < self.abstain[1] <= 1:
            raise ValueError("abstain: give two probabilities, the lower first, as [0.4, 0.6]")
        return self

    @property
    def folder(self) -> Path:
        """The folder of its adapter."""
        return self.adapter

    @property
    def span_folder(self) -> Path | None:
        """Where a span head scores the candidates, its folder is a span tagger's too."""
        return self.adapter if (self.adapter / SPAN_SETTINGS).is_file() else None

    @property
    def needs_hidden_states(self) -> bool:
        """Its head reads them."""
        return True

    @property
    def asks_model(self) -> bool:
        """It always does."""
        return True

    def check(self, labels: str) -> None:
        """Its card; the label set is compared where the judge is made."""
        del labels
        judge_card(self.adapter)

    def base_of_card(self) -> str:
        """What its scores are made of."""
        return judge_card(self.adapter).base

    def more(self, followed: str | None) -> str:
        """The folder's name."""
        del followed
        return self.adapter.name

    def manner(self) -> str:
        """Its base, where it has one of its own."""
        return "" if self.base is None else f" (on {base_name(self.base)})"

    def build(self, parts: JudgeParts, name: str | None, version: str) -> Judge:
        """The judge of its folder, called after it where it has no other name."""
        server = parts.spans.get(self.adapter)
        if server is not None:
            made = _served_judge(self, parts.labels, server)
        else:
            made = trained_judge(self, parts.labels, parts.needed_engine(self.base), parts.adapters)
        return replace(made, name=name or made.name, version=version)


def trained_judge(
    judge: TrainedJudgeConfig, labels: LabelSet, engine: Engine, adapters: Mapping[Path, str]
) -> TrainedJudge:
    """The judge of a folder, on an engine that has its adapter under the name that ``adapters`` says.

    UserError when the folder holds none, one of another label set, or when the engine gives no hidden states.
    """
    card = _checked_card(judge.adapter, labels)
    states = encoder(engine, f"judge {card.name!r}", "a trained judge needs")
    return _with_scorer(judge, card, _scorer(judge.adapter, card, labels, states, adapters[judge.adapter]))


def _served_judge(judge: TrainedJudgeConfig, labels: LabelSet, server: SpanServer) -> TrainedJudge:
    """The judge of a folder whose span tagger a server runs."""
    from medner.agents.judges.trained import SpanScorer  # noqa: PLC0415  configurations need no agents
    from medner.agents.taggers.spans.served.tagger import load_served_span_tagger  # noqa: PLC0415  heavy

    card = _checked_card(judge.adapter, labels)
    spans = load_served_span_tagger(judge.adapter, name=card.name, server=server, labels=labels)
    return _with_scorer(judge, card, SpanScorer(spans))


def _checked_card(folder: Path, labels: LabelSet) -> JudgeCard:
    card = judge_card(folder)
    if not names_labels(card.labels, labels.name):
        raise UserError(f"{folder}: this judge knows the label set {card.labels}, not {labels.name}")
    return card


def _with_scorer(judge: TrainedJudgeConfig, card: JudgeCard, scorer: Scorer) -> TrainedJudge:
    from medner.agents.judges.trained import TrainedJudge  # noqa: PLC0415  configurations need no agents

    return TrainedJudge(
        scorer,
        name=card.name,
        threshold=card.threshold,
        temperature=card.temperature,
        votes=load_votes(judge.adapter),
        abstain=judge.abstain,
    )


def _scorer(folder: Path, card: JudgeCard, labels: LabelSet, engine: Encoder, adapter: str) -> Scorer:
    from medner.agents.filters import load_head  # noqa: PLC0415  configurations need no agents
    from medner.agents.judges.trained import CandidateScorer, SpanScorer  # noqa: PLC0415

    if card.scorer == "span":
        from medner.agents.taggers.spans.settings import load_span_tagger  # noqa: PLC0415  heavy

        return SpanScorer(load_span_tagger(folder, name=card.name, adapter=adapter, encoder=engine, labels=labels))
    return CandidateScorer(engine, labels, load_head(folder), adapter, card.two_way_from)


def load_votes(folder: Path) -> VoteLayer | None:
    """The layer over votes in a judge's folder; None where there is none. BadInputError when it cannot be read."""
    from medner.agents.judges.votes import VOTES_FILE, VoteLayer  # noqa: PLC0415  configurations need no agents

    path = folder / VOTES_FILE
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        weights = {str(name): float(weight) for name, weight in data["weights"].items()}
        return VoteLayer(weights, tuple(map(str, data["taggers"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"holds no layer over votes: {error}", path=path) from error
