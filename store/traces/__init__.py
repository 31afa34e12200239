"""Traces: the states of a sentence on its way through the graph, kept as LangGraph checkpoints."""

from medner.core.choices import TracePolicy
from medner.store.traces.backend import TraceBackend
from medner.store.traces.opening import default_place, open_traces
from medner.store.traces.records import RunRecord, Snapshot, Trace, TraceSummary
from medner.store.traces.writer import TraceWriter

__all__ = [
    "RunRecord",
    "Snapshot",
    "Trace",
    "TraceBackend",
    "TracePolicy",
    "TraceSummary",
    "TraceWriter",
    "default_place",
    "open_traces",
]
