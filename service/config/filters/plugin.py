"""Filters of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from medner.service.config.filters.filter import FilterConfig
from medner.service.config.plugins import PluginName, filter_of_plugin, plugin_facts, plugin_needs_engine

if TYPE_CHECKING:
    from medner.agents.filters import Filter
    from medner.service.config.parts import Parts


class PluginFilterConfig(FilterConfig):
    """A filter that another package brings, with its own threshold: ``plugin:NAME`` or ``plugin:NAME:ARGUMENT``."""

    kind: PluginName

    @property
    def asks_model(self) -> bool:
        """Whether the plugin says so."""
        return plugin_needs_engine("filters", self.kind)

    def plugins(self) -> Iterator[tuple[str, str]]:
        """Its package's version and the hash of its file."""
        yield from plugin_facts("filters", self.kind)

    def build(self, parts: Parts) -> Filter:
        """The filter that the plugin makes."""
        return filter_of_plugin(self.kind, parts.labels, parts.engine)
