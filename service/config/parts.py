"""What agents are built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from medner.agents.engines.engine import Encoder, Engine
from medner.agents.taggers.tagger import Tagger
from medner.core.errors import UserError
from medner.core.labels import LabelSet

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from medner.agents.filters.candidates.asking import CandidateServer
    from medner.agents.taggers.spans.served.states import SpanServer
    from medner.service.config.judges.chat import ChatJudgeConfig


@dataclass(frozen=True, slots=True)
class Parts:
    """What taggers and filters are built from.

    ``adapters`` are the names that the engine has adapters loaded under, by folder; ``taggers`` those that a filter is
    put behind; ``served`` the name that the filter's own model has on servers. ``others`` run further base models.
    ``candidates`` is who asks servers for the filter's scores, where they run its model. ``spans`` is who asks servers
    for span taggers, by their folders; the others run on the engine.
    """

    labels: LabelSet
    engine: Engine
    adapters: Mapping[Path, str]
    taggers: Sequence[Tagger] = ()
    served: str | None = None
    others: Mapping[str, Engine] = field(default_factory=dict)
    spans: Mapping[Path, SpanServer] = field(default_factory=dict)
    candidates: CandidateServer | None = None

    def engine_of(self, base: str | None) -> Engine:
        """What runs a base model, None: that of the run."""
        return self.engine if base is None else self.others[base]


class JudgeParts(Protocol):
    """What judges are built from: the label set, the first tagger's name, an engine with adapters, chat models."""

    @property
    def labels(self) -> LabelSet:
        """The label set."""
        ...

    @property
    def first_tagger(self) -> str:
        """The tagger that best-tagger follows by default."""
        ...

    @property
    def engine(self) -> Engine | None:
        """What runs the base model; None where nothing does."""
        ...

    @property
    def adapters(self) -> Mapping[Path, str]:
        """The names that the engine has adapters loaded under."""
        ...

    @property
    def spans(self) -> Mapping[Path, SpanServer]:
        """Who asks servers for span taggers, by their folders; the others run on the engine."""
        ...

    def needed_engine(self, base: str | None = None) -> Engine:
        """What runs a base model, None: that of the run. UserError where nothing does."""
        ...

    def chat(self, judge: ChatJudgeConfig) -> tuple[BaseChatModel, str]:
        """The chat model that a judge asks, and its name. UserError where it cannot be made."""
        ...


def encoder(engine: Engine, who: str, what: str) -> Encoder:
    """The engine as one that gives hidden states. UserError where it does not."""
    if not isinstance(engine, Encoder):
        raise UserError(f"{who}: this engine gives no hidden states, which {what}")
    return engine
