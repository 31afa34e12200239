"""Entity filters (§3.2): which candidates are probably wrong."""

from medner.agents.filters.causal import CausalFilter
from medner.agents.filters.classifier import ClassifierFilter, ClassifierHead, load_head
from medner.agents.filters.encoder import EncoderFilter, load_encoder_filter
from medner.agents.filters.filter import Filter
from medner.agents.filters.served import ServedClassifierFilter
from medner.agents.filters.spans import FindsLikely, FromScores, ScoresSpans, SpanFilter

__all__ = [
    "CausalFilter",
    "ClassifierFilter",
    "ClassifierHead",
    "EncoderFilter",
    "Filter",
    "FindsLikely",
    "FromScores",
    "ScoresSpans",
    "ServedClassifierFilter",
    "SpanFilter",
    "load_encoder_filter",
    "load_head",
]
