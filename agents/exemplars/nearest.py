"""The nearest known entities to a region: found in the FAISS index of a folder of exemplars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from medner.agents.exemplars.embedding import Embedder
from medner.agents.exemplars.folder import ENTITIES, EntityRow, ExemplarFolder, check_origin
from medner.agents.exemplars.source import ExemplarSource
from medner.core.errors import BadInputError
from medner.core.records import Exemplar, Sentence, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class EntityIndex:
    """Embedded entities, searched one type at a time by cosine similarity."""

    def __init__(self, index: Any, rows: Sequence[EntityRow]) -> None:
        self._index = index
        self._rows = rows
        ids: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            ids.setdefault(row.label, []).append(number)
        self._ids = ids

    @classmethod
    def read(cls, folder: ExemplarFolder) -> Self:
        """The index of a folder; BadInputError when index and rows do not agree."""
        index, rows = folder.index(), folder.entities()
        if index.ntotal != len(rows):
            raise BadInputError(
                f"damaged: {len(rows)} rows for {index.ntotal} vectors; build it again with medner exemplars build",
                path=folder.path / ENTITIES,
            )
        return cls(index, rows)

    def nearest(
        self, vector_W: NDArray[np.float32], code: str, count: int, *, outside: str | None = None
    ) -> tuple[Exemplar, ...]:
        """The nearest entities of a type, nearest first, each with its cosine distance; fewer where there are fewer.

        None comes from the sentence ``outside``, however the two were cut: an entity is left out when its context
        holds that text or is held by it.
        """
        import faiss  # noqa: PLC0415  heavy
        import numpy as np  # noqa: PLC0415

        ids = np.asarray(self._ids.get(code, ()), dtype=np.int64)
        parameters: Any = faiss.SearchParameters  # its keyword arguments are not in its type
        among = parameters(sel=faiss.IDSelectorBatch(ids))
        asked = min(count, len(ids))
        while asked:
            similarities, found = self._index.search(vector_W[None], asked, params=among)
            exemplars = [
                self._rows[row].exemplar(round(max(0.0, 1.0 - float(similarity)), 6))
                for similarity, row in zip(similarities[0], found[0], strict=True)
                if outside is None or not _same_sentence(self._rows[row].context, outside)
            ]
            if len(exemplars) >= count or asked == len(ids):
                return tuple(exemplars[:count])
            # Some were of the sentence itself: look further.
            asked = min(4 * asked, len(ids))
        return ()


def _same_sentence(context: str, text: str) -> bool:
    ours, theirs = context.strip(), text.strip()
    return ours in theirs or theirs in ours


@dataclass(frozen=True, slots=True)
class NearestExemplars:
    """For each type at stake, the known entities whose vectors are nearest to the region's in its sentence."""

    index: EntityIndex
    embedder: Embedder
    each: int = 5

    @classmethod
    def read(cls, folder: ExemplarFolder, embedder: Embedder, *, each: int = 5) -> Self:
        """Those of a folder; UserError when its index was made with another model than the embedder's."""
        check_origin(folder.card, embedder.origin, where=folder.path)
        return cls(EntityIndex.read(folder), embedder, each)

    async def exemplars(self, sentence: Sentence, region: Span, codes: Iterable[str]) -> tuple[Exemplar, ...]:
        """The nearest entities of each type, never of the same sentence."""
        return await self.besides((), sentence, region, codes)

    async def besides(
        self, known: Sequence[Exemplar], sentence: Sentence, region: Span, codes: Iterable[str]
    ) -> tuple[Exemplar, ...]:
        """The nearest entities of each type that are not among ``known``."""
        vector_W = (await self.embedder.embed(sentence.text, (region,)))[0]
        shown = {(one.label, one.text) for one in known}
        found: list[Exemplar] = []
        for code in codes:
            asked = self.each + sum(label == code for label, _ in shown)
            near = self.index.nearest(vector_W, code, asked, outside=sentence.text)
            found += [one for one in near if (one.label, one.text) not in shown][: self.each]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class ClustersThenNearest:
    """For each type the K-Means exemplars, then the nearest entities that are not among them."""

    clusters: ExemplarSource
    nearest: NearestExemplars

    async def exemplars(self, sentence: Sentence, region: Span, codes: Iterable[str]) -> tuple[Exemplar, ...]:
        """Type by type: first those of the clusters, then the nearest ones."""
        order = tuple(codes)
        first = await self.clusters.exemplars(sentence, region, order)
        then = await self.nearest.besides(first, sentence, region, order)
        return tuple(one for code in order for one in (*first, *then) if one.label == code)
