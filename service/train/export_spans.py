"""From the folders of span taggers to one model for a server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medner.core.errors import UserError
from medner.core.files.names import CARD
from medner.core.labels import load_label_set
from medner.service.config.bases import base_name
from medner.service.config.cards import SpanExport, adapter_card, is_filter, write_card
from medner.service.config.taggers import TAGGERS
from medner.service.train.export import annotated_sentences
from medner.store.models import base_model_folder

if TYPE_CHECKING:
    from medner.training.export import Exported, ExportedWeights


def are_span_taggers(adapters: Sequence[Path]) -> bool:
    """Whether all folders are span taggers'. UserError for a folder without a card, or several of which some are not.

    Only span taggers share a model.
    """
    kinds = [
        (one / CARD).is_file() and not is_filter(one) and TAGGERS.rows[adapter_card(one).strategy].scores_spans
        for one in adapters
    ]
    if len(adapters) > 1 and not all(kinds):
        other = adapters[kinds.index(False)]
        raise UserError(f"{other}: is no span tagger; only span taggers share an exported model, export it alone")
    return all(kinds)


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
    cards = [adapter_card(one) for one in adapters]
    for what, several in (("label set", {one.labels for one in cards}), ("base model", {one.base for one in cards})):
        if len(several) > 1:
            raise UserError(f"span taggers of one model are of one {what}; these are of {', '.join(sorted(several))}")
    labels = load_label_set(cards[0].labels)
    named = base or cards[0].base
    order = SpanExportOrder(base_model_folder(named), base_name(named), adapters, out, dtype)
    texts = [shot.text for shot in annotated_sentences(check, labels, most)]
    return export_spans(order, texts, partial(_describe, adapters, base_name(named)))


def _describe(adapters: Sequence[Path], base: str, out: Path, weights: ExportedWeights) -> None:
    """Writes what the exported model is."""
    from medner.agents.taggers.spans.served.identity import identity  # noqa: PLC0415  heavy

    cards = [adapter_card(one) for one in adapters]
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
