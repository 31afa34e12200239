"""Taggers of other packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medner.core.plugins import PATTERN, plugin_parts
from medner.service.config.plugins import PluginName, plugin_facts, plugin_needs_engine, tagger_of_plugin
from medner.service.config.taggers.tagger import TaggerConfig

if TYPE_CHECKING:
    from medner.agents.taggers.tagger import Tagger
    from medner.service.config.parts import Parts


class PluginTaggerConfig(TaggerConfig):
    """A tagger that another package brings: ``plugin:NAME`` or ``plugin:NAME:ARGUMENT``."""

    strategy: PluginName

    @classmethod
    def from_words(cls, words: str) -> dict[str, Any] | None:
        """The keys of plugin:NAME or plugin:NAME:ARGUMENT; the tagger has the plugin's name."""
        return {"name": plugin_parts(words)[0], "strategy": words} if re.match(PATTERN, words) else None

    @classmethod
    def words(cls) -> str:
        """What :meth:`from_words` reads."""
        return "plugin:NAME"

    @property
    def asks_model(self) -> bool:
        """Whether the plugin says so."""
        return plugin_needs_engine("taggers", self.strategy)

    @property
    def tuning(self) -> str:
        """The plugin's name: whether it is tuned is its own affair."""
        return self.strategy

    def plugins(self) -> Iterator[tuple[str, str]]:
        """Its package's version and the hash of its file."""
        yield from plugin_facts("taggers", self.strategy)

    def manner(self) -> str:
        """The plugin's name."""
        return self.strategy

    def build(self, parts: Parts) -> Tagger:
        """The tagger that the plugin makes."""
        return tagger_of_plugin(self.strategy, self.name, parts.labels, parts.engine)
