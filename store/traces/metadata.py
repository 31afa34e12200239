"""What stands beside a checkpoint, to be searched for: plain values, none of the sentence's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from medner.store.traces.records import RunRecord, Snapshot, Trace, TraceSummary

_SUMMARY = TypeAdapter(TraceSummary)


def run_metadata(run: RunRecord) -> dict[str, Any]:
    """A run's record, found by its name."""
    return {"source": "input", "step": -1, "parents": {}, "run": run.run, "record": run.model_dump(mode="json")}


def run_of(metadata: Mapping[str, Any]) -> RunRecord:
    """The record again."""
    return RunRecord.model_validate_json(TypeAdapter(dict[str, Any]).dump_json(dict(metadata["record"])))


def snapshot_metadata(trace: Trace, snapshot: Snapshot) -> dict[str, Any]:
    """LangGraph's own, the run and the sentence; a state with an annotation has a summary of it."""
    known = {"source": "loop", "parents": {}, **snapshot.metadata, "run": trace.run, "sentence": trace.sentence_id}
    annotation = snapshot.values.get("annotation")
    return known if annotation is None else {**known, "summary": asdict(TraceSummary.of(trace.run, annotation))}


def summary_of(metadata: Mapping[str, Any]) -> TraceSummary:
    """The summary of the last state; of a sentence that broke off, only its name."""
    found = metadata.get("summary")
    if found is None:
        return TraceSummary(metadata["run"], metadata["sentence"], 0, (), ())
    return _SUMMARY.validate_python(found)
