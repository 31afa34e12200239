"""Judges of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from medner.service.config.judges.judge import JudgeConfig
from medner.service.config.plugins import NoEngine, PluginName, judge_of_plugin, plugin_facts, plugin_needs_engine

if TYPE_CHECKING:
    from medner.agents.judges.judge import Judge
    from medner.service.config.parts import JudgeParts


class PluginJudgeConfig(JudgeConfig):
    """A judge that another package brings: ``plugin:NAME`` or ``plugin:NAME:ARGUMENT``."""

    behind_colon: ClassVar[str] = "NAME[:ARGUMENT]"

    kind: PluginName

    @property
    def asks_model(self) -> bool:
        """Whether the plugin says so."""
        return plugin_needs_engine("judges", self.kind)

    def plugins(self) -> Iterator[tuple[str, str]]:
        """Its package's version and the hash of its file."""
        yield from plugin_facts("judges", self.kind)

    def build(self, parts: JudgeParts, name: str | None, version: str) -> Judge:
        """The judge that the plugin makes."""
        from medner.agents.judges.judge import Renamed  # noqa: PLC0415  configurations need no agents

        engine = parts.needed_engine() if self.asks_model else parts.engine or NoEngine()
        made = judge_of_plugin(self.kind, parts.labels, engine)
        return made if name is None else Renamed(made, name, version)
