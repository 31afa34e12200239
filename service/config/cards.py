"""The cards of adapters: ``card.toml`` and ``export.toml`` as models, and whether a folder fits a configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from medner.agents.prompts.tagger import STYLES
from medner.core.errors import BadInputError, UserError
from medner.core.files.atomic import replacing_file
from medner.core.files.card_text import card_text
from medner.core.files.names import CARD
from medner.core.validation import OneOf
from medner.service.config.card_keys import INFORMATIVE_KEYS, Card, validated_card
from medner.service.config.retired import refuse_retired


def _tagger_kinds() -> list[str]:
    from medner.service.config.taggers import TAGGERS  # noqa: PLC0415  the kinds read cards

    return TAGGERS.with_adapter


def _filter_kinds() -> list[str]:
    from medner.service.config.filters import FILTERS  # noqa: PLC0415  the kinds read cards

    return FILTERS.with_adapter


#: A wording of a tagger's prompt.
StyleName = Annotated[str, OneOf(lambda: STYLES)]
#: A kind of tagger or filter that has an adapter's folder, and so a card.
TaggerKind = Annotated[str, OneOf(_tagger_kinds)]
FilterKind = Annotated[str, OneOf(_filter_kinds)]

#: What a trained judge's card names as its kind.
JUDGE_KIND: Final = "llm-judge"
#: What an evidence judge's card names.
EVIDENCE_KIND: Final = "evidence"
EXPORT = "export.toml"


class AdapterCard(BaseModel):
    """What ``card.toml`` says of an adapter: its base model, and how the tagger that uses it is built.

    A card also tells readers what the adapter was trained on and how it scored; those keys
    (:data:`medner.service.config.card_keys.INFORMATIVE_KEYS`) are not read here. A span tagger's depth and first
    two-way layer are here for readers too; its span.json decides.
    """

    model_config = ConfigDict(extra="ignore")
    name: str
    base: str
    labels: str
    strategy: TaggerKind
    style: StyleName = "brief"
    layers: int | None = Field(default=None, ge=1)
    two_way_from: int | None = Field(default=None, ge=0)


class FilterCard(BaseModel):
    """What ``card.toml`` says of a filter: its kind, its base model, and what its scores mean.

    Candidates under ``threshold`` are dropped; a score is divided by ``temperature`` before it becomes a probability.
    ``two_way_from`` is the first layer in which an llm-cls filter's sentence looks both ways.
    """

    model_config = ConfigDict(extra="ignore")
    name: str
    kind: FilterKind
    base: str
    labels: str
    threshold: float = Field(ge=0, le=1)
    temperature: float = Field(gt=0)
    two_way_from: int | None = Field(default=None, ge=0)


class ExportCard(BaseModel):
    """What ``export.toml`` says of a model that `medner export` made of an adapter; ``sha256`` is of its weights."""

    model_config = ConfigDict(extra="ignore")
    name: str
    base: str
    labels: str
    sha256: str


class TaggerExport(ExportCard):
    """An exported tagger: the strategy it answers in, and the style of its prompt."""

    strategy: TaggerKind
    style: StyleName = "brief"


class SpanExport(ExportCard):
    """Exported span taggers of one base: their names, each with its identity as the server's answers have it."""

    strategy: Literal["span"]
    taggers: tuple[str, ...]


class FilterExport(ExportCard):
    """An exported filter that answers yes or no."""

    kind: FilterKind
    threshold: float = Field(ge=0, le=1)
    temperature: float = Field(gt=0)


class ClassifierExport(FilterExport):
    """An exported filter that classifies. ``bias`` is added to the model's score, which has no place for it."""

    kind: Literal["llm-cls"]
    bias: float


class JudgeCard(BaseModel):
    """What ``card.toml`` says of a trained judge: its base model, and what its scores mean.

    ``scorer``: a classification layer on each candidate, or a span head. ``two_way_from`` (of a classifier) is the
    first layer in which what stands before the candidates looks both ways.
    """

    model_config = ConfigDict(extra="ignore")
    name: str
    kind: Literal["llm-judge"]
    scorer: Literal["classifier", "span"] = "classifier"
    base: str
    labels: str
    threshold: float = Field(ge=0, le=1)
    temperature: float = Field(gt=0)
    two_way_from: int | None = Field(default=None, ge=0)


class EvidenceCard(BaseModel):
    """What ``card.toml`` says of an evidence judge: from which probability on it keeps a candidate.

    ``base`` is the base model of the adapter that lies beside the trees, where the judge reads the sentence itself.
    """

    model_config = ConfigDict(extra="ignore")
    name: str
    kind: Literal["evidence"]
    base: str | None = None
    labels: str
    threshold: float = Field(ge=0, le=1)


