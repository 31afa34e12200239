"""What is kept of a run: its record, and for each sentence the states after the graph's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from medner.core.choices import TracePolicy
from medner.core.labels import LabelSet, LabelType
from medner.core.records import Annotation


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a sentence at one point: a LangGraph checkpoint, its metadata, and the checkpoint before it."""

    checkpoint: Mapping[str, Any]
    metadata: Mapping[str, Any]
    parent: str | None = None

    @property
    def id(self) -> str:
        """The checkpoint's id; later ones sort behind earlier ones."""
        return str(self.checkpoint["id"])

    @property
    def values(self) -> Mapping[str, Any]:
        """The graph's state by channel."""
        values: Mapping[str, Any] = self.checkpoint["channel_values"]
        return values

    @property
    def next_node(self) -> str | None:
        """The node that comes after this state, for the ones that come alone; None at the end, and before taggers."""
        found = [name.removeprefix("branch:to:") for name in self.values if name.startswith("branch:to:")]
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Trace:
    """One sentence of a run, its snapshots in order. The last holds the annotation."""

    run: str
    sentence_id: str
    snapshots: tuple[Snapshot, ...]

    @property
    def id(self) -> str:
        """The trace's name, which is its LangGraph thread: the run, a slash, the sentence's id."""
        return thread_of(self.run, self.sentence_id)

    @property
    def annotation(self) -> Annotation:
        """What became of the sentence, after whatever a person decided."""
        found: Annotation = self.snapshots[-1].values["annotation"]
        return found

    def before(self, node: str) -> Snapshot | None:
        """The first snapshot that ``node`` comes after."""
        return next((one for one in self.snapshots if one.next_node == node), None)


def thread_of(run: str, sentence_id: str) -> str:
    """The LangGraph thread of a sentence."""
    return f"{run}/{sentence_id}"


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """What a list says of a trace without reading its states."""

    run: str
    sentence_id: str
    conflicts: int
    kinds: tuple[str, ...]
    judges: tuple[str, ...]
    fallbacks: int = 0
    abstained: int = 0
    overruled: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, run: str, annotation: Annotation) -> Self:
        """The summary of an annotation; ``seconds`` are those of its nodes, taggers in parallel counted each."""
        verdicts = annotation.verdicts
        return cls(
            run=run,
            sentence_id=annotation.sentence.id,
            conflicts=len(annotation.conflicts),
            kinds=tuple(sorted({conflict.kind.value for conflict in annotation.conflicts})),
            judges=tuple(sorted({f"{one.judge}@{one.judge_version}" for one in verdicts})),
            fallbacks=sum(one.fallback is not None for one in verdicts),
            abstained=sum(one.abstained and one.overruled is None for one in verdicts),
            overruled=sum(one.overruled is not None for one in verdicts),
            seconds=round(sum(annotation.timings.values()), 6),
        )


class _LabelTypeRecord(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    code: str
    name: str
    definition: str


class LabelSetRecord(BaseModel):
    """A label set with its content: the file it came from may be gone when the trace is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    types: tuple[_LabelTypeRecord, ...]
    nested: bool = True
    outer: tuple[str, ...] | None = None

    @classmethod
    def of(cls, labels: LabelSet) -> Self:
        """The record of a label set."""
        types = tuple(_LabelTypeRecord(code=t.code, name=t.name, definition=t.definition) for t in labels.types)
        return cls(name=labels.name, title=labels.title, types=types, nested=labels.nested, outer=labels.outer)

    def label_set(self) -> LabelSet:
        """The label set itself."""
        types = tuple(LabelType(one.code, one.name, one.definition) for one in self.types)
        return LabelSet(self.name, self.title, types, self.nested, outer=self.outer)


def now() -> datetime:
    """The present moment, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


class RunRecord(BaseModel):
    """What a run was: when, of what kind (``annotate``, ``job``, ``fork``), with which agents and labels.

    ``judge`` is the judge in a few words, ``configuration`` all that an annotation run is made of, as plain data.
    ``parent`` is the run that a fork was made of. ``keep_days`` None: until somebody removes it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    run: str = Field(min_length=1, max_length=200, pattern=r"^[^/\s]+$")
    created: datetime = Field(default_factory=now)
    kind: str = "annotate"
    policy: TracePolicy = TracePolicy.CONFLICTS
    judge: str = ""
    labels: LabelSetRecord
    configuration: dict[str, Any] = Field(default_factory=dict)
    fingerprint: str = ""
    parent: str | None = None
    keep_days: int | None = Field(default=None, ge=0)

    def is_over(self, at: datetime) -> bool:
        """Whether the time it was to be kept for has passed."""
        if self.keep_days is None:
            return False
        # Added to the beginning, many days would be a date that no calendar has.
        return at - self.created >= timedelta(days=min(self.keep_days, timedelta.max.days))
