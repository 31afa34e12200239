"""Taggers that score spans and write nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from medner.core.errors import UserError
from medner.service.config.parts import encoder
from medner.service.config.taggers.tagger import TaggerConfig

if TYPE_CHECKING:
    from medner.agents.taggers.tagger import Tagger
    from medner.service.config.parts import Parts


class SpanTaggerConfig(TaggerConfig):
    """A tagger that scores spans: the folder that `medner train span` wrote. It has no prompt.

    ``base`` is its base model, a name or a folder, where that is another one than the run's ``model``.
    """

    scores_spans: ClassVar[bool] = True
    needed: ClassVar[Mapping[str, str]] = {"adapter": "a span tagger needs the folder that medner train span wrote"}
    meaningless: ClassVar[frozenset[str]] = frozenset({"style", "shots", "constrained", "served"})
    # What cards of span taggers say.
    written_as: ClassVar[Mapping[str, Any]] = {"style": "brief"}

    strategy: Literal["span"] = "span"
    adapter: Path
    base: str | None = Field(default=None, min_length=1)

    @property
    def needs_hidden_states(self) -> bool:
        """Its head reads them."""
        return True

    @property
    def folder(self) -> Path:
        """The folder of its adapter."""
        return self.adapter

    @property
    def span_folder(self) -> Path:
        """The same."""
        return self.adapter

    def manner(self) -> str:
        """Span, and its tuning."""
        return f"span, {self.tuning}"

    def build(self, parts: Parts) -> Tagger:
        """The tagger on an engine that has its adapter and gives hidden states, or on servers that run it."""
        try:
            from medner.agents.taggers.spans.served.tagger import load_served_span_tagger  # noqa: PLC0415  heavy
            from medner.agents.taggers.spans.settings import load_span_tagger  # noqa: PLC0415
        except ImportError as error:
            raise UserError(f"{error.name} is missing: a span tagger needs pip install 'medner[local]'") from error
        if (server := parts.spans.get(self.adapter)) is not None:
            return load_served_span_tagger(self.adapter, name=self.name, server=server, labels=parts.labels)
        states = encoder(parts.engine_of(self.base), f"tagger {self.name!r}", "a span tagger is made of")
        adapter = parts.adapters[self.adapter]
        return load_span_tagger(self.adapter, name=self.name, adapter=adapter, encoder=states, labels=parts.labels)
