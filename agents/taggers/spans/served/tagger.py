"""A span tagger whose model runs on servers: its head's last part, thresholds and spans are of this process."""

from __future__ import annotations

from pathlib import Path

from medner.agents.taggers.spans.head import load_head
from medner.agents.taggers.spans.served.identity import identity
from medner.agents.taggers.spans.served.states import ServedStates, SpanServer
from medner.agents.taggers.spans.settings import read_settings, span_tagger
from medner.agents.taggers.spans.tagger import SpanTagger
from medner.core.labels import LabelSet


def load_served_span_tagger(folder: Path, *, name: str, server: SpanServer, labels: LabelSet) -> SpanTagger:
    """The span tagger of a folder, on a server that must run just this one.

    UserError when it was trained for other types or does not fit together.
    """
    settings, head = read_settings(folder), load_head(folder)
    states = ServedStates(server, name, identity(folder, server.base), head.shape.inner)
    return span_tagger(folder, name=name, states=states, settings=settings, head=head, labels=labels)
