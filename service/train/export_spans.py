"""From the folders of span taggers, those that judges read with too, to one model for a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medner.core.errors import BadInputError, UserError
from medner.core.files.names import CARD
from medner.core.labels import load_label_set
from medner.service.config.bases import base_name
from medner.service.config.cards import (
    EVIDENCE_KIND,
    JUDGE_KIND,
    AdapterCard,
    EvidenceCard,
    JudgeCard,
    SpanExport,
    adapter_card,
    card_data,
    evidence_card,
    is_filter,
    judge_card,
    write_card,
)
from medner.service.config.judges.trained import SPAN_SETTINGS
from medner.service.config.taggers import TAGGERS
from medner.service.train.export import annotated_sentences
from medner.store.models import base_model_folder

if TYPE_CHECKING:
    from medner.training.export import Exported, ExportedWeights


def are_span_taggers(adapters: Sequence[Path]) -> bool:
    """Whether all folders are of span taggers, or of judges that read with one. UserError where only some are.

    Only span taggers share a model.
    """
    kinds = [_holds_span_tagger(one) for one in adapters]
    if len(adapters) > 1 and not all(kinds):
        other = adapters[kinds.index(False)]
        raise UserError(f"{other}: is no span tagger; only span taggers share an exported model, export it alone")
    return all(kinds)


def _holds_span_tagger(folder: Path) -> bool:
    if not (folder / CARD).is_file() or is_filter(folder):
        return False
    if card_data(folder / CARD).get("kind") in (EVIDENCE_KIND, JUDGE_KIND):
        if not (folder / SPAN_SETTINGS).is_file():
            raise UserError(f"{folder}: this judge reads with no span tagger, so there is no model to export")
        return True
    return TAGGERS.rows[adapter_card(folder).strategy].scores_spans


def export_span_taggers(
    adapters: Sequence[Path],
    out: Path,
    *,
    base: str | None = None,
    dtype: str = "bfloat16",
    check: Path | None = None,
    most: int,
) -> Exported:
    """Merges span taggers of one base model into one model for a server, checked on ``most`` annotated sentences.

    ``base`` None: the one their cards name. ``check`` None: hand-written sentences that ship. UserError for taggers of
    several bases or label sets, ExternalError when the outcome differs.
    """
    try:
        from medner.training.span_export import SpanExportOrder, export_spans  # noqa: PLC0415  heavy
    except ImportError as error:
        raise UserError(f"{error.name} is missing: exporting needs pip install 'medner[train]'") from error
    cards = [_card(one) for one in adapters]
    for what, several in (("label set", {one.labels for one in cards}), ("base model", {one.base for one in cards})):
        if len(several) > 1:
            raise UserError(f"span taggers of one model are of one {what}; these are of {', '.join(sorted(several))}")
    labels = load_label_set(cards[0].labels)
    named = base or cards[0].base
    order = SpanExportOrder(base_model_folder(named), base_name(named), adapters, out, dtype)
    texts = [shot.text for shot in annotated_sentences(check, labels, most)]
    return export_spans(order, texts, partial(_describe, adapters, base_name(named)))


@dataclass(frozen=True, slots=True)
class _SpanCard:
    """What the cards of taggers and judges both say."""

    name: str
    base: str
    labels: str


def _card(folder: Path) -> _SpanCard:
    kind = card_data(folder / CARD).get("kind")
    if kind is None:
        card: AdapterCard | JudgeCard | EvidenceCard = adapter_card(folder)
    else:
        card = judge_card(folder) if kind == JUDGE_KIND else evidence_card(folder)
    if card.base is None:
        raise BadInputError("lacks base, the model that its adapter stands on", path=folder / CARD)
    return _SpanCard(card.name, card.base, card.labels)


def _describe(adapters: Sequence[Path], base: str, out: Path, weights: ExportedWeights) -> None:
    """Writes what the exported model is."""
    from medner.agents.taggers.spans.served.identity import identity  # noqa: PLC0415  heavy

    cards = [_card(one) for one in adapters]
    taggers = [f"{card.name} {identity(one, base).hex()}" for card, one in zip(cards, adapters, strict=True)]
    export = SpanExport(
        name=", ".join(card.name for card in cards),
        base=base,
        labels=cards[0].labels,
        sha256=weights.sha256,
        strategy="span",
        taggers=tuple(taggers),
    )
    write_card(out, export, {"dtype": weights.dtype})
