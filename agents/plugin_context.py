"""What an agent of another package is made from."""

from __future__ import annotations

from dataclasses import dataclass

from medner.agents.engines.engine import Engine
from medner.core.labels import LabelSet


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a plugin's function gets, which makes a tagger, a filter or a judge.

    ``name`` is what the agent is to be called in records; ``argument`` is what follows the plugin's name in the
    configuration (``plugin:NAME:ARGUMENT``), often a file. ``engine`` runs the base model: a function with the
    attribute ``needs_engine = True`` has it loaded, for others it may refuse.
    """

    name: str
    argument: str
    labels: LabelSet
    engine: Engine
