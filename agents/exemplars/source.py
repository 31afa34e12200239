"""Where the judge's exemplars come from, and the sources that show the same ones for every region."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Protocol, Self

from medner.agents.exemplars.folder import ExemplarFolder
from medner.core.labels import LabelSet
from medner.core.records import Exemplar, Sentence, Span


class ExemplarSource(Protocol):
    """Gives typical entities of the types a conflict is about.

    Raises ExternalError when a model it asks cannot be run.
    """

    async def exemplars(self, sentence: Sentence, region: Span, codes: Iterable[str]) -> tuple[Exemplar, ...]:
        """Exemplars for the type codes, type by type in their order; the same call gives the same ones."""
        ...


class FixedExemplars:
    """The same few exemplars of a type for every conflict; the paper takes five."""

    def __init__(self, by_type: Mapping[str, tuple[Exemplar, ...]], *, each: int = 5) -> None:
        self._by_type = by_type
        self._each = each

    @classmethod
    def of(cls, exemplars: Iterable[Exemplar], *, each: int = 5) -> Self:
        """The first few of each type among some exemplars."""
        by_type: dict[str, tuple[Exemplar, ...]] = {}
        for exemplar in exemplars:
            by_type[exemplar.label] = (*by_type.get(exemplar.label, ()), exemplar)
        return cls(by_type, each=each)

    @classmethod
    def shipped(cls, labels: LabelSet) -> Self:
        """The hand-written exemplars of a shipped label set; none for a set of the user's own."""
        source = resources.files("medner.agents.prompts") / f"exemplars-{labels.name}.toml"
        entries = tomllib.loads(source.read_text(encoding="utf-8"))["exemplars"] if source.is_file() else ()
        return cls.of(Exemplar(entry["text"], entry["label"], entry["context"]) for entry in entries)

    async def exemplars(
        self,
        sentence: Sentence,  # noqa: ARG002  a nearest-neighbour source looks at it
        region: Span,  # noqa: ARG002
        codes: Iterable[str],
    ) -> tuple[Exemplar, ...]:
        """The first few exemplars of each type."""
        return tuple(exemplar for code in codes for exemplar in self._by_type.get(code, ())[: self._each])


class ClusterExemplars(FixedExemplars):
    """The K-Means exemplars of a corpus: for each type, the entities nearest to its clusters' centres."""

    @classmethod
    def read(cls, folder: ExemplarFolder, *, each: int = 5) -> Self:
        """Those of a folder that `medner exemplars build` wrote; BadInputError when a row is damaged."""
        return cls.of((row.exemplar() for row in folder.clustered()), each=each)
