"""The contract of an annotation strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from medner.agents.strategies.automaton import PieceGraph
from medner.core.labels import LabelSet
from medner.core.records import Decoded, Entity


class Codec(Protocol):
    """A way to write entities as text (§3.1).

    ``decode(text, encode(text, entities)).entities == in_order(entities)`` for every text and every set of
    entities in it: nested, crossing, adjacent and repeated ones, and texts that hold the strategy's own markup.
    """

    #: The name in configurations and on the command line.
    name: str
    #: What the model is told about the form of the answer, in Chinese.
    instruction: str

    def encode(self, text: str, entities: Sequence[Entity], labels: LabelSet) -> str:
        """The answer that states exactly ``entities``; UserError for a label the set does not have."""
        ...

    def decode(self, text: str, answer: str, labels: LabelSet) -> Decoded:
        """The entities ``answer`` states and the pieces of it that were refused. Never raises on any answer."""
        ...

    def graph(self, text: str, labels: LabelSet) -> PieceGraph:
        """The legal answers for ``text``; every ``encode(text, ...)`` is among them."""
        ...
