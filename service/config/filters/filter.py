"""What all kinds of filters have in common, and the table of kinds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from medner.core.errors import UserError
from medner.service.config.cards import FilterCard, check_base, filter_card, names_labels
from medner.service.config.kinds import KindSettings, KindTable

if TYPE_CHECKING:
    from medner.agents.filters import Filter
    from medner.core.labels import LabelSet
    from medner.service.config.parts import Parts


def _rows() -> Mapping[str, type[FilterConfig]]:
    from medner.service.config.filters import KINDS  # noqa: PLC0415  the kinds are made from this module

    return KINDS


class FilterConfig(KindSettings):
    """A filter of any kind, and what is asked of every kind."""

    #: Whether it can be named by its kind alone.
    needs_no_folder: ClassVar[bool] = False
    #: Whether it is made of the scores of the run's span taggers.
    is_of_span_taggers: ClassVar[bool] = False
    #: Whether what its folder holds fits one base model only.
    fits_one_base: ClassVar[bool] = True
    #: Whether it asks the base model to write, which a server can run.
    writes: ClassVar[bool] = False

    kind: str

    @property
    def named_taggers(self) -> tuple[str, ...]:
        """The taggers that it names; all of them must be configured."""
        return ()

    def of_taggers(self, names: Collection[str]) -> Self:
        """The filter for a run with these taggers: what it says of others is left out."""
        del names
        return self

    @property
    def folder(self) -> Path | None:
        """The folder that `medner train filter` wrote; None for a filter without."""
        return None

    @property
    def engine_adapter(self) -> Path | None:
        """The adapter that the engine must load for it."""
        return None

    @property
    def exported_folder(self) -> Path | None:
        """The folder that `medner export` made of it for a server."""
        return None

    @property
    def candidate_folder(self) -> Path | None:
        """The folder of the model that scores candidates by their hidden states, which servers can run with medner's
        model class; None for a filter without."""
        return None

    @property
    def asks_model(self) -> bool:
        """Whether it runs on the base model, tuned or not."""
        return False

    @property
    def needs_hidden_states(self) -> bool:
        """Whether it is made of hidden states, which only a model in this process gives."""
        return False

    def served_name(self, labels: str) -> str | None:
        """The name that it has on servers; None where no server runs it."""
        del labels
        return None

    def plugins(self) -> Iterator[tuple[str, str]]:
        """The plugin it comes from, with its version, for fingerprints."""
        yield from ()

    def facts(self) -> dict[str, Any]:
        """What of it may change an answer, its files left out."""
        return {"kind": self.kind, "threshold": None, "temperature": None}

    def check(self, model: str | None) -> None:
        """UserError when its folder stands on another base than ``model`` (None: not compared)."""
        del model

    def in_words(self) -> str:
        """The filter in a few words."""
        return self.kind

    def build(self, parts: Parts) -> Filter:
        """The filter that runs. UserError when it cannot be made."""
        raise NotImplementedError


class TrainedFilterConfig(FilterConfig):
    """A filter that `medner train filter` wrote: ``threshold`` None is that of its card."""

    threshold: float | None = Field(default=None, ge=0, le=1)
    adapter: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The folder that `medner train filter` wrote."""
        return self.adapter

    def card(self, labels: LabelSet | None = None) -> FilterCard | None:
        """Its folder's card; None without a folder.

        UserError when the folder holds no filter, one of another kind, or (with ``labels``) of another label set.
        """
        if self.adapter is None:
            return None
        card = filter_card(self.adapter)
        if card.kind != self.kind:
            raise UserError(
                f"{self.adapter}: this filter is {card.kind}, not {self.kind}; set kind to what its card says"
            )
        if labels is not None:
            check_labels(self.adapter, card.labels, labels)
        return card

    def facts(self) -> dict[str, Any]:
        """Its threshold and temperature, as the card has them where nothing else is configured."""
        card = None if self.adapter is None else filter_card(self.adapter)
        threshold = self.threshold if self.threshold is not None or card is None else card.threshold
        temperature = None if card is None else card.temperature
        return {"kind": self.kind, "threshold": threshold, "temperature": temperature}

    def check(self, model: str | None) -> None:
        """UserError when its folder stands on another base than ``model`` (None: not compared)."""
        if self.adapter is None:
            return
        card = filter_card(self.adapter)
        if FILTERS.rows[card.kind].fits_one_base:
            check_base(self.adapter, card.base, model)

    def in_words(self) -> str:
        """Kind, tuning, threshold."""
        trained = self.adapter or self.exported_folder
        least = self.threshold if self.threshold is not None or trained else 0.5
        tuned = "tuned" if trained else "untuned"
        return f"{self.kind}, {tuned}, threshold " + ("of its card" if least is None else f"{least:g}")


def check_labels(folder: Path, named: str, labels: LabelSet) -> None:
    """UserError when a filter's folder is of another label set."""
    if not names_labels(named, labels.name):
        raise UserError(f"{folder}: this filter knows the label set {named}, not {labels.name}")


#: What 0.1.0 wrote of every filter.
_WRITTEN = {"kind": "llm-causal", "threshold": None, "adapter": None, "exported": None, "served": None}
FILTERS: KindTable[FilterConfig] = KindTable(lambda: FilterConfig, _rows, usual="llm-causal", written=_WRITTEN)
FilterConfig.table = FILTERS
