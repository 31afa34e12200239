"""The traces of a medner server in the form that commands know them from files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from medner.core.errors import RefusedError
from medner.core.labels import LabelSet, LabelType
from medner.core.records import Annotation, Document
from medner.service.client import traces as requests
from medner.service.client.connection import Connection
from medner.service.client.jobs import label_sets
from medner.service.client.trace_messages import (
    CheckpointMessage,
    DifferenceMessage,
    PathMessage,
    RunMessage,
    SummaryMessage,
)
from medner.service.client.trace_records import annotation_of, entities_of
from medner.service.traces.differences import Change, RunDifferences
from medner.store.traces import RunRecord, Snapshot, Trace, TraceSummary
from medner.store.traces.records import LabelSetRecord

_NEXT = "branch:to:"


class RemoteTraces:
    """The traces of a server, with the methods of a place for traces that commands read and remove with."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._known: list[RunMessage] | None = None
        self._labels: dict[str, LabelSet] | None = None

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self.connection.address.url

    def runs(self) -> list[RunRecord]:
        """The runs, the oldest first."""
        return [self._record(one) for one in self._messages()]

    def count(self, run: str) -> int:
        """How many traces a run has."""
        return next((one.sentences for one in self._messages() if one.run == run), 0)

    def summaries(self, run: str) -> Iterator[TraceSummary]:
        """What is to be said of each trace of a run, in the order they began."""
        return (_summary(run, one) for one in self.connection.run(requests.sentences(run)))

    def trace(self, run: str, sentence_id: str) -> Trace | None:
        """A trace; None when there is none."""
        try:
            path = self.connection.run(requests.path(run, sentence_id))
        except RefusedError as error:
            if error.kind == "unknown-sentence":
                return None
            raise
        return Trace(run, sentence_id, tuple(_snapshots(path)))

    def annotations(self, run: str) -> Iterator[Annotation]:
        """The annotations of a run's traces, whole, in their order."""
        for document in self.connection.lines(requests.exported(run)):
            yield from document.annotations

    def decided(self, run: str) -> dict[str, Annotation]:
        """By sentence id, the annotations that a person overruled something in."""
        return {
            one.sentence.id: one
            for one in self.annotations(run)
            if any(verdict.overruled is not None for verdict in one.verdicts)
        }

    def remove(self, run: str) -> int:
        """Removes a run and its traces for good; how many they were."""
        self._known = None
        return self.connection.run(requests.remove(run)).removed

    def close(self) -> None:
        """Ends the connections."""
        self.connection.close()

    def _messages(self) -> list[RunMessage]:
        if self._known is None:
            self._known = self.connection.run(requests.runs())
        return self._known

    def _record(self, one: RunMessage) -> RunRecord:
        return RunRecord(
            run=one.run,
            created=one.started,
            kind=one.kind,
            policy=one.policy,
            judge=one.judge,
            labels=LabelSetRecord.of(self._label_set(one.labels)),
            parent=one.origin,
            keep_days=one.keep_days,
        )

    def _label_set(self, name: str) -> LabelSet:
        """A label set of the server; one that it no longer knows has no types, so that codes are shown."""
        if self._labels is None:
            self._labels = {
                one.name: LabelSet(
                    one.name,
                    one.title,
                    tuple(LabelType(each.code, each.name, each.definition) for each in one.types),
                    one.nested,
                )
                for one in self.connection.run(label_sets()).labels
            }
        return self._labels.get(name) or LabelSet(name, "", ())


def difference_of(message: DifferenceMessage) -> RunDifferences:
    """The differences of two runs as the server counted them."""
    found = RunDifferences(
        sentences=message.sentences,
        conflicts=message.conflicts,
        changed_conflicts=message.changed_conflicts,
        by_kind={kind: [one["alike"], one["otherwise"]] for kind, one in message.by_kind.items()},
        fallbacks=message.fallbacks,
        seconds=message.judging_seconds,
        only_a=message.only_in_a,
        only_b=message.only_in_b,
        changes=[
            Change(one.sentence, one.text, entities_of(one.only_a), entities_of(one.only_b)) for one in message.changes
        ],
    )
    found.gained.update(message.gained)
    found.lost.update(message.lost)
    return found


def gold_body(documents: Sequence[Document], *, seed: int, resamples: int) -> dict[str, Any]:
    """The body by which a server scores two runs."""
    return {
        "documents": [
            {
                "id": document.id,
                "text": document.text,
                "entities": [{"start": one.start, "end": one.end, "label": one.label} for one in document.entities],
            }
            for document in documents
        ],
        "seed": seed,
        "resamples": resamples,
    }


def score_of(message: DifferenceMessage) -> dict[str, Any] | None:
    """How both runs score; what JSON has as null is not a number here."""
    found: dict[str, Any] | None = _with_nan(message.score)
    return found


def _with_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: math.nan if one is None else _with_nan(one) for key, one in value.items()}
    return [math.nan if one is None else _with_nan(one) for one in value] if isinstance(value, list) else value


def _summary(run: str, one: SummaryMessage) -> TraceSummary:
    return TraceSummary(
        run=run,
        sentence_id=one.sentence,
        conflicts=one.conflicts,
        kinds=one.kinds,
        judges=one.judges,
        fallbacks=one.fallbacks,
        abstained=one.abstained,
        overruled=one.overruled,
        seconds=one.seconds,
    )


def _snapshots(path: PathMessage) -> Iterator[Snapshot]:
    """The states by name; only the last holds something, the annotation."""
    known = path.checkpoints or (CheckpointMessage(id="last"),)
    for one in known:
        values: dict[str, Any] = dict.fromkeys(one.channels)
        if one.next is not None:
            values[f"{_NEXT}{one.next}"] = None
        if one is known[-1]:
            values["annotation"] = annotation_of(path)
        yield Snapshot({"id": one.id, "channel_values": values}, {}, one.parent)
