"""Annotations as the bytes that Redis and the workers hand around, and what is counted of each."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from pydantic import TypeAdapter

from medner.store.records import Annotation, Failure, Sentence

_ANNOTATION = TypeAdapter(Annotation)
_ANNOTATIONS = TypeAdapter(tuple[Annotation | None, ...])
#: The stage under which a given-up sentence's failure stands in its annotation.
JOB_STAGE = "job"


def dump_annotation(annotation: Annotation) -> bytes:
    """The annotation as JSON."""
    return _ANNOTATION.dump_json(annotation)


def load_annotation(data: bytes) -> Annotation:
    """The annotation of :func:`dump_annotation`."""
    return _ANNOTATION.validate_json(data)


def pack(results: Sequence[Annotation | None]) -> bytes:
    """The results of a chunk, by index, in one value; None for a sentence that has none."""
    return zlib.compress(_ANNOTATIONS.dump_json(tuple(results)), 1)


def unpack(data: bytes) -> tuple[Annotation | None, ...]:
    """The results of :func:`pack`."""
    return _ANNOTATIONS.validate_json(zlib.decompress(data))


def counts_of(annotation: Annotation) -> str:
    """What an annotation adds to a job's counters, as JSON; counters it does not change are left out."""
    counts = {
        "entities": len(annotation.entities),
        "conflicts": len(annotation.conflicts),
        "partial": int(bool(annotation.failures)),
        "judge_calls": sum(1 for verdict in annotation.verdicts if verdict.prompt),
        "fallbacks": sum(1 for verdict in annotation.verdicts if verdict.fallback is not None),
    }
    return json.dumps({name: count for name, count in counts.items() if count})


def given_up(sentence: Sentence, kind: str, error: str, worker: str) -> Annotation:
    """What stands in a result for a sentence that was given up: no entities, not complete, the reason."""
    return Annotation(sentence, failures=(Failure(JOB_STAGE, worker, kind, error),))
