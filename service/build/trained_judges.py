"""From a trained judge's folder to the judge that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from medner.agents.engines.engine import Encoder, Engine
from medner.agents.filters import load_head
from medner.agents.judges.trained import CandidateScorer, Scorer, SpanScorer, TrainedJudge
from medner.agents.judges.votes import VOTES_FILE, VoteLayer
from medner.core.errors import BadInputError, UserError
from medner.core.labels import LabelSet
from medner.service.config.cards import JudgeCard, judge_card, names_labels
from medner.service.config.judges import JudgeConfig


def judge_adapters(judge: JudgeConfig) -> tuple[Path, ...]:
    """The adapters that the engine must load for a judge and those that step in for it."""
    return tuple(one.adapter for one in judge.in_order if one.adapter is not None)


def trained_judge(judge: JudgeConfig, labels: LabelSet, engine: Engine, adapters: Mapping[Path, str]) -> TrainedJudge:
    """The judge of a folder, on an engine that has its adapter under the name that ``adapters`` says.

    UserError when the folder holds none, one of another label set, or when the engine gives no hidden states.
    """
    folder = judge.adapter
    if folder is None:
        raise UserError("a trained judge needs the folder that medner train judge wrote")
    card = judge_card(folder)
    if not names_labels(card.labels, labels.name):
        raise UserError(f"{folder}: this judge knows the label set {card.labels}, not {labels.name}")
    if not isinstance(engine, Encoder):
        raise UserError(f"judge {card.name!r}: this engine gives no hidden states, which a trained judge needs")
    return TrainedJudge(
        _scorer(folder, card, labels, engine, adapters[folder]),
        name=card.name,
        threshold=card.threshold,
        temperature=card.temperature,
        votes=load_votes(folder),
        abstain=judge.abstain,
    )


def _scorer(folder: Path, card: JudgeCard, labels: LabelSet, engine: Encoder, adapter: str) -> Scorer:
    if card.scorer == "span":
        from medner.agents.taggers.spans.settings import load_span_tagger  # noqa: PLC0415  heavy

        return SpanScorer(load_span_tagger(folder, name=card.name, adapter=adapter, encoder=engine, labels=labels))
    return CandidateScorer(engine, labels, load_head(folder), adapter, card.two_way_from)


def load_votes(folder: Path) -> VoteLayer | None:
    """The layer over votes in a judge's folder; None where there is none. BadInputError when it cannot be read."""
    path = folder / VOTES_FILE
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        weights = {str(name): float(weight) for name, weight in data["weights"].items()}
        return VoteLayer(weights, tuple(map(str, data["taggers"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"holds no layer over votes: {error}", path=path) from error
