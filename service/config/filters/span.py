"""The filter that is made of the run's span taggers."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from medner.service.config.filters.filter import FilterConfig

if TYPE_CHECKING:
    from medner.agents.filters import Filter
    from medner.service.config.parts import Parts


class SpanFilterConfig(FilterConfig):
    """No model of its own: the mean of what the span taggers of the configuration think of each candidate.

    It drops nothing without a threshold, but gives a judge by scores something to judge by. ``weights`` is how much a
    tagger counts in the mean, by its name; the others count 1.
    """

    is_of_span_taggers: ClassVar[bool] = True
    needs_no_folder: ClassVar[bool] = True

    kind: Literal["span"] = "span"
    threshold: float | None = Field(default=None, ge=0, le=1)
    weights: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = None

    @property
    def named_taggers(self) -> tuple[str, ...]:
        """The taggers that have a weight of their own."""
        return tuple(self.weights or ())

    def of_taggers(self, names: Collection[str]) -> Self:
        """The filter without the weights of taggers that are not among ``names``."""
        kept = {name: weight for name, weight in (self.weights or {}).items() if name in names}
        return self.model_copy(update={"weights": kept or None})

    def facts(self) -> dict[str, Any]:
        """Its threshold, and the weights where there are some."""
        weighed = {} if self.weights is None else {"weights": dict(sorted(self.weights.items()))}
        return {**super().facts(), "threshold": self.threshold, **weighed}

    def in_words(self) -> str:
        """Span, its threshold, and the weights where there are some."""
        weighed = "".join(f", {name} counts {weight:g}" for name, weight in (self.weights or {}).items())
        return f"span, threshold {self.threshold or 0:g}{weighed}"

    def build(self, parts: Parts) -> Filter:
        """The filter behind the taggers that score spans."""
        from medner.agents.filters import ScoresSpans, SpanFilter  # noqa: PLC0415  configurations need no agents

        spans = tuple(tagger for tagger in parts.taggers if isinstance(tagger, ScoresSpans))
        known = self.weights or {}
        weights = tuple(known.get(tagger.name, 1.0) for tagger in spans) if known else None
        return SpanFilter(spans, self.threshold or 0.0, weights=weights)
