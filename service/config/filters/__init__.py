"""The kinds of filters: a file a kind with its keys, what it needs and how it is built; a row a kind here."""

from collections.abc import Mapping

from medner.core.plugins import PLUGIN
from medner.service.config.filters.causal import CausalFilterConfig
from medner.service.config.filters.classifier import ClassifierFilterConfig
from medner.service.config.filters.encoder import EncoderFilterConfig
from medner.service.config.filters.filter import FILTERS, FilterConfig
from medner.service.config.filters.plugin import PluginFilterConfig
from medner.service.config.filters.span import SpanFilterConfig

KINDS: Mapping[str, type[FilterConfig]] = {
    "llm-causal": CausalFilterConfig,
    "llm-cls": ClassifierFilterConfig,
    "bert-cls": EncoderFilterConfig,
    "span": SpanFilterConfig,
    PLUGIN: PluginFilterConfig,
}

__all__ = [
    "FILTERS",
    "KINDS",
    "CausalFilterConfig",
    "ClassifierFilterConfig",
    "EncoderFilterConfig",
    "FilterConfig",
    "PluginFilterConfig",
    "SpanFilterConfig",
]
