"""Filters that are a classification layer on the base model's hidden states, or that model exported for a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from medner.core.errors import UserError
from medner.service.config.cards import classifier_export
from medner.service.config.filters.filter import TrainedFilterConfig, check_labels
from medner.service.config.parts import encoder

if TYPE_CHECKING:
    from medner.agents.filters import Filter
    from medner.service.config.parts import Parts


class ClassifierFilterConfig(TrainedFilterConfig):
    """A filter with a classification layer on its adapter.

    ``exported`` is the folder that `medner export` made of one that reads one way: a vLLM server then runs it without
    medner's model class. ``served`` is the name it has there, where that is another one than LABELS.llm-cls.
    """

    kind: Literal["llm-cls"] = "llm-cls"
    exported: Path | None = None
    served: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_trained(self) -> Self:
        if self.adapter is None and self.exported is None:
            raise ValueError("adapter: llm-cls needs the folder that medner train filter wrote")
        return self

    @property
    def engine_adapter(self) -> Path | None:
        """The adapter that the engine must load for it; None where it runs on a server."""
        return None if self.exported is not None else self.adapter

    @property
    def exported_folder(self) -> Path | None:
        """The folder that `medner export` made of it."""
        return self.exported

    @property
    def candidate_folder(self) -> Path | None:
        """Its adapter's, unless an exported model classifies."""
        return None if self.exported is not None else self.adapter

    @property
    def asks_model(self) -> bool:
        """It always does."""
        return True

    @property
    def needs_hidden_states(self) -> bool:
        """Unless a server classifies."""
        return self.exported is None

    def served_name(self, labels: str) -> str | None:
        """The name of its model on servers."""
        return self.served or f"{labels}.{self.kind}"

    def facts(self) -> dict[str, Any]:
        """How its scores are read: as its folder's card says, or the exported model's."""
        if self.exported is None:
            return super().facts()
        return {"threshold": self.threshold, **classifier_export(self.exported).model_dump()}

    def build(self, parts: Parts) -> Filter:
        """The filter on an engine with hidden states, or on servers that classify."""
        from medner.agents.filters import ClassifierFilter, load_head  # noqa: PLC0415  configurations need no agents

        if self.exported is not None and parts.served is not None:
            return self._served(self.exported, parts, parts.served)
        card = self.card(parts.labels)
        if card is None or self.adapter is None:
            raise UserError("an exported filter runs on servers, and there are none")
        threshold = card.threshold if self.threshold is None else self.threshold
        if parts.candidates is not None:
            from medner.agents.filters.candidates.asking import ServedCandidateFilter  # noqa: PLC0415  heavy

            return ServedCandidateFilter(parts.candidates, parts.labels, threshold, card.temperature, card.name)
        states = encoder(parts.engine, f"filter {card.name!r}", "an llm-cls filter needs")
        head, adapter = load_head(self.adapter), parts.adapters[self.adapter]
        return ClassifierFilter(
            states, parts.labels, head, threshold, card.temperature, adapter, card.name, card.two_way_from
        )

    def _served(self, folder: Path, parts: Parts, served: str) -> Filter:
        from medner.agents.engines.engine import Classifier  # noqa: PLC0415  configurations need no agents
        from medner.agents.filters import ServedClassifierFilter  # noqa: PLC0415

        card = classifier_export(folder)
        check_labels(folder, card.labels, parts.labels)
        if not isinstance(parts.engine, Classifier):
            raise UserError(
                f"filter {card.name!r}: this engine has no servers that classify, which an exported one needs"
            )
        threshold = card.threshold if self.threshold is None else self.threshold
        return ServedClassifierFilter(
            parts.engine, parts.labels, served, card.bias, threshold, card.temperature, card.name
        )
