"""Entity filters (§3.2): which candidates are probably wrong."""

from medner.agents.filters.causal import CausalFilter
from medner.agents.filters.classifier import ClassifierFilter, ClassifierHead, load_head
from medner.agents.filters.filter import Filter

__all__ = ["CausalFilter", "ClassifierFilter", "ClassifierHead", "Filter", "load_head"]