def write_card(
    folder: Path, card: AdapterCard | FilterCard | JudgeCard | EvidenceCard | ExportCard, about: Mapping[str, Any]
) -> None:
    """Writes ``card.toml`` or ``export.toml``: what runs read, then ``about``, for people, where not empty.

    ValueError for a key that the readers of cards do not know.
    """
    if unknown := about.keys() - set(INFORMATIVE_KEYS):
        raise ValueError(f"no keys of a card: {', '.join(sorted(unknown))}")
    fields = {**card.model_dump(exclude_unset=True), **about}
    with replacing_file(folder / (EXPORT if isinstance(card, ExportCard) else CARD)) as out:
        out.write(card_text({key: value for key, value in fields.items() if value not in (None, "", [])}))


def check_card(folder: Path, *, labels: str, model: str | None) -> None:
    """UserError when an adapter's card names another label set, or another base than ``model`` (None: not compared).

    A folder without a card is taken as it is.
    """
    refuse_retired(folder)
    card = adapter_card(folder) if (folder / CARD).is_file() else None
    if card is not None and not names_labels(card.labels, labels):
        raise UserError(f"{folder}: this adapter was trained for the label set {card.labels}, not {labels}")
    if card is not None:
        check_base(folder, card.base, model)


def check_base(folder: Path, base: str, model: str | None) -> None:
    """UserError when what a folder holds stands on another base than ``model`` (None: not compared)."""
    if model is not None and base != model:
        raise UserError(f"{folder}: this adapter was trained on the base model {base}, not on {model}")


def names_labels(named: str, labels: str) -> bool:
    """Whether a card that names a label set, or its file, means the one called ``labels``."""
    return labels == named or (named.endswith(".toml") and labels == Path(named).stem)


def adapter_card(folder: Path) -> AdapterCard:
    """The card of an adapter's folder. UserError when there is none, BadInputError when it is broken."""
    return _read(AdapterCard, _file(folder, "adapter", "medner train"))


def filter_card(folder: Path) -> FilterCard:
    """The card of a filter's folder. UserError when there is none, BadInputError when it is broken or a tagger's."""
    path = _file(folder, "filter", "medner train filter")
    if not is_filter(folder):
        raise BadInputError("this is a tagger's card, not a filter's (it has no kind)", path=path)
    return _read(FilterCard, path)


def export_card(folder: Path) -> TaggerExport | SpanExport | FilterExport:
    """What an exported model is. UserError when the folder holds none, BadInputError when its card is broken."""
    path = _file(folder, "exported model", "medner export", EXPORT)
    data = card_data(path)
    if "kind" not in data:
        return _read(SpanExport, path) if "taggers" in data else _read(TaggerExport, path)
    return _read(ClassifierExport if "bias" in data else FilterExport, path)


def classifier_export(folder: Path) -> ClassifierExport:
    """What an exported llm-cls filter is. UserError when the folder holds none, BadInputError for another export."""
    path = _file(folder, "exported filter", "medner export", EXPORT)
    data = card_data(path)
    if "strategy" in data or data.get("kind") == "llm-causal":
        raise BadInputError("this exported model writes; the filter on a server is an exported llm-cls one", path=path)
    return _read(ClassifierExport, path)


def judge_card(folder: Path) -> JudgeCard:
    """The card of a trained judge's folder. UserError when there is none, BadInputError when it is another card."""
    path = _file(folder, "judge", "medner train judge")
    if card_data(path).get("kind") != JUDGE_KIND:
        raise BadInputError(f"this is no trained judge's card (its kind is not {JUDGE_KIND})", path=path)
    return _read(JudgeCard, path)


def evidence_card(folder: Path) -> EvidenceCard:
    """The card of an evidence judge's folder. UserError when there is none, BadInputError when it is another card."""
    path = _file(folder, "evidence judge", "medner train evidence")
    if card_data(path).get("kind") != EVIDENCE_KIND:
        raise BadInputError(f"this is no evidence judge's card (its kind is not {EVIDENCE_KIND})", path=path)
    return _read(EvidenceCard, path)


def is_filter(folder: Path) -> bool:
    """Whether the card in a folder is a filter's. BadInputError when it is broken."""
    return card_data(folder / CARD).get("kind") in _filter_kinds()


def _file(folder: Path, what: str, command: str, name: str = CARD) -> Path:
    refuse_retired(folder)
    if not (folder / name).is_file():
        raise UserError(f"{folder}: holds no {what} (no {name}); {command} writes one")
    return folder / name


def card_data(path: Path) -> dict[str, Any]:
    """A card's keys and values. BadInputError when it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=path) from error


def _read(card: type[Card], path: Path) -> Card:
    return validated_card(card, {"name": path.parent.name, **card_data(path)}, path)
