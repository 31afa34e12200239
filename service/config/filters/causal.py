"""Filters that ask the base model whether a candidate is right, as it is or with an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from medner.service.config.filters.filter import TrainedFilterConfig

if TYPE_CHECKING:
    from medner.agents.filters import Filter
    from medner.service.config.parts import Parts

#: The least probability of a candidate that stays, where no card says it.
THRESHOLD = 0.5


class CausalFilterConfig(TrainedFilterConfig):
    """A filter that asks yes or no; without ``adapter`` it is the base model as it is, with the threshold 0.5.

    ``served`` is the name it has on servers, where that is another one than LABELS.llm-causal.
    """

    writes: ClassVar[bool] = True
    needs_no_folder: ClassVar[bool] = True

    kind: Literal["llm-causal"] = "llm-causal"
    served: str | None = Field(default=None, min_length=1)

    @property
    def engine_adapter(self) -> Path | None:
        """The adapter that the engine must load for it."""
        return self.adapter

    @property
    def asks_model(self) -> bool:
        """It always does."""
        return True

    def served_name(self, labels: str) -> str | None:
        """The name of its adapter on servers."""
        return None if self.adapter is None else self.served or f"{labels}.{self.kind}"

    def build(self, parts: Parts) -> Filter:
        """The filter on an engine that has its adapter."""
        from medner.agents.filters import CausalFilter  # noqa: PLC0415  configurations need no agents

        card = self.card(parts.labels)
        if card is None or self.adapter is None:
            threshold = THRESHOLD if self.threshold is None else self.threshold
            return CausalFilter(parts.engine, parts.labels, threshold)
        threshold = card.threshold if self.threshold is None else self.threshold
        adapter = parts.adapters[self.adapter]
        return CausalFilter(
            parts.engine, parts.labels, threshold, adapter, card.name, style="brief", temperature=card.temperature
        )
