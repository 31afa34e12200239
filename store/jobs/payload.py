"""Annotations as the bytes that Redis and the workers hand around, and what is counted of each."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Sequence

from pydantic import TypeAdapter

from medner.core.records import Annotation, Failure, Sentence

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


def counts_of(*annotations: Annotation) -> str:
    """What annotations add to a job's counters, as JSON; counters they do not change are left out."""
    counts: Counter[str] = Counter()
    for one in annotations:
        counts["entities"] += len(one.entities)
        counts["conflicts"] += len(one.conflicts)
        counts["partial"] += bool(one.failures)
        if one.verdicts:
            counts["judge_calls"] += sum(1 for verdict in one.verdicts if verdict.prompt)
            counts["fallbacks"] += sum(1 for verdict in one.verdicts if verdict.fallback is not None)
    return json.dumps(+counts)


def given_up(sentence: Sentence, kind: str, error: str, worker: str) -> Annotation:
    """What stands in a result for a sentence that was given up: no entities, not complete, the reason."""
    return Annotation(sentence, failures=(Failure(JOB_STAGE, worker, kind, error),))
