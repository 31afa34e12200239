"""Filters that are an encoder of their own, beside the base model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from medner.core.errors import UserError
from medner.service.config.filters.filter import TrainedFilterConfig

if TYPE_CHECKING:
    from medner.agents.filters import Filter
    from medner.service.config.parts import Parts


class EncoderFilterConfig(TrainedFilterConfig):
    """An encoder that classifies; the whole model lies in its folder, so it suits every base model."""

    fits_one_base: ClassVar[bool] = False
    needed: ClassVar[Mapping[str, str]] = {"adapter": "bert-cls needs the folder that medner train filter wrote"}

    kind: Literal["bert-cls"] = "bert-cls"
    adapter: Path

    def build(self, parts: Parts) -> Filter:
        """The encoder, loaded."""
        from medner.agents.filters import load_encoder_filter  # noqa: PLC0415  configurations need no agents

        card = self.card(parts.labels)
        if card is None:
            raise UserError("a bert-cls filter needs the folder that medner train filter wrote")
        threshold = card.threshold if self.threshold is None else self.threshold
        return load_encoder_filter(
            self.adapter, parts.labels, threshold=threshold, temperature=card.temperature, name=card.name
        )
