"""The kinds of taggers: a file a kind with its keys, what it needs and how it is built; a row a kind here."""

from collections.abc import Mapping

from medner.agents.strategies import CODECS
from medner.core.plugins import PLUGIN
from medner.service.config.taggers.annotator import AnnotatorConfig
from medner.service.config.taggers.plugin import PluginTaggerConfig
from medner.service.config.taggers.span import SpanTaggerConfig
from medner.service.config.taggers.tagger import TAGGERS, TaggerConfig
from medner.service.config.taggers.writing import WritingTaggerConfig

KINDS: Mapping[str, type[TaggerConfig]] = {
    **dict.fromkeys(CODECS, WritingTaggerConfig),
    "span": SpanTaggerConfig,
    "annotator": AnnotatorConfig,
    PLUGIN: PluginTaggerConfig,
}

__all__ = ["KINDS", "TAGGERS", "PluginTaggerConfig", "SpanTaggerConfig", "TaggerConfig", "WritingTaggerConfig"]
