"""The work that every queue is given: the same chunks, and a no-op in the place of the graph."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from importlib.metadata import version

from medner.core.records import (
    AnnotatedEntity,
    Annotation,
    Decision,
    Decoded,
    Document,
    Entity,
    Sentence,
    TaggerOutput,
)
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import freeze
from medner.service.config.options import Overrides, configured
from medner.store.jobs import JobSpec
from medner.store.jobs.chunks import chunks_of, dump_chunk, load_chunk, sentences_of
from medner.store.jobs.payload import pack

CONFIGURATION = configured(Overrides(taggers="html:full,json:plain", judge="hard-vote"))
PER_DOCUMENT = 4


def documents(sentences: int) -> Iterator[Document]:
    """Notes of four sentences, all different."""
    for number in range(sentences // PER_DOCUMENT):
        lines = (f"患者{number}于第{day}天出现咳嗽、胸痛，予阿司匹林治疗。\n" for day in range(PER_DOCUMENT))
        yield Document(f"note-{number}", "".join(lines))


def annotated(sentence: Sentence) -> Annotation:
    """What the no-op gives: two taggers, two entities."""
    entities = tuple(Entity(at, at + 2, "sym") for at in (len(sentence.text) - 12, len(sentence.text) - 9))
    outputs = tuple(TaggerOutput(name, sentence.text, Decoded(entities)) for name in ("a", "b"))
    kept = tuple(AnnotatedEntity(entity, Decision.AGREED, ("a", "b")) for entity in entities)
    return Annotation(sentence, kept, outputs, timings={"tag:a": 0.1, "tag:b": 0.1, "merge": 0.001})


class NoOp:
    """Annotates by doing nothing, after ``sleep_s``."""

    def __init__(self, sleep_s: float = 0.0) -> None:
        self._sleep_s = sleep_s

    async def annotate_sentence(self, sentence: Sentence) -> Annotation:
        """A ready annotation."""
        if self._sleep_s:
            await asyncio.sleep(self._sleep_s)
        return annotated(sentence)


async def plain_chunk(payload: bytes) -> bytes:
    """What the other queues' workers do with a chunk: the same, without claims and counters."""
    sentences = sentences_of(load_chunk(payload))
    return pack([await NoOp().annotate_sentence(sentence) for sentence in sentences])


def spec(arguments: argparse.Namespace, results: str | None = None) -> JobSpec:
    """The job of a measurement."""
    return JobSpec(
        configuration=freeze(CONFIGURATION),
        fingerprint=fingerprint(CONFIGURATION),
        medner=version("medner"),
        chunk_sentences=arguments.chunk,
        results=results,
    )


def payloads(arguments: argparse.Namespace) -> Iterator[bytes]:
    """The same chunks."""
    for chunk in chunks_of(documents(arguments.sentences), size=arguments.chunk, max_chars=256):
        yield dump_chunk(chunk)
