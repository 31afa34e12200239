"""What a package needs that adds taggers, filters, judges or corpus formats to medner (docs/plugins.md).

A plugin is an entry point of the group ``medner.taggers``, ``medner.filters``, ``medner.judges`` or ``medner.formats``.
The first three name a function from a :class:`PluginContext` to an agent, the last a :class:`Format`.
``medner.testing.contracts`` tests them. Offsets count code points of the sentence, ends are exclusive.
"""

from medner.agents.engines.engine import Completion, Engine, Request
from medner.agents.filters.filter import Filter
from medner.agents.judges.judge import Case, Judge, verdict
from medner.agents.plugin_context import PluginContext
from medner.agents.taggers.tagger import Tagger
from medner.core.labels import LabelSet
from medner.core.records import (
    Candidate,
    Conflict,
    Decoded,
    Document,
    Entity,
    Rejected,
    Rejection,
    Sentence,
    TaggerOutput,
    Verdict,
)
from medner.store.corpora.reading.format import Format, Mention, Reading, Writing
from medner.store.corpora.reading.raw_records import filled_lines, read_records

__all__ = [
    "Candidate",
    "Case",
    "Completion",
    "Conflict",
    "Decoded",
    "Document",
    "Engine",
    "Entity",
    "Filter",
    "Format",
    "Judge",
    "LabelSet",
    "Mention",
    "PluginContext",
    "Reading",
    "Rejected",
    "Rejection",
    "Request",
    "Sentence",
    "Tagger",
    "TaggerOutput",
    "Verdict",
    "Writing",
    "filled_lines",
    "read_records",
    "verdict",
]
