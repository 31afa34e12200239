"""From annotated files to a folder of exemplars."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from medner.agents.exemplars.embedding import Embedder
from medner.agents.exemplars.folder import ClusterRow, EntityRow, ExemplarCard, write_folder
from medner.core.files.atomic import replacing_folder
from medner.core.records import Span
from medner.training.exemplars.clusters import representatives
from medner.training.exemplars.mentions import ExemplarMention, Mentions, Selection, gather_mentions, input_hash

#: Sentences that are embedded together.
_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Clustering:
    """How many clusters a type has, and how many exemplars; the paper takes five (§3.3)."""

    clusters: int = 5
    each: int = 5


@dataclass(frozen=True, slots=True)
class ExemplarCorpus:
    """The files exemplars are made from, and those whose sentences must not be among them."""

    files: tuple[Path, ...]
    exclude: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedded:
    """How far the embedding is: entities so far, of how many, seconds."""

    done: int
    of: int
    seconds: float


class ExemplarBuild:
    """One build: the entities of a corpus are gathered first, so that their number is known before the long part."""

    def __init__(self, corpus: ExemplarCorpus, selection: Selection, clustering: Clustering) -> None:
        self.corpus = corpus
        self.selection = selection
        self.clustering = clustering
        self.mentions: Mentions = gather_mentions(corpus.files, selection, exclude=corpus.exclude)

    async def run(self, embedder: Embedder, out: Path, on_progress: Callable[[Embedded], None]) -> ExemplarCard:
        """Embeds, clusters and writes the folder; it appears whole or not at all. UserError when it is there."""
        with replacing_folder(out) as folder:
            vectors_NW = await embed_mentions(embedder, self.mentions.chosen, on_progress)
            clustered = self._clustered(vectors_NW)
            index = faiss.IndexFlatIP(vectors_NW.shape[1])
            index.add(vectors_NW)
            rows = [EntityRow(**_fields(one)) for one in self.mentions.chosen]
            return write_folder(folder, self._card(embedder, vectors_NW, clustered), clustered, rows, index)

    def _clustered(self, vectors_NW: NDArray[np.float32]) -> list[ClusterRow]:
        chosen = self.mentions.chosen
        rows: list[ClusterRow] = []
        for code in self.selection.labels.codes:
            of_type = np.array([place for place, one in enumerate(chosen) if one.label == code], dtype=np.int64)
            found = representatives(
                vectors_NW[of_type],
                clusters=self.clustering.clusters,
                each=self.clustering.each,
                seed=self.selection.seed,
            )
            rows += [
                ClusterRow(**_fields(chosen[of_type[one.row]]), cluster=one.cluster, distance=round(one.distance, 6))
                for one in found
            ]
        return rows

    def _card(
        self, embedder: Embedder, vectors_NW: NDArray[np.float32], clustered: Sequence[ClusterRow]
    ) -> ExemplarCard:
        selection, origin = self.selection, embedder.origin
        return ExemplarCard(
            labels=selection.labels.name,
            types=selection.labels.codes,
            embedder=origin.kind,
            base=origin.name,
            base_sha256=origin.sha256,
            width=vectors_NW.shape[1],
            seed=selection.seed,
            clusters=self.clustering.clusters,
            each=self.clustering.each,
            max_per_type=selection.max_per_type,
            max_chars=selection.max_chars,
            data=tuple(f"{path.name} sha256:{input_hash(path)}" for path in self.corpus.files),
            excluded=tuple(f"{path.name} sha256:{input_hash(path)}" for path in self.corpus.exclude),
            distinct=self.mentions.distinct,
            embedded=_counts(selection.labels.codes, self.mentions.chosen),
            exemplars=_counts(selection.labels.codes, clustered),
            versions=_versions("medner", "faiss-cpu", "torch", "transformers", "sentence-transformers"),
        )


async def embed_mentions(
    embedder: Embedder, mentions: Sequence[ExemplarMention], on_progress: Callable[[Embedded], None]
) -> NDArray[np.float32]:
    """A vector for each mention, [mentions, width]; each sentence is read once for all of its mentions."""
    of_context: dict[str, list[int]] = {}
    for row, mention in enumerate(mentions):
        of_context.setdefault(mention.context, []).append(row)
    # Sentences of a length waste the least of a common pass.
    contexts = sorted(of_context, key=len)
    vectors: dict[int, NDArray[np.float32]] = {}
    began = time.monotonic()
    for at in range(0, len(contexts), _TOGETHER):
        together = contexts[at : at + _TOGETHER]
        spans = [[_span(mentions[row]) for row in of_context[context]] for context in together]
        found = await asyncio.gather(*map(embedder.embed, together, spans))
        for context, vectors_NW in zip(together, found, strict=True):
            vectors.update(zip(of_context[context], vectors_NW, strict=True))
        on_progress(Embedded(len(vectors), len(mentions), time.monotonic() - began))
    return np.stack([vectors[row] for row in range(len(mentions))])


def _span(mention: ExemplarMention) -> Span:
    return Span(mention.start, mention.start + len(mention.text))


def _fields(mention: ExemplarMention) -> dict[str, object]:
    return {"text": mention.text, "label": mention.label, "context": mention.context, "start": mention.start}


def _counts(codes: Sequence[str], rows: Sequence[ExemplarMention | ClusterRow]) -> dict[str, int]:
    counts = Counter(row.label for row in rows)
    return {code: counts[code] for code in codes}


def _versions(*names: str) -> dict[str, str]:
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an optional one
            continue
    return versions
