"""The filter that is made of the run's span taggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from medner.service.config.filters.filter import FilterConfig

if TYPE_CHECKING:
    from medner.agents.filters import Filter
    from medner.service.config.parts import Parts


class SpanFilterConfig(FilterConfig):
    """No model of its own: the mean of what the span taggers of the configuration think of each candidate.

    It drops nothing without a threshold, but gives a judge by scores something to judge by.
    """

    is_of_span_taggers: ClassVar[bool] = True
    needs_no_folder: ClassVar[bool] = True

    kind: Literal["span"] = "span"
    threshold: float | None = Field(default=None, ge=0, le=1)

    def facts(self) -> dict[str, Any]:
        """Its threshold."""
        return {**super().facts(), "threshold": self.threshold}

    def in_words(self) -> str:
        """Span, and its threshold."""
        return f"span, threshold {self.threshold or 0:g}"

    def build(self, parts: Parts) -> Filter:
        """The filter behind the taggers that score spans."""
        from medner.agents.filters import ScoresSpans, SpanFilter  # noqa: PLC0415  configurations need no agents

        spans = tuple(tagger for tagger in parts.taggers if isinstance(tagger, ScoresSpans))
        return SpanFilter(spans, self.threshold or 0.0)
