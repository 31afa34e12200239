"""Where the judge's exemplars come from (§3.3, step 3)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Protocol

from medner.store.labels import LabelSet
from medner.store.records import Exemplar, Sentence, Span


class ExemplarSource(Protocol):
    """Gives typical entities of the types a conflict is about."""

    def exemplars(self, sentence: Sentence, region: Span, codes: Iterable[str]) -> tuple[Exemplar, ...]:
        """Exemplars for the type codes, type by type in their order; the same call gives the same ones."""
        ...


class FixedExemplars:
    """The same few exemplars of a type for every conflict; the paper takes five."""

    def __init__(self, by_type: Mapping[str, tuple[Exemplar, ...]], *, each: int = 5) -> None:
        self._by_type = by_type
        self._each = each

    @classmethod
    def shipped(cls, labels: LabelSet, *, each: int = 5) -> FixedExemplars:
        """The hand-written exemplars of a shipped label set; none for a set of the user's own."""
        source = resources.files("medner.agents.prompts") / f"exemplars-{labels.name}.toml"
        by_type: dict[str, tuple[Exemplar, ...]] = {}
        if source.is_file():
            for entry in tomllib.loads(source.read_text(encoding="utf-8"))["exemplars"]:
                exemplar = Exemplar(entry["text"], entry["label"], entry["context"])
                by_type[exemplar.label] = (*by_type.get(exemplar.label, ()), exemplar)
        return cls(by_type, each=each)

    def exemplars(
        self,
        sentence: Sentence,  # noqa: ARG002  a nearest-neighbour source looks at it
        region: Span,  # noqa: ARG002
        codes: Iterable[str],
    ) -> tuple[Exemplar, ...]:
        """The first few exemplars of each type."""
        return tuple(exemplar for code in codes for exemplar in self._by_type.get(code, ())[: self._each])
